"""Print tables and documents on stdout, notes and progress on stderr, or write them to files."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

import winprob
from winprob.cli.options import Frame, Output
from winprob.errors import OutputError
from winprob.i18n import amount_text, gettext, language

if TYPE_CHECKING:
    import pandas as pd

    from winprob.cli.text_table import TextColumn

#: The width to which text is wrapped where the output is not a terminal; a table may be wider.
_FILE_WIDTH = 200
#: A number of this size has no decimals.
_LARGE = 1000
#: Characters that set the writing direction or are line ends to some terminals.
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
#: The control characters except tab and newline, and those of the writing direction.
_CONTROL = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160), *_BIDI], "\ufffd")
#: In a cell of a table on the terminal, tab and newline too.
_CONTROL_IN_CELL = {**_CONTROL, 9: "\ufffd", 10: "\ufffd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a table is shown to a reader; files for programs have every column, its canonical name and full precision.

    Attributes
    ----------
    percent : columns of shares, shown as whole percents
    money : columns of amounts, with separators of thousands; in Chinese in 万 and 亿
    digits : decimals of other numbers
    least : columns that may be left out on a narrow screen, least important first
    """

    percent: Sequence[str] = ()
    money: Sequence[str] = ()
    digits: int = 2
    least: Sequence[str] = ()


def show(
    frame: Frame,
    output: Output,
    *,
    percent: Sequence[str] = (),
    money: Sequence[str] = (),
    digits: int = 2,
    least: Sequence[str] = (),
) -> None:
    """Print a table or write it to a file; `Style` describes the format ``table``, others have the full precision."""
    if output.output_format == "table":
        style = Style(percent=percent, money=money, digits=digits, least=least)
        write_page(_render_table(frame, style, None if output.out else _width_of(_stdout())), output.out)
    elif output.out:
        winprob.write_table(frame, output.out, output.output_format, percent=percent)
    else:
        with _translate_stdout_errors():
            winprob.write_table(_for_terminal(frame), None, output.output_format)


def _for_terminal(frame: Frame) -> Frame:
    """The frame, without characters that steer a terminal where stdout is one; a file or a pipe gets them all."""
    if not _stdout().isatty():
        return frame
    tame = frame.map(lambda cell: replace_control_characters(cell) if isinstance(cell, str) else cell)
    return tame.rename(columns=lambda name: replace_control_characters(str(name)))


def write_page(text: str, out: Path | None, note: str | None = None) -> None:
    """Write a document to a file and print ``note`` on stderr; without a file, print the document on stdout."""
    if out is None:
        with _translate_stdout_errors():
            _stdout().write(replace_control_characters(text) if _stdout().isatty() else text)
        return
    from winprob.data.tables import replacing

    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    if note:
        echo_notes(note)


def require_writable(*places: Path | None) -> None:
    """Check before the work that these files, where given, can be written after it.

    Raises
    ------
    OutputError
        A folder is missing, is not a folder, or may not be written to.
    """
    from winprob.data.tables import require_writable as require

    for place in filter(None, places):
        require(place)


def echo_notes(*lines: str) -> None:
    """Print notes on stderr, one a line; on a screen wrapped at words."""
    width = _width_of(sys.stderr)
    for line in map(replace_control_characters, lines):
        if width is None:
            click.echo(line, err=True)
            continue
        from winprob.cli.text_table import wrap

        click.echo("\n".join(part for own in line.split("\n") for part in wrap(own, width)), err=True)


def replace_control_characters(text: str) -> str:
    """``text`` without the control characters with which a name in an export could steer a terminal."""
    return text.translate(_CONTROL)


class NotesHandler(logging.Handler):
    """Print the library's log records as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        echo_notes(self.format(record))


@contextmanager
def log_as_notes() -> Iterator[None]:
    """Print what the logger ``winprob`` reports, from warnings up, on stderr."""
    logger, handler = logging.getLogger("winprob"), NotesHandler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr: call it with the name of the step and the completed share, 0 to 1."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        printed: set[str] = set()

        def follow(step: str, share: float) -> None:
            # Where stderr is a file no bar can be redrawn: each new step is printed once.
            if not console.is_terminal and step not in printed:
                echo_notes(step)
                printed.add(step)
            bar.update(task, description=step, completed=share)

        yield follow


@contextmanager
def stdout_for_tables() -> Iterator[None]:
    """Redirect what a C library prints on stdout to stderr: stdout is for the table alone."""
    import ctypes

    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        # C buffers what it prints to a file or a pipe.
        if os.name == "posix":
            ctypes.CDLL(None).fflush(None)
        os.dup2(saved, 1)
        os.close(saved)


def discard_stdout() -> None:
    """Send the rest of stdout to the null device, so that Python's flush at exit raises nothing."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _translate_stdout_errors() -> Iterator[None]:
    """Turn a failed write to stdout into `OutputError`."""
    try:
        yield
        _stdout().flush()
    except BrokenPipeError:
        raise
    except (OSError, UnicodeEncodeError) as fault:
        discard_stdout()
        raise OutputError(gettext("cannot write {path}: {fault}.", path="stdout", fault=fault)) from None


def _stdout() -> TextIO:
    """Where tables are printed.

    Raises
    ------
    BrokenPipeError
        stdout was closed before the command began: the same as a reader who has closed it.
    """
    if sys.stdout is None:
        raise BrokenPipeError
    return sys.stdout


def _is_screen(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _width_of(stream: TextIO | None) -> int | None:
    """The width of a screen; None where the stream is none: readline sets COLUMNS for programs that only read pipes."""
    import shutil

    return (shutil.get_terminal_size().columns or None) if _is_screen(stream) else None


def _render_table(frame: Frame, style: Style, width: int | None) -> str:
    from winprob.cli.text_table import draw_table

    records = frame.to_dict("records")
    columns = [_column(str(name), values, style, records) for name, values in frame.items()]
    return draw_table(columns, width or _FILE_WIDTH, least=style.least, fixed=width is not None)


def _column(name: str, values: "pd.Series", style: Style, records: Sequence[Mapping[Any, Any]]) -> "TextColumn":
    from pandas.api.types import is_numeric_dtype

    from winprob.cli.text_table import TextColumn
    from winprob.report.headings import heading

    pairs = zip(values, values.isna(), records, strict=True)
    cells = ["-" if missing else _cell(name, value, style, row) for value, missing, row in pairs]
    return TextColumn(name=name, heading=heading(_tame(name)), cells=cells, number=is_numeric_dtype(values))


def _cell(name: str, value: object, style: Style, row: Mapping[Any, Any]) -> str:
    if isinstance(value, bool):
        return (gettext("yes") if value else gettext("no")) if language() == "zh" else str(value)
    if isinstance(value, str):
        from winprob.report.labels import cell_text

        return _tame(cell_text(name, row))
    if isinstance(value, float | int) and name in style.money:
        return amount_text(value)
    if isinstance(value, float):
        # Adding zero turns a rounded -0.00 into 0.00.
        if name in style.percent:
            return f"{value:.0%}"
        digits = style.digits if abs(value) < _LARGE else 0
        return f"{round(value, digits) + 0.0:,.{digits}f}"
    return _tame(value)


def _tame(value: object) -> str:
    return str(value).translate(_CONTROL_IN_CELL)
