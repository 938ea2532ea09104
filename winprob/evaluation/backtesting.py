"""Out-of-sample evaluation: refit on each fold, score the deals held out, compare with baselines."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import SELLER_FORECAST, column_or_missing, validate_deals, without_late_forecasts
from winprob.errors import NotConvergedError
from winprob.evaluation.baselines import baselines
from winprob.evaluation.calibration import coverage_90, group_calibration, reliability_curve
from winprob.evaluation.folds import Fold, FoldCache, Plan, closed_rows, identical_rows, known_at_origin, plan_folds
from winprob.evaluation.scores import log_losses, paired_difference, score
from winprob.i18n import Described, gettext
from winprob.model.features import uses_seller_forecast
from winprob.model.posterior import Posterior
from winprob.model.prediction import draw_valid_win_prob
from winprob.settings import Settings

Progress = Callable[[str, float], None]

OURS, WITH_SELLER, PREVIOUS = "winprob", "winprob + seller", "previous model"
#: What the seller's own number is in a backtest: absent, a line of its own, or a term of winprob itself.
Seller = Literal["absent", "line", "term"]
TABLE = (
    "model",
    "log_loss",
    "brier",
    "auc",
    "calibration_slope",
    "calibration_intercept",
    "coverage_90",
    "n",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Backtest(Described):
    """Out-of-sample predictions of every model. A row is one deal in one repeat.

    Attributes
    ----------
    deals : (row,) facts and outcomes of the scored deals, with ``fold`` and ``repeat``
    groups : (row,) codes of identical rows
    won : (row,) 0 or 1
    win_prob : by model, (row,) probabilities, NaN where a model has none
    draws : by model, (row, draw) posterior draws, for models that have them
    seller : what the seller's own number is in it
    """

    plan: Plan
    deals: pd.DataFrame
    groups: Array
    won: Array
    win_prob: Mapping[str, Array]
    draws: Mapping[str, Array]
    seed: int
    seller: Seller = "absent"

    def described_as(self) -> str:
        deals, others = self.deals["deal_id"].nunique(), len(self.win_prob) - 1
        return gettext("Backtest on {deals:,} deals, winprob and {others} others", deals=deals, others=others)

    def facts(self) -> Iterator[tuple[str, str]]:
        yield gettext("protocol"), self.plan.reason
        if self.plan.not_scored:
            yield gettext("open, not scored yet"), f"{self.plan.not_scored:,}"
        for model, chances in self.win_prob.items():
            known = ~np.isnan(chances)
            loss = float(log_losses(self.won[known], chances[known]).mean())
            yield gettext("log loss of {model}", model=model), f"{loss:.3f}"
        known = ~np.isnan(self.win_prob[OURS])
        won, expected = self.won[known].mean(), self.win_prob[OURS][known].mean()
        yield gettext("won"), gettext("{won:.0%}, expected {expected:.0%}", won=won, expected=expected)

    def table(self) -> pd.DataFrame:
        """One row per model, scores averaged over repeats; columns as in ``TABLE``."""
        records = []
        for model in self.win_prob:
            repeats = pd.DataFrame([self._scored(model, rows) for rows in self._repeats(model)])
            records.append({"model": model, **repeats.mean().to_dict()})
        table = pd.DataFrame(records).reindex(columns=list(TABLE))
        return table.astype({"n": int})

    def differences(self) -> pd.DataFrame:
        """Paired difference of log loss, winprob minus each other model, on their common rows, with a 90 % interval.

        Returns
        -------
        DataFrame with columns ``model, difference, lower, upper, n``; negative where winprob is better
        """
        records = []
        for model, other in self.win_prob.items():
            rows = ~np.isnan(other) & ~np.isnan(self.win_prob[OURS])
            if model == OURS or not rows.any():
                continue
            ours, theirs = (log_losses(self.won[rows], chances[rows]) for chances in (self.win_prob[OURS], other))
            codes = np.unique(self.groups[rows], return_inverse=True)[1]
            ends = paired_difference(ours, theirs, codes, seed=self.seed)
            difference = dict(zip(("difference", "lower", "upper"), ends, strict=True))
            records.append({"model": model, **difference, "n": self.deals["deal_id"][rows].nunique()})
        return pd.DataFrame(records, columns=["model", "difference", "lower", "upper", "n"])

    def groups_of(self, model: str = OURS) -> pd.DataFrame:
        """Expected and observed wins by group, repeats concatenated; see ``group_calibration``."""
        tables = [
            group_calibration(self.won[rows], self._draws(model)[rows], self.deals[rows])
            for rows in self._repeats(model)
        ]
        return pd.concat(tables, ignore_index=True)

    def reliability(self, model: str = OURS) -> pd.DataFrame:
        """The reliability curve of the first repeat, see ``reliability_curve``."""
        rows = next(self._repeats(model))
        return reliability_curve(self.won[rows], self.win_prob[model][rows], seed=self.seed)

    def record(self, *, versions: Mapping[str, str], made_on: str) -> dict[str, Any]:
        """The whole result as plain values, for a model card."""
        dates = self.deals.get("as_of", pd.Series(dtype="datetime64[us]")).dropna()
        return {
            "protocol": {
                "kind": self.plan.protocol,
                "reason": self.plan.reason,
                "folds": len(self.plan.folds),
                "repeats": 1 + max(fold.repeat for fold in self.plan.folds),
                "scored": int(self.deals["deal_id"].nunique()),
                "not_scored": self.plan.not_scored,
                "first_day": dates.min().date().isoformat() if len(dates) else None,
                "last_day": dates.max().date().isoformat() if len(dates) else None,
            },
            "table": _plain(self.table()),
            "differences": _plain(self.differences()),
            "groups": _plain(self.groups_of()),
            "reliability": _plain(self.reliability()),
            "seed": self.seed,
            "versions": dict(versions),
            "made_on": made_on,
        }

    def _repeats(self, model: str) -> Iterator[Array]:
        """Masks of the rows of each repeat for which the model has a probability."""
        for repeat in range(1 + self.deals["repeat"].max()):
            rows = (self.deals["repeat"] == repeat).to_numpy() & ~np.isnan(self.win_prob[model])
            if rows.any():
                yield rows

    def _draws(self, model: str) -> Array:
        return self.draws[model] if model in self.draws else self.win_prob[model][:, None]

    def _scored(self, model: str, rows: Array) -> dict[str, float]:
        groups = group_calibration(self.won[rows], self._draws(model)[rows], self.deals[rows])
        return {**score(self.won[rows], self.win_prob[model][rows]), "coverage_90": coverage_90(groups)}


def backtest(deals: pd.DataFrame, *, seed: int, settings: Settings | None = None, **how: Any) -> pd.DataFrame:
    """Score winprob and its baselines out of sample; ``how`` as in ``run_backtest``.

    Returns
    -------
    DataFrame with columns ``model, log_loss, brier, auc, calibration_slope, calibration_intercept, coverage_90, n``

    Raises
    ------
    DealTableError, NotConvergedError
        As ``run_backtest``.
    """
    return run_backtest(deals, seed=seed, settings=settings, **how).table()


def run_backtest(
    deals: pd.DataFrame,
    *,
    seed: int,
    settings: Settings | None = None,
    previous: Posterior | None = None,
    protocol: str = "auto",
    keep: Path | None = None,
    seller: bool = True,
    progress: Progress | None = None,
) -> Backtest:
    """Cross-validate by rolling origin or k-fold: refit on each fold and score the held-out deals.

    Parameters
    ----------
    deals : frame in canonical columns; open deals are not scored, but fits of a rolling origin learn from their wait
    previous : a fitted model to compare with, on rows that cannot have been in its training data
    protocol : ``auto``, ``rolling`` (rolling origin by fiscal quarter) or ``k-fold``
    keep : folder for completed folds, from which an interrupted run resumes; it contains no names
    seller : also refit with the seller's own number as a term, where the deals have it: the line ``winprob + seller``
    progress : called with a description of the current step and the share completed

    Raises
    ------
    DealTableError
        The deals are not valid, or too few for a backtest.
    NotConvergedError
        Some folds failed the convergence gates twice; the others are cached.
    """
    settings = settings or Settings()
    valid = validate_deals(deals, training=True)
    plan = plan_folds(valid, settings, protocol=protocol, seed=seed)
    groups = np.full(len(valid), -1)
    closed = closed_rows(valid)
    groups[closed] = identical_rows(valid.iloc[closed])
    has = _seller(valid.iloc[closed], settings) if seller else "absent"
    folds = _Folds(valid, groups, settings, seed, previous, has == "line", FoldCache(keep, valid, settings, seed))
    report = partial(_report, progress, len(plan.folds))
    predictions, failed = [], []
    for at, fold in enumerate(plan.folds):
        report(at)
        try:
            predictions.append(folds.predicted(fold, halfway=partial(report, at, halfway=True)))
        except NotConvergedError as error:
            failed.append(f"{fold.name}: {error}")
    if failed:
        raise NotConvergedError(
            gettext(
                "{count} folds failed; the others are cached. {reasons}", count=len(failed), reasons="; ".join(failed)
            )
        )
    return replace(_gathered(plan, valid, groups, predictions, seed), seller=has)


def _seller(closed: pd.DataFrame, settings: Settings) -> Seller:
    if uses_seller_forecast(closed, settings):
        return "term"
    known = without_late_forecasts(closed)
    return "line" if any(column_or_missing(known, name).notna().any() for name in SELLER_FORECAST) else "absent"


def _report(progress: Progress | None, folds: int, at: int, *, halfway: bool = False) -> None:
    if progress is None:
        return
    if halfway:
        progress(
            gettext("backtest: fold {at} of {folds}, with the seller's number", at=at + 1, folds=folds),
            (at + 0.5) / folds,
        )
    else:
        progress(gettext("backtest: fold {at} of {folds}", at=at + 1, folds=folds), at / folds)


@dataclass(frozen=True, slots=True)
class _Folds:
    """Predictions of every model, one fold at a time."""

    deals: pd.DataFrame
    groups: Array
    settings: Settings
    seed: int
    previous: Posterior | None
    with_seller: bool
    cache: FoldCache

    def predicted(self, fold: Fold, *, halfway: Callable[[], None]) -> dict[str, Array]:
        """Predictions by model, (row, draw); one draw for models without draws."""
        known = self.cache.read(fold)
        if known is None or (WITH_SELLER in known) != self.with_seller:
            known = {OURS: self._refit(fold, self.settings)}
            if self.with_seller:
                halfway()
                known[WITH_SELLER] = self._refit_with_seller(fold)
            known |= self._others(fold)
            self.cache.write(fold, known)
        return {**known, **self._previous(fold)}

    def _refit(self, fold: Fold, settings: Settings) -> Array:
        from winprob.model import inference

        posterior = inference.fit(known_at_origin(self.deals, fold), seed=self.seed, settings=settings.for_refits())
        return _draws(posterior, self._rows(fold.test), settings)

    def _refit_with_seller(self, fold: Fold) -> Array:
        """NaN where this fit does not converge: the backtest of winprob itself does not depend on it."""
        added = replace(self.settings.covariates, seller_forecast=True)
        try:
            return self._refit(fold, replace(self.settings, covariates=added))
        except NotConvergedError:
            return np.full((len(fold.test), 1), np.nan, dtype=np.float32)

    def _others(self, fold: Fold) -> dict[str, Array]:
        train, test = self._rows(fold.train), self._rows(fold.test)
        groups, seed = self.groups[fold.train], self.seed - 1 + fold.repeat
        return {
            name: learn(train, test, self.settings, groups, seed)[:, None].astype(np.float32)
            for name, learn in baselines(self.deals).items()
        }

    def _previous(self, fold: Fold) -> dict[str, Array]:
        if self.previous is None:
            return {}
        seen_until = self.previous.provenance.last_day
        if fold.origin is not None and seen_until is not None and pd.Timestamp(seen_until) >= fold.origin:
            return {PREVIOUS: np.full((len(fold.test), 1), np.nan, dtype=np.float32)}
        return {PREVIOUS: _draws(self.previous, self._rows(fold.test), self.settings)}

    def _rows(self, rows: Array) -> pd.DataFrame:
        return self.deals.iloc[rows]


def _draws(posterior: Posterior, deals: pd.DataFrame, settings: Settings) -> Array:
    draws = draw_valid_win_prob(posterior, deals)
    count = min(settings.evaluation.kept_draws, draws.shape[1])
    return draws[:, np.linspace(0, draws.shape[1] - 1, count).astype(int)]


def _gathered(
    plan: Plan, deals: pd.DataFrame, groups: Array, predictions: list[dict[str, Array]], seed: int
) -> Backtest:
    rows = np.concatenate([fold.test for fold in plan.folds])
    names = np.repeat([fold.name for fold in plan.folds], [len(fold.test) for fold in plan.folds])
    repeats = np.repeat([fold.repeat for fold in plan.folds], [len(fold.test) for fold in plan.folds])
    facts = deals.iloc[rows].assign(fold=names, repeat=repeats).reset_index(drop=True)
    draws = {model: _stacked([fold[model] for fold in predictions]) for model in predictions[0]}
    mean = {model: values.mean(axis=1, dtype=float) for model, values in draws.items()}
    present = [model for model in mean if not np.isnan(mean[model]).all()]
    return Backtest(
        plan=plan,
        deals=facts,
        groups=groups[rows],
        won=(facts["outcome"] == "won").to_numpy(dtype=float),
        win_prob={model: mean[model] for model in present},
        draws={model: draws[model] for model in present if draws[model].shape[1] > 1},
        seed=seed,
    )


def _stacked(parts: list[Array]) -> Array:
    """(row, draw) of all folds; a single draw is repeated."""
    draws = max(part.shape[1] for part in parts)
    return np.concatenate([np.broadcast_to(part, (len(part), draws)) for part in parts])


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Records of plain values, None for NaN."""
    values = frame.astype(object).where(frame.notna(), None)
    return [{str(k): _scalar(v) for k, v in record.items()} for record in values.to_dict("records")]


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
