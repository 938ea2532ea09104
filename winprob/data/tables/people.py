"""Read a people table and merge it into the role columns of a deal table.

A role's people become readings ``"3*2 4*1"`` (tier * influence, by person), their support the mean weighted by
influence, their coverage the furthest of them. Where the people table has no value, the deal table's is kept. Notes on
a person (who of ours knows them, last contact, whom they report to, whether they are the coach, which competitor they
back) are for the visit sheet and for questions: no model uses them.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import COLUMNS, ID, READINGS, Finding, Mask, as_text, mask_of, refuse, shown_cell, whole
from winprob.data.tables.people_matching import unmatched_people
from winprob.data.tables.sheets.sheet import Sheet, frame_sheet
from winprob.data.tables.values.columns import parse_days, parse_numbers
from winprob.data.tables.values.parsed import by_value
from winprob.i18n import gettext
from winprob.methodology import (
    COACH_STATES,
    COVERAGES,
    ROLES,
    canonical,
    canonical_column,
    derive_support,
    is_unknown,
    plays,
)

_FACTS = ("as_of", "person", "role", "support", "influence", "coverage")
_DEFAULT_INFLUENCE = 2.0
#: Notes on a person as free text, and all notes.
_TEXT_NOTES = ("known_by", "reports_to", "competitor")
NOTES = (*_TEXT_NOTES, "last_contact", "coach")


def rubric_items() -> tuple[str, ...]:
    """The rubric's items that determine support: all but influence."""
    return tuple(play.id for play in plays("support") if play.id != "influence")


def is_people_header(header: str) -> bool:
    """Whether a header is one of the people table's."""
    return canonical_column(header) in (ID, *_FACTS, *NOTES, *rubric_items())


def read_people(sheet: Sheet) -> tuple[pd.DataFrame, list[Finding]]:
    """One row per deal, date, person and role, and the errors of the table.

    Returns
    -------
    DataFrame
        ``deal_id, as_of, person, role, tier, influence, coverage``, and the rubric's items and the notes that it has;
        missing where unknown.
    list of Finding
        Every error at once.
    """
    cells, findings = _columns(sheet)
    if findings:
        return pd.DataFrame(), findings
    roles = as_text(cells["role"])
    people = pd.DataFrame({ID: as_text(cells[ID]), "person": as_text(cells["person"]), "role": roles})
    people["row"] = sheet.rows
    days = parse_days(cells["as_of"]) if "as_of" in cells else None
    people["as_of"] = days.read if days else pd.Series(np.datetime64("NaT", "us"), index=cells.index)
    if days:
        findings += _fault(people, "as_of", days.refused, cells["as_of"], gettext("a date"))
    findings += _fault(people, ID, mask_of(people[ID].isna()), cells[ID], gettext("a deal's id"))
    findings += _fault(people, "person", mask_of(people["person"].isna()), cells["person"], gettext("a name"))
    ratings = _ratings(people, cells, findings)
    people["tier"] = _tiers(people, cells, ratings, findings)
    people["influence"] = _influence(people, cells, findings)
    people["coverage"] = _coverage(people, cells, findings)
    people = people.join(ratings).join(_notes(people, cells, findings))
    people = _one_role_a_row(people, findings)
    findings += _listed_twice(people, [ID, "as_of", "person", "role"])
    return people.dropna(subset=[ID, "person", "role"]), findings


def _columns(sheet: Sheet) -> tuple[pd.DataFrame, list[Finding]]:
    """The sheet's cells under canonical names."""
    names = {header: canonical_column(header) for header in sheet.cells.columns}
    wanted = (ID, *_FACTS, *NOTES, *rubric_items())
    present = [name for name in names.values() if name in wanted]
    faults = [
        whole("error", name, gettext("people table: several columns mean '{column}'", column=name))
        for name in sorted({name for name in present if present.count(name) > 1})
    ]
    for name in (ID, "person", "role"):
        if name not in present:
            message = gettext(
                "people table: no column is '{column}' (the columns are {columns})",
                column=name,
                columns=", ".join(map(repr, sheet.cells.columns[:12])),
            )
            faults.append(whole("error", name, message))
    headers = [header for header, name in names.items() if name in wanted]
    return sheet.cells[headers].rename(columns=names), faults


def _fault(people: pd.DataFrame, column: str, mask: Mask, cells: pd.Series, wanted: str) -> Iterator[Finding]:
    if not mask.any():
        return
    first = int(np.flatnonzero(mask)[0])
    deal = people[ID].iloc[first]
    name = "" if pd.isna(deal) else str(deal)
    got = cells.iloc[first]
    message = gettext(
        "people table: '{column}' is not {wanted} in {rows} rows, first row {row}, deal {deal}, has {got}",
        column=column,
        wanted=wanted,
        rows=int(mask.sum()),
        row=int(people["row"].iloc[first]),
        deal=repr(name),
        got="''" if pd.isna(got) else shown_cell(got),
    )
    yield Finding(severity="error", column=column, rows=int(mask.sum()), first_deal=name, message=message)


def _ratings(people: pd.DataFrame, cells: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """The rubric's items that the table rates, each 1 to 4 or missing."""
    items = [item for item in rubric_items() if item in cells]
    rated = {item: _one_to_four(people, cells[item], item, findings) for item in items}
    return pd.DataFrame(rated, index=cells.index)


def _tiers(people: pd.DataFrame, cells: pd.DataFrame, ratings: pd.DataFrame, findings: list[Finding]) -> pd.Series:
    """Support as given, else derived from the rubric's ratings."""
    tier = pd.Series(np.nan, index=cells.index)
    if "support" in cells:
        values, refused = by_value(cells["support"], lambda text: canonical("support", text) or _blank(text))
        findings += _fault(people, "support", refused, cells["support"], "1..4")
        tier = values.astype("float64")
    items = list(map(str, ratings))
    if not items:
        return tier
    codes = ratings.fillna(0).drop_duplicates()
    derived = {
        tuple(row): derive_support({item: int(value) for item, value in zip(items, row, strict=True) if value})
        for row in codes.to_numpy()
    }
    by_rubric = pd.Series([derived[tuple(row)] for row in ratings.fillna(0).to_numpy()], index=cells.index)
    return tier.fillna(by_rubric.astype("float64"))


def _blank(text: str) -> str | None:
    return "" if is_unknown(text) else None


def _one_to_four(people: pd.DataFrame, cells: pd.Series, column: str, findings: list[Finding]) -> pd.Series:
    parsed = parse_numbers(cells)
    odd = parsed.read.notna() & ~parsed.read.isin((1.0, 2.0, 3.0, 4.0))
    findings += _fault(people, column, parsed.refused | mask_of(odd), cells, "1..4")
    return parsed.read.mask(odd)


def _influence(people: pd.DataFrame, cells: pd.DataFrame, findings: list[Finding]) -> pd.Series:
    if "influence" not in cells:
        return pd.Series(_DEFAULT_INFLUENCE, index=cells.index)
    return _one_to_four(people, cells["influence"], "influence", findings).fillna(_DEFAULT_INFLUENCE)


def _coverage(people: pd.DataFrame, cells: pd.DataFrame, findings: list[Finding]) -> pd.Series:
    if "coverage" not in cells:
        return pd.Series(np.nan, index=cells.index, dtype="str")
    values, refused = by_value(cells["coverage"], lambda text: canonical("coverage", text) or _blank(text))
    findings += _fault(people, "coverage", refused, cells["coverage"], ", ".join(COVERAGES))
    return values


def _notes(people: pd.DataFrame, cells: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """The notes on each person that the table has; a blank is unknown."""
    notes: dict[str, pd.Series] = {name: as_text(cells[name]) for name in _TEXT_NOTES if name in cells}
    if "last_contact" in cells:
        days = parse_days(cells["last_contact"])
        findings += _fault(people, "last_contact", days.refused, cells["last_contact"], gettext("a date"))
        notes["last_contact"] = days.read
    if "coach" in cells:
        notes["coach"], refused = by_value(cells["coach"], lambda text: canonical("coach", text) or _blank(text))
        findings += _fault(people, "coach", refused, cells["coach"], ", ".join(COACH_STATES))
    return pd.DataFrame(notes, index=cells.index)


def _one_role_a_row(people: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """A person with several roles (``approver; evaluator``) as one row for each."""
    people = people.assign(role=people["role"].str.replace("\uff1b", ";").str.split(";")).explode(
        "role", ignore_index=True
    )
    given = people["role"]
    values, refused = by_value(given, lambda text: canonical("role", text))
    findings += _fault(people, "role", refused | mask_of(as_text(given).isna()), given, ", ".join(ROLES))
    return people.assign(role=values)


def _listed_twice(people: pd.DataFrame, keys: list[str]) -> Iterator[Finding]:
    twice = people.duplicated(keys).to_numpy() & mask_of(people[[ID, "person", "role"]].notna().all(axis=1))
    if not twice.any():
        return
    first = people.iloc[int(np.flatnonzero(twice)[0])]
    deal = str(first[ID])
    message = gettext(
        "people table: a person is listed more than once for one deal, date and role in {rows} rows, "
        "first row {row}, deal {deal}: {person}",
        rows=int(twice.sum()),
        row=int(first["row"]),
        deal=repr(deal),
        person=shown_cell(first["person"]),
    )
    yield Finding(severity="error", column="person", rows=int(twice.sum()), first_deal=deal, message=message)


def merge_people(deals: pd.DataFrame, people: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """``deals`` with the people's readings, support and coverage; and findings on rows that do not match.

    A person without ``as_of`` counts at every date of the deal; a deal without ``as_of`` takes the people of the one
    date they have.
    """
    matched, findings = _match(deals, people)
    merged = deals.copy()
    for role in ROLES:
        if (people["role"] == role).any():
            of_role = matched[matched["role"] == role]
            known = of_role.dropna(subset=["tier"])
            readings = _readings(known, len(deals))
            merged[f"{role}_readings"] = pd.Series(readings, index=deals.index, dtype="str")
            findings += _place(merged, f"{role}_support", pd.Series(_support(known, len(deals)), index=deals.index))
            furthest = pd.Series(_furthest(of_role, len(deals)), index=deals.index, dtype="str")
            if furthest.notna().any():
                findings += _place(merged, f"{role}_coverage", furthest)
    canonical_order = [name for name in (*COLUMNS, *READINGS) if name in merged]
    return merged[[*canonical_order, *(name for name in merged.columns if name not in canonical_order)]], findings


def cover(deals: pd.DataFrame, roles: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """``deals`` with the coverage from the roles known by the end of ``day``; a role without a day is left out."""
    known = roles[(roles["known_on"] <= day) & roles[ID].isin(deals[ID])]
    if known.empty:
        return deals
    table, findings = read_people(frame_sheet(known.drop(columns="known_on"), "people"))
    refuse(findings, rows=len(table))
    covered, findings = merge_people(deals, table)
    refuse(findings, rows=len(covered))
    blank = [name for name in covered if name not in deals and covered[name].isna().all()]
    return covered.drop(columns=blank)


def _match(deals: pd.DataFrame, people: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """The people at each position of the deal table."""
    findings: list[Finding] = []
    spots = pd.DataFrame({ID: deals[ID].to_numpy(), "position": np.arange(len(deals))})
    spots["as_of"] = deals["as_of"].to_numpy() if "as_of" in deals else np.datetime64("NaT", "us")
    dated = people[people["as_of"].notna()]
    dateless = spots[spots["as_of"].isna()].drop(columns="as_of")
    findings += _several_dates(dated, dateless)
    matched = pd.concat(
        [
            spots.drop(columns="as_of").merge(people[people["as_of"].isna()], on=ID),
            spots.dropna(subset=["as_of"]).merge(dated, on=[ID, "as_of"]),
            dateless.merge(dated, on=ID),
        ],
        ignore_index=True,
    )
    # Only here a row without a date and one with the deal's date can be the same person twice.
    findings += _listed_twice(matched, ["position", "person", "role"])
    findings += unmatched_people(deals, people, matched)
    return matched.sort_values(["position", "role", "person"], kind="stable"), findings


def _several_dates(dated: pd.DataFrame, dateless: pd.DataFrame) -> Iterator[Finding]:
    dates = dated[dated[ID].isin(dateless[ID])].groupby(ID)["as_of"].nunique()
    several = dates[dates > 1]
    if len(several):
        deal = str(several.index[0])
        message = gettext(
            "people table: {rows} deals have people of several dates but no 'as_of' in the deal table, "
            "first deal {deal}",
            rows=len(several),
            deal=repr(deal),
        )
        yield Finding(severity="error", column="as_of", rows=len(several), first_deal=deal, message=message)


def _readings(known: pd.DataFrame, length: int) -> npt.NDArray[np.object_]:
    readings = np.full(length, np.nan, dtype=object)
    if len(known):
        tokens = known["tier"].astype(int).astype("str") + "*" + known["influence"].astype(int).astype("str")
        joined = tokens.groupby(known["position"], sort=False).agg(" ".join)
        readings[joined.index.to_numpy()] = joined.to_numpy(dtype=object)
    return readings


def _support(known: pd.DataFrame, length: int) -> npt.NDArray[np.float64]:
    """(row,) mean tier weighted by influence, a half rounded up; NaN where no support is known."""
    at = known["position"].to_numpy(dtype=np.int64)
    weight = np.bincount(at, known["influence"], minlength=length)
    total = np.bincount(at, known["influence"] * known["tier"], minlength=length)
    # floor(total / weight + 1/2) in whole numbers, so that no rounding error decides a tier.
    tier = (2 * total + weight) // np.where(weight > 0, 2 * weight, 1)
    return np.where(weight > 0, tier, np.nan)


def _furthest(of_role: pd.DataFrame, length: int) -> npt.NDArray[np.object_]:
    steps = of_role["coverage"].map({name: step for step, name in enumerate(COVERAGES)})
    furthest = np.full(length, -1, dtype=np.int64)
    known = mask_of(steps.notna())
    np.maximum.at(furthest, of_role["position"].to_numpy()[known], steps[known].to_numpy(dtype=np.int64))
    return np.array([*COVERAGES, np.nan], dtype=object)[furthest]


def _place(merged: pd.DataFrame, column: str, from_people: pd.Series) -> Iterator[Finding]:
    """Fill ``column`` from the people table, and report where the deal table differs."""
    if column not in merged:
        merged[column] = from_people
        return
    wide = merged[column]
    differs = mask_of(from_people.notna() & wide.notna() & (from_people != wide))
    merged[column] = from_people.fillna(wide)
    if differs.any():
        first = int(np.flatnonzero(differs)[0])
        deal = str(merged[ID].iloc[first])
        message = gettext(
            "'{column}' differs between deal table and people table in {rows} rows, first deal {deal}: "
            "{wide} and {people}; the people table is used",
            column=column,
            rows=int(differs.sum()),
            deal=repr(deal),
            wide=shown_cell(wide.iloc[first]),
            people=shown_cell(from_people.iloc[first]),
        )
        yield Finding(severity="warning", column=column, rows=int(differs.sum()), first_deal=deal, message=message)
