"""Read a table of exchange rates, dated or not, in its own columns or as Salesforce exports it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.data.schema import Mask, as_text, mask_of, shown_cell
from winprob.data.tables.presets import is_true
from winprob.data.tables.sheets.files import Sheet, parse_sheet, read_bytes
from winprob.data.tables.sheets.sheet import log_notes
from winprob.data.tables.values.columns import parse_days, parse_numbers
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
    "iscorporate": "corporate",
    "corporate": "corporate",
}
RATE_COLUMNS = ("currency", "rate", "valid_from", "valid_to")


def read_rates(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a rate table from CSV, XLSX or Parquet.

    Columns ``currency, rate, from`` and, if it ends, ``to`` (its last day): one unit of ``currency`` is ``rate`` units
    of the report's currency. A table without ``from`` holds for all days. Salesforce's ``IsoCode, ConversionRate`` is
    accepted, dated by ``StartDate, NextStartDate`` or as its table of currency types: there one unit of the corporate
    currency is ``ConversionRate`` units of the other, and ``IsCorporate`` marks the default currency of a report.

    Returns
    -------
    DataFrame
        ``currency, rate, valid_from, valid_to``, all rates in the same direction; the days may be missing.
        ``attrs["corporate"]`` is the company's own currency, where the table marks it.

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
    log_notes(sheet)
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
                "Required are currency and rate; from and to are optional.",
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
    wanted = [] if "currency" in cells else ["currency"]
    return [*wanted, *([] if {"rate", "conversion_rate"} & set(cells) else ["rate"])]


def _typed(cells: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    code = as_text(cells["currency"]).str.upper()
    inverse = "rate" not in cells
    given = cells["conversion_rate" if inverse else "rate"]
    rate, unclear = _rates(given)
    rate = 1 / rate.where(rate != 0) if inverse else rate
    never = pd.Series(pd.NaT, index=cells.index, dtype="datetime64[us]")
    first = parse_days(cells["valid_from"]).read if "valid_from" in cells else never
    to = next((name for name in ("valid_to", "next_from") if name in cells), None)
    last = parse_days(cells[to]).read if to else never
    above = ~unclear & ~mask_of((rate > 0) & np.isfinite(rate))
    faults = [
        *_fault("currency", ~mask_of(code.str.fullmatch(r"[A-Z]{3}")), cells["currency"], gettext("an ISO 4217 code")),
        *_fault("rate", above, given, gettext("a number above 0")),
        *_fault("rate", unclear, given, gettext("clear, decimal or thousands: write 7.812 or 7812")),
    ]
    if "valid_from" in cells:
        faults += _fault("from", mask_of(first.isna()), cells["valid_from"], gettext("a date (YYYY-MM-DD)"))
    if to:
        unread = mask_of(last.isna()) & mask_of(as_text(cells[to]).notna())
        faults += _fault("to", unread, cells[to], gettext("a date (YYYY-MM-DD)"))
    # A rate ends on the day before the next one begins.
    last = last - pd.Timedelta(days=1) if to == "next_from" else last
    rates = pd.DataFrame(
        {"currency": code, "rate": rate, "valid_from": first, "valid_to": last}, columns=[*RATE_COLUMNS]
    )
    own = sorted(code[is_true(cells["corporate"])].dropna().unique()) if "corporate" in cells else []
    if len(own) > 1:
        faults.append(gettext("several currencies are marked as corporate: {currencies}", currencies=", ".join(own)))
    rates.attrs["corporate"] = own[0] if own else None
    return rates, faults


def _rates(given: pd.Series) -> tuple[pd.Series, Mask]:
    """Rates as numbers, and where a comma may be decimal or mark thousands: 7,812 is either."""
    text = as_text(given).str.strip()
    comma, point = (mask_of(text.str.fullmatch(rf"\d+{mark}\d+")) for mark in (",", r"\."))
    either = mask_of(text.str.fullmatch(r"[1-9]\d{0,2},\d{3}"))
    decimal = bool((comma & ~either).any())
    if decimal and not point.any():
        clear = np.zeros(len(given), dtype=bool)
        return parse_numbers(text.str.replace(",", ".", regex=False), kind="rate").read, clear
    return parse_numbers(given, kind="rate").read, comma if decimal else either & (not point.any())


def _contradictions(rates: pd.DataFrame) -> Iterator[str]:
    """Two rates of one currency that begin on one day and differ."""
    kinds = rates.groupby(["currency", "valid_from"], dropna=False)["rate"].nunique()
    for currency, day in kinds[kinds > 1].index:
        if pd.isna(day):
            yield gettext("{currency} has two different rates, and no column is from: add the days", currency=currency)
        else:
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
