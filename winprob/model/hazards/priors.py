"""What is believed of hazards before any deal is seen, as a normal: its mean and its precision."""

import numpy as np
from scipy.linalg import block_diag

from winprob.arrays import Array
from winprob.model.hazards.clock import NEAR_BINS, QUARTER_STATES, SINCE_BINS, STAGE_STATES
from winprob.model.hazards.records import BY_STAGE, NUMBERS, TimingScaling
from winprob.settings import TimingSettings


def prior_normal(scaling: TimingScaling, settings: TimingSettings) -> tuple[Array, Array]:
    """(unknown,) mean and (unknown, unknown) precision: won, lost, incidence, in the order of the density."""
    one_mean, one_scale = _fact_scales(scaling, settings)
    since = _walk(len(SINCE_BINS), settings.weekly_hazard[1], settings.since_step)
    near = _walk(len(NEAR_BINS), settings.near, settings.near_step)
    pull = np.eye(len(QUARTER_STATES) - 1) / settings.quarter_pull**2
    soon = np.eye(len(STAGE_STATES)) / settings.stage_soon**2
    end = block_diag(np.diag(one_scale**-2.0), since, near, pull, soon)
    end_mean = np.concatenate(
        [one_mean, np.full(len(SINCE_BINS), settings.weekly_hazard[0]), np.zeros(len(near) + len(pull) + len(soon))]
    )
    chance = np.array([settings.incidence[1], *[settings.incidence_stage] * len(STAGE_STATES)])
    mean = np.concatenate([end_mean, end_mean, [settings.incidence[0]], np.zeros(len(STAGE_STATES))])
    return mean, block_diag(end, end, np.diag(chance**-2.0))


def _fact_scales(scaling: TimingScaling, settings: TimingSettings) -> tuple[Array, Array]:
    numbers = []
    for name in NUMBERS:
        by_stage = [settings.number_by_stage] * len(STAGE_STATES) if name in BY_STAGE else []
        numbers += [settings.number, settings.unknown, *by_stage]
    scales = [
        *[settings.stage] * (len(STAGE_STATES) - 1),
        settings.unknown,
        *numbers,
        *[settings.segment] * len(scaling.segments),
    ]
    return np.zeros(len(scales)), np.array(scales)


def _walk(bins: int, first: float, step: float) -> Array:
    """Precision of a random walk whose first value has its own scale."""
    difference = np.eye(bins) - np.eye(bins, k=-1)
    scales = np.array([first, *[step] * (bins - 1)])
    return np.asarray(difference.T @ (difference / scales[:, None] ** 2))
