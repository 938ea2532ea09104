"""Spelling: levels that differ by case, blanks or full-width forms only are one, and headers may be misspelt."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

import pandas as pd
from pyarrow import compute

from winprob.data.schema import Finding, as_text, whole
from winprob.data.schema.dtypes import as_arrow
from winprob.i18n import gettext
from winprob.methodology import normal

_BLANKS = re.compile(r"[\s\u200b\ufeff]+")
#: Ids of a CRM, which case may tell apart.
_ID = re.compile(r"(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{15,18}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

#: How alike two names must be: two letters exchanged in six.
_ALIKE = 0.8
_SHORTEST = 4


def spellings(cells: pd.Series) -> dict[str, str]:
    """The spelling to use in place of each other one of a column; empty where every level has one spelling."""
    text = as_text(cells)
    if _all_differ(pd.Series(text.dropna().unique(), dtype="str")):
        return {}
    return most_frequent({str(level): int(count) for level, count in text.value_counts().items()})


def most_frequent(counts: Mapping[str, int]) -> dict[str, str]:
    """The spelling to use in place of each other one, by how often each occurs."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for word, count in counts.items():
        if not _ID.fullmatch(word):
            groups.setdefault(folded(word), []).append((-count, word))
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


def folded(text: str) -> str:
    """A level as levels are compared: without case, and with single blanks."""
    if text.isascii():
        return " ".join(text.split()).lower()
    return _BLANKS.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()


def misspelt(unused: Iterable[str], wanted: Mapping[str, str]) -> Iterator[Finding]:
    """Warnings on headers that may be misspelt.

    Parameters
    ----------
    unused : headers of the file that mean nothing
    wanted : the columns that the file lacks, by the names that are looked for
    """
    by_name = {normal(name): column for name, column in wanted.items() if len(normal(name)) >= _SHORTEST}
    for header in unused:
        near = get_close_matches(normal(header), list(by_name), n=1, cutoff=_ALIKE)
        if near:
            message = gettext(
                "column {header} is not known and not read; did you mean {name}?",
                header=repr(header),
                name=repr(by_name[near[0]]),
            )
            yield whole("warning", by_name[near[0]], message)
