"""Which deals does a path mean? An export's, or, where it is a history, what that says of the day or of the past."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.history.days import Day
from winprob.data.history.folder import require_days, require_history
from winprob.data.history.reading import read_history
from winprob.data.history.training import review_table, training_rows
from winprob.data.tables import read_deals
from winprob.errors import HistoryError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings


def read_known(
    path: str | Path,
    mapping: str | Path | Mapping[str, Any] | None = None,
    people: str | Path | None = None,
    *,
    encoding: str | None = None,
) -> pd.DataFrame:
    """The deals of an export; of a history, those that its last snapshot does not call closed.

    Raises
    ------
    InputError, MappingError, DealTableError
        As ``read_deals``.
    HistoryError
        The folder is no history, holds no snapshot, or is given with a mapping, which it has no use for.
    """
    if not Path(path).is_dir():
        return read_deals(path, mapping, people, encoding=encoding)
    last = read_history(path, as_of=require_days(require_plain(path, mapping, people, encoding))[-1])
    if "outcome" not in last:
        return last
    still: pd.DataFrame = last[(last["outcome"].isna() | (last["outcome"] == "open")).to_numpy(dtype=bool)]
    return still.reset_index(drop=True)


def read_review(
    path: str | Path,
    mapping: str | Path | Mapping[str, Any] | None = None,
    people: str | Path | None = None,
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
    mapping: str | Path | Mapping[str, Any] | None = None,
    people: str | Path | None = None,
    *,
    encoding: str | None = None,
    as_of: Day | None = None,
    calendar: CalendarSettings | None = None,
) -> pd.DataFrame:
    """The deals of an export, all of them; of a history, its training rows as they were on ``as_of``.

    Raises
    ------
    InputError, MappingError, DealTableError, HistoryError
        As ``read_known`` and ``training_rows``.
    """
    if not Path(path).is_dir():
        return read_deals(path, mapping, people, encoding=encoding)
    return training_rows(require_plain(path, mapping, people, encoding), as_of=as_of, calendar=calendar)


def require_plain(path: str | Path, *options: object) -> Path:
    """The history's folder, given without the options of an export.

    Raises
    ------
    HistoryError
        It is no history, or an option is given.
    """
    folder = require_history(path)
    if any(options):
        raise HistoryError(
            gettext(
                "{path} is a history, read already: --mapping, --people and --encoding belong to winprob snapshot.",
                path=path,
            )
        )
    return folder
