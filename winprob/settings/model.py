"""Settings of the models: sampler, convergence gates, priors, covariates, time to close, refits."""

from dataclasses import field, replace
from typing import Annotated, Literal

from pydantic import Field

from winprob.i18n import gettext
from winprob.toml import Chance, Normal, RuleError, Scale, Wanted, record

#: Shape parameters ``(a, b)`` of a beta.
Beta = tuple[Scale, Scale]


@record
class SamplerSettings:
    """NUTS settings.

    Chains whose ``draws`` miss the convergence gates go on, to ``retry_draws`` at most; where draws diverged, they
    start again with ``retry_target_accept``. One in ``thin`` of the first ``draws`` is kept, and as many of a longer
    run. A history of more than ``most_deals`` deals is sampled at random down to that number.
    """

    chains: Annotated[int, Field(ge=2)] = 4
    tune: Annotated[int, Field(ge=100)] = 150
    draws: Annotated[int, Field(ge=50)] = 500
    thin: Annotated[int, Field(ge=1)] = 2
    prior_draws: Annotated[int, Field(ge=100)] = 500
    target_accept: Chance = 0.8
    retry_draws: int = 4000
    retry_target_accept: Chance = 0.97
    most_deals: Annotated[int, Field(ge=1000)] = 50_000

    def __post_init__(self) -> None:
        if self.thin > self.draws:
            raise RuleError("thin", self.thin, "1..sampler.draws")
        if self.retry_draws < self.draws:
            raise RuleError("retry_draws", self.retry_draws, ">= sampler.draws")

    @property
    def kept(self) -> int:
        """Draws that a chain keeps, however long it ran."""
        return -(-self.draws // self.thin)


@record
class GateSettings:
    """Convergence gates that the draws must pass: R-hat, bulk and tail ESS, share of divergent transitions, BFMI.

    A figure is compared as a message shows it: an R-hat of 1.0104, shown as 1.010, passes 1.01.

    References
    ----------
    Vehtari et al. 2021, doi 10.1214/20-BA1221; Betancourt 2016
    """

    r_hat: Annotated[float, Field(gt=1)] = 1.01
    bulk_ess: float = 400.0
    tail_ess: float = 400.0
    divergent_share: Annotated[float, Field(ge=0, lt=1)] = 0.002
    bfmi: float = 0.2


@record
class PriorSettings:
    """Priors of the win model, on the log-odds scale unless noted.

    ``intercept`` is that of a model without deals; with deals the typical deal's log-odds are learned from
    ``intercept_with_deals``. ``stage_step`` is that of deals read once; where deals were read again and again, as in a
    history, it is ``stage_step_of_readings``: there a stage is one that a deal was at long before its end, and stages
    tell more apart (decision 042). ``effect_scale`` is the log of a factor on the effects of coverage, coach, decision
    method and roles: teams differ in how much these decide (decisions 010, 023). ``method_lean`` is how much more (in
    logs) a role counts under a decision method that lets it decide, and how much less under one that does not, by the
    method's table of who decides (``chain.toml``); it is learned, and may turn out negative; a single number fixes it.
    ``method_spread`` and ``team_spread`` are how far (in logs) the role weights of decision methods, and of teams where
    ``covariates.team`` names their column, depart from the common ones.
    ``offset_scale`` and ``numeric_scale`` are typical of the effects of a category's levels and of a numeric column,
    ``field_deviation`` and ``numeric_deviation`` how far (in logs) one column departs from it: a wide one shrinks
    columns of noise and spares a strong one, as a horseshoe does.
    A pair is ``(mean, sd)`` of a normal or, for reliabilities, ``(a, b)`` of a beta; a single number is the
    scale of a half-normal. ``winprob priors`` prints each in plain words.
    """

    intercept: Normal = (-0.4, 0.7)
    intercept_with_deals: Normal = (0.0, 2.5)
    effect_scale: Normal = (-0.6, 0.6)
    stage_step: Scale = 0.5
    stage_step_of_readings: Scale = 1.0
    coverage_step: Scale = 0.4
    coach: Scale = 0.4
    decision_method: Scale = 0.4
    unknown: Scale = 0.5
    role_weight: Scale = 0.95
    method_lean: Normal | Annotated[float, Field(allow_inf_nan=False)] = (0.35, 0.35)
    method_spread: Scale = 0.4
    team_spread: Scale = 0.4
    unknown_support: Normal = (0.0, 0.5)
    reliability_validated: Beta = (17.0, 3.0)
    reliability_unvalidated_ratio: Beta = (8.0, 2.0)
    reliability_none_ratio: Beta = (8.0, 2.0)
    offset_scale: Scale = 0.4
    field_deviation: Scale = 0.7
    numeric_scale: Scale = 0.4
    numeric_deviation: Scale = 1.0
    pair_scale: Scale = 0.3
    drift_scale: Scale = 0.15

    def with_deals(self, *, read_often: bool = False) -> "PriorSettings":
        """Those of a model that learns from closed deals; ``read_often`` of several readings of most deals."""
        step = self.stage_step_of_readings if read_often else self.stage_step
        return replace(self, intercept=self.intercept_with_deals, stage_step=step)


@record
class NumericCovariate:
    """A numeric column the model may learn from, after ``transform``; a ``monotone`` one never turns."""

    column: str
    transform: Literal["identity", "log1p", "logit"] = "identity"
    monotone: Literal["no", "increasing", "decreasing"] = "no"


def _columns_wanted() -> str:
    return gettext("columns, or tables with column and transform")


@record
class CovariateSettings:
    """Covariates that the model uses where the table has them, in addition to those a mapping names.

    Of the varying columns that a mapping names, the ``pair_components`` leading interactions of two enter
    too (0 = none; in tables of up to a thousand deals), and with ``companion`` what boosted trees find in all
    covariates. ``copies_count_once``: rows equal in everything but their id share one deal's weight, unless equal rows
    are to be expected by chance. ``report_bias``: a seller who reports more support than others is assumed
    to overrate, as far as the difference exceeds chance. ``seller_forecast``: the seller's own number (the logit of
    ``rep_probability``, and ``rep_category``) is a covariate too, where it was known before the close.
    ``days_elapsed``: a deal's age and the days to the seller's date are covariates, where most closed deals were read
    before their close. ``team`` names the column of teams: a category too, each of whose levels has role weights of its
    own, drawn about the common ones (empty = role weights are common).
    """

    varying: tuple[str, ...] = ("segment", "region", "seller", "product", "competitor")
    numeric: Annotated[tuple[NumericCovariate, ...], Wanted(_columns_wanted)] = (
        NumericCovariate(column="amount", transform="log1p"),
    )
    pair_components: Annotated[int, Field(ge=0)] = 64
    companion: bool = True
    copies_count_once: bool = True
    report_bias: bool = True
    seller_forecast: bool = False
    days_elapsed: bool = True
    team: str = ""


@record
class TimingSettings:
    """Priors of the time to close, on the log of the weekly hazard, by outcome.

    A pair is ``(mean, sd)`` of a normal, a single number the sd of one with mean 0.

    Attributes
    ----------
    weekly_hazard : in the first week after a reading; the default means 4 % a week (90 %: 1 to 20 %)
    since_step : from one span of weeks after the reading to the next (a random walk)
    near, near_step : long before the seller's close date, and from one span of weeks about it to the next
    quarter_pull : of the first week of a fiscal quarter, and of each of the last two
    stage, segment, number, unknown : of each stage, each segment, an sd of the log of age, of the time to the seller's
        date, of pushes, of the amount, of the days slipped; of not knowing one
    near_by_stage : of nearness to the seller's date at each stage, from one span of weeks to the next
    season, shock : sds of half-normal priors of the sd of a season's pace, and of the shock of a quarter's
    pull_by_season : of the first and of the last two weeks of a fiscal quarter, by season
    stage_soon : of the stage in the first weeks after a reading, halved every eight weeks
    number_by_stage : of an sd of log age, and of the time to the seller's date, at each stage
    incidence, incidence_stage : log-odds of being won, which open deals make part of the time to close
    least_closed : closed deals with dates below which the time to close is not fitted
    """

    weekly_hazard: Normal = (-3.2, 1.0)
    since_step: Scale = 0.3
    near: Scale = 1.0
    near_step: Scale = 0.5
    near_by_stage: Scale = 0.2
    quarter_pull: Scale = 0.5
    pull_by_season: Scale = 0.2
    season: Scale = 0.3
    shock: Scale = 0.2
    stage: Scale = 1.0
    stage_soon: Scale = 3.0
    number: Scale = 0.3
    number_by_stage: Scale = 0.3
    unknown: Scale = 0.4
    segment: Scale = 0.3
    incidence: Normal = (-0.4, 1.5)
    incidence_stage: Scale = 1.0
    least_closed: Annotated[int, Field(ge=1)] = 20


def _refit_sampler() -> SamplerSettings:
    return SamplerSettings(chains=2, tune=150, draws=300, thin=1, prior_draws=100, target_accept=0.85, retry_draws=4000)


def _refit_gates() -> GateSettings:
    return GateSettings(r_hat=1.05, bulk_ess=50, tail_ess=50, divergent_share=0.02)


@record
class RefitSettings:
    """Sampler and gates for many refits, as in a backtest: predicted means need fewer draws than tails of weights."""

    sampler: SamplerSettings = field(default_factory=_refit_sampler)
    gates: GateSettings = field(default_factory=_refit_gates)
