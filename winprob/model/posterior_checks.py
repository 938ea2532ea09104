"""Check the parts of a model file against each other: shapes, ranges and types, before any of them is used."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from winprob.arrays import Array
from winprob.data.schema import COLUMNS
from winprob.methodology import ROLES, SUPPORT_TIERS
from winprob.model.amounts import ClosingAmounts
from winprob.model.arrivals import WEEKS, Arrivals
from winprob.model.correction import FEWEST_QUARTERS, Correction
from winprob.model.features import METHOD_LEVELS, TRANSFORMS, WORDS, Bins, InteractionBasis, Scaling
from winprob.model.hazards import Hazards

#: No effect on the log-odds scale is as large as this.
_LARGEST = 1e6
_MOST_LEVELS = 100
#: Values of parameters that are bounded: lowest and highest.
_RANGES: Mapping[str, tuple[float, float]] = {
    "reliability": (0.0, 1.0),
    **dict.fromkeys(("role_weight", "role_weight_population", "effect_scale"), (0.0, _LARGEST)),
    **dict.fromkeys(
        ("offset_scale", "numeric_scale", "curve_scale", "pair_scale", "drift_scale", "companion_weight"),
        (0.0, _LARGEST),
    ),
    **dict.fromkeys(("method_spread", "team_spread", "team_factor"), (0.0, _LARGEST)),
    "log_prior": (-np.inf, np.inf),
}


def require_range(name: str, draws: Array) -> None:
    """Check the draws of a parameter.

    Raises
    ------
    ValueError
        A draw is outside the parameter's range.
    """
    lowest, highest = _RANGES.get(name, (-_LARGEST, _LARGEST))
    if draws.size and not (lowest <= draws.min() and draws.max() <= highest):
        raise ValueError(f"{name!r} is outside {lowest:g} to {highest:g}")


def require_terms(terms: Sequence[Any]) -> None:
    """Check the names of the terms.

    Raises
    ------
    ValueError
        One is not text, or is there twice.
    """
    _texts("terms", terms)
    _require(len(set(terms)) == len(terms), "terms")


def require_scaling(scaling: Scaling) -> None:
    """Check the scaling of a model file.

    Raises
    ------
    ValueError, TypeError
        A part has another length, type or range than the others need.
    """
    _numbers("tier_counts", scaling.tier_counts, (len(ROLES), len(SUPPORT_TIERS)), lowest=1e-9)
    _numbers("report_bias", [bias for _, bias in scaling.report_bias], (len(scaling.report_bias),))
    _numbers("quarter_share", scaling.quarter_share, (len(scaling.quarter_share),), lowest=0, highest=1.001)
    _numbers("state_share", scaling.state_share, (sum(len(word.levels) for word in WORDS),), lowest=0)
    levels = sum(len(field.levels) for field in scaling.fields)
    _numbers("level_share", scaling.level_share, (levels,), lowest=0)
    _numbers("unreported_share", scaling.unreported_share, (len(ROLES), len(METHOD_LEVELS)), lowest=0)
    _texts("report_bias", [seller for seller, _ in scaling.report_bias])
    _texts("fields", [field.name for field in scaling.fields])
    _require([field.team for field in scaling.fields if field.team is not False] in ([], [True]), "fields")
    for field in scaling.fields:
        _texts("fields", [field.column, field.since, field.until])
        _require(not field.column or field.column in COLUMNS, "fields")
        days = [day for day in (field.since, field.until if field.column else "") if day]
        _require(all(dt.date.fromisoformat(day) for day in days) and bool(field.until) == bool(field.column), "fields")
    _texts("levels", [level for field in scaling.fields for level in field.levels])
    _texts("numeric", [column.name for column in scaling.numeric])
    _numbers("mean", [column.mean for column in scaling.numeric], (len(scaling.numeric),))
    _numbers("sd", [column.sd for column in scaling.numeric], (len(scaling.numeric),), lowest=1e-300)
    _require(all(column.transform in TRANSFORMS for column in scaling.numeric), "transform")
    for column in scaling.numeric:
        if column.bins is not None:
            _require_bins(column.bins)
    _texts("salt", [scaling.salt])
    _require(len(scaling.salt) <= 64 and scaling.salt.isascii(), "salt")
    month: Any = scaling.fiscal_year_start_month
    first: Any = scaling.first_quarter
    _require(isinstance(month, int) and 1 <= month <= 12, "fiscal_year_start_month")
    _require(first is None or (isinstance(first, int) and 0 <= first < 40_000), "first_quarter")
    _require((first is None) == (not scaling.quarter_share), "quarter_share")


def _require_bins(bins: Bins) -> None:
    levels = len(bins.edges) + len(bins.heaps) + 2
    edges = _numbers("edges", bins.edges, (len(bins.edges),))
    _require(levels <= _MOST_LEVELS and bool((np.diff(edges) > 0).all()), "edges")
    _numbers("heaps", bins.heaps, (len(bins.heaps),))
    _numbers("middle", bins.middle, (levels - 1,))
    _numbers("share", bins.share, (levels,), lowest=0, highest=1.001)
    _require(type(bins.direction) is int and bins.direction in (-1, 0, 1), "direction")


def require_shape(name: str, shape: Any, dims: int) -> None:
    """Check the stored shape of an array.

    Raises
    ------
    ValueError
        It is not a list of so many lengths.
    """
    _require(isinstance(shape, list) and len(shape) == dims, name)
    _require(all(type(length) is int and 0 <= length <= _LARGEST for length in shape), name)


def number(name: str, value: Any) -> float:
    """A finite number.

    Raises
    ------
    ValueError
        It is something else.
    """
    return float(_numbers(name, [value], (1,))[0])


def require_basis(basis: InteractionBasis, scaling: Scaling) -> None:
    """Check the interactions against the fields and levels they combine.

    Raises
    ------
    ValueError
        A code is not one of a level or field.
    """
    levels = sum(len(field.levels) for field in scaling.fields)
    for name, codes, end in (("level", basis.level, levels), ("field", basis.field, len(scaling.fields))):
        _require(not codes.size or (codes.min() >= 0 and codes.max() < end), f"pairs/{name}")


def require_hazards(hazards: Hazards) -> None:
    """Check the time-to-close model.

    Raises
    ------
    ValueError, TypeError
        A part has another type or range.
    """
    _numbers("numbers", hazards.scaling.numbers, (len(hazards.scaling.numbers), 2))
    _texts("segments", hazards.scaling.segments)
    _texts("known_on", [hazards.known_on])
    _numbers("closed", [hazards.closed, hazards.still_open], (2,), lowest=0)
    _require(isinstance(hazards.effective, int | float), "effective")
    _require(isinstance(hazards.reliable, bool), "reliable")
    for name, draws in hazards.draws.items():
        _require(not draws.size or float(np.abs(draws).max()) <= _LARGEST, name)


def require_arrivals(arrivals: Arrivals) -> None:
    """Check the record of deals won in past quarters.

    Raises
    ------
    ValueError, TypeError
        A part has another length, type or range.
    """
    quarters = len(arrivals.quarters)
    _texts("quarters", arrivals.quarters)
    _numbers("seasons", arrivals.seasons, (quarters,), lowest=0, highest=3)
    _numbers("counts", arrivals.counts, (quarters, WEEKS), lowest=0, highest=1e9)
    _texts("currencies", list(arrivals.amounts))
    if arrivals.last_day is not None:
        dt.date.fromisoformat(arrivals.last_day)
    for weeks in arrivals.amounts.values():
        table = _numbers("amounts", weeks, (WEEKS, 3))
        _require(bool((table[:, 0] >= 0).all() and (table[:, 2] >= 0).all()), "amounts")


def require_amounts(amounts: ClosingAmounts) -> None:
    """Check the statistics of closing amounts.

    Raises
    ------
    ValueError, TypeError
        A number has another type or range.
    """
    _numbers("amounts", [amounts.deals, amounts.changed, amounts.variance], (3,), lowest=0)
    _numbers("amounts", [amounts.mean], (1,), lowest=-100, highest=100)
    _require(amounts.changed <= amounts.deals + 1e-6, "changed")


def require_correction(correction: Correction) -> None:
    """Check the correction of a quarter's forecast.

    Raises
    ------
    ValueError, TypeError
        A part has another length, type or range.
    """
    shape = (len(correction.weeks),)
    _texts("quarters", correction.quarters)
    _require(len(correction.quarters) >= FEWEST_QUARTERS, "quarters")
    weeks = _numbers("weeks", correction.weeks, shape, lowest=1, highest=14)
    _require(weeks.size > 0 and bool((np.diff(weeks) > 0).all()), "weeks")
    _numbers("location", correction.location, shape, lowest=-10, highest=10)
    _numbers("spread", correction.spread, shape, lowest=0.01, highest=100)


def require_optional(fields: Mapping[str, Any]) -> None:
    """Check the parts that a model may lack, where it has them; raises as their own checks."""
    parts: dict[str, Callable[[Any], None]] = {
        "arrivals": require_arrivals,
        "amounts": require_amounts,
        "correction": require_correction,
    }
    for name, require in parts.items():
        if fields[name]:
            require(fields[name])


def require_provenance(provenance: Mapping[str, Any]) -> None:
    """Check the provenance, as the plain table of a model file.

    Raises
    ------
    ValueError, TypeError
        An entry has another type or range.
    """
    for name in ("deals", "rows", "available", "seed"):
        _require(type(provenance[name]) is int and 0 <= provenance[name] < 2**63, name)
    _numbers("provenance", [provenance["counted"], provenance["won"]], (2,), lowest=0)
    for name in ("first_day", "last_day"):
        _require(provenance[name] is None or isinstance(provenance[name], str), name)
    _texts("data_hash", [provenance["data_hash"]])
    for name, kind in (("versions", str), ("gates", int | float)):
        table = provenance[name]
        _require(isinstance(table, Mapping) and all(isinstance(value, kind) for value in table.values()), name)


def _numbers(
    name: str, values: Sequence[Any], shape: tuple[int, ...], *, lowest: float = -1e15, highest: float = 1e15
) -> npt.NDArray[np.float64]:
    """Nested numbers of this shape, finite and in range."""
    plain = np.array(values, dtype=object).ravel()
    _require(all(type(value) in (int, float) for value in plain), name)
    table = np.array(values, dtype=float).reshape(shape) if plain.size else np.zeros(shape)
    _require(np.shape(values) == shape or not plain.size, name)
    _require(bool(np.isfinite(table).all() and (table >= lowest).all() and (table <= highest).all()), name)
    return table


def _texts(name: str, values: Sequence[Any]) -> None:
    _require(all(isinstance(value, str) for value in values), name)
    # A half of a surrogate pair is not text: encoding it raises a ValueError.
    "".join(values).encode()


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"{name!r} is not what it must be")
