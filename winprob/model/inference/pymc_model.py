"""The win model of a deal table as a PyMC model: to read, to check, and to extend."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pymc as pm

from winprob.data.schema import in_order, validate_deals
from winprob.model.inference.training_data import learn_time, odds_of_waiting, training_from
from winprob.model.win.blocks import coords
from winprob.model.win.graph import build_graph, model_data
from winprob.settings import Settings


def build_model(
    deals: pd.DataFrame,
    settings: Settings | None = None,
    *,
    seed: int = 0,
    add: Callable[[pm.Model, pd.DataFrame], Any] | None = None,
) -> pm.Model:
    """The win model that ``fit`` samples, over the same data, as a PyMC model: the model's definition.

    Free variables are three vectors of standard unknowns, ``normal``, ``half_normal`` and ``ratio``. Every named
    parameter of a fitted model (``intercept``, ``stage_effect``, ``role_weight``, ...) is a deterministic with named
    dims and labelled coords, as ``Posterior.to_datatree`` has them. ``logit_win_prob`` (deal,) is the log-odds of
    winning. ``won`` (deal,) is the observed variable: a Bernoulli log likelihood times the row's weight; the potential
    ``waiting`` adds the censored observations, deals that are still open.

    Parameters
    ----------
    deals : frame in canonical columns; rows that are neither closed nor informatively open are left out, as in ``fit``
    settings : priors, covariates
    seed : of the draws behind the time to close, and of the choice among more than ``sampler.most_deals`` deals
    add : extends the model. Called inside it with the model and the (deal,) rows in the order of dim ``deal``; it may
        define variables, and returns a (deal,) term that is added to the log-odds before support is averaged out

    Raises
    ------
    DealTableError
        The deals are not valid, none is closed, or all ended alike.
    """
    settings = settings or Settings()
    valid = in_order(validate_deals(deals, training=True))
    hazards = learn_time(valid, settings, seed)
    training = training_from(valid, settings, seed=seed, waiting_odds=odds_of_waiting(hazards, valid))
    layout = training.scaling.layout
    priors = settings.priors.with_deals(read_often=training.read_often)
    data = model_data(layout=layout, priors=priors, **training.evidence())
    term = None if add is None else lambda model: add(model, training.rows)
    return build_graph(layout, data, coords=coords(training.scaling), add=term)
