"""When a figure agrees with its ideal: one rule for the backtest and for the checks of a model."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from winprob.evaluation import diagnosis
from winprob.evaluation.agreement import (
    ABOVE,
    AGREES,
    BELOW,
    TOO_FEW,
    agreement,
    share_agreement,
    share_rule,
    slope_sentence,
)
from winprob.evaluation.diagnosis import AGAINST, LEANS, OUTSIDE, SILENT, WITH
from winprob.evaluation.sentences import _predictive_sentences
from winprob.i18n import use_language


@pytest.mark.parametrize(
    ("ideal", "lower", "upper", "verdict"),
    [
        (1.0, 0.7, 0.99, BELOW),
        (1.0, 1.01, 3.0, ABOVE),
        (1.0, 0.8, 1.2, AGREES),
        (1.0, 1.0, 1.5, AGREES),
        (1.0, 0.5, 1.0, AGREES),
        (1.0, 0.5, 1.51, TOO_FEW),
        (1.0, 1.0, 2.14, TOO_FEW),
    ],
)
def test_the_interval_decides(ideal: float, lower: float, upper: float, verdict: str) -> None:
    assert agreement(ideal, lower, upper, widest=1.0) == verdict


def test_a_slope_of_157_with_a_wide_interval_is_not_called_agreement() -> None:
    sentence = slope_sentence(1.57, 1.00, 2.14)
    assert sentence.startswith("Too few deals to judge")
    assert "1.00 to 2.14" in sentence
    assert "wider than 1" in sentence
    assert "agree" not in sentence


def test_an_interval_that_holds_one_is_not_distinguished_from_it() -> None:
    assert "cannot be distinguished from the ideal 1 (90% interval 0.80 to 1.20, not wider than 1)" in slope_sentence(
        1.0, 0.8, 1.2
    )
    assert "overconfident" in slope_sentence(0.6, 0.4, 0.8)
    assert "underconfident" in slope_sentence(1.6, 1.2, 2.0)


def test_a_share_of_8_percent_outside_15_to_62_is_not_a_fit() -> None:
    observed, lower, upper = (np.array(ends) for ends in ([0.08, 0.4, 0.4], [0.15, 0.3, 0.1], [0.62, 0.5, 0.7]))
    assert share_agreement(observed, lower, upper) == [ABOVE, AGREES, TOO_FEW]


def predictive(verdicts: list[str]) -> pd.DataFrame:
    names = [f"win rate, stage={stage}" for stage in ("approval", "evaluation", "decision")]
    return pd.DataFrame({"quantity": names, "p": [0.02, 0.5, 0.5], "verdict": verdicts})


def test_diagnose_names_what_is_outside_and_prints_the_rule() -> None:
    sentence, rule = _predictive_sentences(predictive([OUTSIDE, AGREES, TOO_FEW]))
    assert sentence.startswith("1 of 3 win rates and spreads are outside the 90% interval")
    assert "by chance alone: about 0.3" in sentence
    assert "for 1 the deals are too few to judge" in sentence
    assert sentence.endswith("Outside: win rate, stage=approval.")
    assert rule == share_rule()
    assert "wider than 50 points" in rule
    assert _predictive_sentences(predictive([AGREES] * 3))[0].startswith("None of 3")


def test_the_sentences_name_quantities_in_chinese() -> None:
    with use_language("zh"):
        sentence = _predictive_sentences(predictive([OUTSIDE, AGREES, AGREES]))[0]
    assert sentence.endswith("区间之外：赢单率：采购阶段 内部立项。")
    assert not re.search("[a-z]{3}", sentence)


@pytest.mark.parametrize(
    ("negative", "verdict"), [(0.97, AGAINST), (0.85, LEANS), (0.5, SILENT), (0.1, SILENT), (0.04, WITH)]
)
def test_the_data_agree_with_the_method_where_the_90_percent_interval_is_above_zero(
    negative: float, verdict: str
) -> None:
    assert diagnosis._conflict(negative) == verdict
