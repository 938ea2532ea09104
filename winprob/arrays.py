"""The array type of all signatures, and work on blocks of rows over threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy.typing as npt

#: Any NumPy array; a docstring gives its dims and what it holds.
Array = npt.NDArray[Any]


def in_blocks[Result](
    rows: int, size: int, work: Callable[[slice], Result], *, threads: int | None = None
) -> list[Result]:
    """Results of ``work`` on consecutive blocks of rows, over threads, in the order of the rows.

    Blocks bound the memory however many rows there are; NumPy releases the interpreter lock inside its loops.

    Parameters
    ----------
    rows : how many there are; without any, no block is worked on
    size : rows of a block
    threads : by default one for each core
    """
    blocks = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        return list(pool.map(work, blocks))
