"""Change logs, cell by cell: what a field's name and values mean, and rows of the canonical log from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import COLUMNS, ID, Finding, Mask, as_text, mask_of, shown_cell, whole
from winprob.data.tables.deal_cells import parse_covariate, read_cells, settle_by
from winprob.data.tables.deal_notes import BY_THE_WAY
from winprob.data.tables.mapping import DealMapping, Source, read_mapping
from winprob.data.tables.presets import Preset, find_header, same_ids, unplaced_message, with_own
from winprob.data.tables.presets.spellings import derive_outcome, other_ids
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.conventions import Convention, gather
from winprob.data.tables.values.instants import parse_instants
from winprob.i18n import gettext
from winprob.methodology import canonical_column, normal

#: Columns that a log does not change: an id is fixed, and the day of creation comes from the export.
_FIXED = (ID, "as_of", "opened_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Canonical columns by the spellings of a log's field names, and how their values are read."""

    preset: Preset | None
    mapping: DealMapping
    sources: Mapping[str, tuple[Source, ...]]
    stages: Any


@dataclass(slots=True, kw_only=True)
class Log:
    """A log being read: its sheet, the headers of its parts, the rows and findings so far."""

    sheet: Sheet
    words: Vocabulary
    spec: Mapping[str, Any]
    headers: Mapping[str, str]
    zone: str
    ids: pd.Series = field(default_factory=lambda: pd.Series(dtype="str"))
    at: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us]"))
    parts: list[pd.DataFrame] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def vocabulary(mapping: DealMapping, preset: Preset | None) -> Vocabulary:
    """The vocabulary of the preset and the user's mapping."""
    sources: dict[str, list[Source]] = {}
    if preset is None:
        for source in mapping.sources:
            sources.setdefault(normal(source.column), []).append(source)
        return Vocabulary(preset=None, mapping=mapping, sources=_without_fixed(sources), stages=None)
    columns = with_own(dict(preset.columns), mapping.own.get("columns", {}))
    for target, given in columns.items():
        names = given if isinstance(given, str) else given.get("column", [])
        plain = {"column": target} if isinstance(given, str) else {**given, "column": target}
        read, _ = read_mapping({"columns": {ID: {"row_number": True}, target: plain}})
        for name in dict.fromkeys(map(normal, [names] if isinstance(names, str) else names)):
            of_name = [replace(source, column=name) for source in read.sources if source.target == target]
            sources.setdefault(name, []).extend(of_name)
    return Vocabulary(preset=preset, mapping=mapping, sources=_without_fixed(sources), stages=columns.get("stage"))


def _without_fixed(sources: Mapping[str, list[Source]]) -> dict[str, tuple[Source, ...]]:
    return {name: tuple(each for each in of_name if each.target not in _FIXED) for name, of_name in sources.items()}


def targets(words: Vocabulary, name: str) -> tuple[Source, ...]:
    """The canonical columns that the field ``name`` fills; without a vocabulary, the one that its name means."""
    known = words.sources.get(normal(name), ())
    if known or words.sources:
        return known
    target = canonical_column(name)
    return (Source(target=target, column=name),) if target in COLUMNS and target not in _FIXED else ()


def covariate_of(words: Vocabulary, name: str) -> str | None:
    """The covariate that the field ``name`` is."""
    named = (*words.mapping.varying, *(item.column for item in words.mapping.numeric))
    return next((known for known in named if normal(known) == normal(name)), None)


def outcome_flags(words: Vocabulary, names: list[str]) -> dict[str, str]:
    """The preset's outcome flags among ``names``, by flag; none where the user's mapping has the outcome."""
    own = words.mapping.own.get("columns", {})
    if words.preset is None or "outcome" in own:
        return {}
    headers = {flag: find_header(known, names) for flag, known in words.preset.flags.items()}
    return {flag: name for flag, name in headers.items() if name is not None}


def add_field(log: Log, name: str, new: pd.Series, old: pd.Series | None, *, kind: str) -> bool:
    """Add the changes of each canonical column and covariate that the field ``name`` fills; whether there is one."""
    sources = targets(log.words, name)
    for source in sources:
        values, before = _read_values(log, name, new, old, source)
        _append(log, source.target, values, before, old, kind)
    covariate = covariate_of(log.words, name)
    if covariate is not None:
        values, before = _read_values(log, name, new, old, covariate)
        _append(log, covariate, values, before, old, kind)
    return bool(sources) or covariate is not None


def _read_values(
    log: Log, name: str, new: pd.Series, old: pd.Series | None, source: Source | str
) -> tuple[pd.Series, pd.Series | None]:
    """New and old values, parsed together, so that the order of day and month is inferred from all of them."""
    cells = (new if old is None else pd.concat([new, old])).reset_index(drop=True)
    if isinstance(source, str):
        numeric = source not in log.words.mapping.varying
        parsed = parse_covariate(cells, _convention(log, cells)) if numeric else None
        read, refused = (parsed.read, parsed.refused) if parsed else (as_text(cells), np.zeros(len(cells), dtype=bool))
    else:
        parsed = read_cells(cells, source, log.words.mapping, _convention(log, cells))
        read = parsed.read
        refused = parsed.refused if source.target not in BY_THE_WAY else np.zeros(len(cells), dtype=bool)
        if source.target in ("account", "seller") and log.words.preset:
            read = same_ids(read, other_ids(log.words.preset))
        if source.target == "stage" and (message := unplaced_message(name, log.words.stages, as_text(new))):
            log.findings.append(whole("note", "stage", message))
    full = np.zeros(len(log.sheet.cells), dtype=bool)
    places = log.sheet.cells.index.get_indexer(new.index)
    full[places] = refused[: len(new)] if old is None else refused[: len(new)] | refused[len(new) :]
    note_unread(log, full, log.sheet.cells[log.headers["new"]] if "new" in log.headers else None, repr(name))
    after = pd.Series(read.iloc[: len(new)].to_numpy(), index=new.index)
    return after, None if old is None else pd.Series(read.iloc[len(new) :].to_numpy(), index=new.index)


def _convention(log: Log, cells: pd.Series) -> Convention:
    """That of a field's values, with the days of the log itself."""
    moments = [log.sheet.cells[header] for part, header in log.headers.items() if part in ("changed_on", "until")]
    return settle_by(log.words.mapping, gather(days=[cells, *moments], numbers={str(cells.name): cells}))


def add_outcome(log: Log, flags: Mapping[str, tuple[pd.Series, pd.Series | None]], kind: str) -> None:
    """Add the changes of the outcome that the flags' new and old cells imply."""
    rules = log.words.preset.rules if log.words.preset else ()
    index = next(iter(flags.values()))[0].index
    new = derive_outcome({flag: cells for flag, (cells, _) in flags.items()}, rules, index)
    given = {flag: old for flag, (_, old) in flags.items() if old is not None}
    old = derive_outcome(given, rules, index) if given else None
    _append(log, "outcome", new, old, old, kind)


def _append(log: Log, target: str, new: pd.Series, old: pd.Series | None, given: pd.Series | None, kind: str) -> None:
    """Add rows; a log of states has an old value only where the cell holds one, a log of changes in every row."""
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


def instants(log: Log, cells: pd.Series, *, needed: bool = True) -> pd.Series:
    """Moments in the log's time zone; cells that are not moments become an error."""
    parsed = parse_instants(cells, log.zone, convention=settle_by(log.words.mapping, gather(days=[cells])))
    wrong = parsed.refused | mask_of(parsed.read.isna()) if needed else parsed.refused
    doubtful = parsed.doubtful is not None and bool(parsed.doubtful.any())
    wanted = gettext("a date in one way only: set day_first or date_format in mapping.toml") if doubtful else ""
    note_unread(log, wrong, cells, wanted or gettext("a date"))
    return parsed.read


def note_unread(log: Log, mask: Mask, cells: pd.Series | None, wanted: str) -> None:
    """Add the error on the rows in ``mask``, whose cells are not what is ``wanted``."""
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
