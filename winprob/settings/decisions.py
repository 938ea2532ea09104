"""What can be tuned of tests, levers and visits?"""

from dataclasses import dataclass

from winprob.methodology import ROLES
from winprob.settings.checks import require


@dataclass(frozen=True, slots=True, kw_only=True)
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

    stage_default: tuple[float, float, float, float, float] = (0.1, 0.2, 0.5, 0.75, 0.9)
    least_training: int = 30
    mature_share: float = 0.5
    folds: int = 10
    repeats: int = 3
    kept_draws: int = 400

    def __post_init__(self) -> None:
        holds = all(0 <= chance <= 1 for chance in self.stage_default)
        require(holds, "evaluation.stage_default", self.stage_default, "0..1")
        require(self.least_training >= 2, "evaluation.least_training", self.least_training, ">= 2")
        require(0 <= self.mature_share <= 1, "evaluation.mature_share", self.mature_share, "0..1")
        require(self.folds >= 2, "evaluation.folds", self.folds, ">= 2")
        require(self.repeats >= 1, "evaluation.repeats", self.repeats, ">= 1")
        require(self.kept_draws >= 50, "evaluation.kept_draws", self.kept_draws, ">= 50")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverSettings:
    """When a lever is worth pulling, and when its size was learned.

    Attributes
    ----------
    smallest_lift : of win probability, below which nobody would bother (a region of practical equivalence)
    learned_below : a role's weight counts as learned from the team's deals where the prior's share in it is below this
    """

    smallest_lift: float = 0.02
    learned_below: float = 0.5

    def __post_init__(self) -> None:
        require(0 <= self.smallest_lift < 1, "levers.smallest_lift", self.smallest_lift, "0..1")
        require(0 <= self.learned_below <= 1, "levers.learned_below", self.learned_below, "0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
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

    approver: tuple[float, float, float, float, float] = (0.20, 0.25, 0.35, 0.40, 0.30)
    decision_maker: tuple[float, float, float, float, float] = (0.25, 0.30, 0.40, 0.45, 0.35)
    evaluator: tuple[float, float, float, float, float] = (0.30, 0.35, 0.45, 0.50, 0.40)
    influencer: tuple[float, float, float, float, float] = (0.30, 0.35, 0.45, 0.50, 0.40)
    procurement: tuple[float, float, float, float, float] = (0.30, 0.35, 0.45, 0.50, 0.40)
    prior_sample_size: float = 8.0
    most_per_deal: int = 2
    scenarios: int = 200

    def __post_init__(self) -> None:
        for role in ROLES:
            chances = getattr(self, role)
            require(all(0 < chance < 1 for chance in chances), f"visits.{role}", chances, "0..1")
        require(0 < self.prior_sample_size < float("inf"), "visits.prior_sample_size", self.prior_sample_size, "> 0")
        require(1 <= self.most_per_deal <= 3, "visits.most_per_deal", self.most_per_deal, "1..3")
        require(20 <= self.scenarios <= 2000, "visits.scenarios", self.scenarios, "20..2000")
