"""The companion's weight, by stacking: how much trees add to the model's own terms on deals that neither has seen.

The model's terms fit the very deals they are learned from, the trees' log-odds are cross-fitted; weighed against each
other on these deals, the trees would count for too little. Here both are cross-fitted, and a logistic regression of the
outcomes on the two gives the weight and its standard error (Wolpert 1992; Yao et al. 2018, doi 10.1214/17-BA1091). It
fades where the data do not show it: with few deals the standard error is large.
"""

import numpy as np
from scipy.special import expit

from winprob.arrays import Array
from winprob.model.features import Features, Layout
from winprob.model.inference.whitening import effects_given_scales, settle
from winprob.model.win.blocks import DIMS, TERMS
from winprob.model.win.density_data import build_density, standard_unknowns
from winprob.model.win.parameters import derive_parameters, informed, prior_data
from winprob.model.win.terms import coefficients, logits
from winprob.settings import PriorSettings

#: A weight below this is none; its sd in the model, at most, and as a share of itself.
_LEAST, _MOST, _SD, _SHARE = 0.05, 1.3, 0.03, 1 / 3
_STEPS = 30


def stacked_weight(
    features: Features,
    layout: Layout,
    priors: PriorSettings,
    won: Array,
    weight: Array,
    folds: Array,
    trees: Array,
) -> tuple[float, float] | None:
    """Mean and sd of the weight of ``trees`` (deal,), cross-fitted log-odds; None where they add nothing.

    Parameters
    ----------
    features : the deals, without a companion
    priors : of a model with deals
    folds : (deal,) the fold in which neither model nor trees have seen a deal
    """
    own = _cross_fitted(features, layout, priors, won, weight, folds)
    found, error = _weight_of_second(own, trees, won, weight)
    # Shrunk as a normal of unknown mean is (positive-part James-Stein).
    mean = found * max(0.0, 1 - (error / found) ** 2) if found > 0 else 0.0
    return None if mean < _LEAST else (min(mean, _MOST), min(error, _SD, mean * _SHARE))


def _cross_fitted(
    features: Features, layout: Layout, priors: PriorSettings, won: Array, weight: Array, folds: Array
) -> Array:
    """(deal,) log-odds of the model's own terms, each deal by a mode that has not seen its fold."""
    terms = informed(TERMS, layout)
    prior = prior_data(layout, priors, terms)
    nothing = {name: np.zeros((1, *(layout.sizes[dim] for dim in dims))) for name, dims in DIMS.items()}
    # Scales are those of all deals: they are few, and one fold hardly moves them.
    point, _ = settle(build_density(features, layout, priors, won=won, weight=weight, terms=terms))
    log_odds = np.zeros(len(won))
    for fold in np.unique(folds):
        rows = folds != fold
        density = build_density(features.take(rows), layout, priors, won=won[rows], weight=weight[rows], terms=terms)
        standard = standard_unknowns(effects_given_scales(density, point)[None], density)
        flat = nothing | derive_parameters(np, standard, prior, layout, terms)
        unseen = features.take(~rows)
        log_odds[~rows] = logits(coefficients(flat, unseen, seed=0), unseen)[:, 0]
    return log_odds


def _weight_of_second(first: Array, second: Array, won: Array, weight: Array) -> tuple[float, float]:
    """Coefficient of ``second`` and its standard error, in a logistic regression on both (Newton's method)."""
    design = np.column_stack([np.ones(len(won)), first, second])
    # A ridge as weak as a standard normal prior keeps separable deals finite.
    ridge, beta = np.diag([1e-3, 1.0, 1.0]), np.zeros(3)
    for _ in range(_STEPS):
        chance = expit(design @ beta)
        curvature = (design * (weight * chance * (1 - chance))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, design.T @ (weight * (won - chance)) - ridge @ beta)
        beta = beta + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    return float(beta[2]), float(np.sqrt(np.linalg.inv(curvature)[2, 2]))
