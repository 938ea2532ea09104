"""Can we believe the draws? Sample, pass the gates, and hand back a fitted model, or refuse."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.catalog import say
from winprob.errors import DealTableError, NotConvergedError
from winprob.features import Features, deal_weights, describe, learn_scaling
from winprob.model import STANDARD, build_model, model_data
from winprob.parameters import DIMS, Layout, derive_parameters, prior_data, sample_prior
from winprob.posterior import Posterior, Provenance
from winprob.schema import validate_deals
from winprob.settings import SamplerSettings, Settings

Array = npt.NDArray[Any]

#: Called with what is going on and how much of it is done, 0..1.
Progress = Callable[[str, float], None]

_compiled: dict[tuple[int, ...], Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Diagnostics of one run over every parameter kept: the worst of each."""

    r_hat: float
    bulk_ess: float
    tail_ess: float
    divergent_share: float
    bfmi: float
    worst: str
