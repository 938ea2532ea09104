"""What is a plan? The visits, what they add, and how sure that is."""

from dataclasses import dataclass

import pandas as pd

COLUMNS = ("executive", "deal_id", "role", "expected_gain", "lower", "upper", "prob_in_best")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its 90 % interval."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Visits for a period.

    Gains are added expected bookings (or wins): chance that the visit moves the role, times what that adds to the
    chance of winning, times the amount. Their intervals are doubt about that expectation, not about outcomes.

    Attributes
    ----------
    visits : ``executive, deal_id, role, expected_gain, lower, upper, prob_in_best``; the gains of the rows add up to
        the plan's; ``prob_in_best`` is the share of draws whose own best plan visits this role of this deal
    unit : the currency, ``""`` where the deals name none, None where wins are counted
    gain : of the whole plan
    tail_gain : mean gain in the worst ``1 - risk`` of draws, None where the plan was made for the mean
    regret : mean over draws of what the draw's own best plan would add more
    draws : how many draws ``prob_in_best`` and ``regret`` rest on
    gap : share by which the best plan may at most lie above this one; 0 where this is the best
    free_slots : slots left over
    one_more_slot : ``executive, expected_gain``, what one slot more for this executive would add (planned for the worst
        draws: to the mean in those); NaN where time ran out
    common_sense : ``plan, expected_gain, lower, upper, difference, difference_lower, difference_upper``; the difference
        is this plan's gain minus that one's, draw by draw
    common_sense_visits : ``plan, deal_id, role``, the visits of those plans
    success : ``role, coverage, mean, lower, upper``, the chance that a visit moves a role one tier up
    visits_learned_from : past visits that chance was updated with
    notes : what was left out and what else should be known, in words
    """

    visits: pd.DataFrame
    unit: str | None
    gain: Estimate
    tail_gain: float | None
    regret: float
    draws: int
    gap: float
    free_slots: int
    one_more_slot: pd.DataFrame
    common_sense: pd.DataFrame
    common_sense_visits: pd.DataFrame
    success: pd.DataFrame
    visits_learned_from: int
    notes: tuple[str, ...]
