"""When deals of the independent world advance, are won, are lost, or quietly die: daily hazards, from how sales works.

The customer's liking is not a sum of weighted roles: a committee is a threshold of its mean, an executive has a veto,
a recommendation is as good as its weaker half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from _world_deals import Days, Deals, Features, Team

APPROVER, DECISION_MAKER, EVALUATOR, INFLUENCER, PROCUREMENT = range(5)
DECISION = 4
#: Events in the order of ``daily_hazards``' columns.
ADVANCED, WON, LOST, DIED = range(4)
#: Weekly rates by stage of a deal that the customer likes neither more nor less than others.
BY_STAGE = np.array(
    [
        [0.170, 0.140, 0.130, 0.130, 0.000],  # advanced
        [0.000, 0.001, 0.003, 0.015, 0.130],  # won
        [0.034, 0.026, 0.018, 0.022, 0.045],  # lost
        [0.014, 0.014, 0.012, 0.012, 0.010],  # died
    ]
)
#: Without that feature: the same rates in every stage.
ALIKE = np.array([[0.140] * 4 + [0.0], [0.022] * 5, [0.026] * 5, [0.012] * 5])
#: Change of the rates in the four quarters of a year, at strength 1.
SEASON = np.array(
    [
        [-0.05, 0.00, -0.05, 0.10],
        [-0.22, -0.05, -0.13, 0.55],
        [0.00, 0.00, -0.10, 0.15],
        [0.00, 0.00, 0.00, 0.00],
    ]
)
#: Working days in a week, on which alone something happens.
WORKING = 5


@dataclass(slots=True, kw_only=True)
class State:
    """Where each deal is on the day, each (deal,) unless noted.

    ``stage_since`` (deal, stage) is the day on which a stage was entered; ``died`` the day on which the customer let it
    rest; ``closed`` the day on which the CRM shows an outcome. All are ``NEVER`` before.
    """

    stage: np.ndarray
    stage_since: np.ndarray
    died: np.ndarray
    closed: np.ndarray
    outcome: np.ndarray
    support: np.ndarray
    expected: np.ndarray
    pushes: np.ndarray


#: Later than any day.
NEVER = np.int64(2**40)


def liking(deals: Deals, team: Team, support: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(row,) how much the customer as a whole wants this offer, about -2 to 2, by the way in which it decides."""
    s, method = support[rows], deals.method[rows]
    committee = s[:, [DECISION_MAKER, EVALUATOR, EVALUATOR, INFLUENCER, PROCUREMENT]].mean(axis=1)
    scoring = 1.3 * np.tanh(2.5 * (committee - 0.1))
    recommendation = np.minimum(0.8 * s[:, EVALUATOR] + 0.2 * s[:, INFLUENCER], s[:, APPROVER] + 0.8)
    executive = np.where(
        s[:, APPROVER] < -0.6, -2.0, np.maximum(s[:, APPROVER], 0.5 * (s[:, APPROVER] + s[:, DECISION_MAKER]))
    )
    decided = np.choose(method, [scoring, recommendation, executive])
    return 0.8 * decided + 0.4 * deals.fit[rows] + team.skill[deals.seller[rows]]


def daily_hazards(
    day: int, rows: np.ndarray, state: State, deals: Deals, likes: np.ndarray, days: Days, features: Features
) -> np.ndarray:
    """(event, row) hazards of one working day, for the deals ``rows`` that live."""
    stage = state.stage[rows]
    weekly = (BY_STAGE if features.stage_hazards else ALIKE)[:, stage].copy()
    weekly *= _by_liking(likes, state.support[rows], deals.size[rows])
    weekly[WON] *= _by_calendar(day, stage, state.expected[rows] - day, state.pushes[rows], days)
    age = (day - deals.created[rows]) / 7
    if features.stage_hazards:
        in_stage = (day - state.stage_since[rows, stage]) / 7
        weekly[WON] *= np.minimum(1.0, (1 + in_stage) / 4)
    weekly[LOST:] *= np.where(age > 45, 1.6, 1.0)
    if features.quick_wins:
        weekly *= _quick(age, features.quick_wins)
    quarter = days.quarter[day - days.start]
    weekly *= (1 + features.season * SEASON[:, quarter % 4])[:, None]
    return weekly / WORKING


def _by_liking(likes: np.ndarray, support: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(event, row) factors: what is liked advances and is won, what has no friend inside dies; large deals are slow."""
    slow = np.clip(1 - 0.15 * size, 0.5, 1.4)
    return np.stack(
        [
            np.clip(1 + 0.3 * likes, 0.4, 1.8) * slow,
            2.2 / (1 + np.exp(-2.5 * (likes - 0.2))) * slow,
            0.15 + 2.0 / (1 + np.exp(2.0 * (likes + 0.1))),
            np.where(support.max(axis=1) < 0.4, 1.8, 0.8),
        ]
    )


def _by_calendar(day: int, stage: np.ndarray, ahead: np.ndarray, pushes: np.ndarray, days: Days) -> np.ndarray:
    """(row,) factor on winning: the seller's date attracts the signature, less once moved; so do quarter ends."""
    drawn = np.where((ahead >= -3) & (ahead <= 10), 1 + 2.0 / (1 + 0.5 * pushes), np.where(ahead > 10, 0.75, 1.0))
    at = day - days.start
    rush = 1.9 if days.left[at] <= 10 else 0.6 if days.done[at] < 10 else 1.0
    return drawn * np.where(stage >= DECISION - 1, rush, 1.0)


def _quick(age: np.ndarray, strength: float) -> np.ndarray:
    """(event, row) factors of a market in which the deal is won in its first weeks or drags on."""
    won = np.where(age < 6, 5.0, np.where(age < 12, 1.0, 0.15))
    one = np.ones_like(age)
    return np.stack([one, won**strength, 0.4**strength * one, 0.5**strength * one])


def draw_pace(rng: np.random.Generator, features: Features, days: Days) -> np.ndarray:
    """(day,) factor of the pace that all deals share in a quarter: an AR(1) over quarters, of stationary variance."""
    number = days.quarter - days.quarter[0]
    steps, level = rng.standard_normal(number[-1] + 1), 0.0
    shocks = np.empty(len(steps))
    for at, step in enumerate(steps):
        level = step if at == 0 else 0.5 * level + np.sqrt(0.75) * step
        shocks[at] = level
    return np.exp(features.shock * shocks)[number]
