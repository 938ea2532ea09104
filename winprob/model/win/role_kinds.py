"""How role weights and reliabilities come from their unknowns: forward, and adjoint; three more of the ``kinds``."""

import numpy as np
from numba import njit

from winprob.arrays import Array

_kernel = njit(nogil=True, error_model="numpy")


# --- role weight: expected support of roles not reported, weights by role and method, reliability of reports by coach;
# --- positive weights, from which methods deviate by a factor, about what the methodology says of who decides -------


@_kernel
def role_weight(normal: Array, half: Array, ratio: Array, decides: Array, out: Array) -> None:
    roles, cells = len(half) - 1, len(decides)
    out[:roles] = normal[:roles]
    for cell in range(cells):
        growth = half[roles] * normal[roles + 1 + cell] + normal[roles] * decides[cell]
        out[roles + cell] = half[cell // (cells // roles)] * np.exp(growth)
    _reliability(ratio, out[roles + cells :])


@_kernel
def role_weight_adjoint(
    normal: Array,
    half: Array,
    ratio: Array,
    decides: Array,
    out: Array,
    g_out: Array,
    g_normal: Array,
    g_half: Array,
    g_ratio: Array,
) -> None:
    roles, cells = len(half) - 1, len(decides)
    g_normal[:roles] = g_out[:roles]
    for role in range(roles + 1):
        g_half[role] = 0.0
    g_normal[roles] = 0.0
    for cell in range(cells):
        g_growth = g_out[roles + cell] * out[roles + cell]
        g_normal[roles] += g_growth * decides[cell]
        g_normal[roles + 1 + cell] = g_growth * half[roles]
        g_half[roles] += g_growth * normal[roles + 1 + cell]
        g_half[cell // (cells // roles)] += g_growth
    for role in range(roles):
        g_half[role] /= half[role]
    _reliability_adjoint(ratio, g_out[roles + cells :], g_ratio)


# --- unconstrained role weight: the same with normal weights, from which methods deviate by adding --------------------


@_kernel
def unconstrained(normal: Array, half: Array, ratio: Array, out: Array) -> None:
    roles = len(normal) - len(out) + len(ratio)
    cells = len(normal) - 2 * roles
    out[:roles] = normal[:roles]
    for cell in range(cells):
        out[roles + cell] = normal[roles + cell // (cells // roles)] + half[0] * normal[2 * roles + cell]
    _reliability(ratio, out[roles + cells :])


@_kernel
def unconstrained_adjoint(
    normal: Array, half: Array, ratio: Array, g_out: Array, g_normal: Array, g_half: Array, g_ratio: Array
) -> None:
    roles = len(normal) - len(g_out) + len(ratio)
    cells = len(normal) - 2 * roles
    g_normal[:roles] = g_out[:roles]
    for role in range(roles):
        g_normal[roles + role] = 0.0
    g_half[0] = 0.0
    for cell in range(cells):
        g_normal[roles + cell // (cells // roles)] += g_out[roles + cell]
        g_normal[2 * roles + cell] = g_out[roles + cell] * half[0]
        g_half[0] += g_out[roles + cell] * normal[2 * roles + cell]
    _reliability_adjoint(ratio, g_out[roles + cells :], g_ratio)


# --- factor: what each team's role weights are of the common ones, log-normal with one learned sd of the log ----------


@_kernel
def factor(normal: Array, half: Array, out: Array) -> None:
    for at in range(len(out)):
        out[at] = np.exp(half[0] * normal[at])


@_kernel
def factor_adjoint(normal: Array, half: Array, out: Array, g_out: Array, g_normal: Array, g_half: Array) -> None:
    # Added up from zero: without teams there is no sd either.
    for at in range(len(out)):
        g_growth = g_out[at] * out[at]
        g_normal[at] = g_growth * half[0]
        g_half[0] += g_growth * normal[at]


@_kernel
def _reliability(ratio: Array, out: Array) -> None:
    """By coach: none <= unvalidated <= validated; *unknown* is between the ends."""
    out[2] = ratio[0]
    out[1] = ratio[0] * ratio[1]
    out[0] = ratio[0] * ratio[1] * ratio[2]
    out[3] = out[0] + (out[2] - out[0]) * ratio[3]


@_kernel
def _reliability_adjoint(ratio: Array, g_out: Array, g_ratio: Array) -> None:
    none = ratio[0] * ratio[1] * ratio[2]
    g_none = g_out[0] + g_out[3] * (1 - ratio[3])
    g_ratio[0] = g_none * ratio[1] * ratio[2] + g_out[1] * ratio[1] + g_out[2] + g_out[3] * ratio[3]
    g_ratio[1] = g_none * ratio[0] * ratio[2] + g_out[1] * ratio[0]
    g_ratio[2] = g_none * ratio[0] * ratio[1]
    g_ratio[3] = g_out[3] * (ratio[0] - none)
