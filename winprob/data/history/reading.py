"""What did we know on a day, or on each of many days? Snapshots read back from a history."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.history.days import Day, as_day, listed
from winprob.data.history.folder import SNAPSHOT, place_of, require_day, require_days, require_history
from winprob.data.schema import COLUMNS, READINGS, as_text
from winprob.errors import HistoryError, InputError
from winprob.i18n import gettext

#: Under this key the Parquet file says which columns are covariates.
KEY = b"winprob"


def read_history(
    path: str | Path, *, as_of: Day | None = None, since: Day | None = None, until: Day | None = None
) -> pd.DataFrame:
    """The snapshots of a history below each other, in order of days; only the files of the days asked for are read.

    Parameters
    ----------
    as_of : this day's snapshot alone
    since, until : the first and the last day, both included

    Returns
    -------
    DataFrame
        As ``read_deals`` gives it, one row per deal and snapshot, ``as_of`` the snapshot's day. A column that came
        later is missing in the snapshots before. ``attrs["covariates"]`` as the snapshots were written with.

    Raises
    ------
    HistoryError
        ``path`` is no history, or has no snapshot of those days. The message says which days there are.
    InputError
        A snapshot's file is damaged.
    """
    folder = require_history(path)
    if as_of is not None:
        require_day(folder, as_day(as_of))
        since = until = as_of
    days = _between(folder, since, until)
    return _together([_with_day(read_content(place_of(folder, day)), day) for day in days])


def _between(folder: Path, since: Day | None, until: Day | None) -> list[pd.Timestamp]:
    every = require_days(folder)
    first = every[0] if since is None else as_day(since)
    last = every[-1] if until is None else as_day(until)
    days = [day for day in every if first <= day <= last]
    if not days:
        raise HistoryError(
            gettext(
                "{path} has no snapshot from {first} to {last}; it has {count}: {days}.",
                path=folder,
                first=f"{first:%Y-%m-%d}",
                last=f"{last:%Y-%m-%d}",
                count=len(every),
                days=listed(every),
            )
        )
    return days


def read_content(place: Path) -> pd.DataFrame:
    """One snapshot as it was written, without its day.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    # Imported here: only a history needs it.
    import pyarrow as pa
    from pyarrow import parquet

    file = place / SNAPSHOT
    try:
        table = parquet.ParquetFile(file).read()
        said = json.loads((table.schema.metadata or {}).get(KEY, b"{}"))
    except (pa.ArrowException, OSError, ValueError) as fault:
        raise InputError(
            gettext(
                "{path} does not read: missing or damaged ({fault}). Restore it from a copy.", path=file, fault=fault
            )
        ) from None
    content: pd.DataFrame = table.to_pandas()
    content.attrs = {"covariates": said.get("covariates", {})}
    return content


def _with_day(content: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    return content.assign(as_of=pd.Series(day, index=content.index, dtype="datetime64[us]"))


def _together(snapshots: list[pd.DataFrame]) -> pd.DataFrame:
    covariates = _all_covariates(frame.attrs.get("covariates", {}) for frame in snapshots)
    columns = dict.fromkeys(name for frame in snapshots for name in frame.columns)
    every = pd.concat(_alike(snapshots, list(columns)), ignore_index=True)
    ordered = [name for name in (*COLUMNS, *READINGS) if name in columns]
    every = every[ordered + [name for name in columns if name not in ordered]]
    every.attrs = {"covariates": covariates}
    return every


def _alike(snapshots: list[pd.DataFrame], columns: list[str]) -> list[pd.DataFrame]:
    """The snapshots with the same kind of column under one name: text where one of them holds text."""
    for name in columns:
        if len({str(frame[name].dtype) for frame in snapshots if name in frame}) > 1:
            snapshots = [
                frame.assign(**{name: as_text(frame[name])}) if name in frame else frame for frame in snapshots
            ]
    return snapshots


def _all_covariates(said: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    """Every covariate that some snapshot names; the latest says how."""
    varying: dict[str, None] = {}
    numeric: dict[str, Any] = {}
    for covariates in said:
        varying |= dict.fromkeys(covariates.get("varying", ()))
        numeric |= {item["column"]: item for item in covariates.get("numeric", ())}
    return {"varying": list(varying), "numeric": list(numeric.values())}
