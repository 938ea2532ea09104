"""Cut a CSV or Parquet file into pieces between rows, each of which is a small file with the header of the whole."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow
from pyarrow import parquet

from winprob.data.tables.sheets.sheet import Sheet

#: A part of a file: text of whole rows, or an Arrow table.
Piece = Any
_READ = 1024**2
#: Of so many bytes the form of a file is learned.
HEAD = 4 * 1024**2
#: Line ends that may be within quotes before it is called an open quote.
_MOST_TRIES = 2_000


class NotInBlocksError(Exception):
    """A file cannot be read block by block, and must be read in memory."""


class Pieces(Protocol):
    """A file in pieces, read anew by each call of ``read``."""

    @property
    def headers(self) -> list[str]: ...

    def read(self) -> Iterator[Piece]: ...

    def cells(self, piece: Piece) -> pd.DataFrame:
        """The cells of a piece, a column for each header."""

    def row(self, piece: Piece, cells: pd.DataFrame, row: int) -> Piece:
        """One row as a piece."""

    def data(self, pieces: Sequence[Piece]) -> bytes:
        """The file that holds only these pieces."""


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def head_of(path: Path) -> bytes:
    """A small file of the same form: the first rows."""
    if is_parquet(path):
        pieces = parquet_pieces(path, 1_000)
        return pieces.data([next(pieces.read(), pa.table({}))])
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise NotInBlocksError("a workbook")
        file.seek(0)
        head = file.read(HEAD)
        whole = not file.read(1)
    end = max(head.rfind(b"\n\x00"), head.rfind(b"\n"))
    if whole or end < 0:
        return head
    # In UTF-16 a line end has two bytes.
    return head[: end + 2] if head[end + 1 : end + 2] == b"\x00" else head[: end + 1]


# ---- CSV -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _CsvPieces:
    path: Path
    encoding: str
    delimiter: str
    #: The text down to the header, with the blank rows below it.
    top: str
    headers: list[str]
    size: int

    def read(self) -> Iterator[str]:
        texts = _whole_rows(self.path, self.encoding, self.size)
        first = next(texts, "").removeprefix("\ufeff")
        while len(first) < len(self.top) and (more := next(texts, "")):
            first += more
        if below := first[len(self.top) :]:
            yield below
        yield from texts

    def cells(self, piece: str) -> pd.DataFrame:
        names = [str(at) for at in range(len(self.headers))]
        table = arrow.read_csv(
            pa.py_buffer(piece.encode()),
            read_options=arrow.ReadOptions(column_names=names, use_threads=False, block_size=2 * self.size + 2**20),
            parse_options=arrow.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
            ),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False, null_values=[]
            ),
        )
        cells: pd.DataFrame = table.to_pandas()
        return cells

    def row(self, piece: str, cells: pd.DataFrame, row: int) -> str:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter, lineterminator="\n").writerow(cells.iloc[row])
        return text.getvalue()

    def data(self, pieces: Sequence[str]) -> bytes:
        return "".join([self.top, *pieces]).encode()


def csv_pieces(path: Path, head: Sheet, size: int) -> _CsvPieces:
    """The pieces of a text file whose first rows were read as ``head``."""
    first = next(_whole_rows(path, head.encoding, max(size, HEAD)), "").removeprefix("\ufeff")
    records = csv.reader(io.StringIO(first, newline=""), delimiter=head.delimiter)
    headers: list[str] = []
    # Rows are counted from 1, and the first row of the sheet is below the header.
    for _ in range(int(head.rows[0]) - 1):
        row = next(records, [])
        headers = row if any(cell.strip() for cell in row) else headers
    top = "".join(islice(io.StringIO(first, newline=""), records.line_num))
    if not {header.strip() for header in headers} & set(head.cells.columns):
        raise NotInBlocksError("the header was not found")
    return _CsvPieces(path=path, encoding=head.encoding, delimiter=head.delimiter, top=top, headers=headers, size=size)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _ParquetPieces:
    path: Path
    headers: list[str]
    schema: pa.Schema
    rows: int

    def read(self) -> Iterator[pa.Table]:
        with parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(self.rows, use_threads=False):
                yield pa.Table.from_batches([batch], schema=self.schema)

    def cells(self, piece: pa.Table) -> pd.DataFrame:
        columns = [
            column.cast(pa.large_string()) if pa.types.is_dictionary(column.type) else column
            for column in piece.columns
        ]
        names = [str(at) for at in range(len(columns))]
        table = pa.table(columns, names=names)
        cells: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=_text_type)
        return cells

    def row(self, piece: pa.Table, cells: pd.DataFrame, row: int) -> pa.Table:
        return piece.slice(row, 1)

    def data(self, pieces: Sequence[pa.Table]) -> bytes:
        out = io.BytesIO()
        parquet.write_table(pa.concat_tables(pieces, promote_options="none"), out, compression="none")
        return out.getvalue()


def _text_type(kind: pa.DataType) -> object:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return pd.StringDtype("pyarrow", na_value=float("nan")) if text else None


def parquet_pieces(path: Path, rows: int) -> _ParquetPieces:
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
    except pa.ArrowException as fault:
        raise NotInBlocksError(str(fault)) from fault
    if any(pa.types.is_nested(kind) for kind in schema.types):
        raise NotInBlocksError("a column of lists")
    return _ParquetPieces(path=path, headers=list(schema.names), schema=schema, rows=rows)
