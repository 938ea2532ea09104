"""Read a dated table of exchange rates, in its own columns or as Salesforce exports it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.data.schema import Mask, as_text, mask_of, shown_cell
from winprob.data.tables.cells import parse_days, parse_numbers
from winprob.data.tables.files import Sheet, parse_sheet, read_bytes
from winprob.errors import ForecastError
from winprob.i18n import gettext

#: Columns by normalised header: lower case, letters and digits only. A conversion rate is the inverse of a rate.
_HEADERS = {
    "currency": "currency",
    "currencycode": "currency",
    "isocode": "currency",
    "币种": "currency",
    "货币": "currency",
    "rate": "rate",
    "汇率": "rate",
    "conversionrate": "conversion_rate",
    "from": "valid_from",
    "validfrom": "valid_from",
    "date": "valid_from",
    "startdate": "valid_from",
    "生效日期": "valid_from",
    "开始日期": "valid_from",
    "to": "valid_to",
    "validto": "valid_to",
    "失效日期": "valid_to",
    "结束日期": "valid_to",
    "nextstartdate": "next_from",
}
RATE_COLUMNS = ("currency", "rate", "valid_from", "valid_to")


def read_rates(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a dated rate table from CSV, XLSX or Parquet.

    Columns ``currency, rate, from`` and, if it ends, ``to`` (its last day): one unit of ``currency`` is ``rate`` units
    of the report's currency. Salesforce's ``IsoCode, ConversionRate, StartDate, NextStartDate`` is accepted: there
    one unit of the corporate currency is ``ConversionRate`` units of the other.

    Returns
    -------
    DataFrame
        ``currency, rate, valid_from, valid_to``, all rates in the same direction; ``valid_to`` may be missing.

    Raises
    ------
    InputError
        The file cannot be read.
    ForecastError
        A column is missing or a cell is wrong: every error at once.
    """
    sheet = parse_sheet(
        read_bytes(path), str(path), encoding=encoding, known=lambda name: rate_column(name) is not None
    )
    return rates_on(sheet)


def rate_column(header: str) -> str | None:
    """The rate table's column that a header means."""
    return _HEADERS.get("".join(mark for mark in header.casefold() if mark.isalnum()))


def rates_on(sheet: Sheet) -> pd.DataFrame:
    """The rates on a sheet, all in the same direction: ``currency, rate, valid_from, valid_to``.

    Raises
    ------
    ForecastError
        A column is missing or a cell is wrong: every error at once.
    """
    names = {header: meaning for header in sheet.cells.columns if (meaning := rate_column(header))}
    cells = sheet.cells[list(names)].rename(columns=names)
    cells = cells.loc[:, ~cells.columns.duplicated()].reset_index(drop=True)
    if missing := _missing(cells):
        raise ForecastError(
            gettext(
                "rates {name}: no column is {missing} (the columns are {columns}). "
                "Required are currency, rate and from; to is optional.",
                name=sheet.name,
                missing=", ".join(missing),
                columns=", ".join(map(repr, sheet.cells.columns[:12])),
            )
        )
    rates, faults = _typed(cells)
    faults += [] if faults else list(_contradictions(rates))
    if faults:
        raise ForecastError(
            gettext(
                "rates {name}, {count} errors:\n{faults}\nFix the rate table.",
                name=sheet.name,
                count=len(faults),
                faults="\n".join(f"  - {fault}" for fault in faults),
            )
        )
    return rates


def _missing(cells: pd.DataFrame) -> list[str]:
    wanted = [name for name in ("currency", "valid_from") if name not in cells]
    if not {"rate", "conversion_rate"} & set(cells):
        wanted.insert(1, "rate")
    return ["from" if name == "valid_from" else name for name in wanted]


def _typed(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    code = as_text(cells["currency"]).str.upper()
    inverse = "rate" not in cells
    given = cells["conversion_rate" if inverse else "rate"]
    parsed = parse_numbers(given, kind="rate")
    rate = parsed.read
    doubtful = parsed.refused & (parsed.doubtful if parsed.doubtful is not None else parsed.refused)
    first = parse_days(cells["valid_from"]).read
    to = next((name for name in ("valid_to", "next_from") if name in cells), None)
    last = parse_days(cells[to]).read if to else pd.Series(pd.NaT, index=cells.index)
    faults = [
        *_fault("currency", ~mask_of(code.str.fullmatch(r"[A-Z]{3}")), cells["currency"], gettext("an ISO 4217 code")),
        *_fault("rate", doubtful, given, gettext("clear, decimals or thousands: write 7.1230")),
        *_fault("rate", ~mask_of((rate > 0) & np.isfinite(rate)) & ~doubtful, given, gettext("a number above 0")),
        *_fault("from", mask_of(first.isna()), cells["valid_from"], gettext("a date (YYYY-MM-DD)")),
    ]
    if to:
        unread = mask_of(last.isna()) & mask_of(as_text(cells[to]).notna())
        faults += _fault("to", unread, cells[to], gettext("a date (YYYY-MM-DD)"))
    # A rate ends on the day before the next one begins.
    last = last - pd.Timedelta(days=1) if to == "next_from" else last
    values = {"currency": code, "rate": 1 / rate if inverse else rate, "valid_from": first, "valid_to": last}
    return pd.DataFrame(values, columns=list(RATE_COLUMNS)), faults


def _contradictions(rates: pd.DataFrame) -> Iterator[str]:
    """Two rates of one currency that begin on one day and differ."""
    kinds = rates.groupby(["currency", "valid_from"])["rate"].nunique()
    for currency, day in kinds[kinds > 1].index:
        yield gettext("{currency} has two different rates from {day} on", currency=currency, day=day.date())


def _fault(column: str, mask: Mask, given: pd.Series, wanted: str) -> Iterator[str]:
    if mask.any():
        first = int(np.flatnonzero(mask)[0])
        got = given.iloc[first]
        yield gettext(
            "'{column}' is not {wanted} in {rows} rows, first in row {row}: {got}",
            column=column,
            wanted=wanted,
            rows=int(mask.sum()),
            row=first + 1,
            got="''" if pd.isna(got) else shown_cell(got),
        )
