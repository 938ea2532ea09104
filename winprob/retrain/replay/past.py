"""Past quarters that a history covers whole, and what was known on each of their days."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import Quarter, previous_quarter, quarters_between
from winprob.data.history import follow
from winprob.data.schema import is_closed, latest_places
from winprob.errors import HistoryError, SettingsError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings

#: The weeks of a quarter that are replayed: its beginning, the first third, the last weeks.
WEEKS = (1, 5, 10)
#: An export may be this old on the day of a forecast.
_OLDEST = dt.timedelta(days=6)


@dataclass(frozen=True, kw_only=True)
class PastQuarter:
    """A quarter that is over, and the day of the export that each week's forecast is made from."""

    quarter: Quarter
    days: Mapping[int, dt.date]


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """All snapshots of a history in one valid frame, in order of days."""

    rows: pd.DataFrame

    @cached_property
    def days(self) -> list[dt.date]:
        """The days that have a snapshot."""
        return sorted(self.rows["as_of"].dt.date.unique())

    @cached_property
    def _row_hashes(self) -> Array:
        return pd.util.hash_pandas_object(self.rows.astype("str"), index=False).to_numpy()

    def until(self, day: dt.date) -> pd.DataFrame:
        """What was known on the evening of a day."""
        return self.rows[(self.rows["as_of"] <= pd.Timestamp(day)).to_numpy()]

    def on(self, day: dt.date) -> pd.DataFrame:
        """The snapshot of a day."""
        return self.rows[(self.rows["as_of"] == pd.Timestamp(day)).to_numpy()]

    def export_of(self, day: dt.date) -> dt.date | None:
        """The day of the newest export on a day; None where it is older than a week."""
        known = [export for export in self.days if export <= day]
        return known[-1] if known and day - known[-1] <= _OLDEST else None

    def closed_until(self, day: dt.date) -> tuple[int, int]:
        """Deals known to be closed on a day, and how many of them were won."""
        known = self.until(day)
        last = known.iloc[latest_places(known)] if len(known) else known
        closed = last[is_closed(last)]
        return len(closed), int((closed["outcome"] == "won").sum())

    def digest(self, day: dt.date) -> str:
        """Hash of what was known on a day: the same however much is added later."""
        known = (self.rows["as_of"] <= pd.Timestamp(day)).to_numpy()
        digest = hashlib.sha256(json.dumps(self.rows.attrs, sort_keys=True, default=str).encode())
        digest.update(np.ascontiguousarray(self._row_hashes[known]).tobytes())
        return digest.hexdigest()


def snapshots_of(history: str | Path | pd.DataFrame) -> Snapshots:
    """The snapshots of a history, given as its folder or as the frame of ``read_history``.

    Raises
    ------
    HistoryError
        It is not a history, or a row of the frame has no day.
    DealTableError
        A frame that is not a valid deal table.
    """
    return Snapshots(rows=follow(history).rows.sort_values("as_of", kind="stable", ignore_index=True))


def past_quarters(
    snapshots: Snapshots, calendar: CalendarSettings, *, settle_days: int, count: int
) -> list[PastQuarter]:
    """The last quarters that are over and have an export for at least one of the weeks.

    Parameters
    ----------
    settle_days : the record must go on for so many days after a quarter, because wins are entered late
    count : the number of quarters at most

    Raises
    ------
    HistoryError
        There is none.
    """
    first, last = snapshots.days[0], snapshots.days[-1]
    found = [
        PastQuarter(quarter=quarter, days=days)
        for quarter in quarters_between(first, last, calendar)
        if quarter.end + dt.timedelta(days=settle_days) <= last
        and snapshots.export_of(quarter.start)
        and (days := _days(snapshots, quarter))
    ]
    # The quarter of the first export has nothing before it to learn from.
    found = [past for past in found if past.quarter.start > first]
    if not found:
        raise HistoryError(
            gettext(
                "no quarter can be replayed: the history runs from {first} to {last}. A replay needs quarters that are "
                "over, an export in the week before each of them begins, and exports before that to learn from.",
                first=first,
                last=last,
            )
        )
    return found[-count:]


def _days(snapshots: Snapshots, quarter: Quarter) -> dict[int, dt.date]:
    exports = {week: snapshots.export_of(quarter.start + dt.timedelta(weeks=week - 1)) for week in WEEKS}
    return {week: day for week, day in exports.items() if day is not None}


def year_before(quarter: Quarter, calendar: CalendarSettings) -> Quarter | None:
    """The same quarter of the year before; None where the calendar's table begins later."""
    try:
        for _ in range(4):
            quarter = previous_quarter(quarter, calendar)
    except SettingsError:
        return None
    return quarter
