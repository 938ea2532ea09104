"""Read deals from a path that is an export or a history: for a prediction, a review, or training."""

from pathlib import Path

import pandas as pd

from winprob.data.history.days import Day
from winprob.data.history.folder import read_history, require_days, require_history
from winprob.data.history.training import review_table, training_rows
from winprob.data.schema import is_open
from winprob.data.tables import MappingSource, PeopleSource, read_deals
from winprob.errors import HistoryError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings


def read_known(
    path: str | Path,
    mapping: MappingSource | None = None,
    people: PeopleSource | None = None,
    *,
    encoding: str | None = None,
) -> pd.DataFrame:
    """The deals of an export; of a history, those that are not closed in its last snapshot.

    Raises
    ------
    InputError, MappingError, DealTableError
        As ``read_deals``.
    HistoryError
        The folder is not a history, holds no snapshot, or is given with options of an export.
    """
    if not Path(path).is_dir():
        return read_deals(path, mapping, people, encoding=encoding)
    last = read_history(path, as_of=require_days(require_plain(path, mapping, people, encoding))[-1])
    return last[is_open(last)].reset_index(drop=True)


def read_review(
    path: str | Path,
    mapping: MappingSource | None = None,
    people: PeopleSource | None = None,
    *,
    encoding: str | None = None,
    as_of: Day | None = None,
) -> pd.DataFrame:
    """All deals of an export, open and closed; of a history, its ``review_table``.

    Raises
    ------
    InputError, MappingError, DealTableError, HistoryError
        As ``read_known`` and ``review_table``.
    """
    if not Path(path).is_dir():
        return read_deals(path, mapping, people, encoding=encoding)
    return review_table(require_plain(path, mapping, people, encoding), as_of=as_of)


def read_past(
    path: str | Path,
    mapping: MappingSource | None = None,
    people: PeopleSource | None = None,
    *,
    encoding: str | None = None,
    as_of: Day | None = None,
    calendar: CalendarSettings | None = None,
) -> pd.DataFrame:
    """All deals of an export; of a history, its training rows as they were on ``as_of``.

    Raises
    ------
    InputError, MappingError, DealTableError, HistoryError
        As ``read_known`` and ``training_rows``.
    """
    if not Path(path).is_dir():
        return read_deals(path, mapping, people, encoding=encoding)
    return training_rows(require_plain(path, mapping, people, encoding), as_of=as_of, calendar=calendar)


def require_plain(path: str | Path, *options: object) -> Path:
    """The folder of a history, which takes none of the options of an export.

    Raises
    ------
    HistoryError
        It is not a history, or an option is given.
    """
    folder = require_history(path)
    if any(option is not None for option in options):
        raise HistoryError(
            gettext(
                "{path} is a history, whose deals are mapped already: --mapping, --people and --encoding belong to "
                "winprob snapshot.",
                path=path,
            )
        )
    return folder
