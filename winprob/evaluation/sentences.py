"""Sentences for the user on a backtest and on the checks of a model: no claim beyond the intervals."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.agreement import TOO_FEW, share_rule, slope_sentence
from winprob.evaluation.backtesting import OURS, PREVIOUS, Backtest
from winprob.evaluation.baselines import NEEDS
from winprob.evaluation.diagnosis import AGAINST, EXPECTED_OUTSIDE, LEANS, OUTSIDE, Diagnosis, quantity_title
from winprob.evaluation.reweighting import PRIOR, LeaveOneOut
from winprob.evaluation.scores import EDGE, recalibration
from winprob.evaluation.seller import seller_sentences
from winprob.i18n import gettext
from winprob.methodology import label

_FEW_DEALS = 100
_MOST_NAMES = 5


def backtest_sentences(result: Backtest) -> list[str]:
    """What a backtest shows, one sentence per line: protocol, comparison with baselines, calibration, caveats."""
    return [
        _protocol_sentence(result),
        _comparison_sentence(result.differences()),
        *_absent_sentences(result),
        *seller_sentences(result),
        *_calibration_sentences(result),
        *_warning_sentences(result),
    ]


def _protocol_sentence(result: Backtest) -> str:
    scored = result.deals["deal_id"].nunique()
    sentence = gettext("{reason}. {scored} deals scored", reason=_upper(result.plan.reason), scored=scored)
    if result.plan.not_scored:
        sentence += gettext(", {open} more are still open and not scored yet", open=result.plan.not_scored)
    return sentence + gettext(".")


def _comparison_sentence(differences: pd.DataFrame) -> str:
    better: list[str] = []
    worse: list[str] = []
    even: list[str] = []
    for model, lower, upper in differences[["model", "lower", "upper"]].to_numpy():
        side = better if upper < 0 else worse if lower > 0 else even
        side.append(str(model))
    sentences = []
    if better:
        sentences.append(gettext("winprob predicts better than: {models}.", models=", ".join(better)))
    if even:
        sentences.append(gettext("No difference beyond chance from: {models}.", models=", ".join(even)))
    if worse:
        sentences.append(gettext("winprob predicts WORSE than: {models}.", models=", ".join(worse)))
    return " ".join(sentences) or gettext("There is nothing to compare with.")


def _absent_sentences(result: Backtest) -> Iterator[str]:
    """Baselines left out of the comparison, by the column that they lack."""
    for column in dict.fromkeys(NEEDS.values()):
        absent = [name for name, needed in NEEDS.items() if needed == column and name not in result.win_prob]
        if absent and column in result.deals and result.deals[column].notna().any():
            yield gettext(
                "Left out of the comparison: {models}. No closed deal's '{column}' is from before its close.",
                models=", ".join(absent),
                column=column,
            )
        elif absent:
            yield gettext(
                "Left out of the comparison: {models}. No closed deal has a known '{column}'.",
                models=", ".join(absent),
                column=column,
            )


def _calibration_sentences(result: Backtest) -> list[str]:
    rows = ~np.isnan(result.win_prob[OURS])
    won, chance = result.won[rows], result.win_prob[OURS][rows]
    sentences = [
        gettext("{expected:.0%} were expected to be won, {won:.0%} were.", expected=chance.mean(), won=won.mean())
    ]
    table = result.table()
    ours = table[table["model"] == OURS]
    slope, coverage = (float(ours[name].iloc[0]) for name in ("calibration_slope", "coverage_90"))
    if np.isnan(slope):
        sentences.append(gettext("Calibration cannot be assessed: all outcomes or all win probabilities are equal."))
    else:
        reach = _reach(won, chance, repeats=1 + int(result.deals["repeat"].max()))
        sentences.append(slope_sentence(slope, slope - reach, slope + reach))
    if not np.isnan(coverage):
        sentences.append(
            gettext(
                "The 90% intervals of the number of wins covered {share:.0%} of the groups of deals.", share=coverage
            )
        )
    return sentences


def _reach(won: Array, chance: Array, *, repeats: int) -> float:
    """Half width of the 90 % interval of the calibration slope (Fisher information; repeats share their deals)."""
    clipped = np.clip(chance, EDGE, 1 - EDGE)
    slope, intercept = recalibration(won, chance)
    log_odds = np.log(clipped / (1 - clipped))
    fitted = 1 / (1 + np.exp(-slope * log_odds - intercept))
    design = np.column_stack([log_odds, np.ones(len(won))])
    information = (design * (fitted * (1 - fitted))[:, None]).T @ design / repeats
    return float(1.645 * np.sqrt(np.linalg.inv(information)[0, 0]))


def _warning_sentences(result: Backtest) -> list[str]:
    sentences = []
    if result.deals["deal_id"].nunique() < _FEW_DEALS:
        sentences.append(gettext("With fewer than {few} deals scored, every figure here is imprecise.", few=_FEW_DEALS))
    if PREVIOUS in result.win_prob and result.plan.folds[0].origin is None:
        sentences.append(
            gettext("The previous model may have learned from the deals it is scored on: do not trust its row.")
        )
    return sentences


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def diagnosis_sentences(diagnosis: Diagnosis) -> list[str]:
    """What the checks of a model show, one sentence per line."""
    return [
        *_predictive_sentences(diagnosis.predictive),
        *_leave_one_out_sentences(diagnosis.left_out),
        _power_sentence(diagnosis.power),
        *_conflict_sentences(diagnosis.conflicts),
    ]


def _predictive_sentences(table: pd.DataFrame) -> list[str]:
    values = {
        "count": len(table),
        "few": int((table["verdict"] == TOO_FEW).sum()),
        "expected": EXPECTED_OUTSIDE * len(table),
    }
    outside = table[table["verdict"] == OUTSIDE].sort_values("p", kind="stable")["quantity"].map(quantity_title)
    if outside.empty:
        sentence = gettext(
            "None of {count} win rates and spreads is outside the 90% interval of deals drawn from the model; for "
            "{few} the deals are too few to judge.",
            **values,
        )
    else:
        sentence = gettext(
            "{outside} of {count} win rates and spreads are outside the 90% interval of deals drawn from the model (by "
            "chance alone: about {expected:.1f}), for {few} the deals are too few to judge. Outside: {names}.",
            outside=len(outside),
            names=gettext("; ").join(outside[:_MOST_NAMES]),
            **values,
        )
    return [sentence, share_rule()]


def _leave_one_out_sentences(loo: LeaveOneOut) -> list[str]:
    sentences = [
        gettext(
            "Leave-one-out log loss per deal: {out:.3f} (in sample {fitted:.3f}).",
            out=loo.log_loss,
            fitted=loo.fitted_log_loss,
        )
    ]
    if loo.high_k:
        sentences.append(
            gettext(
                "For {count} of {records} deals that figure is unreliable (Pareto k up to {k:.2f}, it should be below "
                "0.7): these deals influence the model strongly. Use winprob backtest instead.",
                count=loo.high_k,
                records=loo.records,
                k=loo.worst_k,
            )
        )
    return sentences


def _power_sentence(table: pd.DataFrame) -> str:
    names = table.loc[table["diagnosis"] == PRIOR, "parameter"].tolist()
    if not names:
        return gettext("No main parameter is decided by the prior alone.")
    return gettext(
        "The prior decides {count} of {all} main parameters, first of all: {names}.",
        count=len(names),
        all=len(table),
        names="; ".join(names[:_MOST_NAMES]),
    )


def _conflict_sentences(table: pd.DataFrame) -> list[str]:
    sentences = []
    for row in table.to_dict("records"):
        values = {
            "role": label("role", row["role"]),
            "method": label("decision_method", row["decision_method"]),
            "negative": row["prob_negative"],
        }
        if row["verdict"] == AGAINST:
            sentences.append(
                gettext(
                    "The data CONTRADICT the method: under {method}, more support of the {role} went with fewer "
                    "wins (probability {negative:.0%}). The data may overrule the course: review these deals.",
                    **values,
                )
            )
        elif row["verdict"] == LEANS:
            sentences.append(
                gettext(
                    "The data lean against the method: under {method}, support of the {role} may go with fewer wins "
                    "(probability {negative:.0%}).",
                    **values,
                )
            )
    return sentences or [
        gettext("The data do not contradict the method: for no role does more support go with fewer wins.")
    ]
