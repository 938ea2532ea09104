"""Read the answers of worksheets into one table, typed and dated; or refuse the file with all its faults at once."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from winprob.data.schema import as_text
from winprob.data.tables.answers.checks import Answer, Fault, check_answers
from winprob.data.tables.answers.raw import parse_answers
from winprob.data.tables.sheets.files import read_bytes
from winprob.errors import InputError
from winprob.i18n import gettext

COLUMNS = ("deal_id", "role", "person", "concept", "item", "value", "day", "note")
_TEXTS = ("deal_id", "role", "person", "concept", "item", "note")
#: Faults that a message lists; of the others it gives the number.
_LISTED = 20


def read_answers(
    path: str | Path,
    deals: pd.DataFrame | None = None,
    *,
    as_of: dt.date | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read the answers of worksheets: a filled workbook, the file saved by the HTML form, or a table of answers.

    Parameters
    ----------
    path : the file; its kind is detected from its content
    deals : the deals that may be answered about; None for any
    as_of : the last day on which an answer can have been given; None for any
    encoding : text encoding of a CSV file, where detection fails

    Returns
    -------
    DataFrame with columns ``deal_id, role, person, concept, item, value, day, note``, an answer a row in the order of
    the file. ``role`` and ``person`` are missing where the question is about the deal; ``concept`` and ``item`` name
    the subject and the item of the method; ``value`` is True, False, a whole number, or None for a note alone.

    Raises
    ------
    InputError
        The file cannot be read, is of another version of the questions, or answers are wrong: every fault at once, with
        its place, column and remedy.
    """
    raw = parse_answers(read_bytes(path), str(path), encoding)
    # In the order of the table: the message of a wrong id names the first ones.
    known = None if deals is None else dict.fromkeys(as_text(deals["deal_id"]).dropna())
    answers, faults = check_answers(raw, known, as_of)
    if faults:
        raise InputError(_refusal(faults, str(path), len(raw.rows)))
    return _frame(answers)


def _frame(answers: Sequence[Answer]) -> pd.DataFrame:
    rows = [
        (one.deal_id, one.role, one.person, one.question.concept, one.question.item, one.value, one.day, one.note)
        for one in answers
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    for name in _TEXTS:
        table[name] = table[name].astype("str") if len(table) else pd.Series(dtype="str")
    return table.astype({"day": "datetime64[us]"})


def _refusal(faults: Sequence[Fault], name: str, rows: int) -> str:
    """One message for all faults: those of one column with one remedy on a line, with the first of them."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        groups.setdefault((fault.column, fault.remedy), []).append(fault)
    lines = [_line(group) for group in groups.values()]
    if len(lines) > _LISTED:
        more = gettext("and {count} more of other kinds", count=sum(map(len, [*groups.values()][_LISTED:])))
        lines = [*lines[:_LISTED], more]
    return gettext(
        "{name} is refused. Answers: {rows}, faults: {count}:\n{faults}\nCorrect them and read the file again.",
        name=name,
        rows=rows,
        count=len(faults),
        faults="\n".join(f"  - {line}" for line in lines),
    )


def _line(group: Sequence[Fault]) -> str:
    first = group[0]
    fields = {"place": first.place, "column": first.column, "got": first.got, "remedy": first.remedy}
    if len(group) == 1:
        return gettext("{place}: '{column}' is {got}; {remedy}", **fields)
    return gettext("{place}: '{column}' is {got}, and {more} more such; {remedy}", more=len(group) - 1, **fields)
