"""The rows of a query as a Parquet file: numbers and truth values typed, everything else as the database writes it.

A number keeps its type, so that 1.234 is never taken for a thousand; a day is an ISO text, as in a CSV file. The rows
come in chunks and go to disk, so that the memory holds one chunk.
"""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

#: In the file's metadata: its columns that are mapped to nothing are text, as of a CSV file.
QUERY = {"winprob": "query"}
#: Types of Python's whose columns stay typed, alone or next to one of the same group.
_TYPED = ({bool}, {int}, {int, float}, {str})


def table_of(rows: Sequence[Sequence[object]]) -> pa.Table:
    """Rows (at least one) as an Arrow table. Two columns may have one name: they are numbered."""
    columns = [column_of(values) for values in zip(*rows, strict=True)]
    return pa.table(columns, names=[str(at) for at in range(len(columns))])


def write_rows(chunks: Iterable[pa.Table], names: Sequence[str], target: Path) -> int:
    """Write the rows of all chunks to ``target``, and return their number.

    The type of a column is known when all its cells are: until then each chunk is a file of its own.
    """
    parts: list[Path] = []
    kinds: list[set[pa.DataType]] = [set() for _ in names]
    count = 0
    for part in chunks:
        for kind, column in zip(kinds, part.columns, strict=True):
            kind.add(column.type)
        parts.append(target.with_suffix(f".{len(parts)}"))
        with pa.ipc.new_file(parts[-1], part.schema) as writer:
            writer.write_table(part)
        count += len(part)
    schema = pa.schema([(name, _common(kind)) for name, kind in zip(names, kinds, strict=True)], metadata=QUERY)
    with parquet.ParquetWriter(target, schema) as writer:
        for part in parts:
            with pa.memory_map(str(part)) as file:
                table = pa.ipc.open_file(file).read_all()
            columns = [table.column(at).cast(field.type, safe=False) for at, field in enumerate(schema)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            part.unlink()
    return count


def column_of(values: Sequence[object]) -> pa.Array:
    """A chunk's column as an Arrow array of one value a cell."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {Decimal}:
        values, kinds = _numbers(values), {int, float}
    if any(kinds <= typed for typed in _TYPED):
        try:
            return pa.array(values, type=pa.float64() if float in kinds and len(kinds) > 1 else None)
        except (OverflowError, pa.ArrowException):
            # A whole number of more than 64 bits.
            pass
    return pa.array([None if value is None else _text(value) for value in values], type=pa.string())


def _numbers(values: Sequence[object]) -> Sequence[object]:
    """Decimals as whole numbers where all are, so that a long id keeps its digits; else as floats."""
    known = [value for value in values if isinstance(value, Decimal)]
    number = int if all(each.is_finite() and each == each.to_integral_value() for each in known) else float
    return [number(value) if isinstance(value, Decimal) else None for value in values]


def _text(value: object) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", errors="backslashreplace")
    return str(value)


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    """The type of a column whose chunks have these types: text where they do not agree, or hold nothing."""
    known = kinds - {pa.null()}
    if known == {pa.int64(), pa.float64()}:
        return pa.float64()
    return known.pop() if len(known) == 1 else pa.string()
