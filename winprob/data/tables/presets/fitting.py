"""How does a preset become a mapping? By the headers that the file has; the user's own mapping goes before it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import COVERAGE_COLUMNS, ID, SUPPORTS, Finding, Mask, as_text, mask_of, whole
from winprob.data.schema.columns import is_derived
from winprob.data.tables.files import Sheet
from winprob.data.tables.presets.headers import find_header, matches
from winprob.data.tables.presets.identity import lost_case, other_ids, same_ids
from winprob.data.tables.presets.outcomes import derive_outcome
from winprob.data.tables.presets.preset_files import Preset
from winprob.i18n import gettext
from winprob.methodology import canonical, normal

_CUSTOM = (*SUPPORTS, *COVERAGE_COLUMNS, "decision_method", "coach")
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A preset laid on one file: the sheet made ready, the ordinary mapping, and what was wrong with either."""

    sheet: Sheet
    table: dict[str, Any]
    faults: list[str]
    notes: list[Finding]
    one_close_date: bool
    other_ids: str


def fit_preset(preset: Preset, sheet: Sheet, own: Mapping[str, Any]) -> Fitted:
    """The mapping that reads ``sheet``, where the user's ``own`` mapping goes before the preset.

    Returns
    -------
    Fitted
        Its sheet has the deals' ids in one spelling, and a column more where flags tell the outcome.
    """
    headers = list(map(str, sheet.cells.columns))
    faults = list(_derived_covariates(preset, own))
    columns = _columns(preset, headers, own.get("columns", {}))
    cells = sheet.cells.copy()
    notes: list[Finding] = []
    if "outcome" not in columns and (told_by := _flag_columns(preset, headers)):
        name = gettext("outcome by {columns}", columns=", ".join(dict.fromkeys(told_by.values())))
        flags = {flag: cells[header] for flag, header in told_by.items()}
        cells[name] = derive_outcome(flags, preset.rules, cells.index)
        columns["outcome"] = {"column": name}
        notes += _outcome_notes(preset, told_by, cells[name])
    if ID not in columns:
        faults.append(_no_id(preset, headers))
        columns[ID] = {"row_number": True}
    elif (column := _column(columns[ID])) in cells:
        notes += _id_notes(preset, cells[column])
        cells[column] = same_ids(cells[column], preset.ids)
    notes += _left_out(preset, columns, headers)
    table = {key: value for key, value in own.items() if key != "preset"} | {"columns": columns}
    closing = {_column(columns.get(name)) for name in ("expected_close_on", "closed_on")}
    return Fitted(
        sheet=replace(sheet, cells=cells),
        table=table,
        faults=faults,
        notes=notes,
        other_ids=other_ids(preset),
        one_close_date=len(closing) == 1 and None not in closing,
    )


def settle(deals: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """``deals`` with one meaning a close date, and no number on a closed deal that says the outcome."""
    closed = _is_closed(deals)
    settled = deals.copy()
    if fitted.one_close_date:
        settled["expected_close_on"] = deals["expected_close_on"].mask(closed)
        settled["closed_on"] = deals["closed_on"].where(closed)
    if "rep_probability" in deals:
        settled["rep_probability"] = deals["rep_probability"].mask(closed)
    for column in ("account", "seller"):
        if column in deals:
            settled[column] = same_ids(deals[column], fitted.other_ids)
    return settled


def stage_notes(fitted: Fitted, deals: pd.DataFrame) -> Iterator[Finding]:
    """Stages that no crosswalk places, and closed deals whose stage is gone."""
    given = fitted.table["columns"].get("stage")
    column = _column(given)
    if column is None or column not in fitted.sheet.cells:
        return
    text = as_text(fitted.sheet.cells[column])
    strange = _unplaced(given, text)
    if strange.any():
        yield _note("stage", strange, deals, unplaced_message(column, given, text))
    gone = _is_closed(deals) & mask_of(deals["stage"].isna()) & ~strange
    if gone.any():
        message = gettext(
            "{rows} closed deals show no stage of the customer's: the one they closed from is in the change log only "
            "(winprob snapshot --changes)",
            rows=int(gone.sum()),
        )
        yield _note("stage", gone, deals, message)


def unplaced_message(column: str, given: Any, text: pd.Series) -> str:
    """Which stages in ``text`` no crosswalk places, with counts; nothing where all have a place."""
    strange = _unplaced(given, text)
    if not strange.any():
        return ""
    counts = text[strange].value_counts()
    shown = ", ".join(f"{word!r} ({count})" for word, count in counts.head(_SHOWN).items())
    return gettext(
        "{column} holds stages that no crosswalk places in {rows} rows, read as unknown: {values}. "
        "Place them under stage in a mapping file",
        column=repr(column),
        rows=int(strange.sum()),
        values=shown + (", …" if len(counts) > _SHOWN else ""),
    )


def _unplaced(given: Any, text: pd.Series) -> Mask:
    known = {normal(word) for words in _values(given).values() for word in _list(words)}
    return mask_of(text.map(lambda word: normal(word) not in known and canonical("stage", word) is None).eq(True))


def _is_closed(deals: pd.DataFrame) -> Mask:
    if "outcome" not in deals:
        return np.zeros(len(deals), dtype=bool)
    return mask_of(deals["outcome"].notna() & (deals["outcome"] != "open"))


def _note(column: str, mask: Mask, deals: pd.DataFrame, message: str) -> Finding:
    first = str(deals[ID].iloc[int(np.flatnonzero(mask)[0])])
    return Finding(severity="note", column=column, rows=int(mask.sum()), first_deal=first, message=message)


# ---- columns -------------------------------------------------------------------------------------------------------


def _columns(preset: Preset, headers: list[str], own: Any) -> dict[str, Any]:
    """Each canonical column as a mapping file would give it: the user's word first, then the preset's."""
    columns: dict[str, Any] = {}
    for target, given in preset.columns.items():
        header = find_header(given["column"], headers)
        if header is not None:
            columns[target] = {**given, "column": header}
    return with_own(columns, own)


def with_own(columns: dict[str, Any], own: Any) -> dict[str, Any]:
    """``columns`` with what the user's mapping says of them."""
    if not isinstance(own, Mapping):
        return columns
    for target, said in own.items():
        extends = isinstance(said, Mapping) and "column" not in said and "row_number" not in said
        columns[target] = _extended(columns[target], said) if extends and target in columns else said
    return columns


def _extended(given: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The preset's column with the user's values added; a word that the user places is taken from where it stood."""
    placed = {str(word) for words in _values(said).values() for word in _list(words)}
    values = {value: [word for word in _list(words) if word not in placed] for value, words in _values(given).items()}
    for value, words in _values(said).items():
        values[value] = [*values.get(value, []), *_list(words)]
    return {**given, **said, **({"values": values} if values else {})}


def _values(given: Any) -> Mapping[str, Any]:
    values = given.get("values", {}) if isinstance(given, Mapping) else {}
    return values if isinstance(values, Mapping) else {}


def _list(words: Any) -> list[Any]:
    return words if isinstance(words, list) else [words]


def _column(given: Any) -> str | None:
    """The source column of a mapping's entry."""
    column = given.get("column") if isinstance(given, Mapping) else given
    return column.strip() if isinstance(column, str) else None


def _flag_columns(preset: Preset, headers: list[str]) -> dict[str, str]:
    found = {flag: find_header(names, headers) for flag, names in preset.flags.items()}
    return {flag: header for flag, header in found.items() if header is not None}


# ---- what to say ---------------------------------------------------------------------------------------------------


def _derived_covariates(preset: Preset, own: Mapping[str, Any]) -> Iterator[str]:
    covariates = own.get("covariates", {})
    listed = [*covariates.get("varying", []), *covariates.get("numeric", [])] if isinstance(covariates, Mapping) else []
    for item in listed:
        name = item.get("column") if isinstance(item, Mapping) else item
        if isinstance(name, str) and (matches(name, preset.derived) or is_derived(name)):
            yield gettext(
                "covariate '{column}' is derived by {preset} from the stage or the outcome, or filled in at the close: "
                "a model would learn the outcome from itself. Take it out",
                column=name,
                preset=preset.name,
            )


def _no_id(preset: Preset, headers: list[str]) -> str:
    return gettext(
        "preset {preset} finds no column for 'deal_id': it looks for {wanted}; the file's columns are {columns}",
        preset=preset.name,
        wanted=", ".join(preset.columns[ID]["column"]),
        columns=", ".join(map(repr, headers[:12])) + (", …" if len(headers) > 12 else ""),
    )


def _id_notes(preset: Preset, ids: pd.Series) -> Iterator[Finding]:
    lost = mask_of(lost_case(ids)) if preset.ids == "salesforce" else np.zeros(len(ids), dtype=bool)
    if lost.any():
        first = str(ids.iloc[int(np.flatnonzero(lost)[0])])
        message = gettext(
            "{rows} ids of 18 characters do not fit their last three, first {deal}: upper and lower case were lost "
            "somewhere. They will not be found in other exports",
            rows=int(lost.sum()),
            deal=repr(first),
        )
        yield Finding(severity="warning", column=ID, rows=int(lost.sum()), first_deal=first, message=message)


def _outcome_notes(preset: Preset, told_by: Mapping[str, str], outcome: pd.Series) -> Iterator[Finding]:
    if list(told_by) == ["stage"]:
        message = gettext(
            "the outcome is told by {column} alone: a closed stage of your own counts as open. Export also {columns}",
            column=repr(told_by["stage"]),
            columns=", ".join(names[0] for flag, names in preset.flags.items() if flag != "stage"),
        )
        yield whole("note", "outcome", message)
    silent = int(outcome.isna().sum())
    if silent:
        message = gettext("the outcome is unknown in {rows} rows: no rule of the preset fits their flags", rows=silent)
        yield whole("note", "outcome", message)


def _left_out(preset: Preset, columns: Mapping[str, Any], headers: list[str]) -> Iterator[Finding]:
    if any(target in columns for target in _CUSTOM):
        return
    taken = {_column(given) for given in columns.values()}
    custom = [name for name in headers if name not in taken and name.casefold().endswith("__c")]
    message = gettext(
        "support, coverage, decision method and coach are not in {preset}'s own fields and are not guessed: "
        "map yours in a mapping file{custom}",
        preset=preset.name,
        custom=gettext("; custom fields here: {columns}", columns=", ".join(custom[:12])) if custom else "",
    )
    yield whole("note", "", message)
