"""Success of visits: by how much of a tier a visit moves a role's true support, the prior's or learned from a log."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv, logit, ndtri

from winprob.actions.visits.effect import Effect, EffectPrior, Instrument, learn_effect
from winprob.actions.visits.pairs import comparison_pairs, join_pairs, visit_pairs
from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.draws import TAILS
from winprob.model.features import bin_moments
from winprob.model.posterior import Posterior
from winprob.settings import VisitSettings

#: Prior sd of the effect on true support and its part that differs by role, at a prior sample size of ``_AT_SIZE``.
_SD, _ROLE_SD, _AT_SIZE = 0.3, 0.15, 8.0
#: Prior mean of the effect per unit of the settings' chance: .3 at the default chances, which are .37 on average.
_MEAN_PER_CHANCE = 0.3 / 0.37


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """The chance that a visit moves a role one tier up: the share of a tier by which true support moves on average.

    Attributes
    ----------
    wins, losses : (role, state) parameters of the prior's beta, in force where no visit was counted
    step : (role,) a tier's typical width on the scale of true support
    by_coverage : (role, state) the effect at a state of coverage relative to the role's
    effect : what the log has shown, None where no visit was counted
    counted : number of visits it was learned from
    unjudged : number of visits left out because the tier before or after is blank
    """

    wins: Array
    losses: Array
    step: Array
    by_coverage: Array
    effect: Effect | None
    counted: int
    unjudged: int

    @property
    def mean(self) -> Array:
        """(role, state) mean; below 0 where visits have lowered support."""
        if self.effect is None:
            return np.asarray(self.wins / (self.wins + self.losses))
        return np.asarray(self.effect.mean[:, None] * self.by_coverage / self.step[:, None])

    @property
    def interval(self) -> tuple[Array, Array]:
        """(role, state) ends of the 90 % interval."""
        if self.effect is None:
            lower, upper = (betaincinv(self.wins, self.losses, tail) for tail in TAILS)
            return lower, upper
        sd = np.sqrt(np.diag(self.effect.covariance))[:, None] * self.by_coverage / self.step[:, None]
        lower, upper = (self.mean + sd * ndtri(tail) for tail in TAILS)
        return lower, upper

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """(role, state, draw), float32; of a learned effect the states of a role go together."""
        if self.effect is None:
            shape = (*self.wins.shape, count)
            return rng.beta(self.wins[:, :, None], self.losses[:, :, None], shape).astype(np.float32)
        moves = rng.multivariate_normal(self.effect.mean, self.effect.covariance, count, method="cholesky").T
        return np.asarray(moves[:, None] * (self.by_coverage / self.step[:, None])[:, :, None], dtype=np.float32)

    def per_step(self, steps: Array) -> Array:
        """(deal, role) what the chance is multiplied by where a tier up is as wide as ``steps``.

        A learned effect is a move of true support: of a wide tier it is a smaller share.
        """
        if self.effect is None:
            return np.ones_like(steps)
        return np.divide(self.step, steps, out=np.ones_like(steps), where=steps > 0)


def instrument_of(posterior: Posterior) -> Instrument:
    """How a model's posterior takes support to be read."""
    reliability = posterior.flat["reliability"]
    counts = np.array(posterior.scaling.tier_counts)
    share = np.cumsum(counts, axis=1)[:, :-1] / counts.sum(axis=1, keepdims=True)
    return Instrument(
        reliability=reliability.mean(axis=0), doubt=float(logit(reliability).std(axis=0).mean()), cuts=ndtri(share)
    )


def learn_success(
    visits: pd.DataFrame | None, readings: pd.DataFrame, instrument: Instrument, settings: VisitSettings
) -> Success:
    """The success of visits given a log (valid), or the prior of the settings where no visit of it can be counted.

    The prior of a role's effect is about N(.3, .3): the mean is in proportion to its mean chance in the settings, the
    sd falls with the root of ``prior_sample_size``. The settings also give how the effect differs by coverage.

    Parameters
    ----------
    readings : valid deals; where they hold several readings of a deal, its roles that were not visited are what the
        visited ones are compared with
    """
    chance = np.array([getattr(settings, role) for role in ROLES])
    size, step = settings.prior_sample_size, _typical_steps(instrument)
    by_coverage = chance / chance.mean(axis=1, keepdims=True)
    effect, counted, unjudged = None, 0, 0
    if visits is not None and len(visits):
        pairs = visit_pairs(visits, readings)
        counted, unjudged = len(pairs), len(visits) - len(pairs)
        if counted:
            scale = np.sqrt((_AT_SIZE + 1) / (size + 1))
            prior = EffectPrior(mean=chance.mean(axis=1) * _MEAN_PER_CHANCE, sd=_SD * scale, role_sd=_ROLE_SD * scale)
            pairs = join_pairs(pairs, comparison_pairs(visits, readings))
            effect = learn_effect(pairs, by_coverage[pairs.role, pairs.state] * pairs.visited, instrument, prior)
    return Success(
        wins=size * chance,
        losses=size * (1 - chance),
        step=step,
        by_coverage=by_coverage,
        effect=effect,
        counted=counted,
        unjudged=unjudged,
    )


def _typical_steps(instrument: Instrument) -> Array:
    """(role,) mean distance from a tier's middle to the next, over the readings that can rise."""
    steps = np.empty(len(ROLES))
    for role, shares in enumerate(instrument.shares):
        middle, _ = bin_moments(shares)
        steps[role] = np.average(np.diff(middle), weights=shares[:-1])
    return steps
