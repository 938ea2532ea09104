"""Refuse CSV in which a stray quote would join rows: left open, closed inside a cell, or around whole rows."""

import re

import numpy as np
import numpy.typing as npt

from winprob.data.tables.sheets.totals import is_date, is_number
from winprob.errors import InputError
from winprob.i18n import gettext

_QUOTE, _LINE_ENDS = ord('"'), (ord("\n"), ord("\r"))
#: Rows whose cells show what each column holds.
_SAMPLE = 500
_Places = npt.NDArray[np.intp]


def check_quotes(data: bytes, name: str, delimiter: str, width: int) -> None:
    """Raise InputError where quotes in ``data`` (UTF-8) do not delimit whole cells, or enclose rows of the table."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(buffer == _QUOTE)
    if not len(quotes):
        return
    fields = _well_formed(buffer, quotes, ord(delimiter))
    starts, ends = _scan(data, name, delimiter) if fields is None else fields
    breaks = np.flatnonzero((buffer == _LINE_ENDS[0]) | (buffer == _LINE_ENDS[1]) if b"\r" in data else buffer == 10)
    several = np.searchsorted(breaks, ends) > np.searchsorted(breaks, starts)
    if several.any():
        _refuse_swallowed(data, breaks, starts[several], ends[several], name, delimiter, width)


def _well_formed(buffer: npt.NDArray[np.uint8], quotes: _Places, delimiter: int) -> tuple[_Places, _Places] | None:
    """Starts and ends of the quoted cells where every quote opens, closes or is doubled; None where one does not."""
    if len(quotes) % 2:
        return None
    marks = np.zeros(256, dtype=bool)
    marks[[delimiter, *_LINE_ENDS, _QUOTE]] = True
    opening, closing = quotes[::2], quotes[1::2]
    before = buffer[opening[opening > 0] - 1]
    after = buffer[closing[closing < len(buffer) - 1] + 1]
    if not (marks[before].all() and marks[after].all()):
        return None
    doubled = opening[1:] - closing[:-1] == 1
    return opening[np.concatenate([[True], ~doubled])], closing[np.concatenate([~doubled, [True]])]


def _scan(data: bytes, name: str, delimiter: str) -> tuple[_Places, _Places]:
    """Starts and ends of the quoted cells; a quote inside a cell without quotes is a letter like any other."""
    mark = re.escape(delimiter.encode())
    cell = re.compile(rb"(?:(?<=[\r\n]|" + mark + rb')|\A)"(?:[^"]++|"")*+("|\Z)')
    starts, ends = [], []
    for match in cell.finditer(data):
        after = data[match.end() : match.end() + 1]
        if not match[1]:
            raise InputError(
                gettext(
                    "{name}: the quote that opens in line {line} is never closed, so that all rows below it would be "
                    "one cell: {text}. Delete the quote, or close it.",
                    name=name,
                    line=_line(data, match.start()),
                    text=_shown(data, match.start()),
                )
            )
        if after and after not in (b"\r", b"\n", delimiter.encode()):
            raise InputError(
                gettext(
                    "{name}: the quote that opens in line {line} closes inside a cell, in line {end}: {text}. "
                    "Write a quote inside a quoted cell twice, or delete it.",
                    name=name,
                    line=_line(data, match.start()),
                    end=_line(data, match.end()),
                    text=_shown(data, match.start()),
                )
            )
        starts.append(match.start())
        ends.append(match.end() - 1)
    return np.array(starts, dtype=np.intp), np.array(ends, dtype=np.intp)


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n" if b"\n" in data else b"\r", 0, place) + 1


def _shown(data: bytes, place: int) -> str:
    return repr(data[place : place + 60].decode(errors="ignore"))


def _refuse_swallowed(
    data: bytes, breaks: _Places, starts: _Places, ends: _Places, name: str, delimiter: str, width: int
) -> None:
    """Raise InputError where a line inside a quoted cell has the form of a row of the table."""
    inner = np.searchsorted(starts, breaks, side="right") - 1
    inside = (inner >= 0) & (breaks < ends[np.maximum(inner, 0)])
    delimiters = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord(delimiter))
    first = breaks + 1
    last = np.append(breaks[1:], len(data))
    wide = np.searchsorted(delimiters, last) - np.searchsorted(delimiters, first) == width - 1
    suspects = np.flatnonzero(inside & wide)
    if not len(suspects):
        return
    rows = np.flatnonzero(~inside & wide)[:_SAMPLE]
    lines = [data[first[at] : last[at]].decode(errors="replace").split(delimiter) for at in rows]
    forms = [{_form(line[column]) for line in lines} for column in range(width)]
    for at in suspects:
        cells = data[first[at] : last[at]].decode(errors="replace").split(delimiter)
        if all(_form(cell) in form for cell, form in zip(cells, forms, strict=True)):
            start = int(starts[inner[at]])
            raise InputError(
                gettext(
                    "{name}: the quoted cell that begins in line {line} holds line {end}, which has the form of a row "
                    "of the table: {text}. Delete the stray quote, or close it in its own cell.",
                    name=name,
                    line=_line(data, start),
                    end=_line(data, int(first[at])),
                    text=_shown(data, int(first[at])),
                )
            )


def _form(cell: str) -> str:
    """What a cell holds, roughly: nothing, a day, a number, a code, a word or several words."""
    text = cell.strip().strip('"').strip()
    if not text:
        return ""
    if is_date(text):
        return "day"
    if is_number(text):
        return "number"
    if len(text.split()) > 1:
        return "words"
    return "code" if any(letter.isdigit() for letter in text) else "word"
