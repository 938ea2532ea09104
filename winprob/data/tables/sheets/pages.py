"""Choose the page of a workbook, or the table of a web page, that holds the deals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from winprob.data.schema import Finding, whole
from winprob.data.tables.sheets.headers import HEADER_ROWS, clean_header, header_at
from winprob.errors import InputError
from winprob.i18n import gettext


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A worksheet: its number of rows with cells, its first rows, and the row of the sheet of the first."""

    name: str
    height: int
    head: Sequence[Sequence[str]]
    top: int = 1
    hidden: bool = False


def choose_page(
    pages: Sequence[Page], file: str, known: Callable[[str], bool], wanted: str | None
) -> tuple[int, list[Finding]]:
    """The place in ``pages`` of the one to read, and a note on the others.

    Parameters
    ----------
    wanted : str or None
        The name of the page; None for the visible page that knows most headers.

    Raises
    ------
    InputError
        No page has that name, or all are hidden.
    """
    if wanted is not None:
        named = [place for place, page in enumerate(pages) if page.name.strip().casefold() == wanted.strip().casefold()]
        if not named:
            raise InputError(
                gettext(
                    "{name} has no sheet {sheet}; it has {sheets}.",
                    name=file,
                    sheet=repr(wanted),
                    sheets=", ".join(repr(page.name) for page in pages),
                )
            )
        return named[0], []
    visible = [place for place, page in enumerate(pages) if not page.hidden and page.height]
    if not visible and any(page.height for page in pages):
        raise InputError(
            gettext(
                'All sheets of {name} that hold cells are hidden: {sheets}. Name one in mapping.toml (sheet = "...").',
                name=file,
                sheets=", ".join(repr(page.name) for page in pages if page.height),
            )
        )
    if not visible:
        return 0, []
    best = max(visible, key=lambda place: (_known(pages[place], known), -place))
    others = [place for place, page in enumerate(pages) if place != best and page.height]
    return best, _others_note(pages, best, others, known)


def _known(page: Page, known: Callable[[str], bool]) -> int:
    head = [row for row in page.head if any(cell.strip() for cell in row)][:HEADER_ROWS]
    return sum(known(clean_header(cell)) for cell in head[header_at(head, known)]) if head else 0


def _others_note(pages: Sequence[Page], best: int, others: list[int], known: Callable[[str], bool]) -> list[Finding]:
    if not others:
        return []
    alike = any(_known(pages[place], known) >= max(_known(pages[best], known), 1) for place in others)
    shown = ", ".join(
        gettext("{sheet} (hidden)", sheet=repr(pages[place].name))
        if pages[place].hidden
        else gettext("{sheet} ({rows} rows)", sheet=repr(pages[place].name), rows=pages[place].height)
        for place in others
    )
    message = gettext(
        'sheet {sheet} is read; not read: {others}. To read another, name it in mapping.toml (sheet = "...")',
        sheet=repr(pages[best].name),
        others=shown,
    )
    return [whole("warning" if alike else "note", "", message)]
