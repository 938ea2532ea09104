"""Cut a CSV or Parquet file into pieces between rows, each a grid under the header of the whole file."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from winprob.data.tables.plan import Plan
from winprob.data.tables.sheets.csv_reader import parse_csv
from winprob.data.tables.sheets.files import parse_grid
from winprob.data.tables.sheets.parquet_reader import table_grid
from winprob.data.tables.sheets.sheet import Grid

_READ = 1024**2
#: Of so many bytes the header, encoding and delimiter of a text are learned.
_HEAD = 4 * 1024**2
#: Line ends that may be within quotes before it is called an open quote.
_MOST_TRIES = 2_000


class NotInBlocksError(Exception):
    """A file cannot be read block by block, and must be read in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some rows of a file, whose numbers are those of the whole; the last piece has the titles above the header too."""

    grid: Grid
    last: bool


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def pieces(path: Path, plan: Plan, encoding: str | None, size: int) -> Iterator[Piece]:
    """The file in pieces of ``size`` characters, or of ``size`` / 256 rows of a Parquet file; read anew by each call.

    Raises
    ------
    NotInBlocksError
        It is no text or Parquet file, or no end of a row can be found.
    """
    if is_parquet(path):
        return _parquet_pieces(path, plan, max(size // 256, 1))
    return _csv_pieces(path, plan, encoding, size)


def _with_long_end[Raw](raw: Iterator[Raw], join: Callable[[list[Raw]], Raw]) -> Iterator[tuple[Raw, bool]]:
    """Each part, and whether it is the last; the last two are one, so that a footer comes with rows above it."""
    waiting: list[Raw] = []
    for part in raw:
        waiting.append(part)
        if len(waiting) == 3:
            yield waiting.pop(0), False
    if not waiting:
        raise NotInBlocksError("no rows")
    yield join(waiting), True


# ---- CSV -------------------------------------------------------------------------------------------------------------


def _csv_pieces(path: Path, plan: Plan, encoding: str | None, size: int) -> Iterator[Piece]:
    head = _head_grid(path, plan, encoding)
    header = io.StringIO(newline="")
    csv.writer(header, delimiter=head.delimiter, lineterminator="\n").writerow(head.headers)
    #: The row of the file that comes next.
    row = int(head.rows[0])
    for text, last in _with_long_end(_below_header(path, head, size), "".join):
        if "\x00" in text:
            raise NotInBlocksError("NUL characters")
        grid = parse_csv((header.getvalue() + text).encode(), str(path), "utf-8", head.delimiter, plan.known)
        if list(grid.headers) != list(head.headers) or not len(grid.rows) or grid.rows[0] != 2:
            raise NotInBlocksError("the header is not the first row")
        rows = grid.rows + row - 2
        row = int(rows[-1]) + 1
        yield Piece(grid=replace(grid, rows=rows, titles=head.titles if last else {}), last=last)


def _head_grid(path: Path, plan: Plan, encoding: str | None) -> Grid:
    """The grid of the file's first rows."""
    with path.open("rb") as file:
        data = file.read(_HEAD)
        whole = not file.read(1)
    if not whole:
        end = _last_row_end(data.decode("latin-1"))
        # In UTF-16 a line end has two bytes.
        data = data[: end + 1] if data[end : end + 1] == b"\x00" else data[:end]
    mapping = plan.mapping
    grid = parse_grid(
        data, str(path), encoding or mapping.encoding, mapping.delimiter, plan.known, plan.locate, mapping.sheet
    )
    if grid.kind != "csv" or not len(grid.rows):
        raise NotInBlocksError("not a text with rows")
    return grid


def _below_header(path: Path, head: Grid, size: int) -> Iterator[str]:
    """The text below the header, in pieces of whole rows."""
    texts = _whole_rows(path, head.encoding, size)
    waiting = next(texts, "").removeprefix("\ufeff")
    while True:
        records = csv.reader(io.StringIO(waiting, newline=""), delimiter=head.delimiter)
        if sum(1 for _ in islice(records, int(head.rows[0]) - 1)) == head.rows[0] - 1:
            break
        if not (more := next(texts, "")):
            raise NotInBlocksError("the header was not found")
        waiting += more
    above = "".join(islice(io.StringIO(waiting, newline=""), records.line_num))
    if below := waiting[len(above) :]:
        yield below
    yield from texts


def _whole_rows(path: Path, encoding: str, size: int) -> Iterator[str]:
    """The file's text in pieces of some ``size`` characters, each of which ends with a row."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    waiting: list[str] = []
    length = 0
    with path.open("rb") as file:
        while block := file.read(min(_READ, size)):
            waiting.append(decoder.decode(block))
            length += len(waiting[-1])
            if length >= size:
                text = "".join(waiting)
                end = _last_row_end(text)
                yield text[:end]
                waiting, length = [text[end:]], len(text) - end
    rest = "".join([*waiting, decoder.decode(b"", final=True)])
    if rest:
        yield rest


def _last_row_end(text: str) -> int:
    """Where the last whole row ends: at a line end with an even number of quotes before it."""
    end = text.rfind("\n") + 1
    for _ in range(_MOST_TRIES):
        if end <= 0:
            break
        if text.count('"', 0, end) % 2 == 0:
            return end
        end = text.rfind("\n", 0, end - 1) + 1
    raise NotInBlocksError("a row has no end")


# ---- Parquet ---------------------------------------------------------------------------------------------------------


def _parquet_pieces(path: Path, plan: Plan, rows: int) -> Iterator[Piece]:
    done = 0
    for table, last in _with_long_end(_tables(path, rows), pa.concat_tables):
        grid = table_grid(table, str(path), plan.known)
        yield Piece(grid=replace(grid, rows=np.arange(done + 1, done + 1 + len(grid.cells))), last=last)
        done += len(grid.cells)


def _tables(path: Path, rows: int) -> Iterator[Any]:
    # Read ahead, the whole file would stay in memory.
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(rows, use_threads=False):
            yield pa.Table.from_batches([batch], schema=file.schema_arrow)
