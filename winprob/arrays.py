"""The array type of all signatures, sums that no other row changes, and work on blocks of rows over threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
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


def add_rows(table: Array, amounts: Array, rows: Array | None = None) -> Array:
    """(row, column) sum of some ``rows`` of a table, each times its amount; the same to the last bit in any block.

    A matrix product by BLAS sums in an order that depends on its shape, on the place of a row in it and on the number
    of threads. A sparse product adds up one row at a time, in the order of its entries.

    Parameters
    ----------
    table : (entry, column)
    amounts, rows : (row, slot) amounts, and which rows of the table they belong to; by default all rows in order
    """
    # Here, for those that only read tables.
    from scipy.sparse import csr_array

    rows = np.broadcast_to(np.arange(len(table)), amounts.shape) if rows is None else rows
    starts = np.arange(0, amounts.size + 1, amounts.shape[1]) if amounts.size else np.zeros(len(amounts) + 1, int)
    shape = (len(amounts), len(table))
    return np.asarray(csr_array((np.ravel(amounts), np.ravel(rows), starts), shape=shape) @ table)
