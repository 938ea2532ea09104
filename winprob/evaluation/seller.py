"""The seller's own number next to winprob: who ranks deals better, who has the lower log loss, and both together."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from winprob.data.schema import is_closed, without_late_forecasts
from winprob.data.tables import forecast_set_at_close, late_forecasts
from winprob.evaluation.backtesting import OURS, WITH_SELLER, Backtest
from winprob.evaluation.scores import auc_difference, log_losses, paired_difference
from winprob.i18n import gettext

SELLER = "rep_probability"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One score of two models on their common rows: ``one - other`` with its paired 90 % interval."""

    one: float
    other: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models of one backtest on the rows that both predict."""

    auc: Score
    log_loss: Score


def compare_models(result: Backtest, one: str, other: str) -> Comparison | None:
    """AUC and log loss of two models, paired; None where one is absent or their common deals all ended alike."""
    if not {one, other} <= set(result.win_prob):
        return None
    ours, theirs = result.win_prob[one], result.win_prob[other]
    rows = ~np.isnan(ours) & ~np.isnan(theirs)
    won, groups = result.won[rows], result.groups[rows]
    if not 0 < won.sum() < len(won):
        return None
    repeat = result.deals["repeat"].to_numpy()[rows]
    auc = auc_difference(won, ours[rows], theirs[rows], groups, repeat)
    first, second = (log_losses(won, chances[rows]) for chances in (ours, theirs))
    ends = paired_difference(first, second, groups, seed=result.seed)
    names = ("one", "other", "difference", "lower", "upper")
    loss = (float(first.mean()), float(second.mean()), *ends)
    return Comparison(
        auc=Score(**dict(zip(names, auc, strict=True))), log_loss=Score(**dict(zip(names, loss, strict=True)))
    )


def seller_sentences(result: Backtest) -> Iterator[str]:
    """Who is better, winprob or the seller, and whether both together are; no claim beyond the paired intervals."""
    for one, other in ((OURS, SELLER), (WITH_SELLER, OURS), (WITH_SELLER, SELLER)):
        comparison = compare_models(result, one, other)
        if comparison:
            names = {"one": _name(one), "other": _name(other)}
            ranking, loss = _ranking(comparison.auc, names), _loss(comparison.log_loss, names)
            yield gettext("{one} against {other}: {ranking}; {loss}.", ranking=ranking, loss=loss, **names)
        if comparison and (one, other) == (WITH_SELLER, OURS) and comparison.log_loss.upper < 0:
            yield gettext("Use both: set seller_forecast = true under [covariates].")
    yield from _line_sentences(result)
    yield from _leak_sentences(result)


def _name(model: str) -> str:
    return gettext("the seller's own number") if model == SELLER else model


def _ranking(score: Score, names: Mapping[str, str]) -> str:
    if score.lower > 0 or score.upper < 0:
        return gettext(
            "{better} ranks deals better (AUC {one:.3f} against {other:.3f}, difference {difference:+.3f}, 90% "
            "{lower:+.3f} to {upper:+.3f})",
            better=names["one"] if score.lower > 0 else names["other"],
            **asdict(score),
        )
    return gettext(
        "no difference in ranking beyond chance (AUC {one:.3f} against {other:.3f}, difference {difference:+.3f}, 90% "
        "{lower:+.3f} to {upper:+.3f})",
        **asdict(score),
    )


def _loss(score: Score, names: Mapping[str, str]) -> str:
    if score.lower > 0 or score.upper < 0:
        return gettext(
            "{better} has the lower log loss ({one:.3f} against {other:.3f}, difference {difference:+.3f}, 90% "
            "{lower:+.3f} to {upper:+.3f})",
            better=names["one"] if score.upper < 0 else names["other"],
            **asdict(score),
        )
    return gettext(
        "no difference in log loss beyond chance ({one:.3f} against {other:.3f}, difference {difference:+.3f}, 90% "
        "{lower:+.3f} to {upper:+.3f})",
        **asdict(score),
    )


def _line_sentences(result: Backtest) -> Iterator[str]:
    """Where the line of both together is absent, or not on all folds, and why."""
    if result.seller == "term":
        yield gettext(
            "winprob uses the seller's own number here ([covariates] seller_forecast), so the line winprob + seller is "
            "left out."
        )
    if result.seller != "line":
        return
    if WITH_SELLER not in result.win_prob:
        yield gettext("winprob + seller is left out: it converged in no fold.")
        return
    failed = result.deals["fold"][np.isnan(result.win_prob[WITH_SELLER])].nunique()
    if failed:
        yield gettext("winprob + seller did not converge in {count} folds; it is scored on the others.", count=failed)


def _leak_sentences(result: Backtest) -> Iterator[str]:
    """Warnings on a seller's number that the close has set."""
    once = result.deals[result.deals["repeat"] == 0]
    known = without_late_forecasts(once)
    for finding in (*late_forecasts(once), *forecast_set_at_close(known, is_closed(known))):
        yield gettext("warning: {column}: {text}", column=finding.column, text=finding.message)
