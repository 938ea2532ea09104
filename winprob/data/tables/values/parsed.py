"""A parsed column: values and refused cells, from a function that is applied once to each distinct text."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyarrow import compute

from winprob.data.schema import Mask, as_text
from winprob.data.schema.dtypes import as_arrow

#: Full-width forms as the plain ones. Other digits of Unicode (superscripts, circled, Arabic) are not numbers here.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ", 0xFFE5: "¥", 0xFFE1: "£", 0xFFE6: "₩", 0x2212: "-", 0x00A0: " ", 0x202F: " ", 0x2009: " ",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A parsed column: its values, and the masks of the cells that could not be parsed.

    ``doubtful`` are those among the ``refused`` that read in two ways; ``clocks`` the moments in UTC of the cells whose
    clock has an offset, missing in the others, and None where no cell has one.
    """

    read: pd.Series
    refused: Mask
    doubtful: Mask | None = None
    clocks: pd.Series | None = None


def is_texts(cells: pd.Series) -> bool:
    """Whether a column holds texts, and not days, numbers or truth values."""
    kind = cells.dtype.categories.dtype if isinstance(cells.dtype, pd.CategoricalDtype) else cells.dtype
    return isinstance(kind, pd.StringDtype) or pd.api.types.is_object_dtype(kind)


def matches(text: pd.Series, pattern: str) -> Mask:
    """(cell,) whether a text begins with ``pattern``, in the syntax of RE2; a missing one does not."""
    found = compute.match_substring_regex(as_arrow(text), f"^(?:{pattern})")
    return np.asarray(compute.fill_null(found, False), dtype=bool)


def plain(word: str) -> str:
    """Full-width digits and signs as the plain ones, and every blank as a plain one."""
    return word if word.isascii() else word.translate(_FULL_WIDTH).strip()


def by_value(cells: pd.Series, read: Callable[[str], str | None]) -> tuple[pd.Series, Mask]:
    """``read`` applied once to each distinct text; where it gives ``None``, the cell is missing and in the mask."""
    text = as_text(cells)
    codes, distinct = pd.factorize(text)
    words = [read(word) for word in distinct]
    refused = np.array([word is None for word in words], dtype=bool)
    values = np.array([word or np.nan for word in words], dtype=object)
    return spread(codes, values, cells, np.nan).astype("str"), spread_mask(codes, refused)


def spread(
    codes: npt.NDArray[np.intp], distinct: npt.NDArray[np.generic], cells: pd.Series, missing: object
) -> pd.Series:
    """The values of ``distinct`` in the places of ``codes``; ``missing`` where a code is -1."""
    values = np.append(distinct, np.array([missing], dtype=distinct.dtype))
    return pd.Series(values[codes], index=cells.index, name=cells.name)


def spread_mask(codes: npt.NDArray[np.intp], distinct: Mask) -> Mask:
    """A mask of distinct values in the places of ``codes``."""
    return np.append(distinct, False)[codes]
