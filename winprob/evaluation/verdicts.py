"""What does a backtest say, in words? Never more than its intervals allow."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winprob.catalog import say
from winprob.evaluation.backtesting import OURS, PREVIOUS, Backtest

#: A slope in here needs no word of warning.
GOOD_SLOPE = (0.8, 1.25)
_FEW = 100


def judge_backtest(result: Backtest) -> list[str]:
    """What to make of a backtest, a sentence a line."""
    return [_protocol(result), _against(result.differences()), *_calibration(result), *_warnings(result)]


def _protocol(result: Backtest) -> str:
    scored = result.deals["deal_id"].nunique()
    said = say("{reason}. {scored} deals scored", reason=_upper(result.plan.reason), scored=scored)
    if result.plan.not_scored:
        said += say(", {open} more are still open and not scored yet", open=result.plan.not_scored)
    return said + say(".")


def _against(differences: pd.DataFrame) -> str:
    better: list[str] = []
    worse: list[str] = []
    even: list[str] = []
    for model, lower, upper in differences[["model", "lower", "upper"]].to_numpy():
        side = better if upper < 0 else worse if lower > 0 else even
        side.append(str(model))
    said = []
    if better:
        said.append(say("winprob predicts better than: {models}.", models=", ".join(better)))
    if even:
        said.append(say("No difference beyond chance from: {models}.", models=", ".join(even)))
    if worse:
        said.append(say("winprob predicts WORSE than: {models}.", models=", ".join(worse)))
    return " ".join(said) or say("There is nothing to compare with.")


def _calibration(result: Backtest) -> list[str]:
    ours = result.table().set_index("model").loc[OURS]
    slope, coverage = ours["calibration_slope"], ours["coverage_90"]
    if np.isnan(slope):
        said = say("Calibration cannot be judged: outcomes or chances are all alike.")
    elif slope < GOOD_SLOPE[0]:
        said = say("The chances lie too far from the middle (calibration slope {slope:.2f}, ideal 1).", slope=slope)
    elif slope > GOOD_SLOPE[1]:
        said = say("The chances lie too close to the middle (calibration slope {slope:.2f}, ideal 1).", slope=slope)
    else:
        said = say("The chances are well calibrated (slope {slope:.2f}, ideal 1).", slope=slope)
    if np.isnan(coverage):
        return [said]
    return [said, say("{share:.0%} of groups of deals won as many as their 90% interval says.", share=coverage)]


def _warnings(result: Backtest) -> list[str]:
    said = []
    if result.deals["deal_id"].nunique() < _FEW:
        said.append(say("With fewer than {few} deals scored, every figure here is rough.", few=_FEW))
    if PREVIOUS in result.win_prob and result.plan.folds[0].origin is None:
        said.append(
            say("The previous model may have learned from the very deals it is scored on: do not trust its row.")
        )
    return said


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
