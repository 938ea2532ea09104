"""Training rows of a history, censored where a deal is still open, and deals read from an export or a history."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import quarter_of
from winprob.data.history.days import Day, as_day
from winprob.data.history.folder import read_history, require_days, require_history
from winprob.data.history.slips import slip_columns
from winprob.data.history.trail import Trail, follow, review_table
from winprob.data.schema import ELAPSED, ID, Mask, elapsed, is_open
from winprob.data.tables import MappingSource, PeopleSource, read_deals
from winprob.errors import HistoryError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings


def training_rows(
    history: str | Path | pd.DataFrame,
    *,
    as_of: Day | None = None,
    reviews: Sequence[Day] | Literal["quarter", "month"] = "quarter",
    calendar: CalendarSettings | None = None,
) -> pd.DataFrame:
    """One row per deal and review day on which it was open: what was known then, and the outcome known now.

    Parameters
    ----------
    history : folder, or frame as ``read_history`` gives it
    as_of : use only what was known on this day
    reviews : the first snapshot of each fiscal quarter, or of each calendar month; or days, each as its last snapshot
        shows it
    calendar : of the fiscal quarters

    Returns
    -------
    DataFrame
        A valid deal table in order of deals and days: facts, ``opened_on`` and ``amount`` as on the review day
        ``as_of``; ``outcome`` and ``closed_on`` from the deal's last snapshot (``open`` is censored, and a close that
        was entered late is dated on the review day at the earliest). Also ``closed_amount`` (when it first
        appeared closed), ``pushes`` (how often the expected close date had moved later by a week or more by
        then, small steps added up) ``days_slipped`` (by how many days in all, see ``slips.count_slips``),
        ``month_pushes`` (moves of a month or more between snapshots, for models fitted before),
        ``age`` and ``days_to_expected_close`` (days since ``opened_on`` and until the seller's date; covariates), and
        ``known_until`` (the last snapshot of the deal). ``attrs["maturity"]`` holds the counts of
        ``label_sentences``.

    Raises
    ------
    HistoryError
        It is not a history, or has no snapshot by ``as_of`` or by a review day.
    """
    trail = follow(history, as_of=as_of)
    chosen = _review_places(trail, reviews, calendar or CalendarSettings())
    used = trail.open & np.isin(trail.snapshot, chosen)
    rows = trail.rows[used].assign(**{name: values[used] for name, values in _hindsight(trail).items()})
    late = (rows["closed_on"] < rows["as_of"]).to_numpy()
    rows["closed_on"] = rows["closed_on"].mask(late, rows["as_of"])
    rows = rows.reset_index(drop=True)
    rows = rows.assign(**{name: elapsed(rows, name) for name in ELAPSED})
    rows.attrs = {
        "covariates": _with_elapsed(trail.rows.attrs.get("covariates", {})),
        "maturity": _maturity(trail, used, int(rows[ID][late].nunique())),
    }
    return rows


def _with_elapsed(covariates: dict[str, Any]) -> dict[str, Any]:
    """The covariates with days elapsed added: won and lost deals may take different times."""
    numeric = [item for item in covariates.get("numeric", []) if item["column"] not in ELAPSED]
    return {**covariates, "numeric": [*numeric, *({"column": name, "transform": None} for name in ELAPSED)]}


def _review_places(
    trail: Trail, reviews: Sequence[Day] | Literal["quarter", "month"], calendar: CalendarSettings
) -> Array:
    """Positions of the snapshots that are reviewed."""
    if isinstance(reviews, str):
        of_month = reviews == "month"
        spans = [day.replace(day=1) if of_month else quarter_of(day, calendar).start for day in trail.days.date]
        starts = np.array(spans, dtype="datetime64[D]").astype(np.int64)
        return np.flatnonzero(np.diff(starts, prepend=-1) != 0)
    wanted = pd.DatetimeIndex([as_day(day) for day in reviews])
    places = np.asarray(trail.days.searchsorted(wanted, side="right")) - 1
    if (places < 0).any():
        early = ", ".join(f"{day:%Y-%m-%d}" for day in wanted[places < 0])
        raise HistoryError(
            gettext("no snapshot by the review of {days}; the first is of {first}.", days=early, first=_first(trail))
        )
    return np.unique(places)


def _first(trail: Trail) -> str:
    return f"{trail.days[0]:%Y-%m-%d}"


def _hindsight(trail: Trail) -> dict[str, pd.Series]:
    """(row,) columns that each row takes from its deal's other rows."""
    end = np.flatnonzero(trail.last)[trail.deal]
    first_closed = np.full(trail.deal.max() + 1, -1)
    closed = np.flatnonzero(trail.closed)
    first_closed[trail.deal[closed[::-1]]] = closed[::-1]
    at_close = first_closed[trail.deal]
    rows = trail.rows
    taken = {name: pd.Series(rows[name].array[end]) for name in ("outcome", "closed_on")}
    amount = rows["amount"].to_numpy() if "amount" in rows else np.full(len(rows), np.nan)
    return {
        **taken,
        "closed_amount": pd.Series(np.where((at_close >= 0) & trail.closed[end], amount[at_close], np.nan)),
        **{name: pd.Series(values) for name, values in slip_columns(trail.deal, rows["expected_close_on"]).items()},
        "known_until": pd.Series(rows["as_of"].array[end]),
    }


def _maturity(trail: Trail, used: Mask, entered_late: int) -> dict[str, int]:
    """Counts of deals by maturity of their labels, and of deals without a row."""
    open_then, ended, last = trail.of_deal(used), trail.closed, trail.last
    vanished = last & ~trail.closed & (trail.snapshot < len(trail.days) - 1)
    without = last & ~open_then
    came_closed = trail.of_deal(trail.first & trail.closed)
    counts = {
        "rows": used,
        "deals": last & open_then,
        "closed": last & open_then & ended,
        "open": last & open_then & ~ended,
        "vanished": vanished & open_then,
        "undated": last & open_then & ended & trail.rows["closed_on"].isna().to_numpy(),
        "came_closed": without & came_closed,
        "between_reviews": without & ~came_closed & ended,
        "not_reviewed_yet": without & ~came_closed & ~ended,
    }
    return {**{name: int(mask.sum()) for name, mask in counts.items()}, "entered_late": entered_late}


def label_sentences(rows: pd.DataFrame) -> Iterator[str]:
    """Sentences on the maturity of the labels of ``training_rows`` and on deals without a row."""
    counts = rows.attrs["maturity"]
    yield gettext(
        "{rows} rows of {deals} deals, as known on {reviews} review days: {closed} deals have closed, {open} are still "
        "open (censored observations).",
        reviews=rows["as_of"].nunique(),
        **counts,
    )
    if counts["vanished"]:
        yield gettext(
            "{vanished} of the open deals are missing from later exports: their last known state is used, "
            "censored on the last day they were seen.",
            **counts,
        )
    if counts["came_closed"] or counts["between_reviews"]:
        yield gettext(
            "{count} closed deals have no row, because no review saw them open: {came_closed} were closed when they "
            "first appeared, {between_reviews} came and closed between two reviews.",
            count=counts["came_closed"] + counts["between_reviews"],
            **counts,
        )
    if counts["not_reviewed_yet"]:
        yield gettext("{not_reviewed_yet} open deals came after the last review: they have no row yet.", **counts)
    if counts["entered_late"]:
        yield gettext(
            "{entered_late} deals were still open on a review day that came after their close: the close was entered "
            "late, and is dated on the review day.",
            **counts,
        )
    if counts["undated"]:
        yield gettext("{undated} closed deals have no 'closed_on': when they closed is not known.", **counts)


# ---- a path that is an export or a history ---------------------------------------------------------------------------


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
    if not os.path.isdir(path):
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
    if not os.path.isdir(path):
        return read_deals(path, mapping, people, encoding=encoding)
    return review_table(require_plain(path, mapping, people, encoding), as_of=as_of)


def read_past(
    path: str | Path,
    mapping: MappingSource | None = None,
    people: PeopleSource | None = None,
    *,
    encoding: str | None = None,
    as_of: Day | None = None,
    reviews: Literal["quarter", "month"] = "quarter",
    calendar: CalendarSettings | None = None,
) -> pd.DataFrame:
    """All deals of an export; of a history, its training rows as they were on ``as_of``, see ``training_rows``.

    Raises
    ------
    InputError, MappingError, DealTableError, HistoryError
        As ``read_known`` and ``training_rows``.
    """
    if not os.path.isdir(path):
        return read_deals(path, mapping, people, encoding=encoding)
    folder = require_plain(path, mapping, people, encoding)
    return training_rows(folder, as_of=as_of, reviews=reviews, calendar=calendar)


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
