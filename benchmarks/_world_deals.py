"""What a sales team of the independent world works on: switches, calendar, sellers, and the deals as they are created.

Nothing here is taken from ``winprob.model`` or ``winprob.simulation``: the world is to be able to disagree with both.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr

#: Order of roles: approver, decision maker, evaluator, influencer, procurement; of methods: scoring, recommendation,
#: executive; of stages: difficulty to decision, as in the vocabulary.
ROLES, METHODS, STAGES = 5, 3, 5
SELLERS, SEGMENTS, REGIONS, PRODUCTS, COMPETITORS = 8, 4, 5, 3, 4
#: Quarters before the first exported one, so that the pipeline is full when the record begins.
WARM_UP = 6
#: Days after the record in which its deals may still end.
RUN_OUT = 600
_STREAMS = ("arrivals", "facts", "amounts", "support", "readings", "dates", "sellers", "ends", "shock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What sets the world apart from a calm one; 0 is off.

    Attributes
    ----------
    stage_hazards : wins come from late stages, losses from all; off: every stage ends alike
    pushes : sellers move the date by 21 days again and again; off: a date that has passed is planned anew
    season : strength of a fourth quarter in which more is won and lost, and of a slow first
    creation_season : strength of a fourth quarter in which more deals are created
    shock : standard deviation of the pace, in logs, that the deals of a quarter share; an AR(1) over quarters
    heavy_tails : amounts above the 80 % quantile have a Pareto tail of index 1.8; off: log-normal
    growth : of the deals created, a quarter
    quick_wins : deals are won soon or not at all, and lost slowly
    """

    stage_hazards: float = 0.0
    pushes: float = 0.0
    season: float = 0.0
    creation_season: float = 0.0
    shock: float = 0.0
    heavy_tails: float = 0.0
    growth: float = 0.0
    quick_wins: float = 0.0

    @classmethod
    def named(cls, names: str) -> Features:
        """From ``all`` (without quick wins, a world of its own), ``none``, or a list such as ``season,shock=.4``."""
        features = cls()
        for part in filter(None, names.split(",")):
            name, _, size = part.partition("=")
            some = {"all": [key for key in ON if key != "quick_wins"], "none": []}.get(name, [name])
            if unknown := set(some) - set(ON):
                raise ValueError(f"no feature {', '.join(sorted(unknown))}; there are all, none, {', '.join(ON)}")
            features = replace(features, **{key: float(size) if size else ON[key] for key in some})
        return features

    @property
    def label(self) -> str:
        """The features that are on, with their size."""
        sizes = {item.name: getattr(self, item.name) for item in fields(self)}
        return ",".join(f"{name}={size:g}" for name, size in sizes.items() if size) or "none"


#: The size of each feature where it is on.
ON = {
    "stage_hazards": 1.0,
    "pushes": 1.0,
    "season": 1.0,
    "creation_season": 1.0,
    "shock": 0.25,
    "heavy_tails": 1.0,
    "growth": 0.08,
    "quick_wins": 1.0,
}


@dataclass(frozen=True, kw_only=True)
class Days:
    """The calendar, as days since 1970: ``first`` to ``last`` are exported, ``start`` to ``end`` simulated."""

    start: int
    first: int
    last: int

    @classmethod
    def ending(cls, last_day: dt.date, quarters: int) -> Days:
        month = np.datetime64(last_day, "M") + np.timedelta64(1, "M")
        first, start = (
            (month - np.timedelta64(3 * count, "M")).astype("datetime64[D]").astype(int)
            for count in (quarters, quarters + WARM_UP)
        )
        return cls(start=int(start + (-start - 3) % 7), first=int(first), last=(last_day - dt.date(1970, 1, 1)).days)

    @property
    def end(self) -> int:
        return self.last + RUN_OUT

    @cached_property
    def quarter(self) -> np.ndarray:
        """(day,) quarters since 1970."""
        months = np.arange(self.start, self.end).astype("datetime64[D]").astype("datetime64[M]").astype(int)
        return months // 3

    @cached_property
    def left(self) -> np.ndarray:
        """(day,) days until the last of the quarter."""
        after = (3 * (self.quarter + 1)).astype("datetime64[M]").astype("datetime64[D]").astype(int)
        return after - 1 - np.arange(self.start, self.end)

    @cached_property
    def done(self) -> np.ndarray:
        """(day,) days since the first of the quarter."""
        before = (3 * self.quarter).astype("datetime64[M]").astype("datetime64[D]").astype(int)
        return np.arange(self.start, self.end) - before


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Habits of the sellers, each (seller,).

    ``hope`` is the ratio of the time that a seller names to the usual one, ``rosy`` what is added to support read,
    ``habit`` the share of passed dates that are moved by a small step, ``skill`` what the customer likes about them,
    ``diligence`` the share of facts that reaches the CRM.
    """

    hope: np.ndarray
    rosy: np.ndarray
    habit: np.ndarray
    skill: np.ndarray
    diligence: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Deals:
    """The deals of a team as they are created, each (deal,), in order of creation.

    ``size`` is the rank of the first amount as a normal score; ``fit`` what no one records: how well the offer suits
    the customer's need and means. ``support`` (deal, role) is that of the first day. ``revised`` and ``conceded`` are
    factors on the amount, at the evaluation and at the signature.
    """

    created: np.ndarray
    seller: np.ndarray
    account: np.ndarray
    segment: np.ndarray
    region: np.ndarray
    product: np.ndarray
    competitor: np.ndarray
    method: np.ndarray
    amount: np.ndarray
    size: np.ndarray
    revised: np.ndarray
    conceded: np.ndarray
    fit: np.ndarray
    support: np.ndarray
    method_known_from: np.ndarray

    def __len__(self) -> int:
        return len(self.created)


def random_streams(seed: int) -> dict[str, np.random.Generator]:
    """A generator for each part of the world: a feature that changes one part leaves the draws of others alone."""
    return {name: np.random.default_rng([seed, 1_414, at]) for at, name in enumerate(_STREAMS)}


def draw_team(rng: np.random.Generator) -> Team:
    return Team(
        hope=rng.lognormal(-0.2, 0.2, SELLERS),
        rosy=rng.normal(0.25, 0.3, SELLERS),
        habit=rng.uniform(0.3, 1.0, SELLERS),
        skill=rng.normal(0.0, 0.2, SELLERS),
        diligence=rng.uniform(0.7, 1.0, SELLERS),
    )


def draw_deals(rngs: dict[str, np.random.Generator], features: Features, days: Days, per_quarter: float) -> Deals:
    """All deals created until the record ends; ``per_quarter`` in the middle of the record, if their number grows."""
    created = _created(rngs["arrivals"], features, days, per_quarter)
    count, rng = len(created), rngs["facts"]
    account = rng.integers(max(10, count // 3), size=count)
    segment, region = (rng.integers(levels, size=account.max(initial=0) + 1)[account] for levels in (SEGMENTS, REGIONS))
    product, competitor = rng.integers(PRODUCTS, size=count), rng.integers(COMPETITORS, size=count)
    liking = [rng.normal(0.0, 0.25, levels) for levels in (SEGMENTS, PRODUCTS)]
    rival = np.array([-0.5, -0.15, 0.1, 0.35])
    fit = liking[0][segment] + liking[1][product] + rival[competitor] + rng.normal(0.0, 0.8, count)
    amount, size = _amounts(rngs["amounts"], features, count)
    open_minded = np.array([-0.25, 0.0, 0.15, 0.1, -0.3])
    return Deals(
        created=created,
        seller=rng.integers(SELLERS, size=count),
        account=account,
        segment=segment,
        region=region,
        product=product,
        competitor=competitor,
        method=rng.choice(METHODS, size=count, p=[0.35, 0.35, 0.3]),
        amount=amount,
        size=size,
        revised=np.where(rng.random(count) < 0.4, rng.lognormal(0.0, 0.2, count), 1.0),
        conceded=np.where(rng.random(count) < 0.5, 1 - rng.uniform(0.0, 0.15, count), 1.0),
        fit=fit,
        support=open_minded + 0.4 * fit[:, None] + rng.normal(0.0, 0.8, (count, ROLES)),
        method_known_from=rng.choice(STAGES + 1, size=count, p=[0.2, 0.3, 0.2, 0.1, 0.05, 0.15]),
    )


def _created(rng: np.random.Generator, features: Features, days: Days, per_quarter: float) -> np.ndarray:
    """Days of creation: a Poisson process whose rate follows growth and season, on working days."""
    span = np.arange(days.start, days.last + 1)
    middle = (days.first + days.last) / 2
    level = (1 + features.growth) ** ((span - middle) / 91.3)
    of_year = days.quarter[: len(span)] % 4
    rate = per_quarter / 91.3 * level * (1 + features.creation_season * np.array([-0.15, 0.0, -0.1, 0.25])[of_year])
    proposed = rng.uniform(days.start, days.last + 1, rng.poisson(rate.max() * len(span))).astype(int)
    created = np.sort(proposed[rng.random(len(proposed)) < rate[proposed - days.start] / rate.max()])
    weekday = (created + 3) % 7
    working = created - np.where(weekday > 4, weekday - 4, 0)
    return np.sort(np.maximum(working, days.start))


def _amounts(rng: np.random.Generator, features: Features, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First amounts and their normal scores. A heavy tail moves the upper fifth only and keeps the order."""
    size = rng.standard_normal(count)
    amount = 800_000 * np.exp(0.8 * size)
    if features.heavy_tails:
        top, edge = 0.2, 800_000 * np.exp(0.8 * 0.8416212335729143)
        above = ndtr(-size)
        amount = np.where(above < top, edge * (top / np.maximum(above, 1e-12)) ** (1 / 1.8), amount)
    return amount, size
