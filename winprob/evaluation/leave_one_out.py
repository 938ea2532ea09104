"""How well would each deal have been predicted without it? Pareto-smoothed importance sampling, no refit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.folds import identical_rows
from winprob.model.inference import Training, read_training
from winprob.model.posterior import Posterior
from winprob.model.win.terms import coefficients, logits

#: From here on importance sampling cannot be trusted (Vehtari et al. 2024).
HIGH_K = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOneOut:
    """Log loss of deals left out, one record at a time.

    Attributes
    ----------
    log_loss, standard_error : per deal
    fitted_log_loss : of the same deals when they are not left out
    effective_parameters : how many the posterior spends on them
    worst_k, high_k : the largest Pareto k, and how many records have one above ``HIGH_K``
    records : how many were left out, each with its copies and all readings of its deal
    """

    log_loss: float
    standard_error: float
    fitted_log_loss: float
    effective_parameters: float
    worst_k: float
    high_k: int
    records: int


def leave_one_out(posterior: Posterior, deals: pd.DataFrame) -> LeaveOneOut:
    """PSIS-LOO of a fitted model over the deals it learned from.

    References
    ----------
    Vehtari, Gelman, Gabry (2017), doi 10.1007/s11222-016-9696-4; Vehtari et al. (2024), JMLR 25(72).
    """
    import arviz_stats
    import xarray as xr

    training = trained_on(posterior, deals)
    likelihood = record_log_likelihood(posterior, training)
    shape = posterior.draws["intercept"].shape
    values = likelihood.T.reshape(*shape, len(likelihood))
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"intercept": (("chain", "draw"), posterior.draws["intercept"])}),
            "log_likelihood": xr.Dataset({"won": (("chain", "draw", "record"), values)}),
        }
    )
    # k is judged by us, in words; ArviZ would warn as well.
    found = _quietly(arviz_stats.loo, tree, pointwise=True)
    counted = training.weight.sum()
    k = np.asarray(found.pareto_k)
    fitted = np.log(np.exp(likelihood).mean(axis=1)).sum()
    return LeaveOneOut(
        log_loss=float(-found.elpd / counted),
        standard_error=float(found.se / counted),
        fitted_log_loss=float(-fitted / counted),
        effective_parameters=float(found.p),
        worst_k=float(np.max(k)),
        high_k=int((k > HIGH_K).sum()),
        records=len(likelihood),
    )


def trained_on(posterior: Posterior, deals: pd.DataFrame) -> Training:
    """The closed deals of a table, described by the model's own scaling."""
    from dataclasses import replace

    from winprob.model.features import describe

    training = read_training(deals, posterior.settings, seed=posterior.provenance.seed)
    return replace(training, scaling=posterior.scaling, features=describe(training.closed, posterior.scaling))


def record_log_likelihood(posterior: Posterior, training: Training) -> Array:
    """(record, draw) log likelihood of rows that belong together."""
    by = coefficients(posterior.flat, training.features, seed=posterior.provenance.seed)
    log_odds = logits(by, training.features).astype(float)
    rows = training.weight[:, None] * (training.won[:, None] * log_odds - np.logaddexp(0, log_odds))
    codes = identical_rows(training.closed)
    total = np.zeros((codes.max() + 1, rows.shape[1]))
    np.add.at(total, codes, rows)
    return total


def _quietly(work: Any, *given: Any, **named: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work(*given, **named)
