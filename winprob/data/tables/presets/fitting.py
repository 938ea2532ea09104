"""Fit a preset to the headers of a file: an ordinary mapping, in which the user's own mapping takes precedence."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import COVERAGE_COLUMNS, ID, SUPPORTS, Finding, Mask, as_text, is_closed, mask_of, whole
from winprob.data.schema.columns import is_derived
from winprob.data.tables.mapping import DealMapping, read_mapping
from winprob.data.tables.presets import spellings
from winprob.data.tables.presets.preset_files import Preset
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.nulls import without_nulls
from winprob.i18n import gettext
from winprob.methodology import canonical, normal

_CUSTOM = (*SUPPORTS, *COVERAGE_COLUMNS, "decision_method", "coach")
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A preset fitted to one file: the prepared sheet, the ordinary mapping, and the errors and notes of both."""

    sheet: Sheet
    mapping: DealMapping
    columns: Mapping[str, Any]
    faults: list[str]
    notes: list[Finding]
    one_close_date: bool
    other_ids: str
    null: tuple[str, ...] = ()


def fit_preset(preset: Preset, sheet: Sheet, own: Mapping[str, Any]) -> Fitted:
    """The mapping that reads ``sheet``; the user's ``own`` mapping takes precedence over the preset.

    Returns
    -------
    Fitted
        Its sheet has one spelling of each deal's id, and an outcome column where flags determine the outcome.
    """
    headers = list(map(str, sheet.cells.columns))
    columns = _columns(preset, headers, own.get("columns", {}))
    cells = sheet.cells.copy()
    faults: list[str] = []
    notes: list[Finding] = []
    if "outcome" not in columns and (flag_headers := _flag_columns(preset, headers)):
        name = gettext("outcome by {columns}", columns=", ".join(dict.fromkeys(flag_headers.values())))
        flags = {flag: without_nulls(cells[header], preset.null) for flag, header in flag_headers.items()}
        cells[name] = spellings.derive_outcome(flags, preset.rules, cells.index)
        columns["outcome"] = {"column": name}
        notes += _outcome_notes(preset, flag_headers, cells[name])
    notes += _without_column(preset, columns, own)
    if ID not in columns:
        faults.append(_no_id(preset, headers))
        columns[ID] = {"row_number": True}
    elif (column := _column(columns[ID])) in cells:
        notes += _id_notes(preset, cells[column])
        cells[column] = spellings.same_ids(cells[column], preset.ids)
    notes += _left_out(preset, columns, headers)
    mapping, of_mapping = _in_force(preset, own, columns)
    faults += of_mapping
    closing = {_column(columns.get(name)) for name in ("expected_close_on", "closed_on")}
    return Fitted(
        sheet=replace(sheet, cells=cells),
        mapping=mapping,
        columns=columns,
        faults=faults,
        notes=notes,
        other_ids=spellings.other_ids(preset),
        null=preset.null,
        one_close_date=len(closing) == 1 and None not in closing,
    )


def log_faults(preset: Preset, own: Mapping[str, Any]) -> list[str]:
    """The faults of the user's mapping where no file of deals is read: every column of the preset counts as there."""
    columns = {target: {**given, "column": given["column"][0]} for target, given in preset.columns.items()}
    return _in_force(preset, own, with_own(columns, own.get("columns", {})))[1]


def _in_force(preset: Preset, own: Mapping[str, Any], columns: Mapping[str, Any]) -> tuple[DealMapping, list[str]]:
    """The mapping in force: the user's own, with the ``columns`` that the preset has filled; and its faults."""
    given = own.get("columns", {})
    filled = {"columns": columns if isinstance(given, Mapping) else given}
    mapping, faults = read_mapping({key: value for key, value in own.items() if key != "preset"} | filled)
    return with_conventions(mapping, preset), [*_derived_covariates(preset, own), *faults]


def settle(deals: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """``deals`` with each close date in its own column, and without the seller's probability on closed deals."""
    closed = is_closed(deals)
    settled = deals.copy()
    if fitted.one_close_date and {"expected_close_on", "closed_on"} <= set(deals):
        settled["expected_close_on"] = deals["expected_close_on"].mask(closed)
        settled["closed_on"] = deals["closed_on"].where(closed)
    if "rep_probability" in deals:
        settled["rep_probability"] = deals["rep_probability"].mask(closed)
    for column in ("account", "seller"):
        if column in deals:
            settled[column] = spellings.same_ids(deals[column], fitted.other_ids)
    return settled


def stage_notes(fitted: Fitted, deals: pd.DataFrame) -> Iterator[Finding]:
    """Notes on stages and forecast categories without a place, and on closed deals without their last stage."""
    yield from _category_notes(fitted, deals)
    given = fitted.columns.get("stage")
    column = _column(given)
    if column is None or column not in fitted.sheet.cells or "stage" not in deals:
        return
    text = as_text(without_nulls(fitted.sheet.cells[column], fitted.null))
    unplaced = _unplaced(given, text)
    if unplaced.any():
        yield _note("stage", unplaced, deals, unplaced_message(column, given, text))
    gone = is_closed(deals) & mask_of(deals["stage"].isna()) & ~unplaced
    if gone.any():
        message = gettext(
            "{rows} closed deals have no stage: the stage before the close is only in the change log "
            "(winprob snapshot --changes)",
            rows=int(gone.sum()),
        )
        yield _note("stage", gone, deals, message)


def _category_notes(fitted: Fitted, deals: pd.DataFrame) -> Iterator[Finding]:
    given = fitted.columns.get("rep_category")
    column = _column(given)
    if not isinstance(given, Mapping) or given.get("other") != "unknown" or column not in fitted.sheet.cells:
        return
    text = as_text(without_nulls(fitted.sheet.cells[column], fitted.null))
    rest = _unplaced(given, text, "rep_category")
    if rest.any():
        message = gettext(
            "{column} holds values that are neither mapped nor canonical in {rows} rows, read as unknown: {values}. "
            "Map them under {target} in a mapping file",
            column=repr(column),
            rows=int(rest.sum()),
            values=_counted(text[rest]),
            target="rep_category",
        )
        yield _note("rep_category", rest, deals, message)


def left_headers(preset: Preset, fitted: Fitted) -> tuple[list[str], dict[str, str]]:
    """The file's headers that the preset does not know, and what it looks for in vain: columns by their headers."""
    headers = list(map(str, fitted.sheet.cells.columns))
    known = spellings.known_header(preset)
    used = {_column(given) for given in fitted.columns.values()}
    unused = [header for header in headers if not known(header) and header not in used]
    absent = {target: given for target, given in preset.columns.items() if target not in fitted.columns}
    return unused, {name: name for given in absent.values() for name in given["column"]}


def with_conventions(mapping: DealMapping, preset: Preset | None) -> DealMapping:
    """The mapping with the preset's null words, and the zone of its clocks without an offset."""
    return replace(mapping, null=(*mapping.null, *preset.null), clock_zone=preset.zone) if preset else mapping


def unplaced_message(column: str, given: Any, text: pd.Series) -> str:
    """The note on stages in ``text`` that are not in the crosswalk, with counts; empty where all are."""
    unplaced = _unplaced(given, text)
    if not unplaced.any():
        return ""
    return gettext(
        "{column} holds stages that are not in the crosswalk in {rows} rows, read as unknown: {values}. "
        "Add them under stage in a mapping file",
        column=repr(column),
        rows=int(unplaced.sum()),
        values=_counted(text[unplaced]),
    )


def _counted(words: pd.Series) -> str:
    """The most frequent words, each with its count."""
    counts = words.value_counts()
    shown = ", ".join(f"{word!r} ({count})" for word, count in counts.head(_SHOWN).items())
    return shown + (", …" if len(counts) > _SHOWN else "")


def unplaced(given: Any, word: str, target: str = "stage") -> bool:
    """Whether a stage, or another word of ``target``, is neither in the crosswalk nor canonical."""
    known = {normal(each) for words in _values(given).values() for each in _list(words)}
    return normal(word) not in known and canonical(target, word) is None


def _unplaced(given: Any, text: pd.Series, target: str = "stage") -> Mask:
    wrong = {word: unplaced(given, word, target) for word in text.dropna().unique()}
    return mask_of(text.map(wrong).eq(True))


def _note(column: str, mask: Mask, deals: pd.DataFrame, message: str) -> Finding:
    first = str(deals[ID].iloc[int(np.flatnonzero(mask)[0])])
    return Finding(severity="note", column=column, rows=int(mask.sum()), first_deal=first, message=message)


# ---- columns -------------------------------------------------------------------------------------------------------


def _columns(preset: Preset, headers: list[str], own: Any) -> dict[str, Any]:
    """Each canonical column as a mapping file would give it: from the user's mapping, else from the preset."""
    columns: dict[str, Any] = {}
    for target, given in preset.columns.items():
        header = spellings.find_header(given["column"], headers)
        if header is not None:
            columns[target] = {**given, "column": header}
    if isinstance(own, Mapping):
        absent = {target for target in preset.columns if target not in columns and _is_partial(own.get(target))}
        own = {target: entry for target, entry in own.items() if target not in absent}
    return with_own(columns, own)


def with_own(columns: dict[str, Any], own: Any) -> dict[str, Any]:
    """``columns`` with the entries of the user's mapping added or replaced."""
    if not isinstance(own, Mapping):
        return columns
    for target, entry in own.items():
        extends = _is_partial(entry) and target in columns
        columns[target] = _extended(columns[target], entry) if extends else entry
    return columns


def _is_partial(entry: Any) -> bool:
    """Whether an entry has values, but no column of its own."""
    return isinstance(entry, Mapping) and "column" not in entry and "row_number" not in entry


def _extended(given: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The preset's column with the user's values added; a word that the user maps is removed from its old value."""
    placed = {str(word) for words in _values(entry).values() for word in _list(words)}
    values = {value: [word for word in _list(words) if word not in placed] for value, words in _values(given).items()}
    for value, words in _values(entry).items():
        values[value] = [*values.get(value, []), *_list(words)]
    return {**given, **entry, **({"values": values} if values else {})}


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
    by_flag = {flag: spellings.find_header(names, headers) for flag, names in preset.flags.items()}
    return {flag: header for flag, header in by_flag.items() if header is not None}


# ---- findings ------------------------------------------------------------------------------------------------------


def _derived_covariates(preset: Preset, own: Mapping[str, Any]) -> Iterator[str]:
    covariates = own.get("covariates", {})
    lists = [covariates.get(kind) for kind in ("varying", "numeric")] if isinstance(covariates, Mapping) else []
    for item in (item for listed in lists if isinstance(listed, list | tuple) for item in listed):
        name = item.get("column") if isinstance(item, Mapping) else item
        if isinstance(name, str) and (spellings.matches(name, preset.derived) or is_derived(name)):
            yield gettext(
                "covariate '{column}' is derived by {preset} from the stage or the outcome, or filled in at the close: "
                "a model would learn the outcome from itself. Remove it",
                column=name,
                preset=preset.name,
            )


def _without_column(preset: Preset, columns: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Finding]:
    """Notes on columns whose values the user maps, while the file has none of the preset's headers for them."""
    given = own.get("columns", {})
    for target in given if isinstance(given, Mapping) else ():
        if target not in columns and target in preset.columns:
            message = gettext(
                "the mapping has values of '{target}', but the file has no such column: the preset looks for {wanted}",
                target=target,
                wanted=", ".join(preset.columns[target]["column"]),
            )
            yield whole("note", target, message)


def _no_id(preset: Preset, headers: list[str]) -> str:
    return gettext(
        "preset {preset} finds no column for 'deal_id': it looks for {wanted}; the file's columns are {columns}",
        preset=preset.name,
        wanted=", ".join(preset.columns[ID]["column"]),
        columns=", ".join(map(repr, headers[:12])) + (", …" if len(headers) > 12 else ""),
    )


def _id_notes(preset: Preset, ids: pd.Series) -> Iterator[Finding]:
    lost = mask_of(spellings.lost_case(ids)) if preset.ids == "salesforce" else np.zeros(len(ids), dtype=bool)
    if lost.any():
        first = str(ids.iloc[int(np.flatnonzero(lost)[0])])
        message = gettext(
            "{rows} ids of 18 characters contradict their last three, first {deal}: upper and lower case were lost. "
            "They will not match other exports; export the ids again",
            rows=int(lost.sum()),
            deal=repr(first),
        )
        yield Finding(severity="warning", column=ID, rows=int(lost.sum()), first_deal=first, message=message)


def _outcome_notes(preset: Preset, flag_headers: Mapping[str, str], outcome: pd.Series) -> Iterator[Finding]:
    if list(flag_headers) == ["stage"]:
        message = gettext(
            "the outcome is derived from {column} alone: a closed stage of your own counts as open. "
            "Also export {columns}",
            column=repr(flag_headers["stage"]),
            columns=", ".join(names[0] for flag, names in preset.flags.items() if flag != "stage"),
        )
        yield whole("note", "outcome", message)
    undecided = int(outcome.isna().sum())
    if undecided:
        message = gettext(
            "the outcome is unknown in {rows} rows: no rule of the preset matches their flags", rows=undecided
        )
        yield whole("note", "outcome", message)


def _left_out(preset: Preset, columns: Mapping[str, Any], headers: list[str]) -> Iterator[Finding]:
    if any(target in columns for target in _CUSTOM):
        return
    taken = {_column(given) for given in columns.values()}
    custom = [name for name in headers if name not in taken and name.casefold().endswith("__c")]
    message = gettext(
        "support, coverage, decision method and coach are not among the standard fields of {preset} and are unknown: "
        "map your own fields in a mapping file{custom}",
        preset=preset.name,
        custom=gettext("; custom fields here: {columns}", columns=", ".join(custom[:12])) if custom else "",
    )
    yield whole("note", "", message)
