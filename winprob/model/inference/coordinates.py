"""The sampler's coordinates before they are whitened, from a mode and the curvature there: the units of each unknown.

An effect is in units of its conditional posterior sd, whatever its scale and the attenuation; the log of a scale, or of
a weight that is positive, moves with the attenuation as far as the deals rather than its prior decide.
"""

from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.model.win.attenuation import SHRINK, Strength, straight
from winprob.model.win.blocks import Kind
from winprob.model.win.density import Density, support_variance
from winprob.model.win.geometry import ALONE, Geometry, identity

#: The log-odds of a reliability of nothing, and the largest share of the variance of support that reports may explain.
_UNRELIABLE, _KNOWN = -40.0, 0.98
#: How far a role's weight moves with the attenuation, at most.
_WEIGHTS = 0.5
_FLAT = 1e-9


def unwhitened(density: Density, point: Array, curvature: Array) -> Geometry:
    """Coordinates with their origin at a point.

    Parameters
    ----------
    curvature : (unknown,) negative second derivatives there, 1 where only the prior bears on a normal
    """
    normals = len(density.normal_sd)
    informed, scales = np.maximum(curvature[:normals] - 1, 0), _scales(density)
    geometry = identity(density.unknowns, normals)._replace(
        middle=point.copy(),
        half_normal=np.arange(normals, normals + len(density.half_normal_sd)),
        informed=informed * ((scales["scale"] >= 0) & (density.centred == 1)),
        **scales,
    )
    reference = np.where(geometry.half >= 0, point[geometry.half], 0.0)
    reference += np.where(geometry.deviation >= 0, point[geometry.deviation] * geometry.deviation_sd, 0.0)
    geometry = geometry._replace(reference=reference)
    if not len(density.log_weight):
        return geometry
    strength = _strength(density, point, curvature)
    own = strength.common[1]
    geometry.middle[own] = straight(point[own], strength.numbers[2])
    return geometry._replace(strength=strength, shift=_shift(density, point, curvature, informed))


def _scales(density: Density) -> dict[str, Any]:
    """The learned scales; then that of effects in fixed units, the effect scale, and each role's weight."""
    pooled, roles = len(density.scale_half), len(density.log_weight)
    scale = np.where(density.fixed == 1, pooled + density.normal_scaled.astype(np.int64), density.scale)
    scale[density.unknown_support] = pooled + 2 + np.arange(roles)
    effect_scale = np.array([ALONE, *[density.parts[-1]] * (1 + roles)])
    return {
        "scale": scale,
        "half": np.concatenate([density.scale_half, [ALONE, ALONE], density.log_weight]),
        "deviation": np.concatenate([density.scale_deviation, effect_scale]),
        "deviation_sd": np.concatenate(
            [density.scale_deviation_sd, np.where(effect_scale >= 0, density.normal_sd[effect_scale], 0.0)]
        ),
        "attenuated": np.concatenate([density.scale_attenuated, np.ones(2 + roles)]),
    }


def _strength(density: Density, point: Array, curvature: Array) -> Strength:
    """The attenuation of the average deal: its role weights and what reports explain are averages over the deals."""
    best, scale = len(density.normal_sd) + len(density.half_normal_sd), density.parts[-1]
    unreliable = point.copy()
    unreliable[best] = _UNRELIABLE
    counts = density.weight + density.waiting
    places = density.places[:, -len(density.log_weight) :]
    left, whole = (counts @ support_variance(at, density)[places] / counts.sum() for at in (point, unreliable))
    reliability = 1 / (1 + np.exp(-point[best]))
    prior = (density.ratio_a[0] + density.ratio_b[0]) * reliability * (1 - reliability)
    data = max(curvature[best] - prior, 0.0) / (1 - reliability) ** 2
    known = np.clip((1 - left / whole) / reliability**2, 0, _KNOWN)
    attenuated = 0.5 * np.log1p(SHRINK * (whole * (1 - known * reliability**2)).sum())
    return Strength(
        weight=density.log_weight,
        weight_log=0.5 * np.log(whole) - point[density.log_weight] - density.normal_sd[scale] * point[scale],
        known=known,
        common=np.array([scale, best]),
        numbers=np.array([density.normal_sd[scale], attenuated, np.sqrt(data / prior)]),
    )


def _shift(density: Density, point: Array, curvature: Array, informed: Array) -> Array:
    """(unknown,) how far each moves with the log attenuation: by the share of its information that is from deals."""
    normals, halves = len(density.normal_sd), len(density.half_normal_sd)
    shift = np.zeros(density.unknowns)
    own = slice(normals, normals + halves)
    shift[own] = np.maximum(1 - 2 * np.exp(2 * point[own]) / np.maximum(curvature[own], _FLAT), 0)
    # A scale is known from as many effects as are known regardless of it.
    known = np.where(density.scale >= 0, (informed / (1 + informed)) ** 2, 0.0)
    effects = np.bincount(density.scale_half[density.scale], weights=known, minlength=density.unknowns)
    learned = np.unique(density.scale_half)
    shift[learned] = effects[learned] / (effects[learned] + np.exp(2 * point[learned]))
    shift[density.scale_half[density.scale_attenuated == 0]] = 0
    shift[density.log_weight] = np.minimum(shift[density.log_weight], _WEIGHTS)
    for row in density.rows[density.rows[:, 0] == Kind.POSITIVE]:
        log_normal = slice(row[1], row[2])
        shift[log_normal] = informed[log_normal] / (1 + informed[log_normal]) / density.normal_sd[log_normal]
    return shift
