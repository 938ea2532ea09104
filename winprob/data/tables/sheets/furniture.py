"""Leave out what is not a record in a report: titles, repeated headers, group and total rows, footers.

A row is left out only if nothing marks it as a deal: its id is blank, or is itself the word of a total or a footer.
Whatever is left out is listed in one finding with its rows, and with the amounts that it held.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import Finding, Mask, whole
from winprob.data.tables.sheets.headers import clean_header, filled_cells
from winprob.data.tables.sheets.report import Locate, Report, open_report, texts_of
from winprob.data.tables.sheets.totals import is_date, is_footer, is_number, is_total, is_total_of, readings
from winprob.i18n import gettext

_SHOWN = 8


def clear(
    headers: list[str],
    cells: pd.DataFrame,
    rows: npt.NDArray[np.int64],
    *,
    titles: Sequence[int] = (),
    locate: Locate | None = None,
    odd: Iterable[int] = (),
) -> tuple[pd.DataFrame, Mask, list[Finding]]:
    """Mark the rows that are not records, and fill down values that are given once per group.

    Parameters
    ----------
    titles : sequence of int
        Rows of the file above the header that hold text.
    locate : callable or None
        Which header means the id and which the amount; without it only repeated headers and footers are left out.
    odd : iterable of int
        Places in ``cells`` of the rows that had another number of cells than the header.

    Returns
    -------
    cells : DataFrame
        All rows, filled down.
    keep : array of bool
        Rows that are records.
    findings : list of Finding
        At most one on what is left out, and one on what was filled down.
    """
    report = sort_out(headers, cells, rows, locate=locate, odd=odd)
    keep = report.count > 0
    keep[list(report.kinds)] = False
    cells, filled = _fill_down(report, headers, keep)
    return cells, keep, [*_left_out(report, titles), *filled]


def sort_out(
    headers: list[str],
    cells: pd.DataFrame,
    rows: npt.NDArray[np.int64],
    *,
    locate: Locate | None = None,
    odd: Iterable[int] = (),
) -> Report:
    """The table with the kind of each row that is not a record; the parameters as of `clear`."""
    report = open_report(headers, cells, rows, locate, odd)
    for place in report.open:
        if kind := _kind(report, place):
            report.kinds[place] = kind
    _find_footers(report)
    return report


# ---- one row -------------------------------------------------------------------------------------------------------


def _kind(report: Report, place: int) -> str:
    """What a row is if not a record: header, group, total or footer."""
    cells = report.filled(place)
    if not cells:
        return "blank"
    if max(cells) >= len(report.headers):
        return ""
    if all(clean_header(text) == report.headers[index] for index, text in cells.items()):
        return "header" if len(cells) > 1 else ""
    identity = cells.get(report.id_at, "")
    of_total = is_total(identity)
    if identity and not of_total and not is_footer(identity) and not (report.coded and is_label(identity)):
        return ""
    if _summarises(report, place, cells, allowed=0 if of_total or report.id_at < 0 else 1):
        return "total"
    # A name in place of the id may hold such a word, but has an amount or another fact.
    if len(cells) <= (2 if report.coded or not identity else 1) and any(map(is_footer, cells.values())):
        return "" if report.amount_at in cells else "footer"
    only = next(iter(cells.values()))
    if len(cells) > 1 or report.id_at < 0 or is_number(only) or is_date(only):
        return ""
    return "" if place in report.odd and place == len(report.cells) - 1 else "group"


def is_label(text: str) -> bool:
    """Whether a text is words rather than a code: it has blanks, or no digit."""
    return len(text.split()) > 1 or not any(letter.isdigit() for letter in text)


def _summarises(report: Report, place: int, cells: Mapping[int, str], *, allowed: int) -> bool:
    """Whether a row holds totals: numbers with such a word, or with the sum of the rows above or below.

    ``allowed`` is the number of other texts that the row may have: the group's own label.
    """
    if any(map(is_date, cells.values())):
        return False
    words = {index for index, text in cells.items() if is_total(text)}
    words |= {index for index, text in cells.items() if is_total_of(text, report.labels(index) - {text})}
    facts = [index for index, text in cells.items() if index not in words and not is_number(text)]
    if len(facts) > allowed:
        return False
    if words:
        return len(cells) > len(words) or is_total(cells[min(words)])
    return report.id_at >= 0 and report.amount_at in cells and _adds_up(report, place, cells[report.amount_at])


def _adds_up(report: Report, place: int, amount: str) -> bool:
    """Whether an amount is the sum of at least two rows: of the group above or below, or of all above."""
    if not report.sums:
        report.sums = _running_sums(report)
    before = [other for other in report.open if other < place]
    after = next((other for other in report.open if other > place), len(report.cells))
    start = before[-1] + 1 if before else 0
    spans = [(first, last) for first, last in ((start, place), (0, place), (place + 1, after)) if last - first > 1]
    return any(
        abs(sums[last] - sums[first] - value) <= 0.005 * (last - first) + 1e-9 * abs(value)
        for value in readings(amount)
        for sums in report.sums
        for first, last in spans
        if value
    )


def _running_sums(report: Report) -> tuple[npt.NDArray[np.float64], ...]:
    """Sums of the amounts up to each row, read with a decimal point and with a decimal comma; open rows count as 0."""
    texts = texts_of(report.cells.iloc[:, report.amount_at])
    both = np.array([(min(found), max(found)) if (found := readings(text)) else (0.0, 0.0) for text in texts])
    both[report.open] = 0.0
    return tuple(np.concatenate([[0.0], np.cumsum(column)]) for column in both.reshape(-1, 2).T)


def _find_footers(report: Report) -> None:
    """Mark the rows of few cells after the last record: after a blank row, or from a footer's words on."""
    uncertain = np.zeros(len(report.cells), dtype=bool)
    uncertain[report.open] = True
    records = np.flatnonzero(~uncertain & (report.count > 0))
    start = int(records[-1]) + 1 if len(records) else len(report.cells)
    ended = False
    for place in range(start, len(report.cells)):
        kind = report.kinds.get(place, "")
        if report.count[place] == 0 or kind in ("blank", "footer"):
            ended = True
        elif kind == "group" or (not kind and ended and _closes(report, place)):
            report.kinds[place] = "footer"


def _closes(report: Report, place: int) -> bool:
    """Whether a row of the footer has at most two cells, and no code in place of the id."""
    cells = report.filled(place)
    first = cells.get(max(report.id_at, 0), "")
    return len(cells) <= 2 and (not first or is_label(first)) and max(cells) < len(report.headers)


# ---- groups and findings -------------------------------------------------------------------------------------------


def _fill_down(report: Report, headers: list[str], keep: Mask) -> tuple[pd.DataFrame, list[Finding]]:
    """Repeat a group's value, given on its first row only, on the rows below.

    Reports put the columns they are grouped by first, or mark them: in any other column a blank cell stays unknown.
    """
    breaks = [place for place, kind in report.kinds.items() if kind in ("total", "group")]
    arrows = [index for index, header in enumerate(headers) if clean_header(header) != header.strip()]
    if not (breaks or arrows) or not keep.any():
        return report.cells, []
    group = np.searchsorted(np.sort(breaks), np.arange(len(keep)))[keep]
    starts = np.concatenate([[True], group[1:] != group[:-1]])
    cells, findings = report.cells, []
    for index, header in enumerate(report.headers):
        filled = filled_cells(cells.iloc[:, index])[keep]
        leads = index < max(report.id_at, 1) and index not in report.facts
        if filled.all() or not filled[starts].all() or not (leads or index in arrows):
            continue
        column = cells.iloc[:, index]
        if _labels_groups(column[keep], filled, starts, marked=index in arrows):
            down = column.where(filled_cells(column) & keep).ffill()
            cells = cells.copy(deep=False)
            cells.isetitem(index, column.mask(keep, down).array)
            message = gettext(
                "column {column} is filled on the first row of each group only: the value is repeated in the {rows} "
                "rows below",
                column=repr(header),
                rows=int((~filled).sum()),
            )
            findings.append(whole("note", "", message))
    return cells, findings


def _labels_groups(column: pd.Series, filled: Mask, starts: Mask, *, marked: bool) -> bool:
    """Whether a column holds the label of a group on its first row, rather than values that are partly missing.

    A column that the report marks as sorted or grouped may have groups within groups; it is sorted, not grouped, if
    most of its cells are filled or those missing come last. Without the mark the groups have different labels, and one
    cell that is missing is no label's.
    """
    exact = np.array_equal(filled, starts) and int(starts.sum()) > 1
    labels = texts_of(column[filled])
    words = not any(is_date(text) or is_number(text) for text in labels)
    runs = int((filled[:-1] & ~filled[1:]).sum())
    grouped = words and len(set(labels)) == len(labels) and (runs > 1 or int((~filled).sum()) > 2)
    return bool((exact and (grouped or marked)) or (marked and words and runs > 1 and filled.mean() <= 0.5))


def _left_out(report: Report, titles: Sequence[int]) -> Iterator[Finding]:
    """The finding on the rows that are left out, a warning if one of them has an amount."""
    by_kind: dict[str, list[int]] = {"title": list(titles), "header": [], "group": [], "total": [], "footer": []}
    for place, kind in sorted(report.kinds.items()):
        if kind != "blank":
            by_kind[kind].append(int(report.rows[place]))
    count = sum(map(len, by_kind.values()))
    if not count:
        return
    words = {
        "title": gettext("titles"),
        "header": gettext("repeated headers"),
        "group": gettext("group labels"),
        "total": gettext("totals"),
        "footer": gettext("footers"),
    }
    parts = [
        gettext("{what} in rows {rows}", what=words[kind], rows=spans(rows)) for kind, rows in by_kind.items() if rows
    ]
    totals = [place for place, kind in sorted(report.kinds.items()) if kind == "total"]
    amounts = [text for place in totals if (text := report.filled(place).get(report.amount_at, "")) and is_number(text)]
    message = gettext(
        "{count} rows of the file are not deals and are left out: {parts}{amounts}",
        count=count,
        parts="; ".join(parts),
        amounts=gettext("; amounts left out: {amounts}", amounts=_listed(amounts)) if amounts else "",
    )
    yield Finding(severity="warning" if amounts else "note", column="", rows=count, first_deal="", message=message)


def _listed(texts: Sequence[str]) -> str:
    return "; ".join(texts[:_SHOWN]) + ("; …" if len(texts) > _SHOWN else "")


def spans(rows: Sequence[int]) -> str:
    """Row numbers as ``1-3, 7``, cut short."""
    runs: list[list[int]] = []
    for row in sorted(rows):
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:_SHOWN]]
    return ", ".join(shown) + (", …" if len(runs) > _SHOWN else "")
