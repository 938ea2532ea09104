"""The worksheets of deals as a guided workbook: a sheet of instructions, a protected sheet a deal, lists of answers."""

import datetime as dt
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from winprob.data.tables.answers import DAY_ROW, KEYS, VERSION_MARK
from winprob.data.tables.write import escape_formula
from winprob.i18n import gettext
from winprob.methodology import Question, worksheet_version
from winprob.report.worksheets.forms import Block, Form, Row

#: Rows of a sheet, from 0: title, what is on record, the hidden row of keys, the headings, the day of the answers.
_TITLE, _LEAD, _KEYS, _HEAD, _DAY = range(5)
_WIDTHS = (66, 28, 14, 44, 13)
#: Of the columns of keys that a reader sees; the others hold ids, and are hidden.
_SEEN = len(_WIDTHS)
_CREATED = dt.datetime(2000, 1, 1)
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f']")
_LONGEST_NAME, _LONGEST_TEXT = 31, 32_000


def worksheet_workbook(forms: Sequence[Form]) -> bytes:
    """The workbook of these worksheets; texts are never formulas, and only cells for answers can be changed."""
    # Imported here: only writing a workbook needs it.
    import xlsxwriter

    buffer = io.BytesIO()
    as_text = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, {**as_text, "in_memory": True}) as book:
        book.set_properties({"created": _CREATED})
        looks = _looks(book)
        _instructions(book.add_worksheet(gettext("Instructions")), looks)
        for name, form in zip(_names(forms), forms, strict=True):
            _Sheet(book.add_worksheet(name), looks, form).write()
    return buffer.getvalue()


def _looks(book: Any) -> dict[str, Any]:
    wrapped = {"text_wrap": True, "valign": "top"}
    entry = {**wrapped, "locked": False, "bg_color": "#FFFBE6", "border": 1, "border_color": "#D9DEE3"}
    return {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "soft": book.add_format({**wrapped, "font_color": "#4A5763"}),
        "head": book.add_format({**wrapped, "bold": True, "bottom": 1}),
        "block": book.add_format({"bold": True, "font_size": 12, "font_color": "#FFFFFF", "bg_color": "#3C5A78"}),
        "part": book.add_format({**wrapped, "bold": True, "bg_color": "#E3E9EF"}),
        "group": book.add_format({**wrapped, "bold": True, "font_color": "#3C5A78"}),
        "bold": book.add_format({"bold": True}),
        "plain": book.add_format({"font_color": "#4A5763"}),
        "text": book.add_format(wrapped),
        "entry": book.add_format(entry),
        "day": book.add_format({**entry, "num_format": "yyyy-mm-dd"}),
    }


def _names(forms: Sequence[Form]) -> Iterator[str]:
    """A distinct sheet name for each deal: its id, without what a spreadsheet does not accept."""
    used = {gettext("Instructions").casefold(), "history"}
    for at, form in enumerate(forms, 1):
        plain = _FORBIDDEN.sub(" ", form.deal_id).strip()[:_LONGEST_NAME] or str(at)
        name, again = plain, 1
        while name.casefold() in used:
            again += 1
            name = f"{plain[: _LONGEST_NAME - 6]} ({again})"
        used.add(name.casefold())
        yield name


def instructions() -> tuple[str, ...]:
    """How a worksheet is filled in, line by line, for the workbook and the form."""
    return (
        gettext("Answer what was seen or heard, not what is hoped. What is not known stays blank."),
        gettext("What the record knows is filled in, and marked so. Answer there only if you know better."),
        gettext("Give the day of the answers once for each deal: the day on which it was seen or heard."),
        gettext(
            "The note is for what was seen, and from whom it comes. Keep out of it what the customer must not read."
        ),
        gettext(
            "Give the file back to whoever runs winprob: winprob worksheets DEALS --answers FILE shows what follows."
        ),
    )


def _instructions(sheet: Any, looks: dict[str, Any]) -> None:
    sheet.set_column(0, 0, 100)
    sheet.write_string(0, 0, gettext("How to fill in the worksheets"), looks["title"])
    for row, line in enumerate(instructions(), 2):
        sheet.write_string(row, 0, line, looks["text"])
    sheet.protect()


class _Sheet:
    """The sheet of one deal, written from top to bottom."""

    def __init__(self, sheet: Any, looks: dict[str, Any], form: Form) -> None:
        self.sheet, self.looks, self.form, self.row = sheet, looks, form, _DAY

    def write(self) -> None:
        """The whole sheet."""
        self._head()
        for block in self.form.blocks:
            self._block(block)
        self.sheet.protect("", {"format_columns": True, "format_rows": True, "autofilter": True})

    def _head(self) -> None:
        for at, width in enumerate(_WIDTHS):
            self.sheet.set_column(at, at, width)
        self.sheet.set_column(_SEEN, len(KEYS), 12, None, {"hidden": True})
        self._text(_TITLE, 0, self.form.title, "title")
        self._text(_LEAD, 0, self.form.lead, "soft")
        for at, key in enumerate((*KEYS, VERSION_MARK + worksheet_version())):
            self.sheet.write_string(_KEYS, at, key)
        self.sheet.set_row(_KEYS, None, None, {"hidden": True})
        titles = (
            gettext("Question"),
            gettext("On record"),
            gettext("Answer"),
            gettext("Notes"),
            gettext("Day, if another"),
        )
        for at, title in enumerate(titles):
            self._text(_HEAD, at, title, "head")
        self._text(_DAY, 0, gettext("Day of the answers, YYYY-MM-DD"), "group")
        self.sheet.write_blank(_DAY, KEYS.index("value"), None, self.looks["day"])
        self._valid_day(_DAY, KEYS.index("value"))
        self._ids(_DAY, "", "", DAY_ROW)
        self.sheet.freeze_panes(_DAY + 1, 1)
        self.row = _DAY + 1

    def _block(self, block: Block) -> None:
        self.row += 1
        for at in range(_SEEN):
            self._text(self.row, at, (block.title, block.on_record)[at] if at < 2 else "", "block")
        self.row += 1
        if block.help:
            self._text(self.row, 0, block.help, "soft")
            self.row += 1
        for part in block.parts:
            self._heading(part.title, part.help, "part")
            for group in part.groups:
                if group.heading:
                    self._heading(group.heading, group.help, "group")
                for row in group.rows:
                    self._question(block, row)

    def _heading(self, title: str, text: str, look: str) -> None:
        if text:
            parts = (self.looks["bold"], title, self.looks["plain"], f"\n{text}", self.looks[look])
            self.sheet.write_rich_string(self.row, 0, *parts)
        else:
            self._text(self.row, 0, title, look)
        self.row += 1

    def _question(self, block: Block, row: Row) -> None:
        lines = (row.text, row.help, *(f"{at} = {meaning}" for at, meaning in enumerate(row.question.meanings, 1)))
        self._text(self.row, 0, "\n".join(filter(None, lines)), "text")
        known = gettext("on record: {value}", value=row.on_record) if row.on_record else ""
        self._text(self.row, 1, known, "soft")
        for key, look in (("value", "entry"), ("note", "entry"), ("day", "day")):
            self.sheet.write_blank(self.row, KEYS.index(key), None, self.looks[look])
        self._valid_answer(self.row, row.question)
        self._valid_day(self.row, KEYS.index("day"))
        self._ids(self.row, block.role, block.person, row.question.id)
        self.row += 1

    def _ids(self, row: int, role: str, person: str, question: str) -> None:
        for key, value in (("deal_id", self.form.deal_id), ("role", role), ("person", person), ("question", question)):
            self._text(row, KEYS.index(key), value, "text")

    def _valid_answer(self, row: int, question: Question) -> None:
        """A list of the accepted answers; a count takes any whole number."""
        column = KEYS.index("value")
        accepted: dict[str, Any] = {"validate": "list", "source": [gettext("yes"), gettext("no")]}
        if question.kind == "count":
            numbers = question.numbers
            accepted = {"validate": "integer", "criteria": "between", "minimum": numbers[0], "maximum": numbers[-1]}
        elif question.numbers:
            accepted = {"validate": "list", "source": [str(number) for number in question.numbers]}
        message = gettext("Choose an answer of the list, or leave the cell blank.")
        if question.kind == "count":
            message = gettext("A whole number, or leave the cell blank.")
        self.sheet.data_validation(row, column, row, column, {**accepted, "error_message": message})

    def _valid_day(self, row: int, column: int) -> None:
        accepted = {
            "validate": "date",
            "criteria": ">=",
            "value": _CREATED,
            "error_message": gettext("A day, YYYY-MM-DD, or leave the cell blank."),
        }
        self.sheet.data_validation(row, column, row, column, accepted)

    def _text(self, row: int, column: int, text: str, look: str) -> None:
        self.sheet.write_string(row, column, escape_formula(text)[:_LONGEST_TEXT], self.looks[look])
