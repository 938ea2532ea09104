"""Read XML Spreadsheet 2003, the form in which older programs export ``.xls``."""

import re
from collections.abc import Callable
from decimal import Decimal
from xml.parsers import expat

from winprob.data.schema import cell_text
from winprob.data.tables.sheets.headers import HEADER_ROWS, MAX_COLUMNS, header_at
from winprob.data.tables.sheets.pages import Page, choose_page
from winprob.data.tables.sheets.sheet import Grid, empty_file, text_grid
from winprob.errors import InputError
from winprob.i18n import gettext

_SPACE = "urn:schemas-microsoft-com:office:spreadsheet"
_EXCEL = "urn:schemas-microsoft-com:office:excel"
#: The number of cells in which a table may leave gaps.
_MOST_CELLS = 50_000_000


def is_spreadsheetml(data: bytes) -> bool:
    """Whether ``data`` is an XML Spreadsheet of 2003."""
    head = data[:4096].replace(b"\x00", b"")
    return _SPACE.encode() in head and b"Workbook" in head


def parse_spreadsheetml(data: bytes, name: str, known: Callable[[str], bool], wanted: str | None) -> Grid:
    """The cells of the sheet that knows most headers."""
    reader = _Reader(name)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.EntityDeclHandler = reader.refuse_entities
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as fault:
        raise InputError(
            gettext(
                "{name} cannot be read as an XML Spreadsheet: damaged or cut short ({fault}). Save it as .xlsx.",
                name=name,
                fault=fault,
            )
        ) from None
    pages = [
        Page(
            name=sheet, height=len(rows), head=[rows[row] for row in sorted(rows)[: 4 * HEADER_ROWS]],
            hidden=sheet in reader.hidden,
        )
        for sheet, rows in reader.sheets.items()
    ]  # fmt: skip
    if not any(page.height for page in pages):
        raise empty_file(name)
    at, notes = choose_page(pages, name, known, wanted)
    rows = reader.sheets[pages[at].name]
    if not rows:
        raise empty_file(name)
    top, last, width = min(rows), max(rows), max(map(len, rows.values()))
    reader.refuse_large((last - top + 1) * width)
    grid = [(cells := rows.get(row, [])) + [""] * (width - len(cells)) for row in range(top, last + 1)]
    head = [(place, row) for place, row in enumerate(grid[: 4 * HEADER_ROWS]) if any(map(str.strip, row))][:HEADER_ROWS]
    header = head[header_at([row for _, row in head], known)][0]
    return text_grid(grid, top, header, kind="spreadsheetml", notes=notes)


class _Reader:
    """Cells of each sheet by row, from the events of the parser."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sheets: dict[str, dict[int, list[str]]] = {}
        self.hidden: set[str] = set()
        self.percent: set[str] = set()
        self.row_style = self.style = self.kind = ""
        self.row = self.column = 0
        self.sheet: dict[int, list[str]] = {}
        self.current = ""
        self.text: list[str] | None = None

    def refuse_entities(self, *_: object) -> None:
        raise InputError(
            gettext("{name} declares entities, which a table does not need. Save it as .xlsx.", name=self.name)
        )

    def refuse_large(self, cells: int) -> None:
        if cells > _MOST_CELLS:
            raise InputError(
                gettext(
                    "{name} spans {cells} cells, too large for a deal table. Delete empty rows and columns.",
                    name=self.name,
                    cells=cells,
                )
            )

    def start(self, tag: str, given: dict[str, str]) -> None:
        space, _, element = tag.rpartition(" ")
        attributes = {key.rpartition(" ")[2]: value for key, value in given.items()}
        if element == "Worksheet" and space == _SPACE:
            self.current = attributes.get("Name", str(len(self.sheets) + 1))
            self.sheet = self.sheets.setdefault(self.current, {})
            self.row = 0
        elif element == "Style":
            self.style = attributes.get("ID", "")
        elif element == "NumberFormat" and _is_percent(attributes.get("Format", "")):
            self.percent.add(self.style)
        elif element == "Row":
            self.row, self.column = _number(attributes.get("Index"), self.row + 1), 0
            self.row_style = attributes.get("StyleID", "")
        elif element == "Cell":
            self.column = _number(attributes.get("Index"), self.column + 1)
            self.style = attributes.get("StyleID", self.row_style)
        elif element == "Data" and space == _SPACE:
            self.kind, self.text = attributes.get("Type", "String"), []
        elif element == "Visible" and space == _EXCEL:
            self.text = []

    def data(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def end(self, tag: str) -> None:
        space, _, element = tag.rpartition(" ")
        if self.text is None or element not in ("Data", "Visible"):
            return
        text, self.text = "".join(self.text), None
        if element == "Visible" and space == _EXCEL:
            if text.strip().startswith("Sheet"):
                self.hidden.add(self.current)
        elif text and 0 < self.column <= MAX_COLUMNS + 1:
            cells = self.sheet.setdefault(self.row, [])
            cells += [""] * (self.column - len(cells))
            cells[self.column - 1] = self._shown(text)

    def _shown(self, text: str) -> str:
        """A cell's text as the other readers give it: whole numbers plain, midnight as its day, .62 as 62 %."""
        if self.kind == "DateTime":
            return re.sub(r"T00:00:00(?:\.0+)?$", "", text)
        if self.kind == "Boolean":
            return "True" if text == "1" else "False"
        if self.kind != "Number":
            return text
        try:
            number = float(text)
        except ValueError:
            return text
        if self.style in self.percent:
            return f"{(Decimal(repr(number)) * 100).normalize():f}%"
        return cell_text(number) if abs(number) < 2**53 else text


def _is_percent(form: str) -> bool:
    return form == "Percent" or "%" in re.sub(r'"[^"]*"', "", form)


def _number(given: str | None, otherwise: int) -> int:
    return int(given) if given and given.isdecimal() and len(given) < 9 else otherwise
