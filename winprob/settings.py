"""What can be tuned? Frozen dataclasses, read from one TOML file in which a typo is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from datetime import date
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any, cast

from winprob.catalog import say
from winprob.errors import SettingsError
from winprob.methodology.vocabulary import ROLES


def _wrong(where: str, got: object, wanted: str) -> SettingsError:
    return SettingsError(say("setting {path!r} is {got!r}, wanted {wanted}", path=where, got=got, wanted=wanted))


def _require(holds: bool, where: str, got: object, wanted: str) -> None:
    if not holds:
        raise _wrong(where, got, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSettings:
    """How NUTS is run, and on how many deals at most: of a longer history as many are drawn at random."""

    chains: int = 4
    tune: int = 600
    draws: int = 1500
    thin: int = 3
    prior_draws: int = 500
    target_accept: float = 0.9
    retry_draws: int = 3000
    retry_target_accept: float = 0.97
    most_deals: int = 50_000

    def __post_init__(self) -> None:
        _require(self.chains >= 2, "sampler.chains", self.chains, ">= 2")
        _require(self.tune >= 100, "sampler.tune", self.tune, ">= 100")
        _require(self.draws >= 50, "sampler.draws", self.draws, ">= 50")
        _require(1 <= self.thin <= self.draws, "sampler.thin", self.thin, "1..sampler.draws")
        _require(self.prior_draws >= 100, "sampler.prior_draws", self.prior_draws, ">= 100")
        _require(self.retry_draws >= self.draws, "sampler.retry_draws", self.retry_draws, ">= sampler.draws")
        _require(self.most_deals >= 1_000, "sampler.most_deals", self.most_deals, ">= 1000")
        _require(0 < self.target_accept < 1, "sampler.target_accept", self.target_accept, "0..1")
        _require(0 < self.retry_target_accept < 1, "sampler.retry_target_accept", self.retry_target_accept, "0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """When the draws may be believed (Vehtari et al. 2021, doi 10.1214/20-BA1221; Betancourt 2016)."""

    r_hat: float = 1.01
    bulk_ess: float = 400.0
    tail_ess: float = 400.0
    divergent_share: float = 0.002
    bfmi: float = 0.3

    def __post_init__(self) -> None:
        _require(self.r_hat > 1, "gates.r_hat", self.r_hat, "> 1")
        _require(0 <= self.divergent_share < 1, "gates.divergent_share", self.divergent_share, "0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorSettings:
    """What is believed before any deal is seen. Log-odds unless said otherwise.

    ``strength`` is the log of a factor on all that sets deals apart: teams differ in how far their deals can be told
    apart, and what is believed of it decides how soon a small team is believed to be predictable (decision 010).
    ``method_lean`` is how much more (in logs) a role counts under a decision method that lets it decide, and how much
    less under one that does not: what the method says of who decides (``chain.toml``), 0 to hear nothing of it.
    A pair is ``(mean, sd)`` of a normal or, for reliabilities, ``(a, b)`` of a beta; a single number is the
    scale of a half-normal. The sheet that says each in plain words is ``winprob priors``.
    """

    intercept: tuple[float, float] = (-0.4, 0.7)
    strength: tuple[float, float] = (-0.6, 0.6)
    stage_step: float = 0.5
    coverage_step: float = 0.4
    coach: float = 0.4
    decision_method: float = 0.4
    unknown: float = 0.5
    role_weight: float = 0.95
    method_lean: float = 0.35
    method_spread: float = 0.4
    unknown_support: tuple[float, float] = (0.0, 0.5)
    reliability_validated: tuple[float, float] = (17.0, 3.0)
    reliability_unvalidated_ratio: tuple[float, float] = (8.0, 2.0)
    reliability_none_ratio: tuple[float, float] = (8.0, 2.0)
    offset_scale: float = 0.5
    field_deviation: float = 0.5
    numeric_scale: float = 0.5
    pair_scale: float = 0.5
    drift_scale: float = 0.15

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            numbers = value if isinstance(value, tuple) else (value,)
            positive = numbers if name.startswith("reliability_") else numbers[-1:]
            if name == "method_lean":
                _require(isfinite(value) and value >= 0, "priors.method_lean", value, ">= 0")
                continue
            holds = all(isfinite(number) for number in numbers) and all(number > 0 for number in positive)
            _require(holds, f"priors.{name}", value, say("finite, scales > 0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericCovariate:
    """A numeric column the model may learn from, after ``transform``."""

    column: str
    transform: str = "identity"

    def __post_init__(self) -> None:
        accepted = ("identity", "log1p")
        _require(self.transform in accepted, f"transform of {self.column!r}", self.transform, ", ".join(accepted))


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateSettings:
    """Columns that are always learned from where the table has them, beside those a mapping names.

    Of the varying columns that a mapping names, the ``pair_components`` leading combinations of two are learned from
    too (0 = none). ``copies_count_once``: rows alike in everything but their id share one deal's weight, unless
    likeness by chance is to be expected. ``report_bias``: a seller who reports more support than others do is taken
    to overrate, as far as that is more than chance.
    """

    varying: tuple[str, ...] = ("segment", "region", "seller", "product", "competitor")
    numeric: tuple[NumericCovariate, ...] = (NumericCovariate(column="amount", transform="log1p"),)
    pair_components: int = 64
    copies_count_once: bool = True
    report_bias: bool = True

    def __post_init__(self) -> None:
        _require(self.pair_components >= 0, "covariates.pair_components", self.pair_components, ">= 0")


@dataclass(frozen=True, slots=True, kw_only=True)
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

    fiscal_year_start_month: int = 1
    pattern: str = "months"
    year_end_weekday: int = 5
    year_end: str = "last"
    names: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        month = self.fiscal_year_start_month
        _require(1 <= month <= 12, "calendar.fiscal_year_start_month", month, "1..12")
        patterns, ends = ("months", "445", "454", "544"), ("last", "nearest")
        _require(self.pattern in patterns, "calendar.pattern", self.pattern, ", ".join(patterns))
        _require(0 <= self.year_end_weekday <= 6, "calendar.year_end_weekday", self.year_end_weekday, "0..6")
        _require(self.year_end in ends, "calendar.year_end", self.year_end, ", ".join(ends))
        if self.names or self.starts:
            wanted = len(self.names) + 1
            _require(len(self.starts) == wanted, "calendar.starts", len(self.starts), say("{count} days", count=wanted))
            _require(_rising_days(self.starts), "calendar.starts", self.starts, say("ISO days, each after the last"))


def _rising_days(days: tuple[str, ...]) -> bool:
    try:
        read = [date.fromisoformat(day) for day in days]
    except ValueError:
        return False
    return all(one < other for one, other in pairwise(read))


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
        _require(0 < self.mover_share < 1, "quarter.mover_share", self.mover_share, "0..1")
        _require(0 < self.wrong_by < 1, "quarter.wrong_by", self.wrong_by, "0..1")


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
        _require(holds, "evaluation.stage_default", self.stage_default, "0..1")
        _require(self.least_training >= 2, "evaluation.least_training", self.least_training, ">= 2")
        _require(0 <= self.mature_share <= 1, "evaluation.mature_share", self.mature_share, "0..1")
        _require(self.folds >= 2, "evaluation.folds", self.folds, ">= 2")
        _require(self.repeats >= 1, "evaluation.repeats", self.repeats, ">= 1")
        _require(self.kept_draws >= 50, "evaluation.kept_draws", self.kept_draws, ">= 50")


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
        _require(0 <= self.smallest_lift < 1, "levers.smallest_lift", self.smallest_lift, "0..1")
        _require(0 <= self.learned_below <= 1, "levers.learned_below", self.learned_below, "0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitSettings:
    """What visits by executives are believed to do, before any is on record, and how they are planned.

    Attributes
    ----------
    approver, decision_maker, evaluator, influencer, procurement
        Chance that a visit moves this role one tier up, by how far the role is covered: unknown, identified,
        contacted, engaged; last where coverage is blank.
    strength : how many visits of experience these chances are worth (the sum of a beta's two parameters)
    most_per_deal : visits to one deal at most, 1 to 3
    scenarios : draws of the posterior, spread evenly, in which the plan is compared with the best one
    """

    approver: tuple[float, float, float, float, float] = (0.20, 0.25, 0.35, 0.40, 0.30)
    decision_maker: tuple[float, float, float, float, float] = (0.25, 0.30, 0.40, 0.45, 0.35)
    evaluator: tuple[float, float, float, float, float] = (0.30, 0.35, 0.45, 0.50, 0.40)
    influencer: tuple[float, float, float, float, float] = (0.30, 0.35, 0.45, 0.50, 0.40)
    procurement: tuple[float, float, float, float, float] = (0.30, 0.35, 0.45, 0.50, 0.40)
    strength: float = 8.0
    most_per_deal: int = 2
    scenarios: int = 200

    def __post_init__(self) -> None:
        for role in ROLES:
            chances = getattr(self, role)
            _require(all(0 < chance < 1 for chance in chances), f"visits.{role}", chances, "0..1")
        _require(0 < self.strength < float("inf"), "visits.strength", self.strength, "> 0")
        _require(1 <= self.most_per_deal <= 3, "visits.most_per_deal", self.most_per_deal, "1..3")
        _require(20 <= self.scenarios <= 2000, "visits.scenarios", self.scenarios, "20..2000")


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
    stage, segment, number, unknown : of each stage, each segment, an sd of log age, pushes, amount; of not knowing one
    stage_soon : of the stage in the first weeks after a reading, halved every eight weeks
    incidence, incidence_stage : log-odds of being won, which open deals make part of the time to close
    least_closed : closed deals with dates below which nothing is learned
    """

    weekly_hazard: tuple[float, float] = (-3.2, 1.0)
    since_step: float = 0.3
    near: float = 1.0
    near_step: float = 0.5
    quarter_pull: float = 0.5
    stage: float = 1.0
    stage_soon: float = 2.0
    number: float = 0.3
    unknown: float = 0.4
    segment: float = 0.3
    incidence: tuple[float, float] = (-0.4, 1.5)
    incidence_stage: float = 1.0
    least_closed: int = 20

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            numbers = value if isinstance(value, tuple) else (value,)
            holds = all(isfinite(number) for number in numbers) and numbers[-1] > 0
            _require(holds, f"timing.{name}", value, say("finite, scales > 0"))


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
            _require(getattr(self, name) >= 1, f"review.{name}", getattr(self, name), ">= 1")
        _require(0 < self.disagreement < 1, "review.disagreement", self.disagreement, "0..1")


def _refit_sampler() -> SamplerSettings:
    return SamplerSettings(chains=2, tune=400, draws=400, thin=1, prior_draws=100, target_accept=0.85, retry_draws=800)


def _refit_gates() -> GateSettings:
    return GateSettings(r_hat=1.05, bulk_ess=50, tail_ess=50, divergent_share=0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefitSettings:
    """For many refits, as in a backtest: the mean of a prediction needs fewer draws than the tails of every weight."""

    sampler: SamplerSettings = field(default_factory=_refit_sampler)
    gates: GateSettings = field(default_factory=_refit_gates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be tuned."""

    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    gates: GateSettings = field(default_factory=GateSettings)
    priors: PriorSettings = field(default_factory=PriorSettings)
    covariates: CovariateSettings = field(default_factory=CovariateSettings)
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    levers: LeverSettings = field(default_factory=LeverSettings)
    visits: VisitSettings = field(default_factory=VisitSettings)
    timing: TimingSettings = field(default_factory=TimingSettings)
    review: ReviewSettings = field(default_factory=ReviewSettings)
    quarter: QuarterSettings = field(default_factory=QuarterSettings)
    refit: RefitSettings = field(default_factory=RefitSettings)

    def for_refits(self) -> Settings:
        """The same, with the sampler and gates of ``refit``."""
        return replace(self, sampler=self.refit.sampler, gates=self.refit.gates)


def read_settings(path: Path | str) -> Settings:
    """Settings from a TOML file; what it does not name keeps its default.

    Raises
    ------
    SettingsError
        The file cannot be read, is not TOML, names an unknown setting, or holds a value out of range.
    """
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingsError(
            say("settings file {path} cannot be read: {reason}", path=path, reason=error.strerror)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(say("settings file {path} is not TOML: {reason}", path=path, reason=error)) from error
    return settings_from(table)


def settings_from(table: Mapping[str, Any]) -> Settings:
    """Settings from nested plain tables, as TOML or JSON give them."""
    return cast(Settings, _build(Settings, table, "", Settings()))


def _build(kind: type, table: Mapping[str, Any], where: str, default: Any = None) -> Any:
    known = {f.name: f for f in fields(kind)}
    strangers = [name for name in table if name not in known]
    if strangers:
        raise SettingsError("; ".join(_stranger(where + name, name, list(known)) for name in strangers))
    if default is None:
        return kind(**{name: _value("", value, where + name) for name, value in table.items()})
    return replace(
        default, **{name: _value(getattr(default, name), value, where + name) for name, value in table.items()}
    )


#: Lists of texts that are empty by default.
_TEXT_LISTS = ("calendar.names", "calendar.starts")


def _value(default: Any, value: Any, where: str) -> Any:
    if is_dataclass(default):
        if not isinstance(value, Mapping):
            raise _wrong(where, value, say("a table"))
        return _build(type(default), value, where + ".", default)
    if where == "covariates.numeric":
        return tuple(_numeric(item) for item in _sequence(value, where))
    if where in _TEXT_LISTS:
        return tuple(_scalar("", item, where) for item in _sequence(value, where))
    if isinstance(default, tuple):
        return _tuple(default, _sequence(value, where), where)
    return _scalar(default, value, where)


def _tuple(default: tuple[Any, ...], value: list[Any], where: str) -> tuple[Any, ...]:
    if default and isinstance(default[0], str):
        return tuple(_scalar("", item, where) for item in value)
    if len(value) != len(default):
        raise _wrong(where, value, say("{count} numbers", count=len(default)))
    return tuple(_scalar(0.0, item, where) for item in value)


def _scalar(default: Any, value: Any, where: str) -> Any:
    if isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is type(default):
        return value
    raise _wrong(where, value, {int: say("a whole number"), float: say("a number")}.get(type(default), say("a text")))


def _numeric(item: Any) -> NumericCovariate:
    if isinstance(item, str):
        return NumericCovariate(column=item)
    if isinstance(item, Mapping) and set(item) != {"transform"}:
        return cast(NumericCovariate, _build(NumericCovariate, item, "covariates.numeric."))
    raise _wrong("covariates.numeric", item, say("a column or a table with column and transform"))


def _sequence(value: Any, where: str) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    raise _wrong(where, value, say("a list"))


def _stranger(path: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1) or known
    return say("setting {path!r} is not known; did you mean {near}?", path=path, near=", ".join(near))
