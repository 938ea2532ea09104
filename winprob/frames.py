"""Data frames of any library at the front door: polars and Arrow tables become pandas, results go back to their kind.

Every public function of ``winprob`` that takes a table is called through ``over_any_frame``; inside, tables are pandas.
"""

from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa

from winprob.errors import DealTableError
from winprob.i18n import gettext

#: Whole numbers stay whole where some are missing: a float cannot hold an id of 17 digits.
_WHOLE = {
    getattr(pa, kind.lower())(): pd.api.types.pandas_dtype(kind)
    for kind in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
}


@cache
def over_any_frame[Result](function: Callable[..., Result]) -> Callable[..., Result]:
    """``function`` over pandas, polars and Arrow tables: what it returns is of the kind of the first table it is given.

    Frames and series among the results, alone, in a tuple or in an iterator, are converted; records such as a
    ``Forecast`` keep their pandas frames. A result has no index then: rows are in the order of the input.

    Raises
    ------
    DealTableError
        A table is lazy.
    """

    @wraps(function)
    def public(*args: Any, **kwargs: Any) -> Result:
        given = [nw.from_native(value, pass_through=True) for value in (*args, *kwargs.values()) if _is_foreign(value)]
        kinds = [frame.implementation for frame in given if isinstance(frame, nw.DataFrame | nw.LazyFrame)]
        if not kinds:
            return function(*args, **kwargs)
        plain = {name: as_pandas(value) for name, value in kwargs.items()}
        result: Result = _as_kind(function(*map(as_pandas, args), **plain), kinds[0])
        return result

    # Where it is found: another process looks it up by this name.
    public.__module__ = "winprob"
    return public


def as_pandas(value: Any) -> Any:
    """A table of another library as a new pandas frame; all else as it is. A null is a missing value.

    Raises
    ------
    DealTableError
        The table is lazy.
    """
    frame = nw.from_native(value, pass_through=True) if _is_foreign(value) else value
    if isinstance(frame, nw.LazyFrame):
        kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
        raise DealTableError(
            gettext("a {kind} is a query and not a table yet: collect it first, with .collect()", kind=kind)
        )
    if not isinstance(frame, nw.DataFrame):
        return value
    return frame.to_arrow().to_pandas(date_as_object=False, types_mapper=_WHOLE.get)


def _is_foreign(value: object) -> bool:
    """Whether it may be a table of another library; pandas looks at its own names of columns, duplicates included."""
    return not isinstance(value, str | int | float | pd.DataFrame | pd.Series)


def _as_kind(result: Any, kind: Any) -> Any:
    """The frames and series of a result in another library's kind."""
    if isinstance(result, pd.Series):
        return _as_kind(result.to_frame(), kind)[str(result.name)]
    if isinstance(result, pd.DataFrame):
        # An index with a name is part of the result; one without is that of the input.
        named = result.reset_index() if result.index.names != [None] else result
        return nw.from_arrow(pa.Table.from_pandas(named, preserve_index=False), backend=kind).to_native()
    if isinstance(result, tuple):
        return tuple(_as_kind(part, kind) for part in result)
    return (_as_kind(part, kind) for part in result) if isinstance(result, Iterator) else result
