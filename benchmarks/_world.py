"""An independent world: a sales team simulated from how sales works, with features that can be switched on one by one.

``winprob.simulation`` was written by the authors of the model and shares its forms; a forecast that is right there may
be right because both are wrong alike. This world has its own: support that wanders, committees with thresholds and
executives with vetoes, deals that die quietly and are entered late, dates pushed again and again, seasons, shocks.
`simulate_world` returns what ``winprob.simulation.simulate_pipeline`` does: the truth, and the export of any day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from _world_deals import Days, Deals, Features, draw_deals, draw_team, random_streams
from _world_ends import NEVER
from _world_life import CONTACTED, OPEN, Life, live

from winprob.data.schema import COLUMNS
from winprob.methodology import COACH_STATES, COVERAGES, DECISION_METHODS, OUTCOMES, REP_CATEGORIES, ROLES, STAGES

LAST_DAY = dt.date(2026, 9, 30)
SEGMENTS = ("public", "finance", "manufacturing", "utilities")
#: Lower bounds of the seller's chance in each category but ``omitted``.
CATEGORY_FROM = (0.15, 0.4, 0.6, 0.75)
EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class World:
    """A simulated team through time, of the shape of ``winprob.simulation.Pipeline``.

    ``deals`` is the truth, a row each: ``deal_id, created_on, closed_on, outcome, won, amount`` (at closing); deals are
    created until ``last_day`` and close after it too. ``life`` holds what no export shows.
    """

    deals: pd.DataFrame
    first_day: dt.date
    last_day: dt.date
    features: Features
    life: Life
    _created: Deals
    _blank: np.ndarray

    def known_on(self, day: dt.date) -> pd.DataFrame:
        """The deal table exported on ``day``: every deal created by then, as the CRM held it that evening."""
        today, facts, life = (day - EPOCH).days, self._created, self.life
        rows = np.flatnonzero(facts.created <= today)
        week = max(int(np.searchsorted(life.mondays, today, side="right")) - 1, 0)
        closed = life.state.closed[rows] <= today
        since = life.state.stage_since[rows]
        stage = (since <= today).sum(axis=1) - 1
        expected = np.where(closed, life.state.closed[rows], life.expected[week][rows])
        blank = self._blank[rows]
        columns: dict[str, object] = {
            "deal_id": self.deals["deal_id"].array[rows],
            "as_of": _dates(np.full(len(rows), today)),
            "opened_on": _dates(facts.created[rows]),
            "expected_close_on": _dates(expected),
            "closed_on": _dates(np.where(closed, life.state.closed[rows], NEVER)),
            "outcome": _words(OUTCOMES, np.where(closed, life.state.outcome[rows], OPEN)),
            "amount": _amount(facts, rows, since[:, 3] <= today, closed & (life.state.outcome[rows] == 0)),
            "currency": _words(("CNY",), np.zeros(len(rows), dtype=int)),
            "account": _numbered("A", facts.account[rows]),
            "segment": _words(SEGMENTS, facts.segment[rows]),
            "region": _numbered("R", facts.region[rows]),
            "seller": _numbered("S", facts.seller[rows]),
            "product": _numbered("P", facts.product[rows]),
            "competitor": pd.Series(_numbered("C", facts.competitor[rows])).mask(blank[:, 0]).array,
            **_seller(life, week, rows, expected, closed, day),
            "stage": _words(STAGES, stage),
            "decision_method": _words(
                DECISION_METHODS, np.where(stage >= facts.method_known_from[rows], facts.method[rows], -1)
            ),
            "coach": _words(COACH_STATES, np.where(blank[:, 1], -1, life.coach[week][rows])),
            **_roles(life, week, rows),
        }
        return pd.DataFrame(columns, columns=pd.Index(COLUMNS))


def simulate_world(
    *,
    seed: int,
    quarters: int = 12,
    per_quarter: float = 60.0,
    features: Features | None = None,
    last_day: dt.date = LAST_DAY,
) -> World:
    """Simulate a team over ``quarters`` calendar quarters that end on ``last_day``; ``per_quarter`` deals are created.

    The same seed gives the same sellers, customers and luck whatever the features, so that two worlds differ by them
    alone.
    """
    features, days, rngs = features or Features(), Days.ending(last_day, quarters), random_streams(seed)
    team = draw_team(rngs["sellers"])
    deals = draw_deals(rngs, features, days, per_quarter)
    life = live(deals, team, features, days, rngs)
    won = life.state.outcome == 0
    every = np.arange(len(deals))
    truth = pd.DataFrame(
        {
            "deal_id": _numbered("W", every, digits=5),
            "created_on": _dates(deals.created),
            "closed_on": _dates(life.state.closed),
            "outcome": _words(OUTCOMES, life.state.outcome),
            "won": won,
            "amount": _amount(deals, every, life.state.stage_since[:, 3] < NEVER, won),
        }
    )
    return World(
        deals=truth,
        first_day=EPOCH + dt.timedelta(days=days.first),
        last_day=last_day,
        features=features,
        life=life,
        _created=deals,
        _blank=rngs["sellers"].random((len(deals), 2)) < [0.25, 0.1],
    )


def _amount(deals: Deals, rows: np.ndarray, evaluated: np.ndarray, signed: np.ndarray) -> np.ndarray:
    """The amount by then: revised at the evaluation, with a concession at the signature; in thousands."""
    amount = deals.amount[rows] * np.where(evaluated, deals.revised[rows], 1.0)
    amount = amount * np.where(signed, deals.conceded[rows], 1.0)
    return np.maximum(np.round(amount / 1000), 1.0) * 1000


def _seller(
    life: Life, week: int, rows: np.ndarray, expected: np.ndarray, closed: np.ndarray, day: dt.date
) -> dict[str, object]:
    """The seller's chance and category; a deal dated after the quarter is at most best case."""
    chance = life.chance[week][rows].astype(float)
    category = np.searchsorted(CATEGORY_FROM, chance + 1e-6, side="right")
    month = np.datetime64(day, "M").astype(int)
    after = (month - month % 3 + 3).astype("datetime64[M]").astype("datetime64[D]").astype(int)
    category = np.where(expected >= after, np.minimum(category, 2), category)
    category = np.where(closed, REP_CATEGORIES.index("closed"), category)
    return {"rep_probability": np.round(chance, 2), "rep_category": _words(REP_CATEGORIES, category)}


def _roles(life: Life, week: int, rows: np.ndarray) -> dict[str, object]:
    tier, coverage = life.tier[week][rows].astype(float), life.coverage[week][rows]
    tier = np.where((tier > 0) & (coverage >= CONTACTED), tier, np.nan)
    supports = {f"{role}_support": tier[:, at] for at, role in enumerate(ROLES)}
    return supports | {f"{role}_coverage": _words(COVERAGES, coverage[:, at]) for at, role in enumerate(ROLES)}


def _words(labels: tuple[str, ...], codes: np.ndarray) -> pd.api.extensions.ExtensionArray:
    return pd.array(list(labels), dtype="str").take(np.asarray(codes, dtype=int), allow_fill=True)


def _numbered(letter: str, codes: np.ndarray, digits: int = 2) -> pd.api.extensions.ExtensionArray:
    return pd.array([f"{letter}{code + 1:0{digits}d}" for code in codes], dtype="str")


def _dates(days: np.ndarray) -> np.ndarray:
    dates = np.where(days < NEVER, days, 0).astype("datetime64[D]")
    return np.where(days < NEVER, dates, np.datetime64("NaT", "D")).astype("datetime64[us]")
