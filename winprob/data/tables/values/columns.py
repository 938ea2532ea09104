"""Parse columns of days and of numbers, each distinct text once.

Whether ``03/04/2026`` is in March or April, and whether ``1.234`` is about one or above a thousand, is settled for a
whole file (`Convention`), here by default for the column alone; what remains in doubt is refused rather than guessed.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from winprob.data.schema import Mask, as_numbers, as_text, mask_of
from winprob.data.schema.dtypes import as_arrow
from winprob.data.tables.values.conventions import Convention, gather, settle
from winprob.data.tables.values.figures import EITHER, PLAIN, Kind, reader
from winprob.data.tables.values.instants import read_moments
from winprob.data.tables.values.nulls import is_blank_word
from winprob.data.tables.values.parsed import Parsed, matches, spread_mask


def parse_days(
    cells: pd.Series,
    *,
    day_first: bool | None = None,
    zone: str | None = None,
    convention: Convention | None = None,
) -> Parsed:
    """Read a column of days.

    Parameters
    ----------
    cells : Series
        Text, or days already.
    day_first : bool or None
        The order in ``03/04/2026``; ``None`` infers it from the column's other cells.
    zone : str or None
        Where a moment with an offset is counted; ``None`` for UTC.
    convention : Convention or None
        That of the file, in place of the two above.

    Returns
    -------
    Parsed
        ``datetime64`` values; times of day are dropped.
    """
    known = convention or settle(gather(days=[cells]), day_first=day_first, zone=zone)
    moments = read_moments(cells, known)
    return Parsed(
        read=moments.read.dt.normalize(), refused=moments.refused, doubtful=moments.doubtful, clocks=moments.clocks
    )


def parse_numbers(cells: pd.Series, *, kind: Kind = "number", convention: Convention | None = None) -> Parsed:
    """Read a column of numbers: ``1,200万``, ``¥3.5亿``, ``1.234,56 €``, ``62%``, ``(300)``.

    Parameters
    ----------
    kind : str
        What the numbers are, where a mark alone leaves ``1.234`` open. In money a percentage is refused.
    convention : Convention or None
        That of the file; ``None`` infers it from the column.

    Returns
    -------
    Parsed
        ``float64`` values; a percentage becomes a share. An infinite value is kept for the validation to refuse.
    """
    if pd.api.types.is_bool_dtype(cells.dtype):
        return Parsed(read=pd.Series(np.nan, cells.index, name=cells.name), refused=mask_of(cells.notna()))
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return Parsed(read=as_numbers(cells), refused=np.zeros(len(cells), dtype=bool))
    known = convention or settle(gather(numbers={str(cells.name): cells}))
    words = reader(*known.marks(cells.name), kind, known.decimal_comma)
    text = as_text(cells)
    simple = matches(text, f"(?:{PLAIN})$") & ~matches(text, f"{EITHER}$")
    values = np.full(len(text), np.nan)
    values[simple] = compute.cast(compute.utf8_ltrim(as_arrow(text[simple]), characters="+"), pa.float64())
    codes, distinct = pd.factorize(text.mask(simple))
    numbers = [words.read(word) for word in distinct]
    refused: Mask = np.array([number is None for number in numbers], dtype=bool)
    refused &= ~np.array([is_blank_word(word) for word in distinct], dtype=bool)
    doubtful: Mask = refused & np.array([words.doubts(word) for word in distinct], dtype=bool)
    read = np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)
    values[codes >= 0] = read[codes[codes >= 0]]
    return Parsed(
        read=pd.Series(values, index=cells.index, name=cells.name),
        refused=spread_mask(codes, refused),
        doubtful=spread_mask(codes, doubtful),
    )
