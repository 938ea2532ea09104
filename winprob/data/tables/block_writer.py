"""Write a table that comes in blocks, as CSV or Parquet: the same cells as `write_table`, in bounded memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from winprob.data.tables import write
from winprob.data.tables.replacing import replacing

#: The formats that can be written block by block.
BLOCK_FORMATS = ("csv", "parquet")
_Append = Callable[[pd.DataFrame], None]


def write_blocks(blocks: Iterator[pd.DataFrame], path: str | Path, format: str) -> None:
    """Write blocks of one table without their index; the file is replaced by one rename when all is written.

    Parameters
    ----------
    format : one of ``BLOCK_FORMATS``

    Raises
    ------
    OutputError
        The file cannot be written. An error of ``blocks`` passes through, and nothing is written.
    """
    with replacing(path) as temporary, _WRITERS[format](temporary) as append:
        for block in blocks:
            append(block)


@contextmanager
def _csv(path: Path) -> Iterator[_Append]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def append(block: pd.DataFrame) -> None:
            write._harmless(block).to_csv(file, index=False, header=file.tell() == 0, lineterminator="\n")

        yield append


@contextmanager
def _parquet(path: Path) -> Iterator[_Append]:
    with path.open("wb") as file:
        writers: list[parquet.ParquetWriter] = []

        def append(block: pd.DataFrame) -> None:
            table = pa.Table.from_pandas(block, preserve_index=False)
            if not writers:
                writers.append(parquet.ParquetWriter(file, table.schema))
            writers[0].write_table(table)

        try:
            yield append
        finally:
            for writer in writers:
                writer.close()


_WRITERS = {"csv": _csv, "parquet": _parquet}
