"""Do the data fight the method? The same model with role weights free to be negative."""

import numpy as np
import pandas as pd

from winprob.methodology import DECISION_METHODS, ROLES
from winprob.model.draws import summarise
from winprob.model.inference import learn, read_training
from winprob.settings import Settings

#: From this probability of the wrong sign on, the data speak against the course.
_AGAINST, _LEANS = 0.95, 0.8
AGAINST, LEANS, WITH, SILENT = "data against the method", "data lean against it", "data agree", "data do not say"


def find_conflicts(deals: pd.DataFrame, *, seed: int, settings: Settings | None = None) -> pd.DataFrame:
    """Where the constraint that support helps is fought by the deals.

    Parameters
    ----------
    deals : closed deals in canonical columns

    Returns
    -------
    DataFrame with columns ``role, decision_method``; ``reported``, how many deals report the role's support under the
    method; ``mean, lower, upper`` of the free weight (log-odds per unit of support, prior centred at zero);
    ``prob_negative``; ``verdict``

    Raises
    ------
    DealTableError, NotConvergedError
        As ``fit``.
    """
    settings = settings or Settings()
    training = read_training(deals, settings, seed=seed)
    weights = learn(training, settings, seed=seed, unconstrained=True).parameters["role_weight"]
    flat = weights.reshape(-1, *weights.shape[2:])
    records = []
    for at, role in enumerate(ROLES):
        for method, name in enumerate(DECISION_METHODS):
            here = (training.features.method == method) & (training.features.readers[:, at] > 0)
            draws = flat[:, at, method]
            negative = float((draws < 0).mean())
            ends = dict(zip(("mean", "lower", "upper"), map(float, summarise(draws)), strict=True))
            records.append(
                {
                    "role": role,
                    "decision_method": name,
                    "reported": int(here.sum()),
                    **ends,
                    "prob_negative": negative,
                    "verdict": _verdict(negative),
                }
            )
    return pd.DataFrame(records)


def _verdict(negative: float) -> str:
    edges = [(_AGAINST, AGAINST), (_LEANS, LEANS), (1 - _LEANS, SILENT), (-np.inf, WITH)]
    return next(words for least, words in edges if negative > least)
