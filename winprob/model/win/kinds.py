"""How each kind of term turns its unknowns into coefficients: forward, and adjoint (reverse-mode gradient), in Numba.

``parameters`` has the same for NumPy and PyTensor; a test compares the two for every kind. A kind gets slices of its
own term: ``normal`` and ``half``, its unknowns times their prior scales, ``constant``, and ``out``, its coefficients.
An adjoint takes ``g_out``, the gradient with respect to the coefficients, and fills ``g_normal`` and ``g_half``.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

from winprob.arrays import Array
from winprob.model.features import Layout
from winprob.model.win import role_kinds
from winprob.model.win.blocks import Kind, Term, block_slices

_COPIED, _ORDERED, _POOLED = int(Kind.COPIED), int(Kind.ORDERED), int(Kind.POOLED)
_WALK, _LINEAR = int(Kind.WALK), int(Kind.LINEAR)
_CURVE, _POSITIVE = int(Kind.CURVE), int(Kind.POSITIVE)
_ROLE_WEIGHT, _UNCONSTRAINED, _FACTOR = map(int, (Kind.ROLE_WEIGHT, Kind.UNCONSTRAINED_ROLE_WEIGHT, Kind.FACTOR))

# Not cached one by one: only an entry knows whether the source of all that it calls has changed, see ``source_hash``.
_kernel = njit(nogil=True, error_model="numpy")


# --- the table as arrays, and the one loop over it ----------------------------------------------------------------

#: Columns of ``rows``: code of the kind, then the starts of four slices, each followed by its end.
_KIND, _NORMAL, _HALF, _OUT, _CONSTANT = 0, 1, 3, 5, 7


def table_rows(
    terms: Sequence[Term], layout: Layout, out: dict[str, slice], constants: dict[str, Array]
) -> tuple[Array, Array]:
    """The table for ``forward`` and ``adjoint``: an int64 (term, 9) array, and all constants end to end.

    Parameters
    ----------
    out : where each term's coefficients are in the vector of all coefficients
    constants : what the kinds need, by term
    """
    rows, numbers, at = np.zeros((len(terms), 9), dtype=np.int64), [np.zeros(0)], 0
    slices = {family: block_slices(family, layout, terms) for family in ("normal", "half_normal")}
    for row, term in zip(rows, terms, strict=True):
        row[_KIND] = term.kind
        for column, family in ((_NORMAL, "normal"), (_HALF, "half_normal")):
            own = [slices[family][block.name] for block in term.blocks if block.family == family]
            row[column : column + 2] = (own[0].start, own[-1].stop) if own else 0
        if term.name in out:
            row[_OUT : _OUT + 2] = out[term.name].start, out[term.name].stop
        numbers.append(np.asarray(constants.get(term.name, ()), dtype=float).ravel())
        row[_CONSTANT : _CONSTANT + 2] = at, at + len(numbers[-1])
        at += len(numbers[-1])
    return rows, np.concatenate(numbers)


@_kernel
def _own(values: Array, row: Array, column: int) -> Array:
    return values[row[column] : row[column + 1]]


@_kernel
def forward(rows: Array, constants: Array, value: Array, scaled: Array, ratio: Array, coefs: Array) -> None:
    """Fill ``coefs`` from the unknowns times their prior scales, term by term."""
    for term in range(len(rows)):
        row = rows[term]
        normal, half, out = _own(value, row, _NORMAL), _own(scaled, row, _HALF), _own(coefs, row, _OUT)
        constant, kind = _own(constants, row, _CONSTANT), row[_KIND]
        if kind == _COPIED:
            _copied(normal, out)
        elif kind == _POSITIVE:
            _positive(normal, out)
        elif kind == _ORDERED:
            _ordered(normal, half, constant, out)
        elif kind == _POOLED:
            _pooled(normal, half, constant, out)
        elif kind == _WALK:
            _walk(normal, half, constant, out)
        elif kind == _LINEAR:
            _linear(normal, half, out)
        elif kind == _CURVE:
            _curve(normal, half, constant, out)
        elif kind == _ROLE_WEIGHT:
            role_kinds.role_weight(normal, half, ratio, constant, out)
        elif kind == _UNCONSTRAINED:
            role_kinds.unconstrained(normal, half, ratio, out)
        elif kind == _FACTOR:
            role_kinds.factor(normal, half, out)


@_kernel
def adjoint(
    rows: Array,
    constants: Array,
    value: Array,
    scaled: Array,
    ratio: Array,
    coefs: Array,
    g_coefs: Array,
    g_value: Array,
    g_scaled: Array,
    g_ratio: Array,
) -> None:
    """Fill the gradients with respect to the unknowns from that with respect to the coefficients, term by term."""
    for term in range(len(rows)):
        row = rows[term]
        normal, half, out = _own(value, row, _NORMAL), _own(scaled, row, _HALF), _own(coefs, row, _OUT)
        g_normal, g_half, g_out = _own(g_value, row, _NORMAL), _own(g_scaled, row, _HALF), _own(g_coefs, row, _OUT)
        constant, kind = _own(constants, row, _CONSTANT), row[_KIND]
        if kind == _COPIED:
            _copied_adjoint(g_out, g_normal)
        elif kind == _POSITIVE:
            _positive_adjoint(out, g_out, g_normal)
        elif kind == _ORDERED:
            _ordered_adjoint(constant, g_out, g_normal, g_half)
        elif kind == _POOLED:
            _pooled_adjoint(normal, half, constant, out, g_out, g_normal, g_half)
        elif kind == _WALK:
            _walk_adjoint(normal, half, constant, g_out, g_normal, g_half)
        elif kind == _LINEAR:
            _linear_adjoint(normal, half, g_out, g_normal, g_half)
        elif kind == _CURVE:
            _curve_adjoint(normal, half, constant, out, g_out, g_normal, g_half)
        elif kind == _ROLE_WEIGHT:
            role_kinds.role_weight_adjoint(normal, half, ratio, constant, out, g_out, g_normal, g_half, g_ratio)
        elif kind == _UNCONSTRAINED:
            role_kinds.unconstrained_adjoint(normal, half, ratio, g_out, g_normal, g_half, g_ratio)
        elif kind == _FACTOR:
            role_kinds.factor_adjoint(normal, half, out, g_out, g_normal, g_half)


# --- copied: an effect for each level, without order --------------------------------------------------------------


@_kernel
def _copied(normal: Array, out: Array) -> None:
    for level in range(len(out)):
        out[level] = normal[level]


@_kernel
def _copied_adjoint(g_out: Array, g_normal: Array) -> None:
    for level in range(len(g_out)):
        g_normal[level] = g_out[level]


# --- positive: weights that are log-normal ------------------------------------------------------------------------


@_kernel
def _positive(normal: Array, out: Array) -> None:
    for at in range(len(out)):
        out[at] = np.exp(normal[at])


@_kernel
def _positive_adjoint(out: Array, g_out: Array, g_normal: Array) -> None:
    for at in range(len(out)):
        g_normal[at] = g_out[at] * out[at]


# --- ordered: known levels from non-negative steps by ordinal contrasts, then *unknown* ------------------------------


@_kernel
def _ordered(normal: Array, half: Array, contrasts: Array, out: Array) -> None:
    steps = len(half)
    for level in range(steps + 1):
        out[level] = 0.0
        for step in range(steps):
            out[level] += contrasts[level * steps + step] * half[step]
    out[steps + 1] = normal[0]


@_kernel
def _ordered_adjoint(contrasts: Array, g_out: Array, g_normal: Array, g_half: Array) -> None:
    steps = len(g_half)
    for step in range(steps):
        g_half[step] = 0.0
        for level in range(steps + 1):
            g_half[step] += contrasts[level * steps + step] * g_out[level]
    g_normal[0] = g_out[steps + 1]


# --- pooled: levels of fields; fields share one learned scale, each times a factor of its own -----------------------


@_kernel
def _pooled(normal: Array, half: Array, field: Array, out: Array) -> None:
    fields = len(normal) - len(out)
    scale = np.empty(fields)
    for own in range(fields):
        scale[own] = half[0] * np.exp(normal[own])
    for level in range(len(out)):
        out[level] = normal[fields + level] * scale[int(field[level])]


@_kernel
def _pooled_adjoint(
    normal: Array, half: Array, field: Array, out: Array, g_out: Array, g_normal: Array, g_half: Array
) -> None:
    fields = len(normal) - len(out)
    scale = np.empty(fields)
    for own in range(fields):
        scale[own] = half[0] * np.exp(normal[own])
        g_normal[own] = 0.0
    g_scale = 0.0
    for level in range(len(out)):
        own = int(field[level])
        g_normal[fields + level] = g_out[level] * scale[own]
        g_normal[own] += g_out[level] * out[level]
        g_scale += g_out[level] * out[level]
    g_half[0] = g_scale / half[0]


# --- walk: cumulative sums of steps with one learned scale, centred over the training deals ---------------------------


@_kernel
def _walk(normal: Array, half: Array, walk: Array, out: Array) -> None:
    steps = len(normal)
    for quarter in range(len(out)):
        out[quarter] = 0.0
        for step in range(steps):
            out[quarter] += walk[quarter * steps + step] * normal[step]
        out[quarter] *= half[0]


@_kernel
def _walk_adjoint(normal: Array, half: Array, walk: Array, g_out: Array, g_normal: Array, g_half: Array) -> None:
    steps = len(normal)
    g_half[0] = 0.0
    for step in range(steps):
        g_step = 0.0
        for quarter in range(len(g_out)):
            g_step += walk[quarter * steps + step] * g_out[quarter]
        g_normal[step] = g_step * half[0]
        g_half[0] += g_step * normal[step]


# --- linear: a weight for each column, with one learned scale -------------------------------------------------------


@_kernel
def _linear(normal: Array, half: Array, out: Array) -> None:
    for column in range(len(out)):
        out[column] = normal[column] * half[0]


@_kernel
def _linear_adjoint(normal: Array, half: Array, g_out: Array, g_normal: Array, g_half: Array) -> None:
    g_half[0] = 0.0
    for column in range(len(g_out)):
        g_normal[column] = g_out[column] * half[0]
        g_half[0] += g_out[column] * normal[column]


# --- curve: effects of a number's bins from a basis, with a scale for each column as fields have; in a monotone column
# --- the unknowns have one sign -----------------------------------------------------------------------------------


@_kernel
def _curve(normal: Array, half: Array, curves: Array, out: Array) -> None:
    columns = int(curves[0])
    at, unknown, level = 1, columns, 0
    for column in range(columns):
        size = int(curves[at])
        scale = half[0] * np.exp(normal[column])
        signs = at + 1
        basis = signs + size
        for row in range(size):
            total = 0.0
            for own in range(size):
                total += curves[basis + row * size + own] * _signed(normal[unknown + own], curves[signs + own])
            out[level + row] = total * scale
        at = basis + size * size
        unknown += size
        level += size


@_kernel
def _curve_adjoint(
    normal: Array, half: Array, curves: Array, out: Array, g_out: Array, g_normal: Array, g_half: Array
) -> None:
    columns = int(curves[0])
    at, unknown, level = 1, columns, 0
    g_half[0] = 0.0
    for column in range(columns):
        size = int(curves[at])
        scale = half[0] * np.exp(normal[column])
        signs = at + 1
        basis = signs + size
        g_normal[column] = 0.0
        for row in range(size):
            g_normal[column] += g_out[level + row] * out[level + row]
        g_half[0] += g_normal[column] / half[0]
        for own in range(size):
            total = 0.0
            for row in range(size):
                total += curves[basis + row * size + own] * g_out[level + row]
            sign = curves[signs + own]
            slope = 1.0 if sign == 0 else sign / (1 + np.exp(-normal[unknown + own]))
            g_normal[unknown + own] = total * scale * slope
        at = basis + size * size
        unknown += size
        level += size


@_kernel
def _signed(unknown: float, sign: float) -> float:
    """An unknown of one sign (softplus), or of either where ``sign`` is 0."""
    return unknown if sign == 0 else sign * np.log1p(np.exp(unknown))
