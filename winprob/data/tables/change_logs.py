"""Read a CRM's change log: field history, state history or stage dates, all into rows of one canonical log.

The kinds, each with its own function group below and one row in ``KINDS``:

- field history, a row a change of one field with old and new value: Salesforce's ``OpportunityFieldHistory``, the audit
  log of Dynamics 365, HubSpot's property history, and the plain ``deal_id, changed_on, field, old, new``;
- stage dates, a column a stage with the day on which it was entered last: HubSpot's ``hs_date_entered_*``, under
  their names or labels;
- state history, a row with the whole state from a day on: Salesforce's ``OpportunityHistory``, and the plain
  ``deal_id, valid_from, ...``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import ID, Finding, as_text, findings_table, mask_of, refuse, whole
from winprob.data.tables import change_fields as fields
from winprob.data.tables import presets
from winprob.data.tables.mapping import DealMapping, no_zone, read_mapping
from winprob.data.tables.sheets import files
from winprob.data.tables.values.instants import is_zone
from winprob.errors import DealTableError, InputError, MappingError
from winprob.i18n import gettext
from winprob.methodology import normal

#: Columns of the canonical log; ``kind`` is "change" (only what changed) or "state" (all values, from creation on).
CHANGE_COLUMNS = (ID, "changed_at", "field", "old", "new", "has_old", "kind", "order")
#: A log's parts and the headers that each may have; from a preset, or plain.
Spec = Mapping[str, Any]


def read_changes(
    path: str | Path,
    mapping: str | Path | Mapping[str, Any] | None = None,
    *,
    zone: str = "UTC",
    encoding: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a change log: a CRM's, or the plain ``deal_id, changed_on, field, old, new``.

    Parameters
    ----------
    mapping : path, dict or None
        As for the deals: the same columns, values and preset.
    zone : str
        Where the reviews are held: timestamps with an offset are converted to it.

    Returns
    -------
    changes : DataFrame
        ``deal_id, changed_at, field, old, new, has_old, kind, order``: a row a change of one canonical column.
    findings : DataFrame
        ``severity, column, rows, first_deal, message``: rows left out, and anomalies.

    Raises
    ------
    InputError
        The file cannot be read or is not a change log.
    MappingError, DealTableError
        The mapping, the zone, a day or a value is wrong: every error at once.
    """
    deal_mapping, faults = read_mapping(mapping)
    preset = presets.read_preset(deal_mapping.preset) if deal_mapping.preset else None
    if preset:
        faults = presets.log_faults(preset, deal_mapping.own)
    if not is_zone(zone):
        faults = [*faults, no_zone(zone)]
    refuse([whole("error", "", fault) for fault in faults], rows=0, error=MappingError)
    chosen = encoding or deal_mapping.encoding
    sheet = files.parse_sheet(
        files.read_bytes(path),
        str(path),
        encoding=chosen,
        delimiter=deal_mapping.delimiter,
        known=log_headers(preset, deal_mapping.changes),
    )
    changes, findings = changes_on(sheet, deal_mapping, preset, zone)
    return changes, findings_table([*sheet.notes, *findings])


def changes_on(
    sheet: files.Sheet, mapping: DealMapping, preset: presets.Preset | None, zone: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """The changes on a sheet in canonical columns and values, and findings on what was left out.

    Raises
    ------
    InputError
        It is not a change log: the message lists every column that is missing.
    DealTableError
        A day, a deal's id or a value cannot be read: every error at once.
    """
    words = fields.vocabulary(replace(presets.with_conventions(mapping, preset), zone=zone), preset)
    kind, spec = _kind_of(sheet, preset, words)
    headers = {part: header for part in spec if (header := _header(spec, part, sheet)) is not None}
    log = fields.Log(sheet=sheet, words=words, spec=spec, headers=headers, zone=zone)
    _drop_deleted(log)
    log.ids = presets.same_ids(log.sheet.cells[headers["deal_id"]], preset.ids if preset else "")
    fields.note_unread(log, mask_of(log.ids.isna()), log.sheet.cells[headers["deal_id"]], gettext("a deal's id"))
    kind.read(log)
    refuse(log.findings, rows=len(sheet.cells), error=DealTableError)
    parts = [part for part in log.parts if len(part)]
    changes = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(CHANGE_COLUMNS))
    return changes, log.findings


def log_headers(preset: presets.Preset | None, own: Mapping[str, str]) -> Callable[[str], bool]:
    """Whether a header is one of a log's, of whichever kind; ``own`` headers are those of the mapping."""
    specs = [spec for kind in KINDS for spec in _specs(kind, preset, own)]
    names = {normal(name) for spec in specs for name in _names(spec)}
    return lambda header: normal(header) in names or any(presets.stage_columns(spec, [header]) for spec in specs)


def _specs(kind: "LogKind", preset: presets.Preset | None, own: Mapping[str, str]) -> list[Spec]:
    """The headers of a log's parts, the mapping's first; none where the mapping names a part of another kind."""
    if not set(own) <= {*kind.parts}:
        return []
    given = preset.changes.get(kind.name) if preset else None
    return [{**spec, **{part: [header] for part, header in own.items()}} for spec in (given, kind.plain) if spec]


def _names(spec: Spec) -> Iterator[str]:
    return (name for names in spec.values() if isinstance(names, list) for name in names)


def _header(spec: Spec, part: str, sheet: files.Sheet) -> str | None:
    names = spec.get(part)
    return presets.find_header(names, map(str, sheet.cells.columns)) if isinstance(names, list) else None


def _has(spec: Spec, sheet: files.Sheet, parts: tuple[str, ...]) -> bool:
    return all(_header(spec, part, sheet) for part in parts)


def _kind_of(sheet: files.Sheet, preset: presets.Preset | None, words: fields.Vocabulary) -> tuple["LogKind", Spec]:
    own = words.mapping.changes
    _refuse_absent(sheet, own)
    for kind in KINDS:
        for spec in _specs(kind, preset, own):
            if kind.fits(spec, sheet, words):
                return kind, spec
    spec = {**_specs(KINDS[0], preset, {})[0], **{part: [header] for part, header in own.items()}}
    missing = [f"{part} ({', '.join(spec.get(part, []))})" for part in _FIELD_PARTS if not _header(spec, part, sheet)]
    raise InputError(
        gettext(
            "{name} is not a change log: it has no {missing}; its columns are {columns}",
            name=sheet.name,
            missing=", ".join(missing),
            columns=", ".join(map(repr, sheet.cells.columns[:12])),
        )
    )


def _refuse_absent(sheet: files.Sheet, own: Mapping[str, str]) -> None:
    """Raise InputError where the mapping names headers of the log that it lacks."""
    headers = list(map(str, sheet.cells.columns))
    absent = [f"{part} = {header!r}" for part, header in own.items() if presets.find_header([header], headers) is None]
    if absent:
        raise InputError(
            gettext(
                "{name} lacks columns that [changes] names: {absent}; its columns are {columns}",
                name=sheet.name,
                absent=", ".join(absent),
                columns=", ".join(map(repr, headers[:12])),
            )
        )


def _drop_deleted(log: fields.Log) -> None:
    if "deleted" in log.headers:
        alive = ~presets.is_true(log.sheet.cells[log.headers["deleted"]])
        log.sheet = replace(log.sheet, cells=log.sheet.cells[alive], rows=log.sheet.rows[alive])


# ---- field history: a row a change of one field ---------------------------------------------------------------------

_FIELD_PARTS = ("deal_id", "changed_on", "field", "new")
_PLAIN_FIELDS: Spec = {
    "deal_id": [ID],
    "changed_on": ["changed_on", "changed_at"],
    "field": ["field"],
    "old": ["old", "old_value"],
    "new": ["new", "new_value"],
}


def _is_field_history(spec: Spec, sheet: files.Sheet, words: fields.Vocabulary) -> bool:
    return _has(spec, sheet, _FIELD_PARTS)


def _read_field_history(log: fields.Log) -> None:
    cells = log.sheet.cells
    log.at = fields.instants(log, cells[log.headers["changed_on"]])
    old = cells[log.headers["old"]] if "old" in log.headers else None
    names = as_text(cells[log.headers["field"]])
    ignored = {normal(name) for name in log.spec.get("ignore", [])}
    unused: dict[str, int] = {}
    flags = fields.outcome_flags(log.words, list(map(str, names.dropna().unique())))
    for name, rows in names.groupby(names).groups.items():
        if normal(name) in ignored:
            continue
        new = cells.loc[rows, log.headers["new"]]
        used = fields.add_field(log, str(name), new, old.loc[rows] if old is not None else None, kind="change")
        # Without the others, the last of the flags carries most of the outcome: the stage, or the reason.
        if flags and name == list(flags.values())[-1]:
            fields.add_outcome(log, {list(flags)[-1]: (new, old.loc[rows] if old is not None else None)}, "change")
            used = True
        if not used:
            unused[str(name)] = len(rows)
    _note_unused(log, unused)


def _note_unused(log: fields.Log, unused: Mapping[str, int]) -> None:
    if unused:
        shown = ", ".join(f"{name!r} ({count})" for name, count in unused.items())
        message = gettext("change log: fields that no column is mapped to are left out: {fields}", fields=shown)
        log.findings.append(whole("note", "", message))


# ---- stage dates: a column a stage ----------------------------------------------------------------------------------


def _has_stage_dates(spec: Spec, sheet: files.Sheet, words: fields.Vocabulary) -> bool:
    return _has(spec, sheet, ("deal_id",)) and bool(presets.stage_columns(spec, sheet.cells.columns))


def _read_stage_dates(log: fields.Log) -> None:
    sheet, ids = log.sheet, log.ids
    for header, stage in presets.stage_columns(log.spec, sheet.cells.columns).items():
        entered = mask_of(as_text(sheet.cells[header]).notna())
        log.sheet, log.ids = replace(sheet, cells=sheet.cells[entered], rows=sheet.rows[entered]), ids[entered]
        log.at = fields.instants(log, log.sheet.cells[header])
        cells = pd.Series(_placed(log, stage), index=log.sheet.cells.index, dtype="str")
        fields.add_field(log, log.spec["field"], cells, None, kind="state")
        for flag in fields.outcome_flags(log.words, [log.spec["field"]]):
            fields.add_outcome(log, {flag: (cells, None)}, "state")
    message = gettext(
        "each stage has only the day on which it was entered last: earlier entries into a stage are unknown"
    )
    log.findings.append(whole("note", "stage", message))


def _placed(log: fields.Log, stage: str) -> str:
    """A stage without the pipeline after it, unless the crosswalk places the whole."""
    without = presets.without_pipeline(stage)
    return stage if without == stage or not presets.unplaced(log.words.stages, stage) else without


# ---- state history: a row a state -----------------------------------------------------------------------------------

_PLAIN_STATES: Spec = {
    "deal_id": [ID],
    "changed_on": ["changed_on", "changed_at", "valid_from"],
    "until": ["valid_until"],
}


def _is_state_history(spec: Spec, sheet: files.Sheet, words: fields.Vocabulary) -> bool:
    return _has(spec, sheet, ("deal_id", "changed_on")) and bool(_state_columns(spec, sheet, words))


def _read_state_history(log: fields.Log) -> None:
    cells = log.sheet.cells
    log.at = fields.instants(log, cells[log.headers["changed_on"]])
    if "until" in log.headers:
        _note_backward(log, fields.instants(log, cells[log.headers["until"]], needed=False))
    previous = log.spec.get("previous", {})
    columns = _state_columns(log.spec, log.sheet, log.words)
    for name in columns:
        before: list[str] = next((names for known, names in previous.items() if normal(known) == normal(name)), [])
        header = presets.find_header(before, map(str, cells.columns))
        fields.add_field(log, name, cells[name], cells[header] if header else None, kind="state")
    flags = fields.outcome_flags(log.words, columns)
    if flags:
        fields.add_outcome(log, {flag: (cells[name], None) for flag, name in flags.items()}, "state")


def _state_columns(spec: Spec, sheet: files.Sheet, words: fields.Vocabulary) -> list[str]:
    taken = {_header(spec, part, sheet) for part in spec}
    names = [str(name) for name in sheet.cells.columns if name not in taken]
    flags = set(fields.outcome_flags(words, names).values())
    return [name for name in names if fields.targets(words, name) or fields.covariate_of(words, name) or name in flags]


def _note_backward(log: fields.Log, until: pd.Series) -> None:
    wrong = mask_of(until < log.at)
    if wrong.any():
        first = str(log.ids.iloc[int(np.flatnonzero(wrong)[0])])
        message = gettext(
            "change log: {rows} rows end before they begin, first deal {deal}", rows=int(wrong.sum()), deal=repr(first)
        )
        finding = Finding(severity="warning", column="", rows=int(wrong.sum()), first_deal=first, message=message)
        log.findings.append(finding)


# ---- the registry ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKind:
    """A kind of log: its key in a preset, its plain headers, whether a sheet is one, and its reader."""

    name: str
    fits: Callable[[Spec, files.Sheet, fields.Vocabulary], bool]
    read: Callable[[fields.Log], None]
    parts: tuple[str, ...]
    plain: Spec | None = None


#: In the order in which a sheet is tried.
KINDS = (
    LogKind(
        name="fields",
        fits=_is_field_history,
        read=_read_field_history,
        parts=(*_FIELD_PARTS, "old", "deleted", "order"),
        plain=_PLAIN_FIELDS,
    ),
    LogKind(name="entered", fits=_has_stage_dates, read=_read_stage_dates, parts=(ID,)),
    LogKind(
        name="states",
        fits=_is_state_history,
        read=_read_state_history,
        parts=(ID, "changed_on", "until", "deleted", "order"),
        plain=_PLAIN_STATES,
    ),
)
