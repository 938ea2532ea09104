"""Read the decisions of past reviews: who does what by when, and what became of it; the file is the team's own."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from winprob.data.schema import as_text
from winprob.data.tables.replacing import replacing
from winprob.data.tables.sheets.csv_reader import refuse_ragged
from winprob.data.tables.sheets.files import parse_grid, read_bytes
from winprob.data.tables.sheets.sheet import grid_sheet, log_notes
from winprob.data.tables.values.columns import parse_days
from winprob.errors import InputError
from winprob.i18n import gettext, language

#: Columns, and the header of each in a Chinese file.
DECISION_COLUMNS = {
    "decided_on": "决定日期",
    "deal_id": "商机",
    "what": "做什么",
    "who": "谁",
    "by_when": "截止日期",
    "done_on": "完成日期",
    "result": "结果",
}
_DAYS = ("decided_on", "by_when", "done_on")
_NEEDED = ("what", "who", "by_when")


def decision_column(header: str) -> str | None:
    """The column that a header means, in English or Chinese."""
    name = header.strip().lower().replace(" ", "_")
    chinese = {title: column for column, title in DECISION_COLUMNS.items()}
    return name if name in DECISION_COLUMNS else chinese.get(header.strip())


def read_decisions(path: Path | str, *, encoding: str | None = None) -> pd.DataFrame:
    """Read the decisions of past reviews from CSV, XLSX or Parquet; lines without a decision are left out.

    Returns
    -------
    DataFrame
        ``decided_on, deal_id, what, who, by_when, done_on, result``, missing where blank. ``decided_on`` is the day of
        the review; ``deal_id`` is blank where a decision concerns no single deal.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or holds cells that are not dates: every error at once.
    """

    def known(header: str) -> bool:
        return decision_column(header) is not None

    grid = parse_grid(read_bytes(path), str(path), encoding, None, known, None, None)
    refuse = partial(refuse_ragged, name=str(path), width=len(grid.headers), delimiter=grid.delimiter)
    sheet = grid_sheet(grid, str(path), known, None, refuse)
    log_notes(sheet)
    names = {header: column for header in sheet.cells.columns if (column := decision_column(header))}
    cells = sheet.cells[list(names)].rename(columns=names)
    cells = cells.loc[:, ~cells.columns.duplicated()].reset_index(drop=True)
    missing = [name for name in _NEEDED if name not in cells]
    if missing:
        raise InputError(
            gettext(
                "decisions {path}: no column is {missing}. The columns are {columns}; deal_id, decided_on, done_on and "
                "result may be absent.",
                path=path,
                missing=", ".join(missing),
                columns=", ".join(DECISION_COLUMNS),
            )
        )
    return _typed(cells, str(path))


def _typed(cells: pd.DataFrame, path: str) -> pd.DataFrame:
    texts = {name: as_text(cells[name]) if name in cells else _blank(cells) for name in DECISION_COLUMNS}
    table = pd.DataFrame(texts)
    chosen = table["what"].notna()
    faults = []
    for name in _DAYS:
        days = parse_days(table[name]).read
        faults += list(_faults(name, table[name], days, chosen))
        table[name] = days
    if faults:
        raise InputError(gettext("decisions {path}: {faults}.", path=path, faults="; ".join(faults)))
    return table[chosen].reset_index(drop=True)


def _blank(cells: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NA, cells.index, "str")


def _faults(name: str, text: pd.Series, days: pd.Series, chosen: pd.Series) -> Iterator[str]:
    for at in text.index[text.notna() & days.isna() & chosen][:3]:
        yield gettext(
            "row {row}: {name} {value!r} is not a date such as 2026-07-31", row=at + 2, name=name, value=text[at]
        )


def start_decisions(path: Path) -> bool:
    """Write an empty file of decisions where there is none, and whether it was written; one that exists is kept."""
    if path.exists():
        return False
    header = DECISION_COLUMNS.values() if language() == "zh" else DECISION_COLUMNS
    with replacing(path) as scratch:
        # The mark in front makes a spreadsheet read Chinese.
        scratch.write_text("\ufeff" + ",".join(header) + "\n", encoding="utf-8")
    return True
