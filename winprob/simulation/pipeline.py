"""Simulate a team's pipeline through time, from creation to close, as a CRM would export it on any day.

`simulate` draws each deal once, on the day of its reading. Here deals are created, advance through the stages, are
reported on role by role, have their close date pushed and their amount revised, and end. The outcome depends on true
support and facts as in `simulate`, except for the stage: the stage measures progress, and lost deals stall. No model
here is therefore correctly specified.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.history import count_slips
from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology import COVERAGES, OUTCOMES, REP_CATEGORIES, ROLES, STAGES
from winprob.simulation.deals import AMOUNT_STEP, Block, Codes, Days, Flags, draw_block, draw_team
from winprob.simulation.frames import CATEGORY_EDGES, deal_frame
from winprob.simulation.pace import Pace
from winprob.simulation.team import AS_OF
from winprob.simulation.truth import Floats, Truth, draw_truth

#: Burn-in quarters, so that the first exported quarter does not begin with an empty pipeline.
BURN_IN = 4
_PUSHES = 12
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A simulated team through time.

    Attributes
    ----------
    deals : the truth, one row per deal: ``deal_id, created_on, closed_on, outcome, won, win_prob, amount`` (at closing)
    first_day, last_day : of the exported quarters; deals are created before and close after
    """

    deals: pd.DataFrame
    first_day: dt.date
    last_day: dt.date
    truth: Truth
    _record: pd.DataFrame
    _life: _Life

    def known_on(self, day: dt.date) -> pd.DataFrame:
        """The deal table exported on ``day``: every deal created by then, with the outcome of closed ones.

        Returns
        -------
        DataFrame in canonical columns, one row per deal, ``as_of`` the day.
        """
        today = np.datetime64(day)
        rows = np.flatnonzero(self._life.created <= today)
        life = self._life.take(rows)
        closed = life.closed <= today
        age = (np.minimum(life.closed, today) - life.created) / _DAY
        done = age / ((life.closed - life.created) / _DAY)
        record = self._record.iloc[rows].reset_index(drop=True)
        stage = life.stage_at(done)
        expected, _ = life.expected_at(today)
        columns: dict[str, object] = {
            "as_of": np.full(len(rows), today).astype("datetime64[us]"),
            "opened_on": life.created.astype("datetime64[us]"),
            "expected_close_on": np.where(closed, life.closed, expected).astype("datetime64[us]"),
            "closed_on": np.where(closed, life.closed, np.datetime64("NaT", "D")).astype("datetime64[us]"),
            "outcome": _words(OUTCOMES, np.where(closed, life.outcome, OUTCOMES.index("open"))),
            "amount": life.amount_at(done, closed),
            "stage": _words(STAGES, np.where(life.stage_blank, -1, stage)),
            "decision_method": record["decision_method"].where(done >= life.method_from),
            **_rep(life, stage, done, expected, closed, today),
            **_roles(record, life, done),
        }
        return pd.DataFrame({name: columns.get(str(name), record[name]) for name in record})

    def pushes_on(self, day: dt.date) -> pd.Series:
        """Number of pushes of the expected close date of each deal in ``known_on(day)``, by ``deal_id``.

        As ``history.training_rows`` counts them, were there a snapshot of every day.
        """
        rows = np.flatnonzero(self._life.created <= np.datetime64(day))
        life = self._life.take(rows)
        _, latest = life.expected_at(np.datetime64(day))
        deal = np.repeat(np.arange(len(rows)), life.expected.shape[1])
        moves, _ = count_slips(deal, life.expected.ravel())
        pushes = moves.reshape(life.expected.shape)[np.arange(len(rows)), latest]
        return pd.Series(pushes, index=pd.Index(self._record["deal_id"].iloc[rows], name="deal_id"), name="pushes")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    """The life of each deal, (deal,) or (deal, event)."""

    created: Days
    closed: Days
    outcome: Codes
    stage_blank: Flags
    cuts: Floats
    furthest: Codes
    expected: Days
    amount: Floats
    role_from: Floats
    method_from: Floats
    conviction: Floats
    mood: Floats
    private: Floats

    def take(self, rows: npt.NDArray[np.intp]) -> _Life:
        return _Life(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def stage_at(self, done: Floats) -> Codes:
        """Stage after the share ``done`` of a deal's life."""
        reached: Codes = np.minimum((self.cuts < done[:, None]).sum(axis=1), self.furthest)
        return reached

    def expected_at(self, today: np.datetime64) -> tuple[Days, Codes]:
        """The expected close date, the first not yet passed, and its place among the deal's dates."""
        latest = np.minimum((self.expected <= today).sum(axis=1), self.expected.shape[1] - 1)
        return self.expected[np.arange(len(latest)), latest], latest

    def amount_at(self, done: Floats, closed: Flags) -> Floats:
        """The current one of three amounts: initial, evaluated, closing."""
        which = np.where(closed, 2, (done > self.cuts[:, 2]).astype(np.int64))
        return self.amount[np.arange(len(which)), which]


def simulate_pipeline(
    *,
    seed: int,
    quarters: int = 12,
    truth: Truth | None = None,
    pace: Pace | None = None,
    last_day: dt.date = AS_OF,
) -> Pipeline:
    """Simulate a team's pipeline over ``quarters`` calendar quarters that end on ``last_day``.

    Parameters
    ----------
    truth : parameters as in `simulate`; stage effects are not used, since the stage measures progress
    pace : parameters of creation, progress and closing
    last_day : last day of a calendar quarter

    Raises
    ------
    SettingsError
        A number is out of range.
    """
    pace = pace or Pace()
    as_of = np.datetime64(last_day) + _DAY
    starts_quarter = as_of == as_of.astype("datetime64[M]") and int(as_of.astype("datetime64[M]").astype(int)) % 3 == 0
    if quarters < 1 or not starts_quarter:
        raise SettingsError(
            gettext(
                "simulation pipeline: 'quarters' must be at least 1, and 'last_day' the last day of a calendar quarter"
            )
        )
    rng = np.random.default_rng([seed, 7])
    span = quarters + BURN_IN
    deals = int(rng.poisson(pace.per_quarter * span * max(pace.season)))
    flat = replace(truth or Truth(), stage_effect=(0.0,) * len(STAGES))
    realised = draw_truth(flat, rng, deals=deals, quarters=span)
    team = draw_team(realised, rng, deals=deals, quarters=span, as_of=as_of)
    block = draw_block(team, rng, deals, closed=True)
    in_season = _in_season(block.calendar.reviewed, pace, rng)
    life, won, win_prob = _draw_lives(block, realised, pace, team.quarter_starts, rng)
    order = np.flatnonzero(in_season)[np.argsort(block.calendar.reviewed[in_season], kind="stable")]
    record = deal_frame(block, realised, first=1, closed=True).iloc[order].reset_index(drop=True)
    record["deal_id"] = pd.array([f"D{number:05d}" for number in range(1, len(order) + 1)], dtype="str")
    life = life.take(order)
    return Pipeline(
        deals=_true_deals(record, life, won[order], win_prob[order]),
        first_day=team.quarter_starts[BURN_IN].item(),
        last_day=last_day,
        truth=realised,
        _record=record,
        _life=life,
    )


def _in_season(created: Days, pace: Pace, rng: np.random.Generator) -> Flags:
    quarter = created.astype("datetime64[M]").astype(np.int64) % 12 // 3
    chosen: Flags = rng.random(len(created)) < np.asarray(pace.season)[quarter] / max(pace.season)
    return chosen


def _draw_lives(
    block: Block, truth: Truth, pace: Pace, quarter_starts: Days, rng: np.random.Generator
) -> tuple[_Life, Flags, Floats]:
    """The life of each deal, whether it is won, and its win probability."""
    count = len(block.won)
    created = block.calendar.reviewed
    log_amount = np.log(block.facts.amount)
    size = (log_amount - log_amount.mean()) / max(log_amount.std(), 1e-9) if count else log_amount
    base = pace.days * rng.weibull(pace.shape, count) * np.exp(pace.amount_days * size)
    win_prob = _closing_win_prob(block, truth, created + _days(base), quarter_starts)
    won = rng.random(count) < win_prob
    outcome = np.where(won, 0, np.where(block.no_decision, 2, 1))
    factor = np.array([pace.won_days, pace.lost_days, pace.no_decision_days])[outcome]
    closed = _pulled(created, created + _days(np.maximum(base * factor, 7.0)), won, pace, rng)
    names = [OUTCOMES.index(name) for name in ("won", "lost", "no_decision")]
    furthest = np.searchsorted(np.cumsum(pace.stall)[:-1], rng.random(count), side="right")
    conviction = np.log(block.rep_probability / (1 - block.rep_probability))
    life = _Life(
        created=created,
        closed=closed,
        outcome=np.array(names)[outcome],
        stage_blank=block.stage_blank,
        cuts=np.cumsum(rng.dirichlet(np.full(len(STAGES), 4.0), count), axis=1)[:, :-1],
        furthest=np.where(won, len(STAGES) - 1, furthest),
        expected=_expected(created, closed, pace, rng),
        amount=_amounts(block.facts.amount, won, pace, rng),
        role_from=pace.known_by * rng.random((count, len(ROLES))),
        method_from=0.4 * rng.random(count),
        conviction=conviction,
        mood=rng.normal(0.0, 0.3, (count, len(STAGES))),
        private=np.where(won, pace.insight, -pace.insight),
    )
    return life, won, win_prob


def _closing_win_prob(block: Block, truth: Truth, closing: Days, quarter_starts: Days) -> Floats:
    """Win probability with the drift of the closing quarter instead of the quarter of creation."""
    drift = truth.array("drift")
    quarter = np.clip(np.searchsorted(quarter_starts, closing, side="right") - 1, 0, len(drift) - 1)
    logit = block.logit_win_prob + drift[quarter] - drift[block.facts.quarter]
    return 0.5 * (1 + np.tanh(0.5 * logit))


def _pulled(created: Days, closed: Days, won: Flags, pace: Pace, rng: np.random.Generator) -> Days:
    """Some won deals close in the last days of their quarter."""
    count = len(created)
    back = rng.integers(1, pace.pull_days + 1, count).astype("timedelta64[D]")
    end = np.array([_quarter_after(day) for day in closed], dtype="datetime64[D]") - back
    pulled = won & (rng.random(count) < pace.pulled) & (end > created + 7 * _DAY)
    return np.where(pulled, end, closed)


def _quarter_after(day: np.datetime64) -> np.datetime64:
    """First day of the calendar quarter after that of ``day``."""
    month = day.astype("datetime64[M]").astype(np.int64)
    after: np.datetime64 = (month - month % 3 + 3).astype("datetime64[M]").astype("datetime64[D]")
    return after


def _expected(created: Days, closed: Days, pace: Pace, rng: np.random.Generator) -> Days:
    """(deal, push) successive expected close dates, optimistic but converging to the true one."""
    days = np.empty((len(created), _PUSHES), dtype="datetime64[D]")
    length = (closed - created) / _DAY
    named = length * rng.lognormal(pace.optimism, pace.doubt, len(length))
    for push in range(_PUSHES):
        days[:, push] = created + _days(np.maximum(named, 14.0))
        left = np.maximum(length - named, 0.0)
        named = named + np.maximum(left * rng.lognormal(-0.2, 0.5, len(length)), 14.0)
    return days


def _amounts(amount: Floats, won: Flags, pace: Pace, rng: np.random.Generator) -> Floats:
    """(deal, 3) amounts: initial, evaluated, closing."""
    evaluated = amount * _amount_factors(rng, len(amount), 0.35, -0.02, 0.15)
    final = evaluated * np.where(
        won, _amount_factors(rng, len(amount), pace.revised, pace.revision, pace.revision_sd), 1.0
    )
    stacked = np.stack([amount, evaluated, final], axis=1)
    rounded: Floats = np.maximum(np.round(stacked / AMOUNT_STEP), 1.0) * AMOUNT_STEP
    return rounded


def _amount_factors(rng: np.random.Generator, count: int, share: float, mean: float, sd: float) -> Floats:
    factors: Floats = np.where(rng.random(count) < share, rng.lognormal(mean, sd, count), 1.0)
    return factors


def _rep(
    life: _Life, stage: Codes, done: Floats, expected: Days, closed: Flags, today: np.datetime64
) -> dict[str, object]:
    """The rep's probability and category, from conviction, stage and private information; at most pipeline if late."""
    log_odds = life.conviction + 0.5 * (stage - 2.0) + life.mood[np.arange(len(stage)), stage] + life.private * done
    chance = np.clip(np.round(0.5 * (1 + np.tanh(0.5 * log_odds)) * 20) / 20, 0.05, 0.95)
    category = np.searchsorted(CATEGORY_EDGES, chance, side="right")
    category = np.where(expected >= _quarter_after(today), np.minimum(category, 1), category)
    names = REP_CATEGORIES
    return {
        "rep_probability": chance,
        "rep_category": _words(names, np.where(closed, names.index("closed"), category)),
    }


def _roles(record: pd.DataFrame, life: _Life, done: Floats) -> dict[str, object]:
    """Support and coverage by role: first unknown, then identified, then reported."""
    columns: dict[str, object] = {}
    for at, role in enumerate(ROLES):
        reported, identified = done >= life.role_from[:, at], done >= 0.5 * life.role_from[:, at]
        final = pd.Index(COVERAGES).get_indexer(pd.Index(record[f"{role}_coverage"]))
        coverage = np.where(reported, final, np.where(identified, np.minimum(final, 1), 0))
        columns[f"{role}_support"] = record[f"{role}_support"].where(reported)
        columns[f"{role}_coverage"] = _words(COVERAGES, coverage)
    return columns


def _true_deals(record: pd.DataFrame, life: _Life, won: Flags, win_prob: Floats) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "deal_id": record["deal_id"],
            "created_on": life.created.astype("datetime64[us]"),
            "closed_on": life.closed.astype("datetime64[us]"),
            "outcome": _words(OUTCOMES, life.outcome),
            "won": won,
            "win_prob": win_prob,
            "amount": life.amount[:, 2],
        }
    )


def _words(labels: tuple[str, ...], codes: npt.NDArray[np.integer]) -> pd.api.extensions.ExtensionArray:
    return pd.array(list(labels), dtype="str").take(codes, allow_fill=True)


def _days(number: Floats) -> npt.NDArray[np.timedelta64]:
    return np.ceil(number).astype(np.int64).astype("timedelta64[D]")
