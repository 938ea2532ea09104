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
    """Results of ``work`` on consecutive blocks of rows, over threads, in row order.

    Blocks bound the memory for any number of rows; NumPy releases the interpreter lock inside its loops. A single block
    is worked on by the caller's thread: starting a pool costs more than a small call.

    Parameters
    ----------
    rows : number of rows; 0 gives no block and an empty list
    size : rows in a block
    threads : at most; by default one for each core
    """
    blocks = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
    if len(blocks) <= 1:
        return [work(block) for block in blocks]
    with ThreadPoolExecutor(min(threads or os.cpu_count() or 1, len(blocks))) as pool:
        return list(pool.map(work, blocks))
