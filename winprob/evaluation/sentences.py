"""What does a backtest say, in words? Never more than its intervals allow."""

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.backtesting import OURS, PREVIOUS, Backtest
from winprob.evaluation.scores import EDGE, recalibration
from winprob.i18n import gettext

_FEW = 100


def judge_backtest(result: Backtest) -> list[str]:
    """What to make of a backtest, a sentence a line."""
    return [_protocol(result), _against(result.differences()), *_calibration(result), *_warnings(result)]


def _protocol(result: Backtest) -> str:
    scored = result.deals["deal_id"].nunique()
    said = gettext("{reason}. {scored} deals scored", reason=_upper(result.plan.reason), scored=scored)
    if result.plan.not_scored:
        said += gettext(", {open} more are still open and not scored yet", open=result.plan.not_scored)
    return said + gettext(".")


def _against(differences: pd.DataFrame) -> str:
    better: list[str] = []
    worse: list[str] = []
    even: list[str] = []
    for model, lower, upper in differences[["model", "lower", "upper"]].to_numpy():
        side = better if upper < 0 else worse if lower > 0 else even
        side.append(str(model))
    said = []
    if better:
        said.append(gettext("winprob predicts better than: {models}.", models=", ".join(better)))
    if even:
        said.append(gettext("No difference beyond chance from: {models}.", models=", ".join(even)))
    if worse:
        said.append(gettext("winprob predicts WORSE than: {models}.", models=", ".join(worse)))
    return " ".join(said) or gettext("There is nothing to compare with.")


def _calibration(result: Backtest) -> list[str]:
    rows = ~np.isnan(result.win_prob[OURS])
    won, chance = result.won[rows], result.win_prob[OURS][rows]
    said = [gettext("{expected:.0%} were expected to be won, {won:.0%} were.", expected=chance.mean(), won=won.mean())]
    table = result.table()
    ours = table[table["model"] == OURS]
    slope, coverage = (float(ours[name].iloc[0]) for name in ("calibration_slope", "coverage_90"))
    if np.isnan(slope):
        said.append(gettext("Calibration cannot be judged: outcomes or chances are all alike."))
    else:
        said.append(_slope(slope, _reach(won, chance, repeats=1 + int(result.deals["repeat"].max()))))
    if not np.isnan(coverage):
        said.append(gettext("{share:.0%} of groups of deals won as many as their 90% interval says.", share=coverage))
    return said


def _slope(slope: float, reach: float) -> str:
    words = {"slope": slope, "lower": slope - reach, "upper": slope + reach}
    if slope + reach < 1:
        return gettext(
            "The chances lie too far from the middle (calibration slope {slope:.2f}, 90% {lower:.2f} to "
            "{upper:.2f}; ideal 1).",
            **words,
        )
    if slope - reach > 1:
        return gettext(
            "The chances lie too close to the middle (calibration slope {slope:.2f}, 90% {lower:.2f} to "
            "{upper:.2f}; ideal 1).",
            **words,
        )
    return gettext(
        "The spread of the chances agrees with what happened (calibration slope {slope:.2f}, 90% {lower:.2f} to "
        "{upper:.2f}; ideal 1).",
        **words,
    )


def _reach(won: Array, chance: Array, *, repeats: int) -> float:
    """Half the 90 % interval of the calibration slope (from the information matrix; repeats hold the same deals)."""
    clipped = np.clip(chance, EDGE, 1 - EDGE)
    slope, intercept = recalibration(won, chance)
    log_odds = np.log(clipped / (1 - clipped))
    fitted = 1 / (1 + np.exp(-slope * log_odds - intercept))
    design = np.column_stack([log_odds, np.ones(len(won))])
    information = (design * (fitted * (1 - fitted))[:, None]).T @ design / repeats
    return float(1.645 * np.sqrt(np.linalg.inv(information)[0, 0]))


def _warnings(result: Backtest) -> list[str]:
    said = []
    if result.deals["deal_id"].nunique() < _FEW:
        said.append(gettext("With fewer than {few} deals scored, every figure here is rough.", few=_FEW))
    if PREVIOUS in result.win_prob and result.plan.folds[0].origin is None:
        said.append(
            gettext("The previous model may have learned from the very deals it is scored on: do not trust its row.")
        )
    return said


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
