"""A file's cells as a frame of text, with its headers and the row of the file that each came from."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import Finding
from winprob.errors import InputError
from winprob.i18n import gettext

MAX_COLUMNS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file's cells: text, or (Parquet) typed columns; ``rows`` is the row of the file that each came from."""

    name: str
    cells: pd.DataFrame
    rows: npt.NDArray[np.int64]
    kind: str
    encoding: str = ""
    delimiter: str = ""
    #: Findings on the file itself: what was left out or repaired before its cells were read.
    notes: tuple[Finding, ...] = ()


def frame_sheet(frame: pd.DataFrame, name: str) -> Sheet:
    """A frame as a sheet, its rows counted from 1."""
    cells = frame.reset_index(drop=True).rename(columns=str)
    return Sheet(name=name, cells=cells, rows=np.arange(1, len(cells) + 1), kind="frame")


def build_sheet(
    name: str,
    headers: list[str],
    cells: pd.DataFrame,
    rows: npt.NDArray[np.int64],
    *,
    kind: str,
    encoding: str = "",
    delimiter: str = "",
) -> Sheet:
    """Name the columns, and drop empty rows and empty columns without a name.

    Raises
    ------
    InputError
        Two columns have the same name.
    """
    headers = [header.strip() for header in headers]
    filled = cells.notna() & (cells != "") if kind != "parquet" else cells.notna()
    wanted = [index for index, header in enumerate(headers) if header or filled.iloc[:, index].any()]
    named = [headers[index] or gettext("column {number}", number=index + 1) for index in wanted]
    repeated = sorted(header for header, count in Counter(named).items() if count > 1)
    if repeated:
        raise InputError(
            gettext(
                "{name} has several columns of the same name: {columns}. Rename or drop all but one.",
                name=name,
                columns=", ".join(map(repr, repeated)),
            )
        )
    with_cells = filled.any(axis=1).to_numpy()
    cells = cells.iloc[with_cells, wanted].reset_index(drop=True)
    cells.columns = pd.Index(named, dtype=object)
    return Sheet(name=name, cells=cells, rows=rows[with_cells], kind=kind, encoding=encoding, delimiter=delimiter)


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


def empty_file(name: str) -> InputError:
    """The error for a file without a cell."""
    return InputError(gettext("{name} is empty: it holds no deals.", name=name))
