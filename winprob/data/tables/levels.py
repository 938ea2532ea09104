"""Levels of a column of text that differ by case, blanks or full-width forms only: one level, spelled as most often."""

import re
import unicodedata
from collections.abc import Mapping

import pandas as pd
from pyarrow import compute

from winprob.data.schema import as_text
from winprob.data.schema.dtypes import as_arrow

_BLANKS = re.compile(r"[\s\u200b\ufeff]+")
#: Ids of a CRM, which case may tell apart.
_ID = re.compile(r"(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{15,18}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def spellings(cells: pd.Series) -> dict[str, str]:
    """The spelling to use in place of each other one of a column; empty where every level has one spelling."""
    text = as_text(cells)
    if _all_differ(pd.Series(text.dropna().unique(), dtype="str")):
        return {}
    counts = text.value_counts()
    groups: dict[str, list[tuple[int, str]]] = {}
    for level, count in counts.items():
        word = str(level)
        if not _ID.fullmatch(word):
            groups.setdefault(_folded(word), []).append((-int(count), word))
    chosen: dict[str, str] = {}
    for group in groups.values():
        if len(group) > 1:
            # The most frequent; among equals the first in order of characters, whatever the order of rows.
            best = min(group)[1]
            chosen |= {word: best for _, word in group if word != best}
    return chosen


def _all_differ(levels: pd.Series) -> bool:
    """Whether plain levels differ by more than case and blanks; False where a closer look is needed."""
    words = as_arrow(levels)
    if not compute.all(compute.string_is_ascii(words), min_count=0).as_py():
        return False
    folded = compute.utf8_lower(compute.replace_substring_regex(words, pattern=r"\s+", replacement=" "))
    return bool(compute.count_distinct(folded).as_py() == len(levels))


def unify(cells: pd.Series, chosen: Mapping[str, str]) -> pd.Series:
    """A column of text with each level in its chosen spelling."""
    return cells.replace(dict(chosen)) if chosen else cells


def _folded(text: str) -> str:
    if text.isascii():
        return " ".join(text.split()).lower()
    return _BLANKS.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()
