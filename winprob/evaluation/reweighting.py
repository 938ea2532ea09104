"""PSIS leave-one-out cross-validation and power scaling of prior and likelihood, by importance sampling, no refit."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr

from winprob.arrays import Array
from winprob.errors import PosteriorError
from winprob.evaluation.folds import identical_rows
from winprob.i18n import gettext
from winprob.model.features import describe
from winprob.model.inference import Training, read_training
from winprob.model.posterior import Posterior
from winprob.model.win.terms import coefficients, logits

#: Above this Pareto k an importance sampling estimate is unreliable (Vehtari et al. 2024).
HIGH_K = 0.7
#: Power-scaling sensitivity above which a parameter counts as sensitive (Kallioinen et al. 2024).
SENSITIVE = 0.05
PARAMETERS = (
    "intercept",
    "stage_effect",
    "coverage_effect",
    "coach_effect",
    "method_effect",
    "role_weight_population",
    "method_spread",
    "team_spread",
    "reliability",
    "unknown_support",
    "offset_scale",
    "drift_scale",
)
PRIOR, BOTH, DATA = "prior decides", "both count", "data decide"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOneOut:
    """Leave-one-out log loss. A record is a deal with all its readings and exact copies.

    Attributes
    ----------
    log_loss, standard_error : per deal, out of sample
    fitted_log_loss : per deal, in sample
    effective_parameters : effective number of parameters, p_loo
    worst_k, high_k : the largest Pareto k, and the number of records with one above ``HIGH_K``
    records : number of records
    """

    log_loss: float
    standard_error: float
    fitted_log_loss: float
    effective_parameters: float
    worst_k: float
    high_k: int
    records: int


def leave_one_out(posterior: Posterior, deals: pd.DataFrame) -> LeaveOneOut:
    """PSIS-LOO of a fitted model over its training deals.

    References
    ----------
    Vehtari, Gelman, Gabry (2017), doi 10.1007/s11222-016-9696-4; Vehtari et al. (2024), JMLR 25(72).
    """
    training = training_of(posterior, deals)
    likelihood = record_log_likelihood(posterior, training)
    shape = posterior.draws["intercept"].shape
    values = likelihood.T.reshape(*shape, len(likelihood))
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"intercept": (("chain", "draw"), posterior.draws["intercept"])}),
            "log_likelihood": xr.Dataset({"won": (("chain", "draw", "record"), values)}),
        }
    )
    # ArviZ warns of a high Pareto k; our own sentences report it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loo = arviz_stats.loo(tree, pointwise=True)
    weight = training.weight.sum()
    k = np.asarray(loo.pareto_k)
    fitted = np.log(np.exp(likelihood).mean(axis=1)).sum()
    return LeaveOneOut(
        log_loss=float(-loo.elpd / weight),
        standard_error=float(loo.se / weight),
        fitted_log_loss=float(-fitted / weight),
        effective_parameters=float(loo.p),
        worst_k=float(np.max(k)),
        high_k=int((k > HIGH_K).sum()),
        records=len(likelihood),
    )


def training_of(posterior: Posterior, deals: pd.DataFrame) -> Training:
    """The closed deals of a table, described by the model's own scaling."""
    training = read_training(deals, posterior.settings, seed=posterior.provenance.seed)
    return replace(training, scaling=posterior.scaling, features=describe(training.closed, posterior.scaling))


def record_log_likelihood(posterior: Posterior, training: Training) -> Array:
    """(record, draw) log likelihood, summed over the rows of a record."""
    coefs = coefficients(posterior.flat, training.features, seed=posterior.provenance.seed)
    log_odds = logits(coefs, training.features).astype(float)
    rows = training.weight[:, None] * (training.won[:, None] * log_odds - np.logaddexp(0, log_odds))
    codes = identical_rows(training.closed)
    total = np.zeros((codes.max() + 1, rows.shape[1]))
    np.add.at(total, codes, rows)
    return total


def scale_power(posterior: Posterior, deals: pd.DataFrame) -> pd.DataFrame:
    """Power-scaling sensitivity of each main parameter to the prior and to the likelihood.

    Returns
    -------
    DataFrame with columns ``parameter, prior, likelihood`` (cumulative Jensen-Shannon distance per unit of log2 power)
    and ``diagnosis``: ``prior decides`` (sensitive to the prior only), ``both count`` (sensitive to both: they agree
    on the parameter, or conflict), ``data decide``. All priors that are settings are scaled together.

    Raises
    ------
    PosteriorError
        The model was saved without its log prior density, or has not been trained on any deal.

    References
    ----------
    Kallioinen, Paananen, Bürkner, Vehtari (2024), doi 10.1007/s11222-023-10366-5.
    """
    if "log_prior" not in posterior.draws:
        raise PosteriorError(
            gettext(
                "this model does not contain the density of its prior: it was trained on no deal, or by an old "
                "version. Train it again."
            )
        )
    shape = posterior.draws["intercept"].shape
    likelihood = record_log_likelihood(posterior, training_of(posterior, deals)).sum(axis=0).reshape(shape)
    known = [name for name in PARAMETERS if posterior.draws[name].size]
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior.to_datatree()["posterior"].to_dataset()[known],
            "log_prior": xr.Dataset({"all": (("chain", "draw"), posterior.draws["log_prior"].astype(float))}),
            "log_likelihood": xr.Dataset({"all": (("chain", "draw"), likelihood)}),
        }
    )
    prior, weight = (_by_label(arviz_stats.psense(tree, group=group)) for group in ("prior", "likelihood"))
    table = pd.DataFrame({"parameter": list(prior), "prior": prior.values(), "likelihood": weight.values()})
    table["diagnosis"] = np.select([table["prior"] < SENSITIVE, table["likelihood"] < SENSITIVE], [DATA, PRIOR], BOTH)
    return table.sort_values("prior", ascending=False, ignore_index=True)


def _by_label(sensitivity: xr.Dataset) -> dict[str, float]:
    """Every scalar by its name in ``summarise_posterior``."""
    scalars: dict[str, Any] = {}
    for name, values in sensitivity.data_vars.items():
        for at in np.ndindex(values.shape):
            labels = [str(values[dim].to_numpy()[i]) for dim, i in zip(values.dims, at, strict=True)]
            scalars[f"{name}[{', '.join(labels)}]" if labels else str(name)] = float(values.to_numpy()[at])
    return scalars
