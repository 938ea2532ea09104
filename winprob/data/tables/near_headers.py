"""Headers that no column is read from, yet look like one that is: a typing error in a name costs a whole column."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from winprob.data.schema import Finding, whole
from winprob.i18n import gettext
from winprob.methodology import normal

#: How alike two names must be: one letter wrong in seven.
_ALIKE = 0.85
_SHORTEST = 4


def misspelt(unused: Iterable[str], wanted: Mapping[str, str]) -> Iterator[Finding]:
    """Notes on headers that may be misspelt.

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
            yield whole("note", by_name[near[0]], message)
