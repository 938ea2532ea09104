"""What can be tuned of the win model: sampler, gates, priors, covariates?"""

from dataclasses import asdict, dataclass, field
from math import isfinite

from winprob.i18n import gettext
from winprob.settings.checks import require


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
        require(self.chains >= 2, "sampler.chains", self.chains, ">= 2")
        require(self.tune >= 100, "sampler.tune", self.tune, ">= 100")
        require(self.draws >= 50, "sampler.draws", self.draws, ">= 50")
        require(1 <= self.thin <= self.draws, "sampler.thin", self.thin, "1..sampler.draws")
        require(self.prior_draws >= 100, "sampler.prior_draws", self.prior_draws, ">= 100")
        require(self.retry_draws >= self.draws, "sampler.retry_draws", self.retry_draws, ">= sampler.draws")
        require(self.most_deals >= 1_000, "sampler.most_deals", self.most_deals, ">= 1000")
        require(0 < self.target_accept < 1, "sampler.target_accept", self.target_accept, "0..1")
        require(0 < self.retry_target_accept < 1, "sampler.retry_target_accept", self.retry_target_accept, "0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """When the draws may be believed (Vehtari et al. 2021, doi 10.1214/20-BA1221; Betancourt 2016)."""

    r_hat: float = 1.01
    bulk_ess: float = 400.0
    tail_ess: float = 400.0
    divergent_share: float = 0.002
    bfmi: float = 0.3

    def __post_init__(self) -> None:
        require(self.r_hat > 1, "gates.r_hat", self.r_hat, "> 1")
        require(0 <= self.divergent_share < 1, "gates.divergent_share", self.divergent_share, "0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorSettings:
    """What is believed before any deal is seen. Log-odds unless said otherwise.

    ``effect_scale`` is the log of a factor on every effect that distinguishes deals: teams differ in how predictable
    their deals are, and this prior decides how soon a small team is believed to be predictable (decision 010).
    ``method_lean`` is how much more (in logs) a role counts under a decision method that lets it decide, and how much
    less under one that does not: what the method says of who decides (``chain.toml``), 0 to hear nothing of it.
    A pair is ``(mean, sd)`` of a normal or, for reliabilities, ``(a, b)`` of a beta; a single number is the
    scale of a half-normal. The sheet that says each in plain words is ``winprob priors``.
    """

    intercept: tuple[float, float] = (-0.4, 0.7)
    effect_scale: tuple[float, float] = (-0.6, 0.6)
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
                require(isfinite(value) and value >= 0, "priors.method_lean", value, ">= 0")
                continue
            holds = all(isfinite(number) for number in numbers) and all(number > 0 for number in positive)
            require(holds, f"priors.{name}", value, gettext("finite, scales > 0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericCovariate:
    """A numeric column the model may learn from, after ``transform``."""

    column: str
    transform: str = "identity"

    def __post_init__(self) -> None:
        accepted = ("identity", "log1p")
        require(self.transform in accepted, f"transform of {self.column!r}", self.transform, ", ".join(accepted))


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
        require(self.pair_components >= 0, "covariates.pair_components", self.pair_components, ">= 0")


def _refit_sampler() -> SamplerSettings:
    return SamplerSettings(chains=2, tune=400, draws=400, thin=1, prior_draws=100, target_accept=0.85, retry_draws=800)


def _refit_gates() -> GateSettings:
    return GateSettings(r_hat=1.05, bulk_ess=50, tail_ess=50, divergent_share=0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefitSettings:
    """For many refits, as in a backtest: the mean of a prediction needs fewer draws than the tails of every weight."""

    sampler: SamplerSettings = field(default_factory=_refit_sampler)
    gates: GateSettings = field(default_factory=_refit_gates)
