"""Read a CRM's table of contact roles as a people table: role and coverage of each contact, support unknown.

A contact that is listed for a deal is identified. Whether the person supports us is not in the table and stays unknown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from winprob.data.schema import ID, Finding, Mask, as_text, mask_of, whole
from winprob.data.tables.presets.preset_files import Preset
from winprob.data.tables.presets.spellings import find_header, is_true, same_ids
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.columns import parse_days
from winprob.data.tables.values.instants import days_in_zone
from winprob.errors import InputError
from winprob.i18n import gettext
from winprob.methodology import canonical_column, normal

_SHOWN = 5
_PARTS = ("deal_id", "person", "role", "known_on", "deleted")


def is_role_table(preset: Preset, headers: Iterable[str]) -> bool:
    """Whether these are the headers of the CRM's table, rather than of a people table in canonical columns.

    Raises
    ------
    InputError
        It is the table of a deal's sellers.
    """
    names = list(headers)
    seller = find_header(preset.people.get("sellers", []), names)
    if seller is not None:
        raise InputError(
            gettext(
                "people: column {column} belongs to the table of a deal's own sellers. "
                "Give the table of the customer's contacts and their roles",
                column=repr(seller),
            )
        )
    ours = {"support", "coverage", "as_of", "influence"} & {name.strip().lower().replace(" ", "_") for name in names}
    return not ours and all(find_header(preset.people.get(key, []), names) for key in ("deal_id", "person", "role"))


def with_one_id(preset: Preset, sheet: Sheet) -> Sheet:
    """A people table in canonical columns, with one spelling of each deal's id."""
    header = next((str(name) for name in sheet.cells.columns if canonical_column(str(name)) == ID), None)
    if header is None:
        return sheet
    return replace(sheet, cells=sheet.cells.assign(**{header: same_ids(sheet.cells[header], preset.ids)}))


def read_roles(preset: Preset, sheet: Sheet, zone: str | None = None) -> tuple[pd.DataFrame, list[Finding]]:
    """A row per deal, person and role, and findings on what was left out.

    Returns
    -------
    DataFrame
        ``deal_id, person, role, coverage, known_on``: the day of the row's creation, missing where the table has none.
    """
    findings: list[Finding] = []
    column = {key: find_header(preset.people.get(key, []), sheet.cells.columns) for key in _PARTS}
    cells = {key: sheet.cells[header] for key, header in column.items() if header is not None}
    people = pd.DataFrame({ID: same_ids(cells["deal_id"], preset.ids), "person": as_text(cells["person"])})
    people["given"] = as_text(cells["role"]).str.split(";")
    days = parse_days(cells["known_on"]) if "known_on" in cells else None
    people["known_on"] = days.read if days else pd.Series(np.datetime64("NaT", "us"), index=people.index)
    if days and zone:
        people["known_on"] = days_in_zone(cells["known_on"], days.read, zone)
    if days:
        findings += _unread(days.refused, cells["known_on"])
    if "deleted" in cells:
        people = people[~is_true(cells["deleted"])]
    people = people.explode("given", ignore_index=True)
    people["given"] = as_text(people["given"])
    people = people[mask_of(people[ID].notna() & people["person"].notna())]
    crosswalk = _crosswalk(preset)
    people["role"] = people["given"].map(lambda word: crosswalk.get(normal(word)), na_action="ignore").astype("str")
    findings += [*_not_in_crosswalk(preset, people), *_ambiguous(preset, people)]
    people["coverage"] = preset.people.get("coverage", "identified")
    placed = people.dropna(subset=["role"]).sort_values("known_on", kind="stable", na_position="first")
    first = placed.drop_duplicates([ID, "person", "role"]).sort_index()
    return first[[ID, "person", "role", "coverage", "known_on"]].reset_index(drop=True), findings


def _crosswalk(preset: Preset) -> dict[str, str]:
    """From the CRM's name of a role, normalised, to the canonical role."""
    roles: Mapping[str, list[str]] = preset.people.get("roles", {})
    return {normal(word): role for role, words in roles.items() for word in words}


def _unread(refused: Mask, cells: pd.Series) -> Iterator[Finding]:
    if refused.any():
        got = repr(str(cells.iloc[int(np.flatnonzero(refused)[0])]))
        message = gettext(
            "people: the day cannot be read in {rows} rows, first {got}", rows=int(refused.sum()), got=got
        )
        yield whole("warning", "known_on", message)


def _not_in_crosswalk(preset: Preset, people: pd.DataFrame) -> Iterator[Finding]:
    rest = people[mask_of(people["role"].isna())]
    blank = int(rest["given"].isna().sum())
    if blank:
        yield whole("note", "role", gettext("people: {rows} rows have no role and are left out", rows=blank))
    counts = rest["given"].value_counts()
    if len(counts):
        shown = ", ".join(f"{word!r} ({count})" for word, count in counts.head(_SHOWN).items())
        message = gettext(
            "people: roles that are not in the crosswalk are left out: {values}. "
            "Add them under [people.roles] in a copy of the preset (winprob preset)",
            values=shown + (", …" if len(counts) > _SHOWN else ""),
        )
        yield whole("note", "role", message)


def _ambiguous(preset: Preset, people: pd.DataFrame) -> Iterator[Finding]:
    """Notes on roles that may mean something else in a company than in the crosswalk."""
    counts = people["given"].map(normal, na_action="ignore").value_counts()
    placed = _crosswalk(preset)
    for word, other in preset.people.get("ask", {}).items():
        role, rows = placed.get(normal(word)), int(counts.get(normal(word), 0))
        if role is not None and rows:
            message = gettext(
                "people: {word} ({rows} rows) is read as {role}; if it means {other} in your company, "
                "edit [people.roles] in a copy of the preset (winprob preset)",
                word=repr(word),
                rows=rows,
                role=role,
                other=other,
            )
            yield whole("note", "role", message)
