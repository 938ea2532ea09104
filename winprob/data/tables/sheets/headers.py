"""Find the header of a table below the titles of a report, and give its columns distinct names."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from pyarrow import compute

from winprob.data.schema import Finding, Mask, whole
from winprob.data.schema.dtypes import as_arrow
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


def records_above(rows: Sequence[Sequence[str]], header: int) -> list[int]:
    """The indices of rows above the header that are no titles: as wide as a record, and with a figure in them.

    A file that was sorted with its header among the records has such rows.
    """
    width = sum(bool(cell.strip()) for cell in rows[header])
    filled = [[cell for cell in row if cell.strip()] for row in rows[:header]]
    return [
        index
        for index, cells in enumerate(filled)
        if len(cells) > max(2, 0.6 * width) and any(map(str.isdigit, "".join(cells)))
    ]


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
