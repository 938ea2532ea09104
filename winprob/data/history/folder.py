"""A history folder: its days, its layout, and its snapshots read back.

::

    DIR/_winprob_history.json          {"kind": "winprob history", "format": 1}
    DIR/as_of=2026-06-30/snapshot.parquet
    DIR/as_of=2026-06-30/_snapshot.sha256

Other readers of Parquet data sets skip names that begin with ``_`` or a dot, and take ``as_of`` from the folder's name.
"""

import json
import os
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.history.days import Day, as_day, listed
from winprob.data.history.snapshot_file import read_content
from winprob.data.schema import COLUMNS, NAMES, READINGS, as_days, as_text
from winprob.errors import HistoryError, InputError
from winprob.i18n import gettext

MANIFEST = "_winprob_history.json"
_KIND, _FORMAT = "winprob history", 1
_DAY_IS = "as_of="


def manifest_text() -> str:
    return json.dumps({"kind": _KIND, "format": _FORMAT}) + "\n"


def is_history(path: str | Path) -> bool:
    """Whether ``path`` is a folder with the manifest of a history."""
    return os.path.isfile(Path(path, MANIFEST))


def require_history(path: str | Path) -> Path:
    """The folder, checked to be a history that can be read.

    Raises
    ------
    HistoryError
        It is missing, a file, another kind of folder, or of a later format.
    """
    folder = Path(path)
    if not os.path.exists(folder):
        raise HistoryError(gettext("{path} does not exist. Make a history with winprob snapshot.", path=path))
    if not os.path.isdir(folder):
        raise HistoryError(gettext("{path} is a file; a history is a folder. Name the folder.", path=path))
    _require_manifest(folder)
    return folder


def _require_manifest(folder: Path) -> None:
    try:
        manifest: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HistoryError(_foreign(folder)) from None
    except (OSError, ValueError, RecursionError) as fault:
        raise HistoryError(
            gettext("{path} cannot be read: {fault}. Restore it from a copy.", path=folder / MANIFEST, fault=fault)
        ) from None
    if not isinstance(manifest, dict) or manifest.get("kind") != _KIND:
        raise HistoryError(_foreign(folder))
    if manifest.get("format") != _FORMAT:
        raise HistoryError(
            gettext(
                "{path} is a history of format {got}; this winprob reads format {known}. Update winprob.",
                path=folder,
                got=manifest.get("format"),
                known=_FORMAT,
            )
        )


def _foreign(folder: Path) -> str:
    names = ", ".join(sorted(item.name for item in folder.iterdir())[:5]) or "-"
    return gettext(
        "{path} is not a winprob history: it does not hold {manifest} ({names}). Give another folder, or an empty one.",
        path=folder,
        manifest=MANIFEST,
        names=names,
    )


def place_of(folder: Path, day: pd.Timestamp) -> Path:
    """The folder of a day's snapshot."""
    place = folder / f"{_DAY_IS}{day.date().isoformat()}"
    # A former version wrote years before 1000 without leading zeros.
    former = folder / f"{_DAY_IS}{day.year}-{day:%m-%d}"
    return former if day.year < 1000 and not place.exists() and former.exists() else place


def snapshot_days(folder: Path) -> list[pd.Timestamp]:
    """The days that have a snapshot, in order.

    Raises
    ------
    HistoryError
        A folder's name is not a day.
    """
    names = sorted(item.name.removeprefix(_DAY_IS) for item in folder.glob(f"{_DAY_IS}*") if item.is_dir())
    padded = [name.zfill(len("YYYY-MM-DD")) for name in names]
    days = as_days(pd.Series(padded, dtype="str"))
    wrong = [
        name
        for name, full, day in zip(names, padded, days, strict=True)
        if pd.isna(day) or day.date().isoformat() != full
    ]
    if wrong:
        raise HistoryError(
            gettext(
                "{path} holds folders whose names are not days: {names}. Move them away.",
                path=folder,
                names=", ".join(f"{_DAY_IS}{name}" for name in wrong[:5]),
            )
        )
    return sorted(days)


def require_days(folder: Path) -> list[pd.Timestamp]:
    """The days that have a snapshot, at least one.

    Raises
    ------
    HistoryError
        There is none.
    """
    days = snapshot_days(folder)
    if not days:
        raise HistoryError(gettext("{path} holds no snapshot yet. Add one with winprob snapshot.", path=folder))
    return days


def require_day(folder: Path, day: pd.Timestamp) -> None:
    """Raise an error that lists the days for a day without a snapshot.

    Raises
    ------
    HistoryError
        The day has no snapshot.
    """
    days = require_days(folder)
    if day not in days:
        raise HistoryError(
            gettext(
                "{path} has no snapshot of {day}; it has {count}: {days}.",
                path=folder,
                day=f"{day:%Y-%m-%d}",
                count=len(days),
                days=listed(days),
            )
        )


def read_history(
    path: str | Path, *, as_of: Day | None = None, since: Day | None = None, until: Day | None = None
) -> pd.DataFrame:
    """The snapshots of a history in one frame, in order of days; only the files of the requested days are read.

    Parameters
    ----------
    as_of : this day's snapshot alone
    since, until : the first and the last day, both included

    Returns
    -------
    DataFrame
        As from ``read_deals``, one row per deal and snapshot, ``as_of`` the snapshot's day. A column that was added
        later is missing in earlier snapshots. ``attrs["covariates"]`` lists those of all snapshots.

    Raises
    ------
    HistoryError
        ``path`` is not a history, or has no snapshot of those days. The message lists the days that have one.
    InputError
        Snapshots are damaged. The message names each file; other days can be read still.
    """
    folder = require_history(path)
    if as_of is not None:
        require_day(folder, as_day(as_of))
        since = until = as_of
    snapshots, faults = read_days(folder, _between(folder, since, until))
    if faults:
        raise InputError("\n".join(map(str, faults.values())))
    return snapshots


def read_days(folder: Path, days: Iterable[pd.Timestamp]) -> tuple[pd.DataFrame, dict[pd.Timestamp, InputError]]:
    """The snapshots of these days in one frame, without the damaged ones, and what is wrong with those."""
    frames, faults = [], {}
    for day in days:
        try:
            frames.append(_with_day(read_content(place_of(folder, day)), day))
        except InputError as fault:
            faults[day] = fault
    return (_together(frames) if frames else pd.DataFrame()), faults


def _between(folder: Path, since: Day | None, until: Day | None) -> list[pd.Timestamp]:
    every = require_days(folder)
    first = every[0] if since is None else as_day(since)
    last = every[-1] if until is None else as_day(until)
    if since is None and last < first:
        raise HistoryError(
            gettext(
                "nothing in {path} was known on {day}: its first snapshot is of {first}. Name that day or a later one.",
                path=folder,
                day=f"{last:%Y-%m-%d}",
                first=f"{first:%Y-%m-%d}",
            )
        )
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


def _with_day(content: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    return content.assign(as_of=pd.Series(day, index=content.index, dtype="datetime64[us]"))


def _together(snapshots: list[pd.DataFrame]) -> pd.DataFrame:
    covariates = _all_covariates(frame.attrs.get("covariates", {}) for frame in snapshots)
    columns = dict.fromkeys(name for frame in snapshots for name in frame.columns)
    every = pd.concat(_alike(snapshots, list(columns)), ignore_index=True)
    ordered = [name for name in (*COLUMNS, *READINGS, *NAMES) if name in columns]
    every = every[ordered + [name for name in columns if name not in ordered]]
    every.attrs = {"covariates": covariates, **_definitions_by_day(snapshots)}
    return every


def _definitions_by_day(snapshots: list[pd.DataFrame]) -> dict[Hashable, Any]:
    """Hashes of definitions by the day of the snapshot that has them on record; nothing where none has."""
    by_day = {
        f"{frame['as_of'].iloc[0]:%Y-%m-%d}": frame.attrs["definitions"]
        for frame in snapshots
        if len(frame) and "definitions" in frame.attrs
    }
    return {"definitions": by_day} if by_day else {}


def _alike(snapshots: list[pd.DataFrame], columns: list[str]) -> list[pd.DataFrame]:
    """The snapshots with one dtype per column name: text where the dtypes differ."""
    for name in columns:
        if len({str(frame[name].dtype) for frame in snapshots if name in frame}) > 1:
            snapshots = [
                frame.assign(**{name: as_text(frame[name])}) if name in frame else frame for frame in snapshots
            ]
    return snapshots


def _all_covariates(settings: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The covariates of all snapshots; for a numeric one the latest transform, of the seller's number the last word."""
    varying: dict[str, None] = {}
    numeric: dict[str, Any] = {}
    seller: dict[str, bool] = {}
    for covariates in settings:
        varying |= dict.fromkeys(covariates.get("varying", ()))
        numeric |= {item["column"]: item for item in covariates.get("numeric", ())}
        seller = {"seller_forecast": True} if covariates.get("seller_forecast") else {}
    return {"varying": list(varying), "numeric": list(numeric.values()), **seller}
