"""Which deals are learned from, and which are scored? By fiscal quarter where dates allow, else in folds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import fact_columns
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.model.win.blocks import quarter_name
from winprob.settings import Settings

ROLLING, KFOLD = "rolling", "k-fold"
_LEAST_ORIGINS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One fit: positions of the rows it learns from and of those it is scored on.

    Attributes
    ----------
    origin : the day on which it could have been made, None in k-fold
    """

    name: str
    repeat: int
    train: Array
    test: Array
    origin: pd.Timestamp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a model is put to the test.

    Attributes
    ----------
    reason : in words, why this protocol
    not_scored : deals read after the first origin that are still open: their ends are not known yet
    """

    protocol: str
    reason: str
    folds: tuple[Fold, ...]
    not_scored: int


def plan_folds(deals: pd.DataFrame, settings: Settings, *, protocol: str, seed: int) -> Plan:
    """Folds over a valid deal table, open deals included.

    Parameters
    ----------
    protocol : ``auto``, ``rolling`` or ``k-fold``

    Raises
    ------
    DealTableError
        The protocol asked for needs dates, or more deals, than there are.
    """
    if protocol == KFOLD:
        return _k_fold(deals, settings, seed, gettext("k-fold, as asked for"))
    folds, not_scored, missing = _rolling(deals, settings)
    if len(folds) >= _LEAST_ORIGINS:
        reason = gettext("rolling origin: learned from what was known at the start of each fiscal quarter")
        return Plan(protocol=ROLLING, reason=reason, folds=tuple(folds), not_scored=not_scored)
    if protocol == ROLLING:
        raise DealTableError(gettext("no backtest by quarter: {missing}. Use --protocol k-fold.", missing=missing))
    return _k_fold(deals, settings, seed, gettext("k-fold, since a rolling origin is not possible: {why}", why=missing))


def closed_rows(deals: pd.DataFrame) -> Array:
    """Positions of the rows whose end is known."""
    return np.flatnonzero((deals["outcome"].notna() & (deals["outcome"] != "open")).to_numpy())


def identical_rows(deals: pd.DataFrame) -> Array:
    """(deal,) the same code for rows alike in all facts, and for the readings of one deal."""
    alike = deals.groupby(fact_columns(deals), dropna=False, sort=False).ngroup().to_numpy()
    same_deal = pd.factorize(deals["deal_id"])[0]
    return _connected(alike, same_deal)


def _connected(one: Array, other: Array) -> Array:
    """(row,) codes of the groups that either labelling ties together."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = one.max(initial=-1) + 1
    links = coo_array((np.ones(len(one)), (one, size + other)), shape=(size + other.max(initial=-1) + 1,) * 2)
    label = connected_components(links, directed=False)[1]
    return np.unique(label[one], return_inverse=True)[1]


def _k_fold(deals: pd.DataFrame, settings: Settings, seed: int, reason: str) -> Plan:
    from sklearn.model_selection import StratifiedGroupKFold

    rows, wanted = closed_rows(deals), settings.evaluation
    closed = deals.iloc[rows]
    won = (closed["outcome"] == "won").to_numpy()
    least = min(won.sum(), (~won).sum())
    if least < wanted.folds:
        raise DealTableError(
            gettext(
                "{folds} folds need as many deals won and lost; there are {won} won and {lost} not.",
                folds=wanted.folds,
                won=int(won.sum()),
                lost=int((~won).sum()),
            )
        )
    groups = identical_rows(closed)
    folds = []
    for repeat in range(wanted.repeats):
        splitter = StratifiedGroupKFold(wanted.folds, shuffle=True, random_state=seed - 1 + repeat)
        for number, (train, test) in enumerate(splitter.split(rows, won, groups)):
            folds.append(Fold(name=f"{repeat}-{number}", repeat=repeat, train=rows[train], test=rows[test]))
    return Plan(protocol=KFOLD, reason=reason, folds=tuple(folds), not_scored=0)


def _rolling(deals: pd.DataFrame, settings: Settings) -> tuple[list[Fold], int, str]:
    """Folds by fiscal quarter, how many deals are not scored yet, and what is missing where there are too few."""
    for column in ("as_of", "closed_on"):
        if column not in deals or deals[column].isna().all():
            return [], 0, gettext("it needs the column {column!r}", column=column)
    known = np.isin(np.arange(len(deals)), closed_rows(deals))
    read, ended = (deals[column].astype("datetime64[us]") for column in ("as_of", "closed_on"))
    quarter = _quarters(read, settings)
    folds, not_scored = [], 0
    for at in sorted(quarter.dropna().unique()):
        origin = _first_day(int(at), settings)
        train = np.flatnonzero(known & (ended < origin) & _mature(quarter, ended, origin, known, settings))
        here = (quarter == at).to_numpy()
        test = np.flatnonzero(known & here & (ended >= origin).to_numpy())
        if len(train) < settings.evaluation.least_training or not len(test) or not _both(deals, train):
            continue
        not_scored += int((here & ~known).sum())
        folds.append(Fold(name=quarter_name(int(at)), repeat=0, train=train, test=test, origin=origin))
    missing = gettext(
        "fewer than {origins} quarters have {least} mature closed deals before them",
        origins=_LEAST_ORIGINS,
        least=settings.evaluation.least_training,
    )
    return folds, not_scored, missing


def _both(deals: pd.DataFrame, rows: Array) -> bool:
    return (deals["outcome"].iloc[rows] == "won").nunique() == 2


def _mature(quarter: pd.Series, ended: pd.Series, origin: pd.Timestamp, known: Array, settings: Settings) -> Array:
    """(deal,) whether enough of the deals read in the same quarter had closed: quick closers are not like others."""
    share = (pd.Series(known, index=ended.index) & (ended < origin)).groupby(quarter).transform("mean")
    return np.asarray(share >= settings.evaluation.mature_share)


def _quarters(day: pd.Series, settings: Settings) -> pd.Series:
    month = day.dt.year * 12 + day.dt.month - settings.calendar.fiscal_year_start_month
    return pd.Series(np.floor(month / 3), index=day.index)


def _first_day(quarter: int, settings: Settings) -> pd.Timestamp:
    month = 3 * quarter + settings.calendar.fiscal_year_start_month
    return pd.Timestamp(year=(month - 1) // 12, month=(month - 1) % 12 + 1, day=1)
