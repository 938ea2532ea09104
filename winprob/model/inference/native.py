"""How does the sampler reach the density? C entry points, compiled when this file is imported and kept on disk.

Numba's own addresses: no interpreter, and no lock of it, between two steps of a chain.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from winprob.arrays import Array
from winprob.model.win import density
from winprob.model.win.density import Density, log_density

_ARRAYS = len(Density._fields) - 1
_NUMBERS = types.CPointer(types.double)
_DENSITY = types.int64(types.uint64, _NUMBERS, _NUMBERS, _NUMBERS, types.voidptr)
_KEEP = types.int64(types.uint64, types.uint64, _NUMBERS, _NUMBERS, types.voidptr)
_NOT_FINITE = 3


def addresses(facts: Density) -> Array:
    """(field, 3) where each array of the density lies and its lengths; the one flag last."""
    table = np.zeros((_ARRAYS + 1, 3), dtype=np.int64)
    for at, array in enumerate(facts[:-1]):
        table[at, 0] = array.ctypes.data
        table[at, 1 : 1 + array.ndim] = array.shape
    table[-1, 0] = facts.signed
    return table


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), code


@njit(cache=True)
def _whole(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1],), np.int64)


@njit(cache=True)
def _real(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1],), np.float64)


@njit(cache=True)
def _grid(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1], table[at, 2]), np.float64)


@njit(cache=True)
def _places(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1], table[at, 2]), np.uint32)


def _entry(source: int) -> Any:
    """The C function of a density whose source has this checksum.

    Numba finds a kept function by its own file's time and by what it closes over, not by what it calls: without the
    checksum a changed density would go on being sampled as it was.
    """

    @cfunc(_DENSITY, cache=True, error_model="numpy")
    def density_at(size, point, gradient, value, table):  # type: ignore[no-untyped-def]
        at = carray(table, (_ARRAYS + 1, 3), np.int64)
        facts = Density(
            unit=_whole(at, 0),
            positive=_whole(at, 1),
            unit_mean=_real(at, 2),
            unit_sd=_real(at, 3),
            positive_sd=_real(at, 4),
            unit_shared=_real(at, 5),
            positive_shared=_real(at, 6),
            ratio_a=_real(at, 7),
            ratio_b=_real(at, 8),
            field_of_level=_whole(at, 9),
            effect_share=_real(at, 10),
            unreported_share=_grid(at, 11),
            method_lean=_grid(at, 12),
            walk=_grid(at, 13),
            stage_climb=_grid(at, 14),
            coverage_climb=_grid(at, 15),
            places=_places(at, 16),
            columns=_grid(at, 17),
            won=_real(at, 18),
            weight=_real(at, 19),
            waiting=_real(at, 20),
            waiting_odds=_real(at, 21),
            report_role=_whole(at, 22),
            report_coach=_whole(at, 23),
            report_method=_whole(at, 24),
            readers=_real(at, 25),
            reading=_real(at, 26),
            reading_variance=_real(at, 27),
            signed=at[28, 0] != 0,
        )
        found, slope = log_density(carray(point, (size,)), facts)
        carray(value, (1,))[0] = found
        carray(gradient, (size,))[:] = slope
        if not (np.isfinite(found) and np.all(np.isfinite(slope))):
            return _NOT_FINITE
        return 0 * source

    return density_at


density_at = _entry(zlib.crc32(Path(str(density.__file__)).read_bytes()))


@cfunc(_KEEP, cache=True)
def keep_point(size, kept, point, target, table):  # type: ignore[no-untyped-def]
    carray(target, (size,))[:] = carray(point, (size,))
    return 0
