"""Fill in the workbook of a worksheet for tests, as a spreadsheet program does: cells of the XML are replaced."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from html import escape
from pathlib import Path

from python_calamine import CalamineWorkbook

#: A sheet's cell by deal, role, person, question and column; a text, a number, or a formula that begins with "=".
Cell = tuple[str, str, str, str, str]
COLUMNS = {"value": "C", "note": "D", "day": "E", "deal_id": "F", "role": "G", "person": "H", "question": "I"}


def fill(source: Path, target: Path, cells: Mapping[Cell, str | float], *, version: str | None = None) -> Path:
    """A copy of a workbook with these cells filled in, and with another version where one is given."""
    book = CalamineWorkbook.from_path(source)
    places = {}
    for at, sheet in enumerate(book.sheet_names, 1):
        for row, line in enumerate(book.get_sheet_by_name(sheet).to_python(skip_empty_area=False), 1):
            if len(line) > 8 and line[8]:
                places[tuple(map(str, line[5:9]))] = (f"xl/worksheets/sheet{at}.xml", row)
    changes: dict[str, list[tuple[str, str]]] = {}
    for (deal, role, person, question, column), value in cells.items():
        part, row = places[deal, role, person, question]
        changes.setdefault(part, []).append((f"{COLUMNS[column]}{row}", _content(value)))
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        for name in read.namelist():
            text = read.read(name).decode("utf-8") if name.endswith(".xml") else None
            for place, content in changes.get(name, []):
                cell = rf'<c r="{place}"(?: s="\d+")?[^>]*?(?:/>|>.*?</c>)'
                text, count = re.subn(cell, content.format(place).replace("\\", r"\\"), text or "")
                assert count == 1, place
            if version and name == "xl/sharedStrings.xml":
                text = re.sub(r"winprob worksheet [\w-]+", f"winprob worksheet {version}", text or "")
            written.writestr(name, read.read(name) if text is None else text)
    return target


def _content(value: str | float) -> str:
    if isinstance(value, str) and value.startswith("=SUM"):
        return '<c r="{}"><f>' + value[1:] + "</f><v>3</v></c>"
    if isinstance(value, str):
        text = escape(value).replace("{", "{{").replace("}", "}}")
        return '<c r="{}" t="inlineStr"><is><t xml:space="preserve">' + text + "</t></is></c>"
    return '<c r="{}"><v>' + repr(value) + "</v></c>"
