"""What a workbook's XML says and its values do not: far cells, errors, percent formats, the calendar of 1904.

The XML is searched with regular expressions, so that nothing is built from it and no entity is expanded.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator, Set
from dataclasses import dataclass
from html import unescape

from winprob.errors import InputError
from winprob.i18n import gettext

#: The values of a sheet are unpacked into a rectangle of at most this number of cells for each cell that is filled,
#: once it is larger than ``_ANY_AREA``.
_AREA_PER_CELL = 10
_ANY_AREA = 5_000_000
#: Any attribute that may be the place of a cell or row, however it is written: the program that unpacks trusts it.
_PLAIN = (re.compile(rb' r="([A-Za-z]+)'), re.compile(rb' r="[A-Za-z]*([0-9]+)'))
_ODD = (
    re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]+)[0-9]"""),
    re.compile(rb"""\br\s*=\s*["']\s*[A-Za-z]*([0-9]+)"""),
)
_TAG = re.compile(rb"<(?:\w+:)?(?:c|row)\b[^>]*")
_FILLED = re.compile(rb"""<(?:\w+:)?c\b[^>]*?\br\s*=\s*["']\s*([A-Za-z]+)([0-9]+)[^>]*(?<!/)>(?!</)""")
_PLACE = re.compile(rb'\br="([A-Z]+)(\d+)"')
_VALUE = re.compile(rb"<(?:\w+:)?v\b[^>]*>([^<]*)</")
_FORMULA = re.compile(rb"<(?:\w+:)?c\b([^>]*)(?<!/)>\s*<(?:\w+:)?f\b")
_PERCENT_FORMATS = {"9", "10"}


@dataclass(frozen=True, slots=True)
class Workbook:
    """The parts of a workbook: the path of each sheet by its name, whether days count from 1904, percent styles."""

    sheets: dict[str, str]
    from_1904: bool
    percent: frozenset[bytes]


def read_workbook(packed: zipfile.ZipFile) -> Workbook:
    """The parts of a workbook."""
    files = {_plain(name): name for name in packed.namelist()}
    book = packed.read(files["xl/workbook.xml"]).decode("utf-8", "replace")
    links = packed.read(files["xl/_rels/workbook.xml.rels"]).decode("utf-8", "replace")
    targets = {_attribute(tag, "Id"): _attribute(tag, "Target") for tag in _tags(links, "Relationship")}
    paths = {_attribute(tag, "name"): targets.get(_attribute(tag, r"\w+:id"), "") for tag in _tags(book, "sheet")}
    # A path is relative to the workbook unless it begins with a slash.
    inside = {sheet: _plain(posixpath.normpath(posixpath.join("/xl", path)))[1:] for sheet, path in paths.items()}
    sheets = {sheet: files[path] for sheet, path in inside.items() if path in files}
    calendar = next(_tags(book, "workbookPr"), "")
    styles = packed.read(files["xl/styles.xml"]).decode("utf-8", "replace") if "xl/styles.xml" in files else ""
    return Workbook(sheets, _attribute(calendar, "date1904") in ("1", "true"), _percent_styles(styles))


def _plain(path: str) -> str:
    """A path in the archive as programs mean it: with slashes, in any case."""
    return path.replace("\\", "/").lower()


def _tags(xml: str, name: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(rf"<(?:\w+:)?{name}\b[^>]*>", xml))


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf"""\s{name}=(?:"([^"]*)"|'([^']*)')""", tag)
    return unescape(match[1] or match[2] or "") if match else ""


def _percent_styles(styles: str) -> frozenset[bytes]:
    """The numbers of the cell styles that show a percentage."""
    own = {
        _attribute(tag, "numFmtId")
        for tag in _tags(styles, "numFmt")
        if "%" in re.sub(r'"[^"]*"|\\.', "", _attribute(tag, "formatCode"))
    }
    cells = re.search(r"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", styles, re.DOTALL)
    formats = [_attribute(tag, "numFmtId") for tag in _tags(cells[0], "xf")] if cells else []
    return frozenset(str(style).encode() for style, form in enumerate(formats) if form in own | _PERCENT_FORMATS)


def refuse_far_cells(xml: bytes, file: str, sheet: str) -> None:
    """Raise InputError where a few cells span a rectangle too large to unpack.

    Raises
    ------
    InputError
        With the address of the farthest cell.
    """
    plain = _is_plain(xml)
    letters, digits = _PLAIN if plain else _ODD
    rows, columns = _most(digits.findall(xml)), _widest(set(letters.findall(xml)))
    follow = not plain and len(_TAG.findall(xml)) > len(_ODD[1].findall(xml))
    if follow:
        # Rows or cells that do not give their place follow the one before.
        lines = re.split(rb"<(?:\w+:)?row\b", xml)
        rows += len(lines)
        columns += max(len(_TAG.findall(line)) for line in lines)
    if rows * columns <= _ANY_AREA:
        return
    filled = _FILLED.findall(xml)
    # Cells with a format and without a value are not unpacked.
    if not follow:
        rows, columns = _most([row for _, row in filled]), _widest({column for column, _ in filled})
    if rows * columns > max(_ANY_AREA, _AREA_PER_CELL * len(filled)):
        column, row = max(filled, key=lambda place: int(place[1]), default=(b"A", b"1"))
        raise InputError(
            gettext(
                "{name}: cell {cell} of sheet {sheet} is far outside the table. Delete the empty rows and columns "
                "around the table and what is in them, and save it again.",
                name=file,
                cell=(column + row).decode(),
                sheet=repr(sheet),
            )
        )


def _most(numbers: list[bytes]) -> int:
    return max((int(number[:20]) for number in set(numbers)), default=0)


def _widest(columns: Set[bytes]) -> int:
    return max((column_number(letters.upper()[:5]) for letters in columns), default=0)


def _is_plain(xml: bytes) -> bool:
    """Whether every row and cell gives its place first, as nearly all programs write it."""
    cells, rows = (len(re.findall(tag, xml)) for tag in (rb"<c[\s>/]", rb"<row[\s>/]"))
    given = (xml.count(b'<c r="'), xml.count(b'<row r="'))
    return given == (cells, rows) and not re.search(rb"<\w+:(?:c|row)\b", xml[:100_000])


def column_number(letters: bytes) -> int:
    """The number of a column, A being 1."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def error_cells(xml: bytes) -> Iterator[tuple[int, int, str]]:
    """Row, column (from 1) and text of the cells that hold an error such as ``#REF!``."""
    if b't="e"' in xml:
        yield from _cells(xml, rb't="e"')


def percent_cells(xml: bytes, styles: Set[bytes]) -> Iterator[tuple[int, int, str]]:
    """Row, column (from 1) and number of the cells that a style shows as a percentage."""
    if styles:
        for row, column, text in _cells(xml, rb's="(?:' + b"|".join(sorted(styles)) + rb')"'):
            try:
                float(text)
            except ValueError:
                continue
            yield row, column, text


def formula_cells(xml: bytes) -> Iterator[tuple[int, int]]:
    """Row and column (from 1) of the cells that hold a formula."""
    for match in _FORMULA.finditer(xml):
        if place := _PLACE.search(match[1]):
            yield int(place[2]), column_number(place[1])


def _cells(xml: bytes, attribute: bytes) -> Iterator[tuple[int, int, str]]:
    cell = re.compile(rb"<(?:\w+:)?c\b(?=[^>]*\s" + attribute + rb")([^>]*)(?<!/)>(.*?)</(?:\w+:)?c>", re.DOTALL)
    for match in cell.finditer(xml):
        place, value = _PLACE.search(match[1]), _VALUE.search(match[2])
        if place and value and not re.search(rb'\st="(?:s|str|inlineStr|b|d)"', match[1]):
            yield int(place[2]), column_number(place[1]), unescape(value[1].decode("utf-8", "replace"))
