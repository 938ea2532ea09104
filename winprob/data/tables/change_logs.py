"""How is a CRM's log of changes read? A row a change, a row a state, or a column a stage: all become changes.

Read are ``OpportunityFieldHistory`` and its like (field, old and new value), ``OpportunityHistory`` (each row the whole
state from its day on), HubSpot's columns of days on which a stage was entered, and the plain
``deal_id, changed_on, field, old, new``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import COLUMNS, ID, Finding, Mask, as_text, mask_of, refuse, shown_cell, whole
from winprob.data.tables.cells import parse_numbers
from winprob.data.tables.deals import read_cells
from winprob.data.tables.files import Sheet
from winprob.data.tables.instants import parse_instants
from winprob.data.tables.mapping import DealMapping, Source, read_mapping
from winprob.data.tables.presets import (
    Preset,
    derive_outcome,
    find_header,
    is_true,
    other_ids,
    same_ids,
    unplaced_message,
    with_own,
)
from winprob.errors import DealTableError, InputError
from winprob.i18n import gettext
from winprob.methodology import canonical_column, normal

#: What a log of changes is made of; ``kind`` is "change" (only what changed) or "state" (all of it, from creation on).
CHANGE_COLUMNS = (ID, "changed_at", "field", "old", "new", "has_old", "kind", "order")
_PLAIN: Mapping[str, Mapping[str, Any]] = {
    "fields": {
        "deal_id": [ID],
        "changed_on": ["changed_on", "changed_at"],
        "field": ["field"],
        "old": ["old", "old_value"],
        "new": ["new", "new_value"],
    },
    "states": {"deal_id": [ID], "changed_on": ["changed_on", "changed_at", "valid_from"], "until": ["valid_until"]},
}
_NEEDED = {"fields": ("deal_id", "changed_on", "field", "new"), "states": ("deal_id", "changed_on")}
#: Not told by a log: an id does not change, and the day of creation is the export's to say.
_FIXED = (ID, "as_of", "opened_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What the log's field names and values mean."""

    preset: Preset | None
    mapping: DealMapping
    sources: Mapping[str, tuple[Source, ...]]
    stages: Any


@dataclass(slots=True, kw_only=True)
class _Log:
    """A log under way: its sheet, the headers of its parts, and what was found."""

    sheet: Sheet
    words: _Words
    spec: Mapping[str, Any]
    headers: Mapping[str, str]
    zone: str
    ids: pd.Series = field(default_factory=lambda: pd.Series(dtype="str"))
    at: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us]"))
    parts: list[pd.DataFrame] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def changes_on(
    sheet: Sheet, mapping: DealMapping, preset: Preset | None, zone: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """The changes on a sheet, in our columns and values, and what was left out.

    Raises
    ------
    InputError
        It is no log of changes: every column that is missing at once.
    DealTableError
        A day, a deal's id or a value does not read: every offence at once.
    """
    words = _words(mapping, preset)
    kind, spec = _kind_of(sheet, preset, words)
    headers = {part: header for part in spec if (header := _header(spec, part, sheet)) is not None}
    log = _Log(sheet=sheet, words=words, spec=spec, headers=headers, zone=zone)
    _drop_deleted(log)
    log.ids = same_ids(log.sheet.cells[headers["deal_id"]], preset.ids if preset else "")
    _faults(log, mask_of(log.ids.isna()), log.sheet.cells[headers["deal_id"]], gettext("a deal's id"))
    _READERS[kind](log)
    refuse(log.findings, rows=len(sheet.cells), error=DealTableError)
    parts = [part for part in log.parts if len(part)]
    changes = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(CHANGE_COLUMNS))
    return changes, log.findings


def log_headers(preset: Preset | None) -> Any:
    """Whether a header is one of a log's."""
    names = {normal(name) for spec in _specs(preset).values() for part in spec for name in _names(part)}
    return lambda header: normal(header) in names


def _specs(preset: Preset | None) -> dict[str, list[Mapping[str, Any]]]:
    given = preset.changes if preset else {}
    return {
        kind: [spec for spec in (given.get(kind), _PLAIN.get(kind)) if spec] for kind in ("fields", "entered", "states")
    }


def _names(spec: Mapping[str, Any]) -> Iterator[str]:
    return (name for names in spec.values() if isinstance(names, list) for name in names)


def _header(spec: Mapping[str, Any], part: str, sheet: Sheet) -> str | None:
    names = spec[part]
    return find_header(names, map(str, sheet.cells.columns)) if isinstance(names, list) else None


def _kind_of(sheet: Sheet, preset: Preset | None, words: _Words) -> tuple[str, Mapping[str, Any]]:
    specs = _specs(preset)
    for spec in specs["fields"]:
        if all(_header(spec, part, sheet) for part in _NEEDED["fields"]):
            return "fields", spec
    for spec in specs["entered"]:
        if _header(spec, "deal_id", sheet) and _entered(spec, sheet):
            return "entered", spec
    for spec in specs["states"]:
        if all(_header(spec, part, sheet) for part in _NEEDED["states"]) and _state_columns(spec, sheet, words):
            return "states", spec
    spec = specs["fields"][0]
    missing = [f"{part} ({', '.join(spec[part])})" for part in _NEEDED["fields"] if not _header(spec, part, sheet)]
    raise InputError(
        gettext(
            "{name} is no log of changes: it lacks {missing}; its columns are {columns}",
            name=sheet.name,
            missing=", ".join(missing),
            columns=", ".join(map(repr, sheet.cells.columns[:12])),
        )
    )


# ---- what a field's name and values mean ---------------------------------------------------------------------------


def _words(mapping: DealMapping, preset: Preset | None) -> _Words:
    """Every spelling of a field that the preset or the user's mapping knows, and how its values are read."""
    sources: dict[str, list[Source]] = {}
    if preset is None:
        for source in mapping.sources:
            sources.setdefault(normal(source.column), []).append(source)
        return _Words(preset=None, mapping=mapping, sources=_frozen(sources), stages=None)
    columns = with_own(dict(preset.columns), mapping.own.get("columns", {}))
    for target, given in columns.items():
        names = given if isinstance(given, str) else given.get("column", [])
        plain = {"column": target} if isinstance(given, str) else {**given, "column": target}
        read, _ = read_mapping({"columns": {ID: {"row_number": True}, target: plain}})
        for name in dict.fromkeys(map(normal, [names] if isinstance(names, str) else names)):
            found = [replace(source, column=name) for source in read.sources if source.target == target]
            sources.setdefault(name, []).extend(found)
    return _Words(preset=preset, mapping=mapping, sources=_frozen(sources), stages=columns.get("stage"))


def _frozen(sources: Mapping[str, list[Source]]) -> dict[str, tuple[Source, ...]]:
    return {name: tuple(source for source in found if source.target not in _FIXED) for name, found in sources.items()}


def _targets(words: _Words, name: str) -> tuple[Source, ...]:
    found = words.sources.get(normal(name), ())
    if found or words.sources:
        return found
    target = canonical_column(name)
    return (Source(target=target, column=name),) if target in COLUMNS and target not in _FIXED else ()


def _covariate(words: _Words, name: str) -> str | None:
    named = (*words.mapping.varying, *(item.column for item in words.mapping.numeric))
    return next((known for known in named if normal(known) == normal(name)), None)


def _flags(words: _Words, names: list[str]) -> dict[str, str]:
    """The flags that tell the outcome, and which of ``names`` each is; none where the user maps the outcome himself."""
    own = words.mapping.own.get("columns", {})
    if words.preset is None or "outcome" in own:
        return {}
    found = {flag: find_header(known, names) for flag, known in words.preset.flags.items()}
    return {flag: name for flag, name in found.items() if name is not None}


# ---- the three kinds -----------------------------------------------------------------------------------------------


def _read_fields(log: _Log) -> None:
    """A row a change of one field."""
    cells = log.sheet.cells
    log.at = _instants(log, cells[log.headers["changed_on"]])
    old = cells[log.headers["old"]] if "old" in log.headers else None
    names = as_text(cells[log.headers["field"]])
    ignored = {normal(name) for name in log.spec.get("ignore", [])}
    unused: dict[str, int] = {}
    told = _flags(log.words, list(map(str, names.dropna().unique())))
    for name, rows in names.groupby(names).groups.items():
        if normal(name) in ignored:
            continue
        new = cells.loc[rows, log.headers["new"]]
        used = _add(log, str(name), new, old.loc[rows] if old is not None else None, kind="change")
        # Alone, the last of the flags says most: the stage, or the reason.
        if told and name == list(told.values())[-1]:
            _add_outcome(log, {list(told)[-1]: (new, old.loc[rows] if old is not None else None)}, "change")
            used = True
        if not used:
            unused[str(name)] = len(rows)
    _note_unused(log, unused)


def _read_states(log: _Log) -> None:
    """A row a state, whole."""
    cells = log.sheet.cells
    log.at = _instants(log, cells[log.headers["changed_on"]])
    if "until" in log.headers:
        _note_backward(log, _instants(log, cells[log.headers["until"]], needed=False))
    previous = log.spec.get("previous", {})
    columns = _state_columns(log.spec, log.sheet, log.words)
    for name in columns:
        before: list[str] = next((names for known, names in previous.items() if normal(known) == normal(name)), [])
        header = find_header(before, map(str, cells.columns))
        _add(log, name, cells[name], cells[header] if header else None, kind="state")
    told = _flags(log.words, columns)
    if told:
        _add_outcome(log, {flag: (cells[name], None) for flag, name in told.items()}, "state")


def _state_columns(spec: Mapping[str, Any], sheet: Sheet, words: _Words) -> list[str]:
    taken = {_header(spec, part, sheet) for part in spec}
    names = [str(name) for name in sheet.cells.columns if name not in taken]
    flags = set(_flags(words, names).values())
    return [name for name in names if _targets(words, name) or _covariate(words, name) or name in flags]


def _read_entered(log: _Log) -> None:
    """A column a stage, the day on which it was entered last in it."""
    sheet, ids = log.sheet, log.ids
    for header, stage in _entered(log.spec, sheet).items():
        held = mask_of(as_text(sheet.cells[header]).notna())
        log.sheet, log.ids = replace(sheet, cells=sheet.cells[held], rows=sheet.rows[held]), ids[held]
        log.at = _instants(log, log.sheet.cells[header])
        cells = pd.Series(stage, index=log.sheet.cells.index, dtype="str")
        _add(log, log.spec["field"], cells, None, kind="state")
        for flag in _flags(log.words, [log.spec["field"]]):
            _add_outcome(log, {flag: (cells, None)}, "state")
    message = gettext(
        "each stage has only the day on which it was entered last: earlier visits to a stage are not in it"
    )
    log.findings.append(whole("note", "stage", message))


def _entered(spec: Mapping[str, Any], sheet: Sheet) -> dict[str, str]:
    """The stage that each such column is of."""
    found = {}
    for header in map(str, sheet.cells.columns):
        prefix = next((prefix for prefix in spec["prefixes"] if header.casefold().startswith(prefix)), None)
        if prefix:
            found[header] = header[len(prefix) :]
    return found


_READERS = {"fields": _read_fields, "states": _read_states, "entered": _read_entered}


# ---- rows ----------------------------------------------------------------------------------------------------------


def _add(log: _Log, name: str, new: pd.Series, old: pd.Series | None, *, kind: str) -> bool:
    """The changes of each of our columns that the field ``name`` is; whether it is any."""
    sources = _targets(log.words, name)
    for source in sources:
        values, before = _both(log, name, new, old, source)
        _append(log, source.target, values, before, old, kind)
    covariate = _covariate(log.words, name)
    if covariate is not None:
        values, before = _both(log, name, new, old, covariate)
        _append(log, covariate, values, before, old, kind)
    return bool(sources) or covariate is not None


def _both(
    log: _Log, name: str, new: pd.Series, old: pd.Series | None, source: Source | str
) -> tuple[pd.Series, pd.Series | None]:
    """New and old values, read together: which of 03/04 is the month is told by all of them."""
    cells = (new if old is None else pd.concat([new, old])).reset_index(drop=True)
    if isinstance(source, str):
        numeric = source not in log.words.mapping.varying
        parsed = parse_numbers(cells) if numeric else None
        read, refused = (parsed.read, parsed.refused) if parsed else (as_text(cells), np.zeros(len(cells), dtype=bool))
    else:
        parsed = read_cells(cells, source, replace(log.words.mapping, zone=log.zone))
        read, refused = parsed.read, parsed.refused
        if source.target in ("account", "seller") and log.words.preset:
            read = same_ids(read, other_ids(log.words.preset))
        if source.target == "stage" and (message := unplaced_message(name, log.words.stages, as_text(new))):
            log.findings.append(whole("note", "stage", message))
    full = np.zeros(len(log.sheet.cells), dtype=bool)
    places = log.sheet.cells.index.get_indexer(new.index)
    full[places] = refused[: len(new)] if old is None else refused[: len(new)] | refused[len(new) :]
    _faults(log, full, log.sheet.cells[log.headers["new"]] if "new" in log.headers else None, repr(name))
    after = pd.Series(read.iloc[: len(new)].to_numpy(), index=new.index)
    return after, None if old is None else pd.Series(read.iloc[len(new) :].to_numpy(), index=new.index)


def _add_outcome(log: _Log, flags: Mapping[str, tuple[pd.Series, pd.Series | None]], kind: str) -> None:
    rules = log.words.preset.rules if log.words.preset else ()
    index = next(iter(flags.values()))[0].index
    new = derive_outcome({flag: cells for flag, (cells, _) in flags.items()}, rules, index)
    given = {flag: old for flag, (_, old) in flags.items() if old is not None}
    old = derive_outcome(given, rules, index) if given else None
    _append(log, "outcome", new, old, old, kind)


def _append(log: _Log, target: str, new: pd.Series, old: pd.Series | None, given: pd.Series | None, kind: str) -> None:
    """A log of states has an old value only where one stands; a log of changes always, if it has any."""
    has_old: Any = False
    if given is not None:
        has_old = True if kind == "change" else mask_of(as_text(given).notna())
    rows = pd.DataFrame({ID: log.ids.loc[new.index], "changed_at": log.at.loc[new.index], "field": target})
    rows["old"] = np.nan if old is None else old.astype(object)
    rows["new"] = new.astype(object)
    rows["has_old"], rows["kind"] = has_old, kind
    order = log.headers.get("order")
    rows["order"] = as_text(log.sheet.cells.loc[new.index, order]).fillna("") if order else ""
    log.parts.append(rows.astype({"old": object, "new": object}))


def _drop_deleted(log: _Log) -> None:
    if "deleted" in log.headers:
        kept = ~is_true(log.sheet.cells[log.headers["deleted"]])
        log.sheet = replace(log.sheet, cells=log.sheet.cells[kept], rows=log.sheet.rows[kept])


def _instants(log: _Log, cells: pd.Series, *, needed: bool = True) -> pd.Series:
    parsed = parse_instants(cells, log.zone, day_first=log.words.mapping.day_first)
    wrong = parsed.refused | mask_of(parsed.read.isna()) if needed else parsed.refused
    _faults(log, wrong, cells, gettext("a date"))
    return parsed.read


# ---- what to say ---------------------------------------------------------------------------------------------------


def _faults(log: _Log, mask: Mask, cells: pd.Series | None, wanted: str) -> None:
    if not mask.any():
        return
    first = int(np.flatnonzero(mask)[0])
    got = None if cells is None else cells.iloc[first]
    deal = log.ids.iloc[first] if len(log.ids) == len(mask) else ""
    message = gettext(
        "change log: {rows} rows do not read as {wanted}, first row {row}, has {got}",
        rows=int(mask.sum()),
        wanted=wanted,
        row=int(log.sheet.rows[first]),
        got="''" if got is None or pd.isna(got) else shown_cell(got),
    )
    name = "" if pd.isna(deal) else str(deal)
    log.findings.append(Finding(severity="error", column="", rows=int(mask.sum()), first_deal=name, message=message))


def _note_unused(log: _Log, unused: Mapping[str, int]) -> None:
    if unused:
        shown = ", ".join(f"{name!r} ({count})" for name, count in unused.items())
        message = gettext("change log: fields that no column is mapped to are left out: {fields}", fields=shown)
        log.findings.append(whole("note", "", message))


def _note_backward(log: _Log, until: pd.Series) -> None:
    wrong = mask_of(until < log.at)
    if wrong.any():
        first = str(log.ids.iloc[int(np.flatnonzero(wrong)[0])])
        message = gettext(
            "change log: {rows} rows end before they begin, first deal {deal}", rows=int(wrong.sum()), deal=repr(first)
        )
        found = Finding(severity="warning", column="", rows=int(wrong.sum()), first_deal=first, message=message)
        log.findings.append(found)
