"""What a deal table was read from, which columns were not found, and what it is therefore not ready for."""

from collections.abc import Iterator, Mapping

import pandas as pd

from winprob.data.schema import COLUMNS, COVERAGE_COLUMNS, ID, READINGS, SUPPORTS, Finding, training_errors, whole
from winprob.data.schema.access import column_or_missing, is_closed
from winprob.data.tables.mapping import DealMapping
from winprob.data.tables.sheets.sheet import Sheet
from winprob.i18n import gettext
from winprob.methodology import canonical_column


def column_notes(sheet: Sheet, deals: pd.DataFrame, mapping: DealMapping) -> Iterator[Finding]:
    """Notes on the source of each column and the share of its cells that are known, and on columns not found."""
    sources, whole_columns = _sources(sheet, mapping), []
    for column in map(str, deals.columns):
        unknown, source = int(deals[column].isna().sum()), sources.get(column, column)
        if source != column:
            yield Finding(
                severity="note", column=column, rows=unknown, first_deal="", message=_read(source, deals, unknown)
            )
        elif unknown:
            message = gettext("unknown in {share} of the rows", share=f"{unknown / len(deals):.0%}")
            yield Finding(severity="note", column=column, rows=unknown, first_deal="", message=message)
        else:
            whole_columns.append(column)
    if whole_columns:
        columns = ", ".join(whole_columns)
        yield whole("note", "", gettext("read under their own names, known in every row: {columns}", columns=columns))
    missing = [column for column in COLUMNS if column not in deals]
    if missing:
        yield whole("note", "", gettext("not found in the file: {columns}", columns=", ".join(missing)))


def _read(source: str, deals: pd.DataFrame, unknown: int) -> str:
    # A column with a gap never reads 100%.
    share = min(round(100 * (1 - unknown / len(deals))), 99) if unknown else 100
    return gettext("read from {source}, known in {share}% of the rows", source=source, share=share)


def _sources(sheet: Sheet, mapping: DealMapping) -> Mapping[str, str]:
    """By canonical column what it was read from, where that has another name."""
    if mapping.sources:
        named = {
            source.target: gettext("row numbers") if source.row_number else source.column for source in mapping.sources
        }
    else:
        named = {_target(header): header for header in reversed(list(map(str, sheet.cells.columns)))}
    shown = {
        target: source if target == ID and source == gettext("row numbers") else repr(source)
        for target, source in named.items()
        if source != target
    }
    in_sheet = set(named) | set(map(str, sheet.cells.columns))
    of_people = [*SUPPORTS, *COVERAGE_COLUMNS, *READINGS]
    return {**{column: gettext("the people table") for column in of_people if column not in in_sheet}, **shown}


def _target(header: str) -> str:
    """The canonical column that a header means, or the header."""
    target = header if header in READINGS else canonical_column(header)
    return target if target in COLUMNS or target in READINGS else header


def not_ready(deals: pd.DataFrame) -> Iterator[Finding]:
    """Notes on what the table cannot be used for, by the column that is missing or blank."""
    for finding in training_errors(deals):
        yield whole("note", finding.column, gettext("not ready for training: {reason}", reason=finding.message))
    if column_or_missing(deals, "amount").isna().all():
        reason = gettext("no deal has a known 'amount', so no bookings can be added up")
        yield whole("note", "amount", gettext("not ready for a forecast of bookings: {reason}", reason=reason))
    closed = deals[is_closed(deals)]
    undated = [name for name in ("as_of", "closed_on") if column_or_missing(closed, name).isna().all()]
    if len(closed) and undated:
        reason = gettext("no closed deal has a known {columns}", columns=", ".join(map(repr, undated)))
        yield whole("note", undated[-1], gettext("not ready to learn when deals close: {reason}", reason=reason))
    if all(column_or_missing(deals, support).isna().all() for support in SUPPORTS):
        reason = gettext("no deal has the support of any role")
        yield whole("note", SUPPORTS[0], gettext("not ready to learn the roles' weights: {reason}", reason=reason))
