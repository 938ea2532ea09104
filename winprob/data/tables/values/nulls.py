"""Words that mean a missing value, in any column and before anything else is made of a cell; and Excel's error words.

A column with words of its own looks at these first: ``none`` is a state of the coach. ``NA`` is blank in a column of
days, numbers or canonical values, and North America in one of free text.
"""

from collections.abc import Callable, Collection, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from winprob.data.schema import Mask, as_text
from winprob.data.schema.dtypes import as_arrow
from winprob.data.tables.values.parsed import is_texts, plain, spread_mask
from winprob.methodology import is_unknown

#: Of every program that writes tables; compared without case.
NULL_WORDS = frozenset({
    "null", "<null>", "(null)", "[null]", "\\n", "none", "nan", "nat", "<na>", "#n/a", "#n/a n/a", "n/a", "n.a.",
    "n. a.", "(blank)", "(leer)", "(vide)", "(en blanco)", "(空白)", "blank", "-", "--", "---", "–", "—", "－", "nil",
    "undefined", "空", "空白", "无", "(none)", "[none]", "<none>", "-none-", "(empty)", "<empty>", "<blank>",
    "(no value)", "no value", "#na", "not available", "k.a.", "k. a.", "keine angabe", "n/d", "n.d.", "s/d",
    "sin datos", "non renseigné", "未填写", "暂无", "(空)", "空值",
})  # fmt: skip
#: What a workbook shows in place of a value that it could not compute.
ERROR_WORDS = frozenset({
    "#ref!", "#div/0!", "#value!", "#name?", "#num!", "#null!", "#spill!", "#calc!", "#getting_data", "#field!",
    "#blocked!", "#error!", "err:502", "err:504", "err:508",
})  # fmt: skip
_OF_VALUES = frozenset({"/", "\\", "na"})


def is_blank_word(text: str) -> bool:
    """Whether the text of a cell of days or numbers means a missing value."""
    word = text.casefold()
    return word in NULL_WORDS or word in _OF_VALUES or is_unknown(text)


def is_null_word(text: str, words: Collection[str] = ()) -> bool:
    """Whether the text of any cell means a missing value: by the general list, or by ``words`` in lower case."""
    word = plain(text).casefold()
    return word in NULL_WORDS or word in ERROR_WORDS or word in words


def null_cells(
    cells: pd.Series, words: Collection[str] = (), meanings: Iterable[Callable[[str], bool]] = ()
) -> tuple[Mask, Mask]:
    """(cell,) which of a column's texts mean a missing value, and which of these are a workbook's errors.

    Parameters
    ----------
    words : further words, of the preset and the mapping
    meanings : whether a text has a meaning in this column, which then comes first
    """
    if not is_texts(cells):
        return np.zeros(len(cells), dtype=bool), np.zeros(len(cells), dtype=bool)
    text = as_text(cells)
    further = {word.strip().casefold() for word in words}
    may = _is_one_of(text, {*NULL_WORDS, *ERROR_WORDS, *further})
    if not may.any():
        return may, may
    codes, distinct = pd.factorize(text.where(may))
    own = tuple(meanings)
    nulls = np.array([not any(means(word) for means in own) for word in distinct], dtype=bool)
    errors = nulls & np.array([plain(word).casefold() in ERROR_WORDS for word in distinct], dtype=bool)
    return spread_mask(codes, nulls), spread_mask(codes, errors)


def _is_one_of(text: pd.Series, words: Collection[str]) -> Mask:
    """(cell,) whether a text is one of ``words``, whatever its case; none of them is long."""
    values = as_arrow(text)
    short = compute.fill_null(compute.less_equal(compute.binary_length(values), max(map(len, words)) * 4), False)
    found: Mask = np.asarray(short, dtype=bool).copy()
    if found.any():
        few = compute.utf8_lower(values.filter(short))
        found[found] = np.asarray(compute.is_in(few, value_set=pa.array(sorted(words), few.type)), dtype=bool)
    return found


def without_nulls(cells: pd.Series, words: Collection[str] = ()) -> pd.Series:
    """A column with its null words blank."""
    null, _ = null_cells(cells, words)
    return cells.mask(null) if null.any() else cells
