"""Settings of the fiscal calendar, the time to close, the quarter forecast and its review page."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from winprob.i18n import gettext
from winprob.toml import Chance, Normal, RuleError, Scale, record

#: A count of at least one.
Positive = Annotated[int, Field(ge=1)]


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
        says where the last one ends
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

    weekly_hazard: Normal = (-3.2, 1.0)
    since_step: Scale = 0.3
    near: Scale = 1.0
    near_step: Scale = 0.5
    quarter_pull: Scale = 0.5
    stage: Scale = 1.0
    stage_soon: Scale = 3.0
    number: Scale = 0.3
    number_by_stage: Scale = 0.3
    unknown: Scale = 0.4
    segment: Scale = 0.3
    incidence: Normal = (-0.4, 1.5)
    incidence_stage: Scale = 1.0
    least_closed: Positive = 20


@record
class QuarterSettings:
    """What a forecast of a quarter points at.

    Attributes
    ----------
    mover_share : a deal is named if its outcome moves P50 by more than this share of it
    wrong_by : the total is wrong if it ends this share of P50 below or above it
    """

    mover_share: Chance = 0.05
    wrong_by: Chance = 0.2


@record
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

    stale_days: Positive = 30
    pushes: Positive = 3
    disagreement: Chance = 0.25
    deals: Positive = 25
    risky_deals: Positive = 6
