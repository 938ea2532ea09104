"""Read Parquet: typed columns; an index with a name becomes a column."""

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from winprob.data.tables.sheet import Sheet, build_sheet, refuse_wide
from winprob.errors import InputError
from winprob.i18n import gettext


def parse_parquet(data: bytes, name: str) -> Sheet:
    try:
        table = parquet.read_table(pa.BufferReader(data))
        refuse_wide(table.num_columns, name)
        frame = table.to_pandas()
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(
            gettext(
                "{name} cannot be read as Parquet: damaged or cut short ({fault}). Export it again.",
                name=name,
                fault=fault,
            )
        ) from None
    if frame.index.names != [None]:
        frame = frame.reset_index()
    frame = frame.reset_index(drop=True)
    headers = [str(header) for header in frame.columns]
    frame.columns = pd.RangeIndex(len(headers)).astype(str)
    return build_sheet(name, headers, frame, np.arange(1, len(frame) + 1), kind="parquet")
