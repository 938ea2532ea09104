"""What can be tuned of the time to close, of the quarter and of its page?"""

from dataclasses import asdict, dataclass
from math import isfinite

from winprob.i18n import gettext
from winprob.settings.checks import require


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingSettings:
    """What is believed of the time to close before any deal is seen: of the log of the weekly hazard, given the end.

    A pair is ``(mean, sd)`` of a normal, a single number the sd of one with mean 0.

    Attributes
    ----------
    weekly_hazard : in the first week after a reading; the default means 4 % a week (90 %: 1 to 20 %)
    since_step : from one span of weeks after the reading to the next (a random walk)
    near, near_step : long before the seller's close date, and from one span of weeks about it to the next
    quarter_pull : of the first week of a fiscal quarter, and of each of the last two
    stage, segment, number, unknown : of each stage, each segment, an sd of the log of age, of the time to the seller's
        date, of pushes, of the amount; of not knowing one
    stage_soon : of the stage in the first weeks after a reading, halved every eight weeks
    number_by_stage : of an sd of log age, and of the time to the seller's date, at each stage
    incidence, incidence_stage : log-odds of being won, which open deals make part of the time to close
    least_closed : closed deals with dates below which nothing is learned
    """

    weekly_hazard: tuple[float, float] = (-3.2, 1.0)
    since_step: float = 0.3
    near: float = 1.0
    near_step: float = 0.5
    quarter_pull: float = 0.5
    stage: float = 1.0
    stage_soon: float = 3.0
    number: float = 0.3
    number_by_stage: float = 0.3
    unknown: float = 0.4
    segment: float = 0.3
    incidence: tuple[float, float] = (-0.4, 1.5)
    incidence_stage: float = 1.0
    least_closed: int = 20

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            numbers = value if isinstance(value, tuple) else (value,)
            holds = all(isfinite(number) for number in numbers) and numbers[-1] > 0
            require(holds, f"timing.{name}", value, gettext("finite, scales > 0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarterSettings:
    """What a forecast of a quarter points at.

    Attributes
    ----------
    mover_share : a deal is named if its outcome moves P50 by more than this share of it
    wrong_by : the total is wrong if it ends this share of P50 below or above it
    """

    mover_share: float = 0.05
    wrong_by: float = 0.2

    def __post_init__(self) -> None:
        require(0 < self.mover_share < 1, "quarter.mover_share", self.mover_share, "0..1")
        require(0 < self.wrong_by < 1, "quarter.wrong_by", self.wrong_by, "0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """What the review page calls an exception, and how much it tells.

    Attributes
    ----------
    stale_days : a deal whose last reading is older is called stale
    pushes : a deal whose close date was moved out so often is named
    disagreement : model and seller are told to disagree above this difference of probability
    deals : deals that are told in full; the appendix has all
    risky_deals : deals that are named for carrying the risk
    """

    stale_days: int = 30
    pushes: int = 3
    disagreement: float = 0.25
    deals: int = 25
    risky_deals: int = 6

    def __post_init__(self) -> None:
        for name in ("stale_days", "pushes", "deals", "risky_deals"):
            require(getattr(self, name) >= 1, f"review.{name}", getattr(self, name), ">= 1")
        require(0 < self.disagreement < 1, "review.disagreement", self.disagreement, "0..1")
