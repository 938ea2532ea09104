"""The rows of PostgreSQL as Arrow columns, by COPY and psycopg: no Python value for each cell.

Each column has the type and the values that the same rows have as Python values (`rows.table_of`): numbers and truth
values typed, everything else the text that the server writes.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import compute, csv

from winprob.data.tables.databases.rows import column_of

_WHOLE = r"^-?\d+(\.0*)?$"
#: Whole numbers of at most so many characters are exact as floats.
_EXACT = 15
#: The offset of a clock, whose minutes the server leaves out where they are zero.
_OFFSET, _IN_FULL = r"([+-]..)$", r"\1:00"


def copied(own: Any, query: str, values: Any, rows: int) -> tuple[list[str], Iterator[pa.Table]]:
    """The names of the columns of a query's result, and its rows as tables of ``rows`` rows, columns numbered.

    Parameters
    ----------
    own : psycopg's connection, in the transaction in which the query is run
    query, values : with psycopg's placeholders, and their values

    Raises
    ------
    psycopg.Error
    """
    from psycopg import ClientCursor

    text = ClientCursor(own).mogrify(query, values)
    with own.cursor() as cursor:
        # Prepared: the server itself sees to it that the text is one statement, whatever its quotes hide from us.
        cursor.execute(f"SELECT * FROM (\n{text}\n) AS query LIMIT 0", prepare=True)  # noqa: S608 - the user's own query
        names = [column.name for column in cursor.description]
        kinds = [_kind(own, column.type_code) for column in cursor.description]
    return names, _tables(own, text, kinds, rows)


def _kind(own: Any, oid: int) -> str:
    """The name of a type; of an array, and of what psycopg does not know, nothing: it is read as text."""
    info = own.adapters.types.get(oid)
    return info.name if info is not None and info.oid == oid else ""


def _tables(own: Any, text: str, kinds: list[str], rows: int) -> Iterator[pa.Table]:
    with own.cursor() as cursor, cursor.copy(f"COPY (\n{text}\n) TO STDOUT (FORMAT csv, ENCODING 'UTF8')") as copy:
        # libpq gives one row at a time.
        lines: list[bytes] = []
        for line in copy:
            lines.append(bytes(line))
            if len(lines) == rows:
                yield _table(b"".join(lines), kinds)
                lines.clear()
        if lines:
            yield _table(b"".join(lines), kinds)


def _table(data: bytes, kinds: list[str]) -> pa.Table:
    """The lines of a CSV of PostgreSQL: a null has no quotes, an empty text has."""
    names = [str(at) for at in range(len(kinds))]
    texts = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).combine_chunks()
    columns = [_typed(texts.column(at).combine_chunks(), kind) for at, kind in enumerate(kinds)]
    return pa.table(columns, names=names)


def _typed(text: Any, kind: str) -> Any:
    if text.null_count == len(text):
        return pa.nulls(len(text))
    convert = _CONVERTERS.get(kind)
    return convert(text) if convert else text


def _numbers(text: Any) -> Any:
    """Floats; where all are whole and one has many digits, as their Python values are read."""
    whole = compute.all(compute.match_substring_regex(text, _WHOLE)).as_py()
    if whole and compute.max(compute.utf8_length(text)).as_py() > _EXACT:
        return column_of([None if cell is None else Decimal(cell) for cell in text.to_pylist()])
    return text.cast(pa.float64())


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "bool": lambda text: compute.equal(text, "t"),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), lambda text: text.cast(pa.int64())),
    **dict.fromkeys(("float4", "float8"), lambda text: text.cast(pa.float64())),
    "numeric": _numbers,
    "timestamptz": lambda text: compute.replace_substring_regex(text, _OFFSET, _IN_FULL),
}
