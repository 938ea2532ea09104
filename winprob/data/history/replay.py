"""Replay a change log on today's export: the deal table as it was known on each review day.

A column's value on a day is the new value of its last change by the end of that day. Before the first change it is that
change's old value, or unknown. A column that is not in the log is taken from the export only if it rarely changes
(account, seller, segment); the other columns of the export may not have been known, and are left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.history.changes import Track, build_track, odd_histories, ready, typed
from winprob.data.schema import COLUMNS, ID, NAMES, as_text, is_closed, validate_deals
from winprob.data.schema.access import CLOSED_OUTCOMES
from winprob.data.schema.findings import Finding, findings_table, mask_of, refuse, spot, whole
from winprob.errors import DealTableError
from winprob.i18n import gettext

#: Columns that a deal usually has from its first day.
STATIC = ("account", "segment", "region", "seller", "product", "currency", *NAMES)
_NOT_LOGGED = (ID, "as_of", "opened_on")
#: A Salesforce id, in a column that may hold names instead.
_ID = r"00[A-Za-z0-9]{16}"
_LAST_MOMENT = pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)


def replay_changes(
    current: pd.DataFrame, changes: pd.DataFrame, review_days: Iterable[object], *, static: Iterable[str] = ()
) -> tuple[Iterator[tuple[pd.Timestamp, pd.DataFrame]], pd.DataFrame]:
    """The deal table as it was known at the end of each review day.

    Parameters
    ----------
    current : DataFrame
        The deals as they are today, a row a deal, with ``opened_on``.
    changes : DataFrame
        ``deal_id, changed_at`` (or ``changed_on``), ``field`` (a canonical column), ``new``, and where known ``old``;
        as from `read_changes`. In any order.
    review_days : days
        In any order; a repeated day counts once.
    static : names
        Further columns of ``current`` whose values are valid from a deal's first day on.

    Returns
    -------
    snapshots : iterator of (day, DataFrame)
        In order of days. The frame has ``as_of``, only deals that existed, and nothing that came later.
    findings : DataFrame
        ``severity, column, rows, first_deal, message``: contradictions in the log, and what is unknown.

    Raises
    ------
    DealTableError
        Columns or creation days are missing, or the log is of other deals: every error at once.
    """
    deals = validate_deals(current)
    log = ready(changes)
    refuse(list(_faults(deals, log)), rows=len(deals), error=DealTableError)
    history = _history(deals, log, frozenset((*STATIC, *static)))
    days = sorted({pd.Timestamp(str(day)).normalize() for day in review_days})
    findings = [
        *_no_creation(deals),
        *_coverage_findings(history, log, days),
        *odd_histories(history.deals, log, history.tracks),
    ]
    return ((day, _as_of(history, day)) for day in days), findings_table(findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """Today's deals, the tracks of the columns that changed, and the columns taken as constant."""

    deals: pd.DataFrame
    tracks: dict[str, Track]
    constant: tuple[str, ...]
    one_close_date: bool
    begins: pd.Timestamp


def _history(deals: pd.DataFrame, log: pd.DataFrame, static: frozenset[str]) -> _History:
    deals = deals.reset_index(drop=True)
    ids = pd.Index(deals[ID])
    covariates = deals.attrs.get("covariates", {})
    numeric = frozenset(item["column"] for item in covariates.get("numeric", ()))
    log = _one_spelling(deals, log)
    names = [name for name in log["field"].dropna().unique() if name not in _NOT_LOGGED]
    tracks = {name: build_track(log, name, ids, numeric) for name in sorted(names)}
    opened = deals["opened_on"]
    if opened.isna().any():
        begun = log.assign(deal=ids.get_indexer(pd.Index(log[ID]))).groupby("deal")["day"].min()
        deals = deals.assign(opened_on=opened.fillna(begun.reindex(deals.index)))
    tracks["outcome"] = _with_the_end(deals, tracks.get("outcome"))
    constant = tuple(name for name in deals if name in static and name not in tracks)
    one = _one_close_date(tracks)
    return _History(deals=deals, tracks=tracks, constant=constant, one_close_date=one, begins=log["day"].min())


def _one_spelling(deals: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """The log without the second row of a change of owner: Salesforce writes one by name and one by id."""
    dropped = np.zeros(len(log), dtype=bool)
    for column in ("seller", "account"):
        if column in deals:
            by_id = mask_of(as_text(log["new"]).str.fullmatch(_ID))
            mine = mask_of(log["field"] == column)
            if by_id[mine].any() and not by_id[mine].all():
                today = bool(mask_of(deals[column].str.fullmatch(_ID)).mean() > 0.5)
                dropped |= mine & (by_id != today)
    return log[~dropped]


def _one_close_date(tracks: dict[str, Track]) -> bool:
    """Whether expected and actual close date are one field of the CRM, so that its changes are in both tracks."""
    if not {"expected_close_on", "closed_on"} <= tracks.keys():
        return False
    key = ["deal", "changed_at", "new"]
    return tracks["expected_close_on"].rows[key].equals(tracks["closed_on"].rows[key])


def _with_the_end(deals: pd.DataFrame, track: Track | None) -> Track:
    """The outcome's track, with the export's close where the log leaves a deal open that has closed since."""
    ids = pd.Index(deals[ID])
    known = track.rows if track is not None else _no_rows(deals)
    closed = is_closed(deals)
    if not {"outcome", "closed_on"} <= set(deals.columns):
        return track or build_track(known, "outcome", ids, frozenset())
    last = known.drop_duplicates("deal", keep="last").set_index("deal")["new"].reindex(deals.index)
    open_still = closed & ~mask_of(last.isin(CLOSED_OUTCOMES)) & mask_of(deals["closed_on"].notna())
    after = known.groupby("deal")["changed_at"].max().reindex(deals.index)
    moment = deals["closed_on"] + _LAST_MOMENT
    # A custom closing stage reads as open: its day takes precedence over the export's, which may be dated back.
    moment = moment.where(~(after > moment), after)
    end = pd.DataFrame(
        {ID: deals[ID], "changed_at": moment, "field": "outcome", "old": "open", "new": deals["outcome"]}
    )
    end = end[open_still].assign(has_old=False, kind="change", order="~", day=moment.dt.normalize())
    return build_track(pd.concat([known, end.astype({"old": object})]), "outcome", ids, frozenset())


def _no_rows(deals: pd.DataFrame) -> pd.DataFrame:
    texts = (ID, "field", "old", "new", "kind", "order")
    empty = pd.DataFrame({name: pd.Series(dtype="str") for name in texts} | {"has_old": pd.Series(dtype="bool")})
    return empty.assign(
        changed_at=pd.Series(dtype="datetime64[us]"),
        day=pd.Series(dtype="datetime64[us]"),
        deal=pd.Series(dtype="int64"),
    )


# ---- one day -------------------------------------------------------------------------------------------------------


def _as_of(history: _History, day: pd.Timestamp) -> pd.DataFrame:
    deals = history.deals
    begun = deals["opened_on"].fillna(deals["closed_on"]) if "closed_on" in deals else deals["opened_on"]
    existing = mask_of(begun <= day)
    state = {name: _value(history, track, day) for name, track in history.tracks.items()}
    outcome = state["outcome"].fillna("open")
    closed = mask_of(outcome != "open")
    known = {ID: deals[ID], "as_of": pd.Series(day, index=deals.index), "opened_on": deals["opened_on"]}
    known |= {name: deals[name] for name in history.constant} | state | {"outcome": outcome}
    known["closed_on"] = _closed_on(history, state.get("closed_on"), closed, day)
    if history.one_close_date:
        known["expected_close_on"] = known["expected_close_on"].mask(closed)
    if "rep_probability" in known:
        known["rep_probability"] = known["rep_probability"].mask(closed)
    if "rep_category" in known:
        known["rep_category"] = known["rep_category"].mask(~closed & mask_of(known["rep_category"] == "closed"))
    order = [name for name in COLUMNS if name in known] + [name for name in known if name not in COLUMNS]
    frame = pd.DataFrame(known, columns=order)[existing].reset_index(drop=True)
    frame["as_of"] = frame["as_of"].astype("datetime64[us]")
    frame.attrs = {**deals.attrs, "covariates": _covariates(deals, frame)}
    return frame


def _covariates(deals: pd.DataFrame, frame: pd.DataFrame) -> dict[str, object]:
    given = deals.attrs.get("covariates", {})
    return {
        **given,
        "varying": [name for name in given.get("varying", ()) if name in frame],
        "numeric": [item for item in given.get("numeric", ()) if item["column"] in frame],
    }


def _value(history: _History, track: Track, day: pd.Timestamp) -> pd.Series:
    """(deal,) a column's value at the end of ``day``."""
    rows, begins = track.rows, track.begins
    last = track.last_by(day)
    changed = last >= begins[:-1]
    never = begins[1:] == begins[:-1]
    value = _take(rows["new"], last, changed)
    first = begins[:-1]
    has_old = ~changed & ~never
    has_old[has_old] &= rows["has_old"].to_numpy(dtype=bool)[first[has_old]]
    value = value.where(~has_old, _take(rows["old"], first, has_old))
    if track.has_states or track.column not in history.deals or track.column in ("outcome", "closed_on"):
        return value
    if not day >= history.begins:
        return value
    return value.where(~never, _never_changed(history, track))


def _never_changed(history: _History, track: Track) -> pd.Series:
    """(deal,) the export's value of a column without a change, valid since the log began."""
    today = history.deals[track.column]
    if track.column == "expected_close_on" and history.one_close_date and "closed_on" in history.deals:
        today = today.fillna(history.deals["closed_on"])
    return today


def _take(values: pd.Series, places: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_]) -> pd.Series:
    """(deal,) ``values`` at ``places`` where ``mask`` holds, missing elsewhere."""
    taken = values.reindex(np.where(mask, places, -1))
    return taken.reset_index(drop=True)


def _closed_on(
    history: _History, logged: pd.Series | None, closed: npt.NDArray[np.bool_], day: pd.Timestamp
) -> pd.Series:
    """(deal,) closing day: as logged, unless that is later than ``day``; else the day on which the outcome was set."""
    track = history.tracks["outcome"]
    set_on = _take(track.rows["day"], track.last_by(day), closed & (track.last_by(day) >= track.begins[:-1]))
    if logged is None and "closed_on" in history.deals:
        today = history.deals["closed_on"]
        logged = today.where(track.last_by(day) == track.begins[1:] - 1)
    closed_on = set_on if logged is None else logged.where(mask_of(logged <= day)).fillna(set_on)
    return typed(closed_on.where(closed), "closed_on")


# ---- findings ------------------------------------------------------------------------------------------------------


def _faults(deals: pd.DataFrame, log: pd.DataFrame) -> Iterator[Finding]:
    if "opened_on" not in deals or deals["opened_on"].isna().all():
        yield whole(
            "error",
            "opened_on",
            gettext("no deal has 'opened_on' (CreatedDate): the day on which each began is unknown"),
        )
    doubled = mask_of(deals[ID].duplicated())
    if doubled.any():
        yield spot(deals, doubled, deals[ID]).error(
            gettext("replay needs one row per deal: {rows} rows repeat a deal", rows=int(doubled.sum()))
        )
    if len(log) and not log[ID].isin(deals[ID]).any():
        yield whole(
            "error",
            ID,
            gettext(
                "the change log is of other deals: none of its {count} ids is in the deal table, "
                "which has for example {ours}; the log has for example {theirs}",
                count=log[ID].nunique(),
                ours=repr(str(deals[ID].iloc[0])),
                theirs=repr(str(log[ID].iloc[0])),
            ),
        )


def _no_creation(deals: pd.DataFrame) -> Iterator[Finding]:
    blank = mask_of(deals["opened_on"].isna())
    if blank.any():
        message = gettext(
            "{rows} deals have no creation day: each begins with its first change in the log, else at its close, "
            "or is left out",
            rows=int(blank.sum()),
        )
        yield spot(deals, blank, deals["opened_on"]).warning(message)


def _coverage_findings(history: _History, log: pd.DataFrame, days: list[pd.Timestamp]) -> Iterator[Finding]:
    deals = history.deals
    unknown = log[~log[ID].isin(deals[ID])]
    if len(unknown):
        yield Finding(
            severity="warning",
            column=ID,
            rows=len(unknown),
            first_deal=str(unknown[ID].iloc[0]),
            message=gettext(
                "the log has changes of {deals} deals that are not in the export (deleted, or not exported): the "
                "history does not contain them",
                deals=unknown[ID].nunique(),
            ),
        )
    if len(log) and days and days[0] < history.begins:
        message = gettext(
            "the log begins on {day}: before that, a value is the old value of its first change, or unknown",
            day=history.begins.date(),
        )
        yield whole("warning", "", message)
    if history.constant:
        message = gettext(
            "not in the log, taken from today's export as constant: {columns}",
            columns=", ".join(history.constant),
        )
        yield whole("note", "", message)
    rest = [str(name) for name in deals if name not in (*_NOT_LOGGED, *history.constant, *history.tracks, "closed_on")]
    if rest:
        message = gettext(
            "not in the log and left out, because the day since when they are valid is unknown: {columns}",
            columns=", ".join(rest),
        )
        yield whole("note", "", message)
