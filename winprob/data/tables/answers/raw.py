"""Cells of an answer file, whatever its kind: our workbook, the file saved by the form, or a table with headers."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from winprob.data.schema import cell_text
from winprob.data.tables.sheets import worksheet_xml as parts
from winprob.data.tables.sheets.files import parse_sheet
from winprob.data.tables.write import unescape_formula
from winprob.errors import InputError
from winprob.i18n import gettext

#: The columns of an answer as text; ``day`` may be blank in our workbook, where a row of its own gives it for a sheet.
FIELDS = ("deal_id", "role", "person", "question", "value", "day", "note")
#: The row of a worksheet whose answer is the day of all answers on it that have none of their own.
DAY_ROW = "day"
#: Headers of the hidden row of a worksheet; the last one names the version.
KEYS = ("question_text", "on_record", "value", "note", "day", "deal_id", "role", "person", "question")
VERSION_MARK = "winprob worksheet "
#: More is not the answers of a team: a form of 300 deals has about 90,000 questions.
MOST_ANSWERS, MOST_BYTES, _MOST_UNPACKED = 200_000, 30_000_000, 300_000_000
_HEAD_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswers:
    """An answer file as far as it could be read.

    Attributes
    ----------
    rows
        The cells of each answer by ``FIELDS``, as text; a blank is an empty text.
    places
        Where each was found: ``row 12``, ``sheet 'D1', row 12``, ``answer 12``.
    versions
        The versions of the worksheets it came from; empty where a table names none.
    formulas
        Places and columns of cells that hold a formula.
    """

    rows: Sequence[dict[str, str]]
    places: Sequence[str]
    versions: frozenset[str]
    formulas: Sequence[tuple[str, str]] = ()


def parse_answers(data: bytes, name: str, encoding: str | None) -> RawAnswers:
    """The cells of an answer file, whose kind is detected from its content.

    Raises
    ------
    InputError
        It is too large, damaged, or neither a worksheet nor a table of answers.
    """
    if len(data) > MOST_BYTES:
        raise _too_large(name)
    if data.startswith(b"PK\x03\x04") and (raw := _workbook(data, name)):
        return raw
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return _form(data, name)
    return _table(data, name, encoding)


def _too_large(name: str) -> InputError:
    return InputError(
        gettext(
            "{name} is too large for the answers of worksheets. Give only files that winprob worksheets wrote.",
            name=name,
        )
    )


# --- our workbook ---------------------------------------------------------------------------------------------------


def _workbook(data: bytes, name: str) -> RawAnswers | None:
    """The answers on the sheets of our workbook; None for a workbook without such a sheet."""
    # Imported here: only reading a workbook needs it.
    from python_calamine import CalamineError, CalamineWorkbook

    rows: list[dict[str, str]] = []
    places: list[str] = []
    versions: set[str] = set()
    formulas: list[tuple[str, str]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(item.file_size for item in packed.infolist()) > _MOST_UNPACKED:
                raise _too_large(name)
            files = parts.read_workbook(packed).sheets
            book = CalamineWorkbook.from_filelike(io.BytesIO(data))
            for sheet in book.sheet_names:
                if sheet not in files:
                    continue
                xml = packed.read(files[sheet])
                parts.refuse_far_cells(xml, name, sheet)
                cells = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
                top = next((at for at, row in enumerate(cells[:_HEAD_ROWS]) if _version(row)), None)
                if top is None:
                    continue
                versions.add(_version(cells[top]))
                formulas += [
                    (_at(sheet, row), KEYS[min(column, len(KEYS)) - 1])
                    for row, column in parts.formula_cells(xml)
                    if row > top + 1
                ]
                for at, answer in _answers_on(cells[top + 1 :]):
                    rows.append(answer)
                    places.append(_at(sheet, top + 2 + at))
    except (CalamineError, zipfile.BadZipFile, RuntimeError, ValueError, OSError, KeyError, EOFError) as fault:
        raise InputError(
            gettext(
                "{name} cannot be read as an XLSX workbook: damaged or cut short ({fault}). Save it again.",
                name=name,
                fault=fault,
            )
        ) from None
    if not versions:
        return None
    return RawAnswers(rows=rows, places=places, versions=frozenset(versions), formulas=formulas)


def _at(sheet: str, row: int) -> str:
    return gettext("sheet {sheet}, row {row}", sheet=repr(sheet), row=row)


def _version(row: Sequence[Any]) -> str:
    """The version of the worksheet that a hidden row of headers names; empty for any other row."""
    marks = [cell for cell in row if isinstance(cell, str) and cell.startswith(VERSION_MARK)]
    return marks[0].removeprefix(VERSION_MARK) if marks and list(row[: len(KEYS)]) == list(KEYS) else ""


def _answers_on(cells: Sequence[Sequence[Any]]) -> Iterator[tuple[int, dict[str, str]]]:
    """The answered rows of a sheet, below its hidden header."""
    rows = [dict(zip(KEYS, map(_text, row), strict=False)) for row in cells]
    day = next((row["value"] for row in rows if row.get("question") == DAY_ROW), "")
    for at, row in enumerate(rows):
        filled = row.get("value") or row.get("note") or row.get("day")
        if filled and row.get("question") != DAY_ROW and row.get("deal_id"):
            yield at, {field: row.get(field, "") or (day if field == "day" else "") for field in FIELDS}


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return unescape_formula(cell_text(cell).strip())


# --- the file saved by the HTML form ---------------------------------------------------------------------------------


def _form(data: bytes, name: str) -> RawAnswers:
    try:
        content = json.loads(data)
        answers, version = content["answers"], content["worksheet"]
        if not (isinstance(answers, list) and isinstance(version, str)):
            raise ValueError("answers")
        if len(answers) > MOST_ANSWERS:
            raise _too_large(name)
        rows = [{field: _plain(answer.get(field)) for field in FIELDS} for answer in answers]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            gettext(
                "{name} is not a file saved by a worksheet form: damaged, or of another program. Save the form again.",
                name=name,
            )
        ) from None
    places = [gettext("answer {number}", number=number) for number in range(1, len(rows) + 1)]
    return RawAnswers(rows=rows, places=places, versions=frozenset([version]))


def _plain(cell: Any) -> str:
    """A cell of the form's file: text, or a number; anything else is damage."""
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise ValueError(cell)
    return cell_text(cell).strip()


# --- a table with headers --------------------------------------------------------------------------------------------

_HEADERS = (*FIELDS, "concept", "item", "worksheet")


def _header(text: str) -> str:
    return text.strip().lower()


def _table(data: bytes, name: str, encoding: str | None) -> RawAnswers:
    """A table of one answer a row, as ``write_table`` writes the frame of ``read_answers``."""
    sheet = parse_sheet(data, name, encoding=encoding, known=lambda text: _header(text) in _HEADERS)
    cells = sheet.cells.rename(columns=_header).fillna("").astype(str)
    if cells.columns.has_duplicates:
        twice = cells.columns[cells.columns.duplicated()][0]
        raise InputError(gettext("{name} has two columns named {column}. Keep one.", name=name, column=repr(twice)))
    wanted = [field for field in ("deal_id", "value", "day") if field not in cells]
    if "question" not in cells:
        wanted += [field for field in ("concept", "item") if field not in cells]
    if wanted:
        raise InputError(
            gettext(
                "{name} is not a worksheet, nor a table of answers: no column is {missing} (columns: {columns}).",
                name=name,
                missing=", ".join(map(repr, wanted)),
                columns=", ".join(map(repr, sheet.cells.columns[:12])),
            )
        )
    if len(cells) > MOST_ANSWERS:
        raise _too_large(name)
    if "question" not in cells:
        cells["question"] = cells["concept"] + "." + cells["item"]
    rows = [
        {field: unescape_formula(str(row.get(field, "")).strip()) for field in FIELDS}
        for row in cells.to_dict("records")
    ]
    places = [gettext("row {row}", row=row) for row in sheet.rows.tolist()]
    versions = frozenset(set(cells["worksheet"]) - {""} if "worksheet" in cells else ())
    return RawAnswers(rows=rows, places=places, versions=versions)
