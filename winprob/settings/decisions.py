"""Settings of evaluation, levers and executive visits."""

from typing import Annotated

from pydantic import Field

from winprob.toml import Chance, Scale, Share, record

#: Chance of success by how far a role is covered: unknown, identified, contacted, engaged, blank.
ByCoverage = tuple[Chance, Chance, Chance, Chance, Chance]


@record
class EvaluationSettings:
    """How a model is put to the test.

    Attributes
    ----------
    stage_default : win probability of each stage by the CRM's table, a baseline; put your own here
    least_training : closed deals that a fit in a backtest learns from at least
    mature_share : a quarter's deals are learned from once this share of them has closed; quick closers differ
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
class LeverSettings:
    """When a lever is worth pulling, and when its size was learned.

    Attributes
    ----------
    smallest_lift : of win probability, below which nobody would bother (a region of practical equivalence)
    learned_below : a role's weight counts as learned from the team's deals where the prior's share in it is below this
    """

    smallest_lift: Annotated[float, Field(ge=0, lt=1)] = 0.02
    learned_below: Share = 0.5


@record
class VisitSettings:
    """What visits by executives are believed to do, before any is on record, and how they are planned.

    Attributes
    ----------
    approver, decision_maker, evaluator, influencer, procurement
        Chance that a visit moves this role one tier up, by how far the role is covered: unknown, identified,
        contacted, engaged; last where coverage is blank.
    prior_sample_size : how many visits of experience these chances are worth (the sum of a beta's two parameters)
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
