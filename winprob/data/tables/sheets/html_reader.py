"""Read a web page that was saved as a workbook: its table, with the standard library's parser; nothing is executed."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

from winprob.data.tables.sheets.encoding import decode
from winprob.data.tables.sheets.headers import HEADER_ROWS, MAX_COLUMNS, header_at
from winprob.data.tables.sheets.pages import Page, choose_page
from winprob.data.tables.sheets.sheet import Grid, text_grid
from winprob.errors import InputError
from winprob.i18n import gettext

#: A table in a cell of a table, to this depth.
_DEPTH = 50
#: A cell spans at most this number of rows.
_ROWS = 65_536
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_UNSEEN = ("script", "style", "head", "title", "template", "noscript")


def is_html_table(data: bytes) -> bool:
    """Whether ``data`` is a web page that holds a table."""
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n\x00").lower()
    return start.startswith(b"<") and not start.startswith(b"<?xml") and b"<tr" in data.lower()


def parse_html(data: bytes, name: str, encoding: str | None, known: Callable[[str], bool]) -> Grid:
    """The table of a web page that knows most headers."""
    given = _CHARSET.search(data[:4096])
    if encoding is None and given and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = _usable(data, given[1].decode("ascii", "replace"))
    text, _ = decode(data, name, encoding=encoding, known=known)
    parser = _Tables()
    parser.feed(text.removeprefix("\ufeff"))
    parser.close()
    tables = [rows for table in parser.tables if (rows := table.rows())]
    if not tables:
        raise InputError(
            gettext("{name} is a {kind} file, not a table. Export CSV, XLSX or Parquet.", name=name, kind="HTML")
        )
    # The table with most rows first: of tables that know the same headers it is the one.
    tables.sort(key=lambda rows: -len(rows) * len(rows[0]))
    pages = [Page(name=str(number), height=len(rows), head=rows[:HEADER_ROWS]) for number, rows in enumerate(tables, 1)]
    rows = tables[choose_page(pages, name, known, None)[0]]
    return text_grid(rows, 1, header_at(rows[:HEADER_ROWS], known), kind="html")


def _usable(data: bytes, encoding: str) -> str | None:
    try:
        data.decode(encoding)
    except (LookupError, UnicodeError):
        return None
    return encoding


class _Table:
    """A table's cells while it is read; ``spans`` are the cells of rows above that reach down, by column."""

    def __init__(self) -> None:
        self.cells: list[list[str]] = []
        self.spans: dict[int, tuple[int, str]] = {}
        self.open: list[str] | None = None
        self.span = (1, 1)

    def start_row(self) -> None:
        self._end_row()
        self.cells.append([])
        self._reach_down()

    def start_cell(self, columns: int, rows: int) -> None:
        self.end_cell()
        if not self.cells:
            self.start_row()
        self.open, self.span = [], (columns, rows)

    def end_cell(self) -> None:
        if self.open is None:
            return
        text = "".join(self.open).replace("\xa0", " ").strip()
        row, (columns, rows) = self.cells[-1], self.span
        for number in range(min(columns, MAX_COLUMNS + 1 - len(row))):
            if rows > 1:
                self.spans[len(row)] = (rows - 1, "" if number else text)
            row.append("" if number else text)
        self.open = None
        self._reach_down()

    def _reach_down(self) -> None:
        """Repeat the cells of rows above that reach down to this place."""
        row = self.cells[-1]
        while len(row) in self.spans:
            left, text = self.spans.pop(len(row))
            if left > 1:
                self.spans[len(row)] = (left - 1, text)
            row.append(text)

    def _end_row(self) -> None:
        self.end_cell()
        while self.cells and (beyond := [column for column in self.spans if column > len(self.cells[-1])]):
            self.cells[-1] += [""] * (min(beyond) - len(self.cells[-1]))
            self._reach_down()

    def rows(self) -> list[list[str]]:
        self._end_row()
        last = [max((at for at, text in enumerate(row, 1) if text), default=0) for row in self.cells]
        width = max(last, default=0)
        return [row[:width] + [""] * (width - len(row)) for row in self.cells] if width else []


class _Tables(HTMLParser):
    """All tables of a page; the text of a table inside a cell belongs to the inner table."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self.stack: list[_Table] = []
        self.unseen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.unseen:
            return
        if tag in _UNSEEN:
            self.unseen = tag
        elif tag == "table" and len(self.stack) < _DEPTH:
            self.stack.append(_Table())
            self.tables.append(self.stack[-1])
        elif self.stack and tag == "tr":
            self.stack[-1].start_row()
        elif self.stack and tag in ("td", "th"):
            given = dict(attrs)
            self.stack[-1].start_cell(_span(given.get("colspan"), MAX_COLUMNS), _span(given.get("rowspan"), _ROWS))
        elif tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.unseen:
            self.unseen = ""
        elif self.stack and tag in ("td", "th"):
            self.stack[-1].end_cell()
        elif self.stack and tag == "table":
            self.stack.pop().end_cell()

    def handle_data(self, data: str) -> None:
        if self.stack and not self.unseen and self.stack[-1].open is not None:
            self.stack[-1].open.append(data)


def _span(given: str | None, most: int) -> int:
    return min(max(int(given), 1), most) if given and given.strip().isdecimal() and len(given) < 9 else 1
