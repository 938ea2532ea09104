"""Read a large deal table block by block, in bounded memory, with the same deals as `read_deals`.

How a cell reads may depend on the whole file: 03/04 is in April where another row has 13/04. So a first pass collects
the rows that show anything new about a column (a value, a shape, a day above 12), and the second pass reads each block
together with these rows. Where that could still give another result, or any row is refused, `NotInBlocksError` sends
the caller to the reading in memory, whose messages count the rows of the whole file.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from winprob.arrays import Array
from winprob.data.schema import ID, Mask, validate_deals
from winprob.data.tables import reading
from winprob.data.tables.evidence import Columns
from winprob.data.tables.mapping import DealMapping, read_mapping
from winprob.data.tables.pieces import NotInBlocksError, Piece, Pieces, csv_pieces, head_of, is_parquet, parquet_pieces
from winprob.data.tables.sheets.files import MappingSource
from winprob.errors import WinprobError
from winprob.methodology import canonical_column

__all__ = ["NotInBlocksError", "deal_blocks", "is_large"]

#: Files above these sizes are worth two passes.
_LARGE_TEXT, _LARGE_PARQUET = 16 * 1024**2, 2 * 1024**2
#: More rows than this with every block would cost more than they settle.
_MOST_WITNESSES = 5_000


def is_large(path: str | Path) -> bool:
    """Whether a path is a plain file of CSV or Parquet that is too large to be read at once without need."""
    path = Path(path)
    try:
        return path.is_file() and path.stat().st_size > (_LARGE_PARQUET if is_parquet(path) else _LARGE_TEXT)
    except OSError:
        return False


def deal_blocks(
    path: str | Path,
    mapping: MappingSource | None = None,
    *,
    encoding: str | None = None,
    fields: Collection[str] = (),
    rows: int = 8_192,
    size: int = 2 * 1024**2,
) -> Iterator[pd.DataFrame]:
    """The deals of `read_deals` in order, ``rows`` at a time.

    Parameters
    ----------
    fields : names of columns of text whose levels are compared, such as the model's
    rows : deals of each frame but the last
    size : characters of a CSV file, or rows / 256 of a Parquet file, that are read at a time

    Raises
    ------
    NotInBlocksError
        The file must be read in memory: something in it is wrong, or depends on all rows together. Raised at any time.
    """
    try:
        yield from _even(_read_blocks(Path(path), mapping, encoding, fields, size), rows)
    except (WinprobError, OSError, ValueError, pa.ArrowException) as fault:
        raise NotInBlocksError(str(fault)) from fault


def _read_blocks(
    path: Path, given: MappingSource | None, encoding: str | None, fields: Collection[str], size: int
) -> Iterator[pd.DataFrame]:
    mapping, faults = read_mapping(given)
    head = reading.read_part(head_of(path), str(path), mapping, faults, encoding)
    pieces: Pieces
    if is_parquet(path):
        pieces, plain = parquet_pieces(path, max(size // 256, 1)), mapping
    else:
        pieces = csv_pieces(path, head.sheet, size)
        plain, encoding = replace(mapping, encoding=None, delimiter=head.sheet.delimiter), "utf-8"
    survey = _survey(pieces, _compared(pieces.headers, head.mapping, fields))
    seen: list[Array] = []
    for number, piece in enumerate(pieces.read()):
        others = [witness for witness in survey.witnesses if witness.number != number]
        data = pieces.data([*(witness.piece for witness in others), piece])
        read = reading.read_part(data, str(path), plain, faults, encoding)
        deals = _own_deals(read, len(others), survey.filled[number], last=number == len(survey.filled) - 1)
        seen.append(_hashes(deals))
        yield validate_deals(deals)
    if len(np.unique(hashes := np.concatenate(seen))) < len(hashes):
        raise NotInBlocksError("an id may be repeated")


def _own_deals(read: Any, others: int, filled: int, *, last: bool) -> pd.DataFrame:
    """The deals of a block, without the rows read with it."""
    if any(finding.severity == "error" for finding in read.findings):
        raise NotInBlocksError("a row is refused")
    own = len(read.deals) - others
    # Only at the end of a report may rows be left out.
    if own != filled and not (last and 0 < own < filled):
        raise NotInBlocksError("a row is not a deal")
    deals: pd.DataFrame = read.deals.iloc[others:].reset_index(drop=True)
    deals.attrs = read.deals.attrs
    return deals


def _hashes(deals: pd.DataFrame) -> Array:
    keys = [name for name in (ID, "as_of") if name in deals]
    return pd.util.hash_pandas_object(deals[keys], index=False).to_numpy()


# ---- first pass ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Witness:
    """A row of the file, by its block's number, that shows how cells elsewhere are to be read."""

    number: int
    piece: Piece


@dataclass(slots=True)
class _Survey:
    """What the first pass found: the number of filled rows of each block, and the witnesses."""

    filled: list[int] = field(default_factory=list)
    witnesses: list[_Witness] = field(default_factory=list)


def _survey(pieces: Pieces, compared: Collection[int]) -> _Survey:
    survey, columns = _Survey(), Columns(compared=frozenset(compared))
    for number, piece in enumerate(pieces.read()):
        table = pieces.cells(piece)
        survey.filled.append(int(_filled(table).sum()))
        new = columns.witnesses(table)
        survey.witnesses += [_Witness(number=number, piece=pieces.row(piece, table, row)) for row in new]
        if len(survey.witnesses) > _MOST_WITNESSES or columns.spelt_twice:
            raise NotInBlocksError("its columns are of too many kinds, or a level is spelled in two ways")
    if not survey.filled:
        raise NotInBlocksError("no rows")
    return survey


def _filled(table: pd.DataFrame) -> Mask:
    filled = np.zeros(len(table), dtype=bool)
    for name in table:
        filled |= table[name].notna().to_numpy() & (table[name] != "").to_numpy(dtype=bool, na_value=False)
    return filled


def _compared(headers: list[str], mapping: DealMapping, fields: Collection[str]) -> list[int]:
    """The columns whose levels must have one spelling each, for a block to read like the whole."""
    wanted = set(fields)
    if mapping.sources:
        names = {source.column for source in mapping.sources if source.target in wanted} | (wanted & mapping.columns)
        return [at for at, header in enumerate(headers) if header.strip() in names]
    return [at for at, header in enumerate(headers) if canonical_column(header) in wanted or header.strip() in wanted]


# ---- frames of one size --------------------------------------------------------------------------------------------


def _even(frames: Iterator[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """The same deals in frames of ``rows`` rows; the last may be shorter."""
    waiting: list[pd.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        while sum(map(len, waiting)) >= rows:
            together = _joined(waiting)
            yield _renumbered(together.iloc[:rows], frame)
            waiting = [_renumbered(together.iloc[rows:], frame)]
    rest = _joined(waiting)
    if len(rest):
        yield rest


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    if len(frames) == 1:
        return frames[0]
    filled = [frame for frame in frames if len(frame)]
    return _renumbered(pd.concat(filled, ignore_index=True), filled[0])


def _renumbered(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    frame.attrs = like.attrs
    return frame
