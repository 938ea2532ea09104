"""The life of the independent world's deals, day by day, and what the CRM holds of it after each Monday's review."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from _world_deals import ROLES, STAGES, Days, Deals, Features, Team
from _world_ends import ADVANCED, DIED, LOST, NEVER, WON, State, daily_hazards, draw_pace, liking

#: Codes of an outcome, in the vocabulary's order.
IS_WON, IS_LOST, NO_DECISION, OPEN = range(4)
#: Days that a seller expects from a stage to the signature.
USUAL = np.array([150, 120, 90, 60, 30])
STAGE_CHANCE = np.array([0.10, 0.20, 0.35, 0.50, 0.70])
#: Cuts of support into the tiers 1 to 4, and the noise of a reading by the state of the coach.
TIER_CUTS = (-0.8, 0.1, 0.9)
READING_NOISE = np.array([0.9, 0.6, 0.35])
CONTACTED = 2
#: A small step by which a date is pushed again and again.
SMALL_STEP = 21


@dataclass(slots=True, kw_only=True)
class Record:
    """What the CRM holds, each (deal,) or (deal, role): codes, and 0 for a support not read."""

    chance: np.ndarray
    coach: np.ndarray
    coverage: np.ndarray
    tier: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that happened: the last ``state``, and (week, deal, ...) after each Monday of the record.

    ``support`` is true, the others are what the CRM holds.
    """

    state: State
    mondays: np.ndarray
    expected: np.ndarray
    chance: np.ndarray
    coach: np.ndarray
    coverage: np.ndarray
    tier: np.ndarray
    support: np.ndarray


def live(deals: Deals, team: Team, features: Features, days: Days, rngs: dict[str, np.random.Generator]) -> Life:
    """Let every deal live until it ends, or the simulation does."""
    state, record = _begin(deals, team, days, rngs)
    filled = rngs["readings"].random((len(deals), ROLES)) < team.diligence[deals.seller][:, None]
    pace, mood = draw_pace(rngs["shock"], features, days), rngs["readings"].standard_normal(len(deals))
    everyone = np.arange(len(deals))
    likes, weeks, mondays = liking(deals, team, state.support, everyone), [], []
    for day in range(days.start, days.end):
        weekday = (day + 3) % 7
        if weekday == 0:
            here = (deals.created < day) & (state.closed > day)
            alive = here & (state.died > day)
            _move_support(state, alive, deals, record, rngs["support"])
            likes = liking(deals, team, state.support, everyone)
            _read(state, record, alive, team.rosy[deals.seller], filled, rngs["readings"])
            _redate(day, state, here, deals, team, features, rngs["dates"])
            mood = 0.8 * mood + 0.6 * rngs["readings"].standard_normal(len(deals))
            _reckon(day, state, record, here, likes, mood, team.rosy[deals.seller])
            if day <= days.last:
                mondays.append(day)
                weeks.append(_copy(state, record))
        if weekday < 5:
            _end_some(day, state, deals, likes, days, features, pace[day - days.start], rngs["ends"])
    state.closed[state.closed >= days.end] = days.end
    kept = {name: np.stack([week[name] for week in weeks]) for name in weeks[0]}
    return Life(state=state, mondays=np.array(mondays), **kept)


def _begin(deals: Deals, team: Team, days: Days, rngs: dict[str, np.random.Generator]) -> tuple[State, Record]:
    """Every deal on its day of creation."""
    count = len(deals)
    since = np.full((count, STAGES), NEVER)
    since[:, 0] = deals.created
    named = USUAL[0] * team.hope[deals.seller] * rngs["dates"].lognormal(0.0, 0.35, count)
    expected = deals.created + np.maximum(named, 14).astype(int)
    inside = np.minimum(expected - days.start, len(days.left) - 1)
    expected = np.where(rngs["dates"].random(count) < 0.35, expected + days.left[inside], expected)
    state = State(
        stage=np.zeros(count, dtype=int),
        stage_since=since,
        died=np.full(count, NEVER),
        closed=np.full(count, NEVER),
        outcome=np.full(count, NO_DECISION),
        support=deals.support.copy(),
        expected=expected,
        pushes=np.zeros(count, dtype=int),
    )
    coverage = (rngs["readings"].random((count, ROLES)) < [0.2, 0.35, 0.6, 0.5, 0.2]).astype(int)
    record = Record(
        chance=np.full(count, STAGE_CHANCE[0]),
        coach=np.zeros(count, dtype=int),
        coverage=coverage,
        tier=np.zeros((count, ROLES), dtype=int),
    )
    return state, record


def _move_support(state: State, alive: np.ndarray, deals: Deals, record: Record, rng: np.random.Generator) -> None:
    """A week of support: a random walk, a new person in some role, and now and then the best friend leaves."""
    count = len(alive)
    moved = state.support + rng.normal(0.01, 0.13, (count, ROLES))
    person, which = rng.random(count) < 0.012, rng.integers(ROLES, size=count)
    leaves, fresh = rng.random(count) < 0.006, rng.normal(-0.1, 0.9, (count, 2))
    rows = np.arange(count)
    moved[rows[person], which[person]] = 0.3 * deals.fit[person] + fresh[person, 0]
    friend = moved.argmax(axis=1)
    moved[rows[leaves], friend[leaves]] = fresh[leaves, 1] - 0.3
    state.support[alive] = moved[alive]
    record.coach[alive & leaves] = 0


def _read(
    state: State, record: Record, alive: np.ndarray, rosy: np.ndarray, filled: np.ndarray, rng: np.random.Generator
) -> None:
    """A week of meetings: a coach is found and tested, roles are covered, and support is read with noise."""
    count = len(alive)
    better = rng.random(count) < np.array([0.05, 0.035, 0.0])[record.coach]
    record.coach[alive & better] += 1
    met = rng.random((count, ROLES)) < [0.06, 0.09, 0.16, 0.13, 0.06]
    covered = np.minimum(record.coverage + (met & filled), 3)
    first = (covered == CONTACTED) & (record.coverage < CONTACTED)
    noise = READING_NOISE[record.coach][:, None] * rng.standard_normal((count, ROLES))
    seen = 1 + np.searchsorted(TIER_CUTS, state.support + rosy[:, None] + noise)
    again = (rng.random((count, ROLES)) < 0.2) & (covered >= CONTACTED)
    tier = np.where(filled & (first | again), seen, record.tier)
    record.coverage[alive], record.tier[alive] = covered[alive], tier[alive]


def _redate(
    day: int, state: State, here: np.ndarray, deals: Deals, team: Team, features: Features, rng: np.random.Generator
) -> None:
    """Dates that are due are moved: planned anew from the stage, or, a habit of some, by a small step once more."""
    count = len(here)
    cares, habitual, progress = rng.random((3, count))
    planned = day + np.maximum(USUAL[state.stage] * team.hope[deals.seller] * rng.lognormal(0.1, 0.4, count), 14)
    step = habitual < team.habit[deals.seller] if features.pushes else np.zeros(count, dtype=bool)
    moved = np.where(step, np.maximum(state.expected, day) + SMALL_STEP, planned).astype(int)
    due = here & (state.expected <= day + 4) & (cares < 0.8)
    decided = here & (state.died > day) & (day - state.stage_since[:, STAGES - 1] < 7)
    decided &= (day >= state.stage_since[:, STAGES - 1]) & (progress < 0.5) & ~due
    state.pushes += due & (moved >= state.expected + 7)
    state.expected = np.where(due, moved, np.where(decided, planned.astype(int), state.expected))


def _reckon(
    day: int, state: State, record: Record, here: np.ndarray, likes: np.ndarray, mood: np.ndarray, rosy: np.ndarray
) -> None:
    """The seller's own chance: that of the stage, what the customer lets show, hope, and the mood of the week."""
    silent = np.where(state.died <= day, np.minimum(0.03 * (day - state.died) / 7, 0.3), 0.0)
    chance = STAGE_CHANCE[state.stage] + 0.15 * np.tanh(likes) + 0.15 * rosy + 0.08 * mood - silent
    record.chance[here] = np.clip(np.round(20 * chance) / 20, 0.05, 0.95)[here]


def _copy(state: State, record: Record) -> dict[str, np.ndarray]:
    small = {name: getattr(record, name).astype(np.int8) for name in ("coach", "coverage", "tier")}
    return {
        "expected": state.expected.astype(np.int32),
        "chance": record.chance.astype(np.float32),
        "support": state.support.astype(np.float32),
        **small,
    }


def _end_some(
    day: int,
    state: State,
    deals: Deals,
    likes: np.ndarray,
    days: Days,
    features: Features,
    pace: float,
    rng: np.random.Generator,
) -> None:
    """One working day: deals advance, are won or lost, or die and are entered as no decision much later."""
    happens, which = rng.random((2, len(deals)))
    late = np.exp(np.log(50) + 0.6 * rng.standard_normal(len(deals)))
    rows = np.flatnonzero((deals.created < day) & (state.closed > day) & (state.died > day))
    hazards = daily_hazards(day, rows, state, deals, likes[rows], days, features)
    hazards[[ADVANCED, WON, LOST]] *= pace
    total = hazards.sum(axis=0)
    event = (which[rows] > np.cumsum(hazards, axis=0) / total).sum(axis=0)
    hit = happens[rows] < -np.expm1(-total)
    for code, outcome in ((WON, IS_WON), (LOST, IS_LOST)):
        some = rows[hit & (event == code)]
        state.closed[some], state.outcome[some] = day, outcome
    dead = rows[hit & (event == DIED)]
    state.died[dead], state.closed[dead] = day, day + 7 + late[dead].astype(int)
    moved = rows[hit & (event == ADVANCED)]
    state.stage[moved] += 1
    state.stage_since[moved, state.stage[moved]] = day
