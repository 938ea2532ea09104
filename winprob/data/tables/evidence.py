"""Which rows of a large file show how its cells are to be read: the first of every value, shape and part of a date.

A column with few values shows all of them. Of a column with many, such as amounts, the shapes count: digits are alike,
but a leading zero, and the parts of a date, are kept.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

#: Up to this many values each is a witness; a column of more shapes than these is free text.
_FEW_VALUES, _MOST_SHAPES = 40, 400
#: A column whose levels are compared may have this many.
_MOST_LEVELS = 200_000
_DATE = re.compile(r"(\d{1,2})\s?[./-]\s?(\d{1,2})\.?\s?[./-]\s?(\d{4}|\d{2})(?!\d)")
_LEADING_ZERO, _DIGIT = r"(^|[^0-9.,])0", "[0-9]"


@dataclass(slots=True)
class _Column:
    """What has been met in one column so far."""

    words: set[str] = field(default_factory=set)
    shapes: set[str] = field(default_factory=set)
    levels: dict[str, str] = field(default_factory=dict)
    low: object = None
    high: object = None


@dataclass(slots=True, kw_only=True)
class Columns:
    """What has been met in every column so far; ``compared`` are those whose levels must have one spelling each."""

    compared: frozenset[int]
    spelt_twice: bool = False
    known: dict[int, _Column] = field(default_factory=dict)

    def witnesses(self, table: pd.DataFrame) -> list[int]:
        """The rows of a block that show something new, in order."""
        rows: set[int] = set()
        for at, name in enumerate(table):
            column = self.known.setdefault(at, _Column())
            cells = table[name]
            if isinstance(cells.dtype, pd.StringDtype) or pd.api.types.infer_dtype(cells) == "string":
                rows |= self._of_text(cells, column, compared=at in self.compared)
            else:
                rows |= set(_of_numbers(cells, column))
        return sorted(rows)

    def _of_text(self, cells: pd.Series, column: _Column, *, compared: bool) -> set[int]:
        codes, distinct = pd.factorize(cells)
        texts = pa.array(distinct, pa.large_string(), from_pandas=True) if len(distinct) else pa.array([], pa.string())
        if compared:
            self.spelt_twice |= _spelt_twice(texts.to_pylist(), column)
        new = _new_values(texts, column)
        # A blank has the code -1, the last place. Written backwards, so that the first row of each value remains.
        first = np.empty(len(distinct) + 1, dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
        return {int(first[code]) for code in new}


def _new_values(texts: pa.Array, column: _Column) -> list[int]:
    """Places of the distinct texts that show something new."""
    if len(column.words) <= _FEW_VALUES:
        new = [code for code, text in enumerate(texts.to_pylist()) if text not in column.words]
        few = new[: _FEW_VALUES + 1 - len(column.words)]
        column.words.update(texts[code].as_py() for code in few)
        if len(few) == len(new):
            # Their shapes count as met as well, should the column turn out to have many values.
            list(_new_shapes(texts, column))
            return few
        return sorted({*few, *_new_shapes(texts, column)})
    return sorted(set(_new_shapes(texts, column)))


def _new_shapes(texts: pa.Array, column: _Column) -> Iterator[int]:
    if len(column.shapes) > _MOST_SHAPES or not len(texts):
        return
    marked = compute.replace_substring_regex(texts, _LEADING_ZERO, r"\1z")
    shapes = compute.dictionary_encode(compute.replace_substring_regex(marked, _DIGIT, "9"))
    first: dict[int, int] = {}
    for place, code in enumerate(shapes.indices.to_pylist()):
        first.setdefault(code, place)
    for code, shape in enumerate(shapes.dictionary.to_pylist()):
        if shape not in column.shapes:
            column.shapes.add(shape)
            yield first[code]
    dated = np.asarray(compute.match_substring_regex(texts, r"^\D{0,2}\d{1,2}\s?[./-]"))
    for date in np.flatnonzero(dated).tolist():
        yield from _new_parts(texts[date].as_py(), date, column)


def _new_parts(text: str, place: int, column: _Column) -> Iterator[int]:
    """The place of a date whose day, month or short year is new."""
    match = _DATE.search(text)
    if match is None:
        return
    parts = {f"day {match[1]}", f"month {match[2]}"} | ({f"year {match[3]}"} if len(match[3]) == 2 else set())
    if new := parts - column.shapes:
        column.shapes |= new
        yield place


def _spelt_twice(levels: list[str], column: _Column) -> bool:
    for level in levels:
        folded = " ".join(unicodedata.normalize("NFKC", level).casefold().split())
        if column.levels.setdefault(folded, level) != level:
            return True
    return len(column.levels) > _MOST_LEVELS


def _of_numbers(cells: pd.Series, column: _Column) -> Iterator[int]:
    """The rows of a smallest or largest value so far, in a column that has a type."""
    known = np.flatnonzero(cells.notna().to_numpy())
    if not len(known) or cells.dtype == bool:
        return
    values = cells.iloc[known].reset_index(drop=True)
    try:
        low, high = int(values.argmin()), int(values.argmax())
    except TypeError:
        return
    if column.low is None or values.iloc[low] < column.low:
        column.low = values.iloc[low]
        yield int(known[low])
    if column.high is None or values.iloc[high] > column.high:
        column.high = values.iloc[high]
        yield int(known[high])
