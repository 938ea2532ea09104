"""Honest scores of the current model and of a candidate's recipe, on deals that neither has seen.

The current model stays as it is. The candidate's recipe is fitted again before each block of new deals, on what was
known then (rolling origin), and predicts the block.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import quarter_of
from winprob.data.schema import ID, Mask, column_or_missing, mask_of
from winprob.errors import NotConvergedError
from winprob.evaluation.scores import log_losses
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.model.prediction import draw_valid_win_prob
from winprob.retrain.candidate.evidence import Evidence, FitInputs, LearnedFrom
from winprob.retrain.candidate.refits import UnfinishedFits, fit_inputs
from winprob.settings import Settings

Progress = Callable[[str, float], None]
#: What makes deals alike beyond their facts, the first that the deals have.
CLUSTERS = ("account", "seller")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeals:
    """Closed deals that the current model has not seen, and the others, counted.

    Attributes
    ----------
    readings : (row,) of these deals
    hindsight : (row,) whether it may be of a later day than the close
    cluster_by, cluster : ``account``, ``seller`` or ``deal``; (row,) the labels
    entered_late : closed by the end of the current model's data, but not on record there; not scored
    never_open : closed after it, and never seen open; not scored
    """

    readings: pd.DataFrame
    hindsight: Mask
    cluster_by: str
    cluster: pd.Series
    entered_late: int
    never_open: int

    @property
    def deals(self) -> int:
        """Number of deals."""
        return int(self.readings[ID].nunique())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Predictions of both models for the same readings.

    Attributes
    ----------
    readings, cluster : (row,) as in ``NewDeals``
    block : (row,) number of the block
    won : (row,) 0 or 1
    current, candidate : (row, draw) draws of the win probability
    origins : the first day of each block; None where deals have no days
    failed : why refits of the candidate's recipe did not converge; its predictions there are NaN
    """

    readings: pd.DataFrame
    cluster: pd.Series
    block: Array
    won: Array
    current: Array
    candidate: Array
    origins: tuple[pd.Timestamp | None, ...]
    failed: tuple[str, ...] = ()

    def per_deal(self) -> pd.DataFrame:
        """(deal,) ``deal_id, cluster, block, current, candidate``: log losses, averaged over the deal's readings."""
        losses = {
            name: log_losses(self.won, draws.mean(axis=1, dtype=float))
            for name, draws in (("current", self.current), ("candidate", self.candidate))
        }
        table = pd.DataFrame({ID: self.readings[ID], "cluster": self.cluster, "block": self.block, **losses})
        return table.groupby(ID, sort=False, as_index=False).agg(
            cluster=("cluster", "first"),
            block=("block", "first"),
            current=("current", "mean"),
            candidate=("candidate", "mean"),
        )

    def last_readings(self) -> Array:
        """Positions of each deal's last reading."""
        order = np.arange(len(self.readings))
        if "as_of" in self.readings:
            order = self.readings.reset_index(drop=True)["as_of"].sort_values(kind="stable").index.to_numpy()
        last = ~self.readings[ID].iloc[order].duplicated(keep="last").to_numpy()
        return np.sort(order[last])


def new_deals(evidence: Evidence, seen: LearnedFrom) -> NewDeals:
    """The deals that closed after the current model's data ended, and that it did not learn from."""
    closed = evidence.closed
    unseen = ~seen.has(closed[ID])
    ended = column_or_missing(closed, "closed_on")
    before = mask_of(ended <= seen.until) if seen.until is not None else np.zeros(len(closed), dtype=bool)
    new = closed[ID][unseen & ~before]
    readings, hindsight = evidence.before_close()
    used = mask_of(readings[ID].isin(new))
    readings = readings[used].reset_index(drop=True)
    by, labels = cluster_labels(readings)
    return NewDeals(
        readings=readings,
        hindsight=hindsight[used],
        cluster_by=by,
        cluster=labels,
        entered_late=int((unseen & before & (seen.won is not None)).sum()),
        never_open=int(len(new) - readings[ID].nunique()),
    )


def cluster_labels(readings: pd.DataFrame) -> tuple[str, pd.Series]:
    """What the readings are clustered by, and (row,) the labels: a deal of an unknown account is its own cluster."""
    alone = "deal " + readings[ID].astype("str")
    for name in CLUSTERS:
        labels = column_or_missing(readings, name)
        if labels.notna().any():
            return name, (f"{name} " + labels.astype("str")).where(labels.notna(), alone)
    return "deal", alone


def blocks_of(readings: pd.DataFrame, settings: Settings) -> Array:
    """(row,) the block of each reading: a fiscal quarter of closes, or as many as hold ``block_deals`` deals.

    The deals of the last quarters that are fewer than that join the block before.
    """
    ended = column_or_missing(readings, "closed_on")
    if ended.isna().any() or readings.empty:
        return np.zeros(len(readings), dtype=int)
    starts = pd.Series([quarter_of(day.date(), settings.calendar).start for day in ended], index=readings.index)
    block = pd.Series(0, index=readings.index)
    number, held = 0, 0
    for start in sorted(starts.unique()):
        here = starts == start
        block[here] = number
        held += int(readings[ID][here].nunique())
        if held >= settings.retraining.block_deals:
            number, held = number + 1, 0
    if held and number:
        block[block == number] = number - 1
    return block.to_numpy()


def score(
    new: NewDeals,
    evidence: Evidence,
    current: Posterior,
    settings: Settings,
    *,
    seed: int,
    seen_by_current: pd.DataFrame | None = None,
    prepare: Callable[[FitInputs], FitInputs] = lambda inputs: inputs,
    unfinished: UnfinishedFits | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Predictions of the current model, and of the candidate's recipe fitted before each block.

    Parameters
    ----------
    seen_by_current : the same readings, row by row, as the current model's own mapping reads them
    prepare : applied to the tables of each fit, such as the loss of facts under another definition
    unfinished : where the draws of refits that do not converge are kept
    """
    block = blocks_of(new.readings, settings)
    kept = settings.evaluation.kept_draws
    candidate = np.full((len(block), kept), np.nan, dtype=np.float32)
    origins: list[pd.Timestamp | None] = []
    failed: list[str] = []
    numbers = sorted(set(block.tolist()))
    for at, number in enumerate(numbers):
        if progress:
            step = gettext("scoring: fit {at} of {fits} on what was known", at=at + 1, fits=len(numbers))
            progress(step, at / len(numbers))
        rows = block == number
        later = new.readings[ID][block >= number].unique().tolist()
        ended = column_or_missing(new.readings, "closed_on")[rows]
        origins.append(None if ended.isna().any() else ended.min())
        try:
            known = prepare(evidence.known_before(origins[-1], later))
            fitted = fit_inputs(known, f"block-{at + 1}", unfinished, seed=seed, settings=settings.for_refits())
        except NotConvergedError as error:
            failed.append(str(error))
            continue
        candidate[rows] = _draws(fitted, prepare(FitInputs(deals=new.readings[rows])).deals, kept)
    return Scores(
        readings=new.readings,
        cluster=new.cluster,
        block=block,
        won=(new.readings["outcome"] == "won").to_numpy(dtype=float),
        current=_draws(current, new.readings if seen_by_current is None else seen_by_current, kept),
        candidate=candidate,
        origins=tuple(origins),
        failed=tuple(failed),
    )


def _draws(posterior: Posterior, readings: pd.DataFrame, kept: int) -> Array:
    draws = draw_valid_win_prob(posterior, readings)
    return draws[:, np.linspace(0, draws.shape[1] - 1, kept).astype(int)]
