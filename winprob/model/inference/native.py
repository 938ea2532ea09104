"""C entry points through which the sampler calls the density, compiled at import and cached on disk.

Numba's own addresses: no interpreter, and no interpreter lock, between two steps of a chain.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from winprob.arrays import Array
from winprob.model.compiled_cache import cached_cfunc, cached_njit
from winprob.model.win.attenuation import Strength
from winprob.model.win.density import Density, log_density, source_hash
from winprob.model.win.geometry import Geometry, identity, to_standard, to_standard_adjoint

_ARRAYS = len(Density._fields) + len(Geometry._fields) - 1 + len(Strength._fields)
_NUMBERS = types.CPointer(types.double)
_DENSITY = types.int64(types.uint64, _NUMBERS, _NUMBERS, _NUMBERS, types.voidptr)
_KEEP = types.int64(types.uint64, types.uint64, _NUMBERS, _NUMBERS, types.voidptr)
_NOT_FINITE = 3
_POINTER = ctypes.POINTER(ctypes.c_double)


def addresses(density: Density, geometry: Geometry) -> Array:
    """(array, 3) address and lengths of each array of the density and its coordinates."""
    table = np.zeros((_ARRAYS, 3), dtype=np.int64)
    for at, array in enumerate((*density, *geometry[:-1], *geometry.strength)):
        table[at, 0] = array.ctypes.data
        table[at, 1 : 1 + array.ndim] = array.shape
    return table


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), code


@cached_njit()
def _whole(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1],), np.int64)


@cached_njit()
def _whole_grid(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1], table[at, 2]), np.int64)


@cached_njit()
def _real(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1],), np.float64)


@cached_njit()
def _grid(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1], table[at, 2]), np.float64)


@cached_njit()
def _places(table: Array, at: int) -> Array:
    return carray(_pointer(table[at, 0]), (table[at, 1], table[at, 2]), np.uint32)


def _entry(source: int) -> Any:
    """The C function of a density whose source has this checksum, see ``density.source_hash``."""

    @cached_cfunc(_DENSITY, error_model="numpy")
    def density_at(size, point, gradient, value, table):  # type: ignore[no-untyped-def]
        at = carray(table, (_ARRAYS, 3), np.int64)
        density = Density(
            rows=_whole_grid(at, 0),
            constants=_real(at, 1),
            parts=_whole(at, 2),
            normal_mean=_real(at, 3),
            normal_sd=_real(at, 4),
            normal_scaled=_real(at, 5),
            normal_pooled=_real(at, 6),
            half_normal_sd=_real(at, 7),
            half_normal_scaled=_real(at, 8),
            ratio_a=_real(at, 9),
            ratio_b=_real(at, 10),
            effect_share=_real(at, 11),
            unreported_share=_grid(at, 12),
            places=_places(at, 13),
            columns=_grid(at, 14),
            won=_real(at, 15),
            weight=_real(at, 16),
            waiting=_real(at, 17),
            waiting_odds=_real(at, 18),
            report_role=_whole(at, 19),
            report_group=_whole(at, 20),
            report_method=_whole(at, 21),
            report_team=_whole(at, 22),
            group_coach=_whole(at, 23),
            group_readers=_real(at, 24),
            reading=_real(at, 25),
            reading_variance=_real(at, 26),
            scale=_whole(at, 27),
            centred=_whole(at, 28),
            scale_half=_whole(at, 29),
            scale_deviation=_whole(at, 30),
            scale_deviation_sd=_real(at, 31),
            scale_attenuated=_real(at, 32),
            fixed=_whole(at, 33),
            log_weight=_whole(at, 34),
            unknown_support=_whole(at, 35),
        )
        geometry = Geometry(
            middle=_real(at, 36),
            turned=_whole(at, 37),
            factor=_grid(at, 38),
            stretch=_real(at, 39),
            informed=_real(at, 40),
            scale=_whole(at, 41),
            half=_whole(at, 42),
            deviation=_whole(at, 43),
            deviation_sd=_real(at, 44),
            reference=_real(at, 45),
            attenuated=_real(at, 46),
            half_normal=_whole(at, 47),
            shift=_real(at, 48),
            strength=Strength(
                weight=_whole(at, 49),
                weight_log=_real(at, 50),
                known=_real(at, 51),
                common=_whole(at, 52),
                numbers=_real(at, 53),
            ),
        )
        standard, jacobian = to_standard(carray(point, (size,)), geometry)
        log_density_at, by_standard = log_density(standard, density)
        gradient_at = to_standard_adjoint(standard, by_standard, geometry)
        carray(value, (1,))[0] = log_density_at + jacobian
        carray(gradient, (size,))[:] = gradient_at
        if not (np.isfinite(log_density_at) and np.all(np.isfinite(gradient_at))):
            return _NOT_FINITE
        return 0 * source

    return density_at


density_at = _entry(source_hash())


def slopes_of(density: Density, geometry: Geometry | None = None) -> Callable[[Array], tuple[float, Array]]:
    """Log density, up to a constant, and its gradient (unknown,) at a point (unknown,), by the sampler's own entry.

    Parameters
    ----------
    geometry : of the sampler's coordinates; without it points are standard unknowns
    """
    geometry = identity(density.unknowns, len(density.normal_sd)) if geometry is None else geometry
    kept, table = (density, geometry), addresses(density, geometry)

    def slopes(point: Array) -> tuple[float, Array]:
        at, gradient, value = np.array(point, dtype=float), np.empty(len(point)), np.empty(1)
        pointers = [array.ctypes.data_as(_POINTER) for array in (at, gradient, value)]
        # The table has addresses of arrays that live as long as this function holds them.
        density_at.ctypes(kept[0].unknowns, *pointers, table.ctypes.data)
        return float(value[0]), gradient

    return slopes


def _compiled(source: int) -> Callable[[Array, Geometry], Array]:
    @cached_njit(nogil=True, error_model="numpy")
    def each(points: Array, geometry: Geometry) -> Array:
        result = np.empty_like(points)
        for at in range(len(points)):
            result[at] = to_standard(points[at], geometry)[0]
        return result + 0 * source

    return each


_each = _compiled(source_hash())


def standard_points(points: Array, geometry: Geometry) -> Array:
    """(..., unknown) standard unknowns of points of the sampler."""
    return _each(np.ascontiguousarray(points).reshape(-1, points.shape[-1]), geometry).reshape(points.shape)


@cached_cfunc(_KEEP)
def keep_point(size, kept, point, target, table):  # type: ignore[no-untyped-def]
    carray(target, (size,))[:] = carray(point, (size,))
    return 0
