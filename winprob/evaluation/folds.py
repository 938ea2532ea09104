"""Training and test sets of a backtest: rolling origin by fiscal quarter where dates allow, else k-fold; a fold cache.

Identical rows and the readings of one deal are never split between the closed training rows and the test.
"""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import column_or_missing, fact_columns, is_censored, is_closed
from winprob.data.tables import replacing
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.model.win.blocks import quarter_name
from winprob.settings import Settings

ROLLING, KFOLD = "rolling", "k-fold"
_LEAST_ORIGINS = 2
#: How much of the quarter before an origin may be missing from the record of closings: deals that close early in a
#: quarter and those that close in its last weeks are not won equally often.
_SLACK = pd.Timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One fit: positions of the training rows and of the test rows.

    Attributes
    ----------
    train : closed rows
    waiting : rows of deals that were open at the origin, whatever became of them; none in k-fold
    origin : the forecast origin, the day on which the fit could have been made; None in k-fold
    """

    name: str
    repeat: int
    train: Array
    test: Array
    waiting: Array = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    origin: pd.Timestamp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The folds of a backtest, and why this protocol was chosen.

    Attributes
    ----------
    reason : a clause for the user
    not_scored : number of deals read after the first origin that are still open, so that their outcome is unknown
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
        The requested protocol needs dates or more deals.
    """
    if protocol == KFOLD:
        return _k_fold(deals, settings, seed, gettext("k-fold, as asked for"))
    folds, not_scored, missing = _rolling(deals, settings)
    if len(folds) >= _LEAST_ORIGINS:
        reason = gettext("rolling origin: learned from what was known at the start of each fiscal quarter")
        return Plan(protocol=ROLLING, reason=reason, folds=tuple(folds), not_scored=not_scored)
    if protocol == ROLLING:
        raise DealTableError(
            gettext("no rolling-origin backtest by quarter: {missing}. Use --protocol k-fold.", missing=missing)
        )
    return _k_fold(deals, settings, seed, gettext("k-fold, since a rolling origin is not possible: {why}", why=missing))


def known_at_origin(deals: pd.DataFrame, fold: Fold) -> pd.DataFrame:
    """The rows that a fold learns from, as they were known at its origin: a deal that closed later is open.

    Without the open deals a fit learns from those that closed quickly, which are won more or less often than the
    others; with them it corrects for the time to close. What a row holds from after the origin is blank: the outcome,
    the day and the amount of a later close, and what was last known of the deal.
    """
    if fold.origin is None:
        return deals.iloc[fold.train]
    rows = np.sort(np.concatenate([fold.train, fold.waiting]))
    table, eve = deals.iloc[rows], fold.origin - pd.Timedelta(days=1)
    later = np.isin(rows, fold.waiting)
    until = column_or_missing(table, "known_until").astype("datetime64[us]")
    until = until.where(until <= eve, eve)
    known: dict[str, pd.Series] = {"outcome": table["outcome"].mask(later, "open"), "known_until": until}
    hindsight = [name for name in ("closed_on", "closed_amount") if name in table]
    known |= {name: table[name].mask(later) for name in hindsight}
    return table.assign(**known)


def closed_rows(deals: pd.DataFrame) -> Array:
    """Positions of the rows with a known outcome."""
    return np.flatnonzero(is_closed(deals))


def identical_rows(deals: pd.DataFrame) -> Array:
    """(row,) group codes: the same for rows with identical facts, and for the readings of one deal."""
    alike = deals.groupby(fact_columns(deals), dropna=False, sort=False).ngroup().to_numpy()
    same_deal = pd.factorize(deals["deal_id"])[0]
    return _connected(alike, same_deal)


def _connected(one: Array, other: Array) -> Array:
    """(row,) codes of the connected components of two labellings."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = one.max(initial=-1) + 1
    links = coo_array((np.ones(len(one)), (one, size + other)), shape=(size + other.max(initial=-1) + 1,) * 2)
    label = connected_components(links, directed=False)[1]
    return np.unique(label[one], return_inverse=True)[1]


def _k_fold(deals: pd.DataFrame, settings: Settings, seed: int, reason: str) -> Plan:
    from sklearn.model_selection import StratifiedGroupKFold

    rows, options = closed_rows(deals), settings.evaluation
    closed = deals.iloc[rows]
    won = (closed["outcome"] == "won").to_numpy()
    least = min(won.sum(), (~won).sum())
    if least < options.folds:
        raise DealTableError(
            gettext(
                "{folds} folds need at least {folds} deals won and {folds} not won; there are {won} won and {lost} "
                "not won.",
                folds=options.folds,
                won=int(won.sum()),
                lost=int((~won).sum()),
            )
        )
    groups = identical_rows(closed)
    folds = []
    for repeat in range(options.repeats):
        splitter = StratifiedGroupKFold(options.folds, shuffle=True, random_state=seed - 1 + repeat)
        for number, (train, test) in enumerate(splitter.split(rows, won, groups)):
            folds.append(Fold(name=f"{repeat}-{number}", repeat=repeat, train=rows[train], test=rows[test]))
    return Plan(protocol=KFOLD, reason=reason, folds=tuple(folds), not_scored=0)


def _rolling(deals: pd.DataFrame, settings: Settings) -> tuple[list[Fold], int, str]:
    """Folds by fiscal quarter, the number of deals not scored yet, and the reason if there are too few folds."""
    for column in ("as_of", "closed_on"):
        if column not in deals or deals[column].isna().all():
            return [], 0, gettext("it needs the column {column!r}", column=column)
    closed = is_closed(deals)
    read, ended = (deals[column].astype("datetime64[us]") for column in ("as_of", "closed_on"))
    quarter, first = _quarters(read, settings), ended[closed].min()
    folds, not_scored = [], 0
    for at in sorted(quarter.dropna().unique()):
        origin = _first_day(int(at), settings)
        past, done = (read < origin).to_numpy(), closed & (ended < origin).to_numpy()
        train = np.flatnonzero(past & done)
        waiting = np.flatnonzero(past & (is_censored(deals) | (closed & (ended >= origin).to_numpy())))
        here = (quarter == at).to_numpy()
        test = np.flatnonzero(here & closed & (ended >= origin).to_numpy())
        young = first > _first_day(int(at) - 1, settings) + _SLACK
        if young or len(train) < settings.evaluation.least_training or not len(test) or not _both(deals, train):
            continue
        not_scored += int((here & ~closed).sum())
        fold = Fold(name=quarter_name(int(at)), repeat=0, train=train, test=test, waiting=waiting, origin=origin)
        folds.append(fold)
    missing = gettext(
        "fewer than {origins} quarters have {least} closed deals and a whole quarter of closings before them",
        origins=_LEAST_ORIGINS,
        least=settings.evaluation.least_training,
    )
    return folds, not_scored, missing


def _both(deals: pd.DataFrame, rows: Array) -> bool:
    return (deals["outcome"].iloc[rows] == "won").nunique() == 2


def _quarters(day: pd.Series, settings: Settings) -> pd.Series:
    month = day.dt.year * 12 + day.dt.month - settings.calendar.fiscal_year_start_month
    return pd.Series(np.floor(month / 3), index=day.index)


def _first_day(quarter: int, settings: Settings) -> pd.Timestamp:
    month = 3 * quarter + settings.calendar.fiscal_year_start_month
    return pd.Timestamp(year=(month - 1) // 12, month=(month - 1) % 12 + 1, day=1)


class FoldCache:
    """Predictions of completed folds on disk, keyed by deals, settings, seed and code; no names, no facts."""

    def __init__(self, folder: Path | None, deals: pd.DataFrame, settings: Settings, seed: int) -> None:
        self._folder = folder / _key(deals, settings, seed) if folder else None

    def read(self, fold: Fold) -> dict[str, Array] | None:
        """Predictions by model, None where the fold is not completed or its file is damaged."""
        path = self._path(fold)
        if path is None or not path.exists():
            return None
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                names = json.loads(str(file["names"]))
                predictions = {name: file[f"model{at}"] for at, name in enumerate(names)}
        except (OSError, ValueError, KeyError, EOFError, RecursionError, zipfile.BadZipFile):
            return None
        return predictions if all(len(values) == len(fold.test) for values in predictions.values()) else None

    def write(self, fold: Fold, predictions: dict[str, Array]) -> None:
        """Store a completed fold."""
        path = self._path(fold)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"model{at}": values.astype(np.float32) for at, values in enumerate(predictions.values())}
        with replacing(path) as scratch, open(scratch, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, names=np.array(json.dumps(list(predictions))), **arrays)

    def _path(self, fold: Fold) -> Path | None:
        if self._folder is None:
            return None
        places = b"|".join(rows.tobytes() for rows in (fold.train, fold.waiting, fold.test))
        return self._folder / f"{fold.name}-{hashlib.sha256(places).hexdigest()[:12]}.npz"


def _key(deals: pd.DataFrame, settings: Settings, seed: int) -> str:
    digest = hashlib.sha256(json.dumps([asdict(settings), seed, deals.attrs], sort_keys=True, default=str).encode())
    digest.update(pd.util.hash_pandas_object(deals.astype("str"), index=False).to_numpy().tobytes())
    digest.update(program_digest().encode())
    return digest.hexdigest()[:16]


@cache
def program_digest() -> str:
    """Hash of this program's source: results that another version kept are not taken for its own."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).resolve().parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
