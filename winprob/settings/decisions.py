"""Settings of decisions: evaluation, retraining, monitoring, flags, levers, visits, calendar, quarter, review page."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from winprob.i18n import gettext
from winprob.toml import Chance, RuleError, Scale, Share, record

#: A count of at least one.
Positive = Annotated[int, Field(ge=1)]
#: Chance of success by how far a role is covered: unknown, identified, contacted, engaged, blank.
ByCoverage = tuple[Chance, Chance, Chance, Chance, Chance]


@record
class EvaluationSettings:
    """Evaluation: baseline, backtest and cross-validation.

    Attributes
    ----------
    stage_default : win probability of each stage in the CRM's table, a baseline; set your own
    least_training : least number of closed deals for a fit in a backtest
    mature_share : the audit of a history warns where a smaller share of its early deals has closed; backtests no longer
        use it, since their fits learn from open deals too
    folds, repeats : of k-fold, where dates do not allow a rolling origin
    kept_draws : draws of each prediction that are kept for intervals
    """

    stage_default: tuple[Share, Share, Share, Share, Share] = (0.1, 0.2, 0.5, 0.75, 0.9)
    least_training: Annotated[int, Field(ge=2)] = 30
    mature_share: Share = 0.5
    folds: Annotated[int, Field(ge=2)] = 10
    repeats: Annotated[int, Field(ge=1)] = 3
    kept_draws: Annotated[int, Field(ge=50)] = 400


@record
class RetrainingSettings:
    """When a retrained model may replace the current one.

    Attributes
    ----------
    margin : the most that the same recipe, fitted again, may lose: the upper end of the 90 % interval of its log loss
        less the current model's, in nats per deal
    least_deals : closed deals that neither model has seen, below which the gate cannot tell
    least_clusters : accounts (or sellers, or deals) among them, below which the interval cannot be trusted
    block_deals : the candidate's recipe is fitted again before each fiscal quarter of new deals, or before as many
        quarters as hold this number
    miscalibrated : p-value of the tests of calibration and of the coverage of groups, below which the candidate is
        held, where it is also worse than the current model: miscalibration costs it more by ``margin`` nats, or more
        than one group more is not covered
    rewritten_share : of the deals that the current model learned from, those whose outcome is another one now, above
        which the past has been rewritten and the candidate is held
    changed_definitions : where the words, criteria or mapping of a fact have changed, readings under another definition
        ``lose_fact`` (it is unknown there), get an effect of their own that is pooled towards the present one
        (``own_effect``), or the candidate is refused (``refuse``)
    definitions_since : the first day of readings under the definitions of today (ISO); by default the day after the
        current model's data ended
    moves : open deals shown with the largest change of their win probability
    """

    margin: Scale = 0.02
    least_deals: Positive = 30
    least_clusters: Annotated[int, Field(ge=2)] = 10
    block_deals: Positive = 30
    miscalibrated: Chance = 0.01
    rewritten_share: Share = 0.05
    changed_definitions: Literal["lose_fact", "own_effect", "refuse"] = "lose_fact"
    definitions_since: str = ""
    moves: Positive = 10

    def __post_init__(self) -> None:
        if self.definitions_since:
            try:
                date.fromisoformat(self.definitions_since)
            except ValueError:
                raise RuleError(
                    "definitions_since", self.definitions_since, gettext("an ISO day, such as 2026-07-01")
                ) from None


@record
class FlagSettings:
    """When a fact of the record is a red flag.

    Attributes
    ----------
    commit_probability : the seller's own probability from which a deal counts as a commit, as with the category
    closing_days : a deal that closes within these days should have met its roles
    unmet_roles : the number of roles not met that is a flag then; one suffices if it decides
    near_days : an early stage contradicts a close within these days
    far_days : the stage of decision contradicts a close later than this
    stale_days : a reading older than this is out of date
    pushes : moves of the close date, by a week or more, from which it counts as pushed again and again
    """

    commit_probability: Chance = 0.8
    closing_days: Positive = 14
    unmet_roles: Annotated[int, Field(ge=1, le=5)] = 2
    near_days: Positive = 30
    far_days: Positive = 365
    stale_days: Positive = 30
    pushes: Positive = 3


@record
class LeverSettings:
    """When a lever is worth pulling, and when its size counts as learned.

    Attributes
    ----------
    smallest_lift : of win probability, below which a step is not worth the effort (region of practical equivalence)
    learned_below : a role's weight counts as learned from the team's deals where less than this share of the prior's
        doubt about it remains (squared ratio of the widths of the log weight, see ``role_evidence``)
    """

    smallest_lift: Annotated[float, Field(ge=0, lt=1)] = 0.02
    learned_below: Share = 0.5


@record
class VisitSettings:
    """Prior of the success of executive visits, and how visits are planned.

    Attributes
    ----------
    approver, decision_maker, evaluator, influencer, procurement
        Chance that a visit moves this role one tier up, by how far the role is covered: unknown, identified,
        contacted, engaged; last where coverage is blank.
    prior_sample_size : prior sample size of these chances in visits (the sum of a beta's two parameters)
    most_per_deal : visits to one deal at most, 1 to 3
    scenarios : draws of the posterior, spread evenly, in which the plan is compared with the best one
    """

    approver: ByCoverage = (0.20, 0.25, 0.35, 0.40, 0.30)
    decision_maker: ByCoverage = (0.25, 0.30, 0.40, 0.45, 0.35)
    evaluator: ByCoverage = (0.30, 0.35, 0.45, 0.50, 0.40)
    influencer: ByCoverage = (0.30, 0.35, 0.45, 0.50, 0.40)
    procurement: ByCoverage = (0.30, 0.35, 0.45, 0.50, 0.40)
    prior_sample_size: Scale = 8.0
    most_per_deal: Annotated[int, Field(ge=1, le=3)] = 2
    scenarios: Annotated[int, Field(ge=20, le=2000)] = 200


@record
class CalendarSettings:
    """The fiscal year.

    Attributes
    ----------
    fiscal_year_start_month : the month in which it begins
    pattern : ``months``, or weeks to a month: ``445``, ``454``, ``544``; quarters then have 13 weeks
    year_end_weekday, year_end : a year of weeks ends on the ``last`` such weekday (Monday is 0) of the month before
        ``fiscal_year_start_month``, or on the one ``nearest`` to that month's end
    names, starts : a calendar table instead: each quarter's name, and the day on which it begins (ISO); one more day
        ends the last one
    """

    fiscal_year_start_month: Annotated[int, Field(ge=1, le=12)] = 1
    pattern: Literal["months", "445", "454", "544"] = "months"
    year_end_weekday: Annotated[int, Field(ge=0, le=6)] = 5
    year_end: Literal["last", "nearest"] = "last"
    names: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.names or self.starts:
            wanted = len(self.names) + 1
            if len(self.starts) != wanted:
                raise RuleError("starts", list(self.starts), gettext("{count} days", count=wanted))
            if not _rising_days(self.starts):
                raise RuleError("starts", list(self.starts), gettext("ISO days in rising order"))


def _rising_days(days: tuple[str, ...]) -> bool:
    try:
        read = [date.fromisoformat(day) for day in days]
    except ValueError:
        return False
    return all(one < other for one, other in pairwise(read))


@record
class QuarterSettings:
    """Thresholds of the quarter forecast.

    Attributes
    ----------
    mover_share : a deal is listed if its outcome moves P50 by more than this share of it
    wrong_by : the total is wrong if it ends this share of P50 below or above it
    """

    mover_share: Chance = 0.05
    wrong_by: Chance = 0.2


@record
class ReviewSettings:
    """Thresholds for exceptions on the review page, and the number of deals it shows.

    Attributes
    ----------
    stale_days : a deal whose last reading is older is stale
    pushes : a deal whose close date was moved out this many times, by a week or more, is an exception
    disagreement : model and seller disagree where their probabilities differ by more than this
    deals : deals shown in full; the appendix has all
    risky_deals : deals listed for their contribution to the risk
    """

    stale_days: Positive = 30
    pushes: Positive = 3
    disagreement: Chance = 0.25
    deals: Positive = 25
    risky_deals: Positive = 6


@record
class MonitorSettings:
    """The test of whether a model is still calibrated, repeated after every quarter.

    The two standard deviations state which deviations it is meant to find, and decide its power, not its error rate.

    Attributes
    ----------
    false_alarm : chance that a calibrated model is ever reported; the alarm is an e-value of one over it
    intercept_sd : of the shift in log-odds, which may be either way and is rarely near 0: 0.8 is a chance of 30% that
        is in truth 16% or 49%
    slope_sd : of the log of the slope: 0.3 is chances too far from one half, or too close to it, by a third
    draws : posterior draws used, spread evenly; more are slower and closer to the model's own doubt
    settle_days : a quarter counts this many days after its end, because wins are entered late
    """

    false_alarm: Chance = 0.05
    intercept_sd: Annotated[float, Field(gt=0, le=2)] = 0.8
    slope_sd: Annotated[float, Field(gt=0, le=0.5)] = 0.3
    draws: Annotated[int, Field(ge=50)] = 1000
    settle_days: Annotated[int, Field(ge=0)] = 0
