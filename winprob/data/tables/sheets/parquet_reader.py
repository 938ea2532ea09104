"""Read Parquet: typed columns; an index with a name becomes a column unless it repeats one."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from winprob.data.schema import Finding, whole
from winprob.data.tables.sheets.headers import refuse_wide
from winprob.data.tables.sheets.sheet import Grid
from winprob.errors import InputError
from winprob.i18n import gettext


def parse_parquet(data: bytes, name: str, known: Callable[[str], bool]) -> Grid:
    try:
        return table_grid(parquet.ParquetFile(pa.BufferReader(data)).read(), name, known)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as fault:
        raise InputError(
            gettext(
                "{name} cannot be read as Parquet: damaged or cut short ({fault}). Export it again.",
                name=name,
                fault=fault,
            )
        ) from None


def table_grid(table: Any, name: str, known: Callable[[str], bool]) -> Grid:
    """The columns of an Arrow table, of a whole file or of a block of its rows, that have one value a cell."""
    # Damage that decoding passes over: texts that are not UTF-8.
    table.validate(full=True)
    refuse_wide(table.num_columns, name)
    headers, columns, left_out = _columns(table)
    # Whole numbers with gaps stay whole: as floats, ids of 17 digits would change.
    frame = pa.table(columns, names=[str(index) for index in range(len(columns))]).to_pandas(
        ignore_metadata=True, integer_object_nulls=True
    )
    return Grid(
        headers=headers,
        cells=frame,
        rows=np.arange(1, len(frame) + 1),
        kind=((table.schema.metadata or {}).get(b"winprob") or b"parquet").decode(),
        notes=tuple(_nested_notes(left_out, name, known)),
    )


def _columns(table: Any) -> tuple[list[str], list[Any], list[str]]:
    """Headers and columns of one value a cell, pandas' index first, and the headers of the columns left out."""
    index = _index_names(table.schema.metadata)
    own = {header: table.column(at) for at, header in enumerate(table.column_names) if header not in index}
    headers, columns, left_out = [], [], []
    for at in sorted(range(table.num_columns), key=lambda at: table.column_names[at] not in index):
        stored, column = table.column_names[at], table.column(at)
        header = index.get(stored, stored)
        if header is None or (stored in index and header in own and own[header].equals(column)):
            continue
        plain = _plain(column)
        if plain is None:
            left_out.append(header)
        else:
            headers.append(header)
            columns.append(plain)
    return headers, columns, left_out


def _index_names(metadata: dict[bytes, bytes] | None) -> dict[str, str | None]:
    """From the stored name of each column of pandas' index to its own name, None where it has none."""
    try:
        pandas = json.loads((metadata or {}).get(b"pandas", b"{}"))
        stored = [name for name in pandas.get("index_columns", []) if isinstance(name, str)]
        own = {str(item.get("field_name")): item.get("name") for item in pandas.get("columns", [])}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {}
    return {name: None if own.get(name) is None else str(own[name]) for name in stored}


def _plain(column: Any) -> Any:
    """A column as pandas reads it, None where a cell holds more than one value or bytes that are not text."""
    kind = column.type
    if pa.types.is_nested(kind):
        return None
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        try:
            return column.cast(pa.large_binary()).cast(pa.large_string())
        except pa.ArrowException:
            return None
    return column


def _nested_notes(left_out: list[str], name: str, known: Callable[[str], bool]) -> list[Finding]:
    if wanted := [header for header in left_out if known(header)]:
        raise InputError(
            gettext(
                "{name}: column {column} holds lists, records or bytes. Export one value a cell.",
                name=name,
                column=repr(wanted[0]),
            )
        )
    if not left_out:
        return []
    columns = ", ".join(map(repr, left_out))
    message = gettext("columns that hold lists, records or bytes are left out: {columns}", columns=columns)
    return [whole("note", "", message)]
