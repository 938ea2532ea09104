"""How is a log of past visits read? A CSV, XLSX or Parquet file, its words canonical or known aliases."""

import pandas as pd

from winprob.data.schema import ID, as_text
from winprob.data.schema.visits import TIERS, VISIT_COLUMNS, validate_visits
from winprob.data.tables.cells import parse_days
from winprob.data.tables.sheet import Sheet
from winprob.methodology import canonical, canonical_column, is_unknown

_CHINESE = {
    "拜访人": "executive",
    "高层": "executive",
    "拜访日期": "date",
    "日期": "date",
    "拜访前支持度": "tier_before",
    "拜访后支持度": "tier_after",
}
#: Which word of the method a column's cells are.
_WORDS = {"role": "role", "coverage": "coverage", **dict.fromkeys(TIERS, "support")}


def visit_column(header: str) -> str | None:
    """The visit log's column that a header means."""
    found = _CHINESE.get(header.strip(), header.strip().lower().replace(" ", "_"))
    if found in (*VISIT_COLUMNS, "coverage"):
        return found
    found = canonical_column(header) or ""
    return found if found in (ID, "role", "coverage") else None


def visits_on(sheet: Sheet) -> pd.DataFrame:
    """The visits on a sheet, one row each, valid.

    Raises
    ------
    PlanError
        A column is missing, or a cell holds what it may not: every offence at once.
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
    """The canonical value; a blank stays one, what is not understood stays as it is, for the checks to refuse."""
    found = canonical(word, text)
    return found if found is not None or is_unknown(text) else text
