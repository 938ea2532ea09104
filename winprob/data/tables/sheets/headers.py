"""Find the header of a table below the titles of a report, and give its columns distinct names."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from pyarrow import compute

from winprob.data.schema import Finding, Mask, whole
from winprob.data.schema.dtypes import as_arrow
from winprob.data.tables.sheets.totals import is_date, is_number
from winprob.errors import InputError
from winprob.i18n import gettext

MAX_COLUMNS = 2_000
#: A header is looked for in the first rows only.
HEADER_ROWS = 30
_ARROWS = re.compile(r"\s*[↑↓▲▼]\s*$")


def clean_header(header: str) -> str:
    """A header without the arrow by which a report marks the column that it is sorted or grouped by."""
    return _ARROWS.sub("", header).strip()


def header_at(rows: Sequence[Sequence[str]], known: Callable[[str], bool]) -> int:
    """The index in ``rows`` of the header: the row that knows most names; without any, the first that is wide."""
    head = rows[:HEADER_ROWS]
    names = [sum(bool(cell.strip()) and known(clean_header(cell)) for cell in row[:MAX_COLUMNS]) for row in head]
    filled = [sum(bool(cell.strip()) for cell in row) for row in head]
    first = next((index for index, count in enumerate(filled) if count), 0)
    best = max(range(len(head)), key=lambda index: (names[index], -index), default=0)
    if names and names[best] > names[first] and (names[best] > 1 or filled[best] > filled[first]):
        return best
    if names and not any(names) and filled[first] == 1 and max(filled) > 2:
        return filled.index(max(filled))
    return first


def refuse_deals_above(titles: Mapping[int, Sequence[str]], below: pd.DataFrame, name: str) -> None:
    """Raise InputError for a row above the header that has the form of the table's rows: it would be lost as a title.

    Parameters
    ----------
    titles : the cells of the rows above the header, by row of the file
    below : the rows of the table, in the header's columns
    """
    some = below.head(20).astype("str").fillna("")
    firsts = [next((str(cell) for cell in some.iloc[:, at] if cell), "") for at in range(some.shape[1])]
    usual = max((int((some.iloc[at] != "").sum()) for at in range(len(some))), default=0)
    for row, cells in titles.items():
        pairs = [(cell, first) for cell, first in zip(cells, firsts, strict=False) if cell.strip() and first.strip()]
        alike = [_kind(cell) == _kind(first) for cell, first in pairs]
        figures = any(_kind(cell) != "text" for cell, _ in pairs)
        if figures and len(pairs) >= max(3, usual / 2) and all(alike):
            raise InputError(
                gettext(
                    "{name}: row {row} is above the header in place of a title, and has the form of a row of the "
                    "table. Move the header to the top, or delete that row.",
                    name=name,
                    row=row,
                )
            )


def _kind(text: str) -> str:
    return "date" if is_date(text) else "number" if is_number(text) else "text"


def distinct_headers(
    headers: Sequence[str], cells: pd.DataFrame, name: str, known: Callable[[str], bool]
) -> tuple[list[str], list[int], list[Finding]]:
    """Names of the columns, the index of each, and a note on names that several columns had.

    A column without a name is kept under its number where a cell of it is filled. Of several columns with one name and
    the same cells the first is kept; otherwise the later ones get a number, unless the name is one that is looked for.

    Raises
    ------
    InputError
        Two columns that differ have the same name, and it is one that is looked for.
    """
    plain = [clean_header(header) for header in headers]
    wanted = [index for index, header in enumerate(plain) if header or filled_cells(cells.iloc[:, index]).any()]
    named = [plain[index] or gettext("column {number}", number=index + 1) for index in wanted]
    repeated = {header for header, count in Counter(named).items() if count > 1}
    if not repeated:
        return named, wanted, []
    first: dict[str, int] = {}
    taken, kept, refused = set(named), [], set()
    for index, header in zip(wanted, named, strict=True):
        if first.setdefault(header, index) == index:
            kept.append((header, index))
        elif cells.iloc[:, index].equals(cells.iloc[:, first[header]]):
            continue
        elif known(header):
            refused.add(header)
        else:
            number = next(number for number in range(2, len(named) + 3) if f"{header} ({number})" not in taken)
            taken.add(f"{header} ({number})")
            kept.append((f"{header} ({number})", index))
    if refused:
        raise InputError(
            gettext(
                "{name} has several columns of the same name: {columns}. Rename or drop all but one.",
                name=name,
                columns=", ".join(map(repr, sorted(refused))),
            )
        )
    message = gettext(
        "several columns have the same name, which nothing looks for or whose cells agree: {columns}; "
        "the later ones are kept under a number, or left out where their cells agree",
        columns=", ".join(map(repr, sorted(repeated))),
    )
    return [header for header, _ in kept], [index for _, index in kept], [whole("note", "", message)]


def filled_cells(column: pd.Series) -> Mask:
    """(row,) whether a cell holds anything."""
    if isinstance(column.dtype, pd.StringDtype):
        lengths = compute.binary_length(as_arrow(column)).fill_null(0)
        filled: Mask = np.asarray(lengths) > 0
        return filled
    there: Mask = column.notna().to_numpy(dtype=bool)
    return there & (column != "").to_numpy(dtype=bool, na_value=False) if column.dtype == object else there


def refuse_wide(width: int, name: str) -> None:
    """Raise InputError for more than ``MAX_COLUMNS`` columns."""
    if width > MAX_COLUMNS:
        raise InputError(
            gettext(
                "{name} has {width} columns; {most} is the most. Export the columns the mapping names.",
                name=name,
                width=width,
                most=MAX_COLUMNS,
            )
        )
