"""What makes a folder a history? A file that says so, and one sub-folder for each day.

::

    DIR/_winprob_history.json          {"kind": "winprob history", "format": 1}
    DIR/as_of=2026-06-30/snapshot.parquet

Other readers of Parquet data sets pass over names that begin with ``_`` or a dot, and take
``as_of`` from the folder's name.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.history.days import listed
from winprob.data.schema import as_days
from winprob.errors import HistoryError
from winprob.i18n import gettext

MANIFEST = "_winprob_history.json"
SNAPSHOT = "snapshot.parquet"
#: What a writer works in; one left behind by a writer that was killed is cleared by the next.
SCRATCH = ".winprob-"
_KIND = "winprob history"
_FORMAT = 1
_DAY_IS = "as_of="


def manifest_text() -> str:
    return json.dumps({"kind": _KIND, "format": _FORMAT}) + "\n"


def is_history(path: str | Path) -> bool:
    """Whether ``path`` is a folder that calls itself a history."""
    return Path(path, MANIFEST).is_file()


def is_fresh(folder: Path) -> bool:
    """Whether there is nothing there yet, hidden files apart."""
    return not folder.exists() or (folder.is_dir() and all(item.name.startswith(".") for item in folder.iterdir()))


def require_history(path: str | Path) -> Path:
    """The folder, once it is known to be a history that can be read.

    Raises
    ------
    HistoryError
        It is missing, a file, another kind of folder, or of a later format.
    """
    folder = Path(path)
    if not folder.exists():
        raise HistoryError(gettext("{path} does not exist. Make a history with winprob snapshot.", path=path))
    if not folder.is_dir():
        raise HistoryError(gettext("{path} is a file; a history is a folder. Name the folder.", path=path))
    _require_manifest(folder)
    return folder


def _require_manifest(folder: Path) -> None:
    try:
        said: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HistoryError(_foreign(folder)) from None
    except (OSError, ValueError) as fault:
        raise HistoryError(
            gettext("{path} cannot be read: {fault}. Restore it from a copy.", path=folder / MANIFEST, fault=fault)
        ) from None
    if not isinstance(said, dict) or said.get("kind") != _KIND:
        raise HistoryError(_foreign(folder))
    if said.get("format") != _FORMAT:
        raise HistoryError(
            gettext(
                "{path} is a history of format {got}; this winprob reads format {known}. Update winprob.",
                path=folder,
                got=said.get("format"),
                known=_FORMAT,
            )
        )


def _foreign(folder: Path) -> str:
    names = ", ".join(sorted(item.name for item in folder.iterdir())[:5]) or "-"
    return gettext(
        "{path} is no winprob history: {manifest} is not in it ({names}). Name another folder, or one that is empty.",
        path=folder,
        manifest=MANIFEST,
        names=names,
    )


def place_of(folder: Path, day: pd.Timestamp) -> Path:
    return folder / f"{_DAY_IS}{day:%Y-%m-%d}"


def snapshot_days(folder: Path) -> list[pd.Timestamp]:
    """The days of which there is a snapshot, in order.

    Raises
    ------
    HistoryError
        A folder's name holds no day.
    """
    names = sorted(item.name.removeprefix(_DAY_IS) for item in folder.glob(f"{_DAY_IS}*") if item.is_dir())
    days = as_days(pd.Series(names, dtype="str"))
    wrong = [name for name, day in zip(names, days, strict=True) if pd.isna(day) or f"{day:%Y-%m-%d}" != name]
    if wrong:
        raise HistoryError(
            gettext(
                "{path} holds folders that name no day: {names}. Move them away.",
                path=folder,
                names=", ".join(f"{_DAY_IS}{name}" for name in wrong[:5]),
            )
        )
    return list(days)


def require_days(folder: Path) -> list[pd.Timestamp]:
    """The days of which there is a snapshot, at least one.

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
    """Refuse a day of which there is no snapshot, and say which days there are.

    Raises
    ------
    HistoryError
        There is none of that day.
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
