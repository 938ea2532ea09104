"""Which parameters does the prior decide? Weaken and strengthen prior and likelihood a little, and see what moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from winprob.errors import PosteriorError
from winprob.evaluation.leave_one_out import record_log_likelihood, trained_on
from winprob.i18n import gettext
from winprob.model.posterior import Posterior

if TYPE_CHECKING:
    import xarray as xr

#: Change of a parameter's distribution, per doubling of the exponent, that counts (Kallioinen et al. 2024).
SENSITIVE = 0.05
PARAMETERS = (
    "intercept",
    "stage_effect",
    "coverage_effect",
    "coach_effect",
    "method_effect",
    "role_weight_population",
    "method_spread",
    "reliability",
    "unknown_support",
    "offset_scale",
    "drift_scale",
)
PRIOR, BOTH, DATA = "prior decides", "both count", "data decide"


def scale_power(posterior: Posterior, deals: pd.DataFrame) -> pd.DataFrame:
    """Sensitivity of each main parameter to its prior and to the deals.

    Returns
    -------
    DataFrame with columns ``parameter, prior, likelihood`` (cumulative Jensen-Shannon distance per unit of log2 power)
    and ``diagnosis``: ``prior decides`` (moves with the prior, hardly with the deals), ``both count`` (moves with both:
    they share the say, or disagree), ``data decide``. All priors that a person set are scaled together.

    Raises
    ------
    PosteriorError
        The model was saved without the density of its prior, or has seen no deal.

    References
    ----------
    Kallioinen, Paananen, Bürkner, Vehtari (2024), doi 10.1007/s11222-023-10366-5.
    """
    import arviz_stats
    import xarray as xr

    if "log_prior" not in posterior.draws:
        raise PosteriorError(
            gettext(
                "this model does not hold the density of its prior: it has seen no deal, or is old. Train it again."
            )
        )
    shape = posterior.draws["intercept"].shape
    likelihood = record_log_likelihood(posterior, trained_on(posterior, deals)).sum(axis=0).reshape(shape)
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior.to_datatree()["posterior"].to_dataset()[list(PARAMETERS)],
            "log_prior": xr.Dataset({"all": (("chain", "draw"), posterior.draws["log_prior"].astype(float))}),
            "log_likelihood": xr.Dataset({"all": (("chain", "draw"), likelihood)}),
        }
    )
    prior, weight = (_named(arviz_stats.psense(tree, group=group)) for group in ("prior", "likelihood"))
    table = pd.DataFrame({"parameter": list(prior), "prior": prior.values(), "likelihood": weight.values()})
    table["diagnosis"] = np.select([table["prior"] < SENSITIVE, table["likelihood"] < SENSITIVE], [DATA, PRIOR], BOTH)
    return table.sort_values("prior", ascending=False, ignore_index=True)


def _named(sensitivity: xr.Dataset) -> dict[str, float]:
    """Every number under the name that ``summarise_posterior`` gives it."""
    found = {}
    for name, values in sensitivity.data_vars.items():
        for at in np.ndindex(values.shape):
            labels = [str(values[dim].to_numpy()[i]) for dim, i in zip(values.dims, at, strict=True)]
            found[f"{name}[{', '.join(labels)}]" if labels else str(name)] = float(values.to_numpy()[at])
    return found
