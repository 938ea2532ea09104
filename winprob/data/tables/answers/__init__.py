"""Answers of worksheets: the filled workbook, the file saved by the HTML form, or a plain table, read and checked."""

from winprob.data.tables.answers.raw import DAY_ROW, KEYS, VERSION_MARK
from winprob.data.tables.answers.reading import read_answers

__all__ = ["DAY_ROW", "KEYS", "VERSION_MARK", "read_answers"]
