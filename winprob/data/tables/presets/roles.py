"""Who is known at the customer? The CRM's table of contact roles as a people table: known, and nothing more.

A contact that is listed for a deal is identified. What the person thinks of us is not in the table, and stays unknown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from winprob.data.schema import ID, Finding, Mask, as_text, mask_of, whole
from winprob.data.tables.cells import parse_days
from winprob.data.tables.files import Sheet
from winprob.data.tables.instants import days_in_zone
from winprob.data.tables.presets.headers import find_header
from winprob.data.tables.presets.identity import same_ids
from winprob.data.tables.presets.outcomes import is_true
from winprob.data.tables.presets.preset_files import Preset
from winprob.errors import InputError
from winprob.i18n import gettext
from winprob.methodology import canonical_column, normal

_SHOWN = 5
_PARTS = ("deal_id", "person", "role", "known_on", "deleted")


def is_role_table(preset: Preset, headers: Iterable[str]) -> bool:
    """Whether these are the headers of the CRM's table, rather than of a people table in our own words.

    Raises
    ------
    InputError
        It is the sellers' team.
    """
    names = list(headers)
    seller = find_header(preset.people.get("sellers", []), names)
    if seller is not None:
        raise InputError(
            gettext(
                "people: column {column} says that these are sellers (a deal's own team). "
                "Give the table of the customer's contacts and their roles",
                column=repr(seller),
            )
        )
    ours = {"support", "coverage", "as_of", "influence"} & {name.strip().lower().replace(" ", "_") for name in names}
    return not ours and all(find_header(preset.people.get(key, []), names) for key in ("deal_id", "person", "role"))


def with_one_id(preset: Preset, sheet: Sheet) -> Sheet:
    """A people table in our own words, its deals' ids in one spelling."""
    header = next((str(name) for name in sheet.cells.columns if canonical_column(str(name)) == ID), None)
    if header is None:
        return sheet
    return replace(sheet, cells=sheet.cells.assign(**{header: same_ids(sheet.cells[header], preset.ids)}))


def read_roles(preset: Preset, sheet: Sheet, zone: str | None = None) -> tuple[pd.DataFrame, list[Finding]]:
    """A row per deal, person and role, and what was left out.

    Returns
    -------
    DataFrame
        ``deal_id, person, role, coverage, known_on``: the day the row was made, missing where the table has none.
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
    findings += [*_unplaced(preset, people), *_asked(preset, people)]
    people["coverage"] = preset.people.get("coverage", "identified")
    placed = people.dropna(subset=["role"]).sort_values("known_on", kind="stable", na_position="first")
    first = placed.drop_duplicates([ID, "person", "role"]).sort_index()
    return first[[ID, "person", "role", "coverage", "known_on"]].reset_index(drop=True), findings


def _crosswalk(preset: Preset) -> dict[str, str]:
    """From the CRM's word, as it is compared, to ours."""
    roles: Mapping[str, list[str]] = preset.people.get("roles", {})
    return {normal(word): role for role, words in roles.items() for word in words}


def _unread(refused: Mask, cells: pd.Series) -> Iterator[Finding]:
    if refused.any():
        got = repr(str(cells.iloc[int(np.flatnonzero(refused)[0])]))
        message = gettext("people: the day is not read in {rows} rows, first {got}", rows=int(refused.sum()), got=got)
        yield whole("warning", "known_on", message)


def _unplaced(preset: Preset, people: pd.DataFrame) -> Iterator[Finding]:
    rest = people[mask_of(people["role"].isna())]
    blank = int(rest["given"].isna().sum())
    if blank:
        yield whole("note", "role", gettext("people: {rows} rows name no role and are left out", rows=blank))
    counts = rest["given"].value_counts()
    if len(counts):
        shown = ", ".join(f"{word!r} ({count})" for word, count in counts.head(_SHOWN).items())
        message = gettext(
            "people: roles that no crosswalk places are left out: {values}. Which role do they hold? Place them under "
            "[people.roles] in a copy of the preset (winprob preset)",
            values=shown + (", …" if len(counts) > _SHOWN else ""),
        )
        yield whole("note", "role", message)


def _asked(preset: Preset, people: pd.DataFrame) -> Iterator[Finding]:
    """Roles that may mean another thing here than the crosswalk says."""
    counts = people["given"].map(normal, na_action="ignore").value_counts()
    placed = _crosswalk(preset)
    for word, other in preset.people.get("ask", {}).items():
        role, rows = placed.get(normal(word)), int(counts.get(normal(word), 0))
        if role is not None and rows:
            message = gettext(
                "people: {word} ({rows} rows) is taken for {role}; may it mean {other} in your company? "
                "Edit [people.roles] in a copy of the preset (winprob preset)",
                word=repr(word),
                rows=rows,
                role=role,
                other=other,
            )
            yield whole("note", "role", message)
