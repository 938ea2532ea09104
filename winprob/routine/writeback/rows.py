"""The rows for a CRM: statements in its fields, what differs from the last write-back, and the files of the import."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from winprob.data.tables.write import escape_formula
from winprob.i18n import gettext
from winprob.routine.writeback.targets import Target

#: A field's value as the CRM has it, None where it is unknown.
Value = int | str | None
#: The values by field, of each deal by id.
Rows = dict[str, dict[str, Value]]
SHARES, TEXTS = ("chance", "lower", "upper", "won_by"), ("band", "flag", "next_step", "model", "as_of")
#: The day alone does not make a row anew: it is the day since when the rest is the same.
STAMP = "as_of"
#: The most characters of a text: those of a text field of Salesforce.
LONGEST = 255
#: Dynamics: a score that moved by fewer points is steady; the lowest score of the grades A, B and C.
_STEADY, _GRADES = 5, (75, 50, 25)
_IMPROVING, _STEADILY, _DECLINING, _NOT_ENOUGH = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a write-back would change.

    Attributes
    ----------
    rows : the whole new row of each deal of which anything changes, in the order of the deals
    before : the values that these deals were last given
    table : ``deal_id, field, before, after``, a row for each value that changes
    unchanged : the number of other deals
    """

    rows: Rows
    before: Rows
    table: pd.DataFrame
    unchanged: int


def crm_rows(target: Target, statements: pd.DataFrame) -> Rows:
    """The statements of each deal as values of the CRM's fields: whole percents, texts of one line."""
    records = statements.to_dict("records")
    return {
        str(record["deal_id"]): {field: _value(key, record.get(key)) for key, field in target.fields.items()}
        for record in records
    }


def _value(key: str, given: Any) -> Value:
    if pd.isna(given):
        return None
    if key in SHARES:
        return whole_percent(float(given))
    text = escape_formula(" ".join(str(given).split()))
    return (text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…") or None


def whole_percent(share: float) -> int:
    """A share in whole percents; 0 and 100 only where exact."""
    return int(share * 100) if share in (0.0, 1.0) else min(max(round(100 * share), 1), 99)


def changed_rows(target: Target, statements: pd.DataFrame, last: Rows) -> Changes:
    """The rows that differ from what the same deal was last given, but for the day."""
    now = crm_rows(target, statements)
    stamp = target.fields.get(STAMP)
    rows: Rows = {}
    differences = []
    for deal, values in now.items():
        known = last.get(deal, {})
        changed = [field for field, value in values.items() if value != known.get(field)]
        if set(changed) - {stamp}:
            rows[deal] = values
            differences += [(deal, field, known.get(field), values[field]) for field in changed]
    table = pd.DataFrame(differences, columns=["deal_id", "field", "before", "after"], dtype=object)
    before = {deal: last.get(deal, {}) for deal in rows}
    return Changes(rows=rows, before=before, table=table, unchanged=len(now) - len(rows))


def change_sentences(target: Target, changes: Changes) -> Iterator[str]:
    """How many deals change, and of which ones a value has become unknown that the CRM's import cannot clear."""
    yield gettext(
        "{crm}: {changed} deals to write, {same} as last written.",
        crm=target.label,
        changed=len(changes.rows),
        same=changes.unchanged,
    )
    lost = changes.table.loc[changes.table["after"].isna(), "deal_id"].unique()
    if len(lost) and not target.clears:
        yield gettext(
            "The import of {crm} has no documented way to clear a value: clear these deals by hand: {deals}",
            crm=target.label,
            deals=", ".join(lost),
        )


def import_files(target: Target, changes: Changes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that the CRM's import takes."""
    yield from _WRITERS[target.name](target, changes)


def _csv_files(name: str) -> Callable[[Target, Changes], Iterator[tuple[str, bytes]]]:
    def write(target: Target, changes: Changes) -> Iterator[tuple[str, bytes]]:
        header = _line([target.key, *target.fields.values()])
        lines = (_csv_row(target, deal, row, changes.before[deal]) for deal, row in changes.rows.items())
        for number, block in enumerate(_blocks(lines, target.bytes - len(header), target.rows), 1):
            yield f"{name}-{number:03d}.csv", header + b"".join(block)

    return write


def _csv_row(target: Target, deal: str, row: Mapping[str, Value], before: Mapping[str, Value]) -> bytes:
    """A line; what is unknown is empty, or the mark that clears it where it was known before."""
    cells = [_cell(target, row[field], before.get(field)) for field in target.fields.values()]
    return _line([deal, *cells])


def _cell(target: Target, value: Value, before: Value) -> str:
    if value is None:
        return "" if before is None else target.clear
    return str(value)


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def read_csv(data: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file in UTF-8, by header."""
    return list(csv.DictReader(io.StringIO(data.decode())))


def _blocks(lines: Iterable[bytes], most: int, rows: int) -> Iterator[list[bytes]]:
    """The lines in blocks of at most ``most`` bytes and ``rows`` lines."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        if block and (size + len(line) > most or len(block) == rows):
            yield block
            block, size = [], 0
        block.append(line)
        size += len(line)
    if block:
        yield block


def _dynamics_files(target: Target, changes: Changes) -> Iterator[tuple[str, bytes]]:
    """Bodies of ``UpsertMultiple`` on the scores and of ``UpdateMultiple`` on our columns of the opportunities."""
    scores = (_json(_score(target, deal, row, changes.before[deal])) for deal, row in changes.rows.items())
    ours = (_json(_opportunity(target, deal, row, changes.before[deal])) for deal, row in changes.rows.items())
    for name, records in (("msdyn_predictivescores", scores), ("opportunities", ours)):
        for number, block in enumerate(_blocks(records, target.bytes, target.rows), 1):
            yield f"{name}-{number:03d}.json", b'{"Targets": [\n' + b",\n".join(block) + b"\n]}\n"


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()


def _score(target: Target, deal: str, row: Mapping[str, Value], before: Mapping[str, Value]) -> dict[str, Any]:
    """A row of ``msdyn_predictivescore``, found by its alternate key, or made where there is none."""
    chance = target.fields["chance"]
    score, former = cast(int, row[chance]), before.get(chance)
    return {
        "@odata.type": "Microsoft.Dynamics.CRM.msdyn_predictivescore",
        "@odata.id": f"msdyn_predictivescores(msdyn_entityid='{deal}',msdyn_entitytype='opportunity')",
        "msdyn_entityid": deal,
        "msdyn_entitytype": "opportunity",
        "msdyn_score": score,
        "msdyn_grade": sum(score < lowest for lowest in _GRADES),
        "msdyn_scoretrend": _trend(score, former if isinstance(former, int) else None),
    }


def _trend(score: int, former: int | None) -> int:
    if former is None:
        return _NOT_ENOUGH
    if abs(score - former) < _STEADY:
        return _STEADILY
    return _IMPROVING if score > former else _DECLINING


def _opportunity(target: Target, deal: str, row: Mapping[str, Value], before: Mapping[str, Value]) -> dict[str, Any]:
    known = {field: value for field, value in row.items() if value is not None or before.get(field) is not None}
    return {"@odata.type": "Microsoft.Dynamics.CRM.opportunity", "opportunityid": deal, **known}


_WRITERS: Mapping[str, Callable[[Target, Changes], Iterator[tuple[str, bytes]]]] = {
    "salesforce": _csv_files("opportunity"),
    "hubspot": _csv_files("deals"),
    "dynamics": _dynamics_files,
}
