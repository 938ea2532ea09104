"""Read a log of past visits: canonical columns and values, or known aliases in Chinese and English."""

from pathlib import Path

import pandas as pd

from winprob.data.schema import ID, as_text
from winprob.data.schema.visits import OPTIONAL, TIERS, VISIT_COLUMNS, validate_visits
from winprob.data.tables.sheets.files import Sheet, parse_sheet, read_bytes
from winprob.data.tables.sheets.sheet import log_notes
from winprob.data.tables.values.columns import parse_days
from winprob.methodology import canonical, canonical_column, is_unknown

_CHINESE = {
    "拜访人": "executive",
    "高层": "executive",
    "拜访日期": "date",
    "日期": "date",
    "拜访前支持度": "tier_before",
    "拜访后支持度": "tier_after",
}
#: The methodology's kind of value of each column.
_WORDS = {"role": "role", "coverage": "coverage", "coach": "coach", **dict.fromkeys(TIERS, "support")}


def read_visits(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a log of past visits from CSV, XLSX or Parquet.

    Returns
    -------
    DataFrame
        ``deal_id, role, executive, date, tier_before, tier_after, coverage, coach``, a row a visit; missing where
        blank.

    Raises
    ------
    InputError
        The file cannot be read.
    PlanError
        A column is missing or a cell holds a value that is not accepted: every error at once.
    """
    sheet = parse_sheet(
        read_bytes(path), str(path), encoding=encoding, known=lambda name: visit_column(name) is not None
    )
    log_notes(sheet)
    return visits_on(sheet)


def visit_column(header: str) -> str | None:
    """The visit log's column that a header means."""
    name = _CHINESE.get(header.strip(), header.strip().lower().replace(" ", "_"))
    if name in (*VISIT_COLUMNS, *OPTIONAL):
        return name
    name = canonical_column(header) or ""
    return name if name in (ID, "role", *OPTIONAL) else None


def visits_on(sheet: Sheet) -> pd.DataFrame:
    """The visits on a sheet, one row each, valid.

    Raises
    ------
    PlanError
        A column is missing, or a cell holds a value that is not accepted: every error at once.
    """
    names = {header: visit_column(header) for header in sheet.cells.columns}
    cells = sheet.cells[[header for header, name in names.items() if name]].rename(columns=names)
    cells = cells.loc[:, ~cells.columns.duplicated()].reset_index(drop=True)
    for column, word in _WORDS.items():
        if column in cells:
            cells[column] = as_text(cells[column]).map(lambda text, word=word: _canonical(word, text))
    if "date" in cells:
        days = parse_days(cells["date"]).read.dt.strftime("%Y-%m-%d").astype("str")
        cells["date"] = days.fillna(as_text(cells["date"]))
    return validate_visits(cells)


def _canonical(word: str, text: object) -> object:
    """The canonical value; a blank, and a value that is not recognised, is unchanged for the validation."""
    value = canonical(word, text)
    return value if value is not None or is_unknown(text) else text
