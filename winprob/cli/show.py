"""How is a table shown on a screen, and how far along is long work?"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winprob.errors import OutputError
from winprob.i18n import gettext

if TYPE_CHECKING:
    import pandas as pd

#: Wide enough for any table here when nobody looks at a terminal.
_FILE_WIDTH = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def show(frame: pd.DataFrame, *, form: str, out: Path | None, percent: Sequence[str] = (), digits: int = 2) -> None:
    """Print a table, or write it to a file: ``table`` for people, ``csv`` and ``json`` for programs.

    On the screen columns named in ``percent`` are whole percents; in CSV and JSON every number is whole.
    """
    from winprob.data.tables import replacing, write_table

    if out is None:
        with _printing():
            if form == "table":
                sys.stdout.write(_drawn(frame, percent, digits, _width()))
            else:
                write_table(frame, None, form)
    elif form != "table":
        write_table(frame, out, form)
    else:
        with replacing(out) as scratch:
            scratch.write_text(_drawn(frame, percent, digits, _FILE_WIDTH), encoding="utf-8")


def show_text(text: str) -> None:
    """A whole document on stdout."""
    with _printing():
        sys.stdout.write(text)


def tell(*lines: str) -> None:
    """Say something beside the table, on stderr."""
    for line in lines:
        click.echo(tame(line), err=True)


def tame(text: str) -> str:
    """``text`` without the control characters with which a name in an export could steer a terminal."""
    return _CONTROL.sub("\ufffd", text)


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """A bar on stderr that follows long work: call it with what is going on and the share done, 0..1."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        said: set[str] = set()

        def follow(what: str, share: float) -> None:
            # Where stderr is a file there is no bar to redraw: each new thing is said once.
            if not console.is_terminal and what not in said:
                tell(what)
                said.add(what)
            bar.update(task, description=what, completed=share)

        yield follow


@contextmanager
def stdout_for_tables() -> Iterator[None]:
    """What a library in C prints of its own accord goes to stderr: stdout is for the table alone."""
    import ctypes

    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        # C holds back what it prints to a file or a pipe.
        if os.name == "posix":
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


def hush_stdout() -> None:
    """Nobody takes what is still to be printed: send it nowhere, so that Python's own flush at the end stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _printing() -> Iterator[None]:
    """What is printed arrives, or it is told that it did not."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, UnicodeEncodeError) as fault:
        hush_stdout()
        raise OutputError(gettext("cannot write {path}: {fault}.", path="stdout", fault=fault)) from None


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _FILE_WIDTH


def _drawn(frame: pd.DataFrame, percent: Sequence[str], digits: int, width: int) -> str:
    from io import StringIO

    import pandas as pd
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, values in frame.items():
        number = pd.api.types.is_numeric_dtype(values)
        table.add_column(str(name), justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in frame.itertuples(index=False):
        # As Text: a deal's name is never markup.
        cells = (_cell(value, name in percent, digits) for name, value in zip(frame.columns, row, strict=True))
        table.add_row(*(Text(cell) for cell in cells))
    console = Console(file=(page := StringIO()), width=width, no_color=True)
    console.print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().strip("\n").split("\n")) + "\n"


def _cell(value: Any, percent: bool, digits: int) -> str:
    import pandas as pd

    if pd.isna(value):
        return "-"
    if isinstance(value, float):
        # Adding zero turns a rounded -0.00 into 0.00.
        return f"{value:.0%}" if percent else f"{round(value, digits) + 0.0:.{digits}f}"
    return tame(str(value))
