"""Whole cohorts for monitoring: every deal open at the start of a quarter, and whether it was won by the quarter's end.

A cohort is never chosen by its outcome: a deal that is still open at the end was not won by then, and one that has
vanished from the exports counts as not won. "Ever won" among the deals that have closed would be another question,
because deals that close quickly differ from the others.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import Quarter, quarter_of
from winprob.data.history import read_history, training_rows
from winprob.data.schema import ID, Mask, column_or_missing, is_closed, is_open, mask_of, validate_deals
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.model.timing import draw_win_prob_by
from winprob.settings import CalendarSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The deals open when a quarter began, as known then, and which of them were won by its end.

    Attributes
    ----------
    deals : one row per deal: its facts on the day of its reading, ``as_of``
    won : (deal,) won by the quarter's last day
    """

    quarter: Quarter
    deals: pd.DataFrame
    won: Mask


def quarter_cohorts(
    deals: str | Path | pd.DataFrame, settings: Settings, *, since: dt.date | None = None, as_of: dt.date | None = None
) -> list[Cohort]:
    """Whole cohorts of the quarters that are over, in order.

    Parameters
    ----------
    deals : the folder of a history, a frame as ``read_history`` gives it, or a table of readings in which each deal has
        a row from before its close (the cohort of a quarter is then the first reading of every deal within it)
    since : the first day that a cohort's readings may have: the day on which the model's training data ended
    as_of : use only what was known on this day

    Raises
    ------
    HistoryError
        The folder is not a history, or has no snapshot by that day.
    DealTableError
        The frame is not a valid deal table, or its cohorts would not be whole.
    """
    table = _dated(deals) if isinstance(deals, pd.DataFrame) else None
    in_hindsight = table is not None and _has_hindsight(table)
    if table is not None and in_hindsight:
        readings, known_on = _from_table(table, as_of)
    else:
        readings, known_on = _from_history(deals if table is None else table, settings.calendar, as_of)
    begin, settled = pd.Timestamp(since or dt.date(1970, 1, 1)), dt.timedelta(days=settings.monitor.settle_days)
    cohorts = [
        cohort
        for cohort in _by_quarter(readings, settings.calendar)
        if cohort.quarter.end + settled <= known_on and cohort.deals["as_of"].min() >= begin
    ]
    if table is not None and in_hindsight:
        _require_whole(table, cohorts)
    return cohorts


def trained_until(posterior: Posterior) -> dt.date | None:
    """The last day from which a model has learned, of a reading or of an outcome; None without dates."""
    days = [posterior.provenance.last_day, posterior.hazards.known_on if posterior.hazards else None]
    return max((dt.date.fromisoformat(day) for day in days if day), default=None)


def _from_history(
    deals: str | Path | pd.DataFrame, calendar: CalendarSettings, as_of: dt.date | None
) -> tuple[pd.DataFrame, dt.date]:
    """One row for each deal and quarter, open in the quarter's first snapshot; and the day on which knowledge ends."""
    if isinstance(deals, pd.DataFrame):
        known = deals if as_of is None else deals[mask_of(deals["as_of"] <= pd.Timestamp(as_of))]
        _require_several_days(deals)
    else:
        known = read_history(deals, until=as_of)
    rows = training_rows(known, calendar=calendar)
    return _with_closing_days(rows, known), pd.to_datetime(known["as_of"]).max().date()


def _with_closing_days(rows: pd.DataFrame, snapshots: pd.DataFrame) -> pd.DataFrame:
    """The rows, where a closed deal has no day of closing with that of the first snapshot that shows it closed."""
    seen = snapshots[is_closed(snapshots)].groupby(ID)["as_of"].min()
    closed_on, shown = (pd.to_datetime(days) for days in (rows["closed_on"], rows[ID].map(seen.to_dict())))
    return rows.assign(closed_on=closed_on.fillna(shown))


def _by_quarter(readings: pd.DataFrame, calendar: CalendarSettings) -> Iterator[Cohort]:
    quarters = readings["as_of"].dt.date.map(lambda day: quarter_of(day, calendar))
    for quarter in sorted(set(quarters)):
        of_it = readings[(quarters == quarter).to_numpy()]
        first = of_it.sort_values([ID, "as_of"], kind="stable").drop_duplicates(ID).reset_index(drop=True)
        won = mask_of(first["outcome"] == "won") & mask_of(first["closed_on"] <= pd.Timestamp(quarter.end))
        yield Cohort(quarter=quarter, deals=first, won=won)


# ---- a table of readings, without a history --------------------------------------------------------------------------


def _dated(deals: pd.DataFrame) -> pd.DataFrame:
    """The valid table, once it has readings and outcomes.

    Raises
    ------
    DealTableError
        A column is absent or empty, or a reading has no day.
    """
    table = validate_deals(deals)
    absent = [name for name in ("as_of", "outcome") if column_or_missing(table, name).isna().all()]
    if absent or table["as_of"].isna().any():
        raise DealTableError(
            gettext(
                "monitoring needs {columns} in every row: what was known on a day, and what came of the deal later. "
                "{remedy}",
                columns=", ".join(map(repr, absent or ["as_of"])),
                remedy=_remedy(),
            )
        )
    return table


def _has_hindsight(table: pd.DataFrame) -> bool:
    """Whether rows show an outcome from after the day of their reading, which no snapshot does."""
    later = column_or_missing(table, "closed_on") > table["as_of"] + pd.Timedelta(days=1)
    return bool((is_closed(table) & mask_of(later)).any())


def _require_several_days(table: pd.DataFrame) -> None:
    if table["as_of"].min() == table["as_of"].max():
        raise DealTableError(
            gettext(
                "this export shows every deal as it is on one day, {day}: it does not hold what was known when a "
                "quarter began. {remedy}",
                day=table["as_of"].max().date(),
                remedy=_remedy(),
            )
        )


def _from_table(table: pd.DataFrame, as_of: dt.date | None) -> tuple[pd.DataFrame, dt.date]:
    """The rows from before the close of their deal, and the day on which knowledge ends."""
    known_on = max(table["as_of"].max(), table["closed_on"].max()) if as_of is None else pd.Timestamp(as_of)
    early = mask_of(table["as_of"] < table["closed_on"]) | is_open(table)
    return table[early & mask_of(table["as_of"] <= known_on)], known_on.date()


def _require_whole(table: pd.DataFrame, cohorts: list[Cohort]) -> None:
    """Refuse a table in which a quarter's cohort lacks deals that were open when it began.

    Usually those are the ones that closed slowly: one row per deal, and open deals read on the last day only.

    Raises
    ------
    DealTableError
        Deals have no reading in a quarter in which they were open, or there is no ``opened_on`` to check it by.
    """
    opened = column_or_missing(table, "opened_on")
    for cohort in cohorts:
        start = pd.Timestamp(cohort.quarter.start)
        was_open = mask_of(opened <= start) & (is_open(table) | mask_of(table["closed_on"] > start))
        lacking = table[(was_open & ~table[ID].isin(cohort.deals[ID]).to_numpy()) | mask_of(opened.isna())]
        if len(lacking):
            raise DealTableError(
                gettext(
                    "{count} deals were open when {quarter} began, or have no 'opened_on', and have no reading in that "
                    "quarter from before their close, first deal {deal!r}: a quarter that lacks deals is biased, "
                    "because deals that close quickly differ from the others. {remedy}",
                    count=lacking[ID].nunique(),
                    quarter=cohort.quarter.name,
                    deal=lacking[ID].iloc[0],
                    remedy=_remedy(),
                )
            )


def _remedy() -> str:
    return gettext("Keep a history (winprob snapshot, at the start of each quarter at least) and give its folder.")


def draw_chances(posterior: Posterior, cohort: Cohort, draws: int) -> Array:
    """(deal, draw) probability of being won by the quarter's end, in draws spread evenly over the posterior."""
    chance = draw_win_prob_by(posterior, cohort.deals, cohort.quarter.end)
    count = chance.shape[1]
    return chance[:, np.linspace(0, count - 1, min(draws, count)).round().astype(int)]
