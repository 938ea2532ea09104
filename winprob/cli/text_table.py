"""Lay out a table as text: widths in display cells, wrapped at words, no number cut, blocks where columns do not fit.

A table is fitted to the width in this order: text wraps; then headings; then the columns that the caller names as least
important are left out, with a line that names them; then each row becomes a block with one field a line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from winprob.i18n import gettext

#: No line begins with one of these.
_CLOSING = frozenset("，。、；：？！）》〉」』】〕％”’…—·,.;:?!)]}%")
#: No line ends with one of these.
_OPENING = frozenset("（《〈「『【〔“‘([{￥¥")
#: A number and its Chinese unit are one word.
_UNITS = frozenset("万亿")
#: Where a word that is wider than its column is divided, if it has one of these.
_JOINTS = frozenset("_/-.,=:;")
#: Cells before the first column; between two columns, and where the width is scarce.
_MARGIN, _GAP, _NARROW_GAP = 1, 3, 2
#: A text column is not made narrower than this, unless it is narrower by itself.
_NARROWEST = 16
#: A longer word is divided.
_WORD = 40
#: A heading of this length is not wrapped.
_SHORT = 8
#: Rows of more lines are shown as blocks.
_TALLEST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TextColumn:
    """A column for display.

    Attributes
    ----------
    name : the canonical name, by which the column may be left out
    number : right-aligned, never wrapped
    """

    name: str
    heading: str
    cells: Sequence[str]
    number: bool = False


def draw_table(columns: Sequence[TextColumn], width: int, *, least: Sequence[str] = (), fixed: bool = True) -> str:
    """The table as lines of text.

    Parameters
    ----------
    width : in display cells
    least : names of columns that may be left out where they do not fit, least important first
    fixed : the width is that of a screen; else a wider table has longer lines, nothing is left out, and headings are
        not wrapped
    """
    shown, left_out = list(columns), []
    whole = not fixed
    gap = _GAP if whole or _full_width(columns) <= width else _NARROW_GAP
    for name in least if fixed else ():
        if _least_width(shown, gap) <= width:
            break
        left_out += [column for column in shown if column.name == name]
        shown = [column for column in shown if column.name != name]
    widths = _widths(shown, width, gap, whole=whole)
    if fixed and (_least_width(shown, gap) > width or _tallest(shown, widths) > _TALLEST):
        return "\n".join(_blocks(columns, width)) + "\n"
    lines = list(_lines(shown, widths, gap))
    if left_out:
        lines += ["", *wrap(_note(left_out), width)]
    return "\n".join(lines) + "\n"


def _note(columns: Sequence[TextColumn]) -> str:
    return gettext(
        "Left out for lack of width: {columns}. A wider window, --format csv or --out FILE has them.",
        columns=gettext(", ").join(column.heading for column in columns),
    )


def _full_width(columns: Sequence[TextColumn]) -> int:
    """The width of the table where nothing wraps."""
    return _MARGIN + sum(map(_natural, columns)) + _GAP * (len(columns) - 1)


def _least_width(columns: Sequence[TextColumn], gap: int) -> int:
    return _MARGIN + sum(map(_narrowest, columns)) + gap * (len(columns) - 1)


def _natural(column: TextColumn) -> int:
    return max(map(cell_len, (column.heading, *column.cells)))


def _narrowest(column: TextColumn, *, whole: bool = False) -> int:
    """The smallest width at which no number is divided, nor a word of the heading; ``whole``, nor the heading."""
    cells = max(map(cell_len, column.cells), default=0)
    if cells > _NARROWEST and not column.number:
        longest = max(_longest_word(cell.replace("_", "_ ")) for cell in column.cells)
        cells = max(_NARROWEST, min(longest, _WORD))
    title = cell_len(column.heading)
    return max(cells, title if whole or title <= _SHORT else _longest_word(column.heading.replace("_", "_ ")))


def _longest_word(text: str) -> int:
    if text.isascii():
        return max(map(len, text.split()), default=0)
    return max((cell_len(word.strip()) for word in _words(text)), default=0)


def _widths(columns: Sequence[TextColumn], width: int, gap: int, *, whole: bool) -> list[int]:
    """The width of each column: what is left over goes to the narrowest column that wraps, cell by cell."""
    natural = list(map(_natural, columns))
    widths = [_narrowest(column, whole=whole) for column in columns]
    spare = width - _MARGIN - gap * (len(columns) - 1) - sum(widths)
    while spare > 0:
        wrapping = [at for at in range(len(widths)) if widths[at] < natural[at]]
        if not wrapping:
            break
        widths[min(wrapping, key=lambda at: widths[at])] += 1
        spare -= 1
    return widths


def _tallest(columns: Sequence[TextColumn], widths: Sequence[int]) -> int:
    wrapping = [(column, width) for column, width in zip(columns, widths, strict=True) if not column.number]
    return max((len(wrap(cell, width)) for column, width in wrapping for cell in column.cells), default=0)


def _lines(columns: Sequence[TextColumn], widths: Sequence[int], gap: int) -> Iterator[str]:
    yield from _row([(column.heading, column.number) for column in columns], widths, gap, heading=True)
    yield " " * _MARGIN + "─" * (sum(widths) + gap * (len(widths) - 1))
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield from _row(list(zip(cells, (column.number for column in columns), strict=True)), widths, gap)


def _row(cells: Sequence[tuple[str, bool]], widths: Sequence[int], gap: int, *, heading: bool = False) -> Iterator[str]:
    """The lines of one row; headings are aligned at the bottom, cells at the top."""
    parts = [
        wrap(text.replace("_", "_\u200b") if heading else text, width)
        for (text, _), width in zip(cells, widths, strict=True)
    ]
    height = max(map(len, parts), default=1)
    for line in range(height):
        texts = [_at(part, line - (height - len(part) if heading else 0)) for part in parts]
        aligned = (
            _aligned(text, width, right=number) for text, width, (_, number) in zip(texts, widths, cells, strict=True)
        )
        yield (" " * _MARGIN + (" " * gap).join(aligned)).rstrip()


def _at(part: Sequence[str], line: int) -> str:
    return part[line] if 0 <= line < len(part) else ""


def _aligned(text: str, width: int, *, right: bool) -> str:
    space = " " * max(0, width - cell_len(text))
    return space + text if right else text + space


def _blocks(columns: Sequence[TextColumn], width: int) -> Iterator[str]:
    """One field a line, a blank line between rows."""
    names = max((cell_len(column.heading) for column in columns), default=0)
    names = min(names, max(width // 2 - _MARGIN - _GAP, 1))
    rest = max(width - _MARGIN - names - _GAP, 1)
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number:
            yield ""
        for column, cell in zip(columns, cells, strict=True):
            yield from _row([(column.heading, False), (cell, False)], (names, rest), _GAP)


def wrap(text: str, width: int) -> list[str]:
    """``text`` as lines of at most ``width`` display cells.

    Lines are broken at spaces, and between Chinese characters, but not before closing or after opening punctuation,
    nor between a number and 万 or 亿. A word that is too wide is divided.
    """
    if cell_len(text) <= width:
        return [text.replace("\u200b", "").rstrip()]
    lines: list[str] = []
    line = ""
    for word in _words(text):
        if line and cell_len((line + word).rstrip()) > width:
            lines.append(line.rstrip())
            line, word = "", word.lstrip()
        for part in _divided(word, width):
            if line and cell_len((line + part).rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += part
    return [one.replace("\u200b", "") for one in (*lines, line.rstrip())]


def _words(text: str) -> Iterator[str]:
    """The parts of a text between which a line may be broken, with the space after each."""
    start = 0
    for at in range(1, len(text)):
        if _breaks(text[at - 1], text[at]):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _breaks(before: str, after: str) -> bool:
    if before in " \u200b":
        return after != " "
    if after in " " or after in _CLOSING or before in _OPENING:
        return False
    if after in _UNITS and before.isdigit():
        return False
    return cell_len(before) == 2 or cell_len(after) == 2


def _divided(word: str, width: int) -> Iterator[str]:
    """A word in parts of at most ``width`` cells, divided after a joint where it has one."""
    while cell_len(word.rstrip()) > width:
        end = 1
        while cell_len(word[: end + 1]) <= width:
            end += 1
        joint = max((at + 1 for at in range(end) if word[at] in _JOINTS), default=0)
        end = joint if joint > end // 2 else end
        yield word[:end]
        word = word[end:]
    yield word
