"""The gate: cluster bootstrap against a closed form, its conditions against theirs, and every verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from winprob.i18n import use_language
from winprob.retrain.candidate.conditions import Calibration, Coverage, calibrate, cover
from winprob.retrain.candidate.gate import Difference, Facts, Gate, difference_of, judge, verdict_before, verdict_of
from winprob.retrain.candidate.scoring import NewDeals, Scores
from winprob.retrain.candidate.sentences import decision_sentences, gate_sentences
from winprob.settings import RetrainingSettings

OPTIONS = RetrainingSettings()
GOOD = Calibration(slope=1.0, intercept=0.0, p_value=0.5, loss=0.01, expected=0.5, won=0.5)
BAD = replace(GOOD, slope=0.1, p_value=0.001, loss=0.2)
COVERED = Coverage(share=0.9, groups=10, p_value=0.5)
EXPOSED = Coverage(share=0.4, groups=10, p_value=0.002)


def scores_of(
    candidate: np.ndarray, current: np.ndarray, won: np.ndarray, cluster: np.ndarray, deal: np.ndarray | None = None
) -> tuple[Scores, NewDeals]:
    """Scores of one draw a reading."""
    deal = np.arange(len(won)) if deal is None else deal
    days = pd.date_range("2026-07-01", periods=len(won))
    readings = pd.DataFrame({"deal_id": [f"D{at}" for at in deal], "as_of": days, "outcome": "won"})
    labels = pd.Series(cluster).astype("str")
    shared = {"readings": readings, "cluster": labels}
    scores = Scores(
        **shared,
        block=np.zeros(len(won), dtype=int),
        won=won,
        current=current[:, None],
        candidate=candidate[:, None],
        origins=(days[0],),
    )
    late = np.zeros(len(won), dtype=bool)
    return scores, NewDeals(**shared, hindsight=late, cluster_by="account", entered_late=0, never_open=0)


def test_the_interval_is_that_of_cluster_robust_normal_theory():
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(150), 4)
    shared = rng.normal(0, 1.5, 150)[cluster]
    won = (rng.random(600) < expit(shared)).astype(float)
    ours, theirs = expit(0.8 + rng.normal(0, 0.2, 600)), np.full(600, 0.5)
    scores, new = scores_of(ours, theirs, won, cluster)
    got = difference_of(scores, new.cluster_by, seed=3)
    gaps = -np.log(np.where(won == 1, ours, 1 - ours)) + np.log(0.5)
    sums = np.bincount(cluster, weights=gaps - gaps.mean())
    reach = norm.ppf(0.95) * np.sqrt((sums**2).sum()) / 600
    alone = norm.ppf(0.95) * gaps.std() / np.sqrt(600)
    assert got.mean == pytest.approx(gaps.mean(), abs=1e-6)
    assert (got.upper - got.lower) / 2 == pytest.approx(reach, rel=0.06)
    assert reach > 1.25 * alone
    assert (got.deals, got.clusters) == (600, 150)


def test_each_block_has_its_own_difference_and_they_average_to_that_of_all_deals():
    rng = np.random.default_rng(6)
    won, ours = (rng.random(60) < 0.5).astype(float), rng.uniform(0.3, 0.7, 60)
    scores, new = scores_of(ours, np.full(60, 0.5), won, np.arange(60))
    block = np.repeat([0, 1], [20, 40])
    days = (pd.Timestamp("2026-07-01"), None)
    gate = judge(replace(scores, block=block, origins=days), new, Facts(), OPTIONS, seed=1)
    assert [(one.since, one.deals) for one in gate.blocks] == [("2026-07-01", 20), (None, 40)]
    assert gate.difference is not None
    assert np.average([one.mean for one in gate.blocks], weights=[20, 40]) == pytest.approx(gate.difference.mean)


def test_readings_of_one_deal_count_as_one_deal():
    won = np.array([1.0, 1.0, 1.0, 0.0])
    ours, theirs = np.array([0.9, 0.5, 0.7, 0.2]), np.array([0.5, 0.5, 0.5, 0.5])
    deal = np.array([0, 0, 1, 2])
    scores, new = scores_of(ours, theirs, won, deal, deal)
    got = difference_of(scores, new.cluster_by, seed=1)
    losses = np.array([(-np.log(0.9) - np.log(0.5)) / 2, -np.log(0.7), -np.log(0.8)])
    assert got.deals == 3
    assert got.candidate == pytest.approx(losses.mean(), abs=1e-6)
    assert scores.last_readings().tolist() == [1, 2, 3]


def test_the_test_of_calibration_holds_its_level_and_finds_a_shift():
    rng = np.random.default_rng(2)
    clusters = np.arange(80)

    def p_value(shift: float) -> float:
        log_odds = rng.normal(0, 1.2, 80)
        won = (rng.random(80) < expit(log_odds + shift)).astype(float)
        return calibrate(won, expit(log_odds), clusters).p_value

    calm = np.array([p_value(0.0) for _ in range(400)])
    assert (calm < 0.1).mean() == pytest.approx(0.1, abs=0.05)
    assert np.mean([p_value(1.5) < 0.01 for _ in range(50)]) > 0.9


def test_what_recalibration_saves_is_the_cost_of_miscalibration():
    rng = np.random.default_rng(4)
    log_odds = rng.normal(0, 1, 20_000)
    won = (rng.random(20_000) < expit(log_odds)).astype(float)
    sharp = calibrate(won, expit(3 * log_odds), np.arange(20_000))
    assert sharp.slope == pytest.approx(1 / 3, abs=0.03)
    own = -np.mean(won * log_odds - np.logaddexp(0, log_odds))
    too_sure = -np.mean(won * 3 * log_odds - np.logaddexp(0, 3 * log_odds))
    assert sharp.loss == pytest.approx(too_sure - own, abs=0.01)


def test_outcomes_that_separate_perfectly_say_nothing_of_calibration():
    one = calibrate(np.array([0.0, 0, 1, 1]), np.array([0.2, 0.3, 0.7, 0.8]), np.arange(4))
    assert np.isnan(one.p_value)
    assert np.isnan(one.loss)


def test_the_coverage_of_groups_has_a_p_value_that_is_uniform_where_the_model_is_right():
    rng = np.random.default_rng(5)
    deals = pd.DataFrame({"segment": np.repeat(["a", "b", "c"], 20), "seller": np.tile(list("ABCDE"), 12)})
    base = rng.normal(0, 1, 60)
    draws = expit(base[:, None] + rng.normal(0, 0.3, (1, 400)))
    p_values = []
    for seed in range(150):
        truth = draws[:, rng.integers(400)]
        p_values.append(cover((rng.random(60) < truth).astype(float), draws, deals, seed=seed).p_value)
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.07)
    wrong = cover((rng.random(60) < 0.97).astype(float), expit(draws - 3), deals, seed=1)
    assert wrong.p_value < 0.01
    assert wrong.groups == 8


def difference(lower: float, upper: float, deals: int = 60, clusters: int = 40) -> Difference:
    mean = (lower + upper) / 2
    return Difference(
        mean=mean,
        lower=lower,
        upper=upper,
        current=0.6,
        candidate=0.6 + mean,
        deals=deals,
        clusters=clusters,
        cluster_by="account",
        blocks=1,
    )


@pytest.mark.parametrize(
    ("lower", "upper", "facts", "verdict"),
    [
        (-0.01, 0.019, {}, "promote"),
        (-0.01, 0.021, {}, "worse"),
        (-0.05, -0.001, {"changed": ("priors",)}, "promote"),
        (-0.05, 0.001, {"changed": ("mapping",)}, "not_better"),
        (-0.05, -0.001, {"past": 100, "rewritten": 6}, "rewritten"),
        (-0.05, -0.001, {"past": 100, "rewritten": 5}, "promote"),
        (-0.05, -0.001, {"past": 3, "rewritten": 1}, "promote"),
        (-0.05, -0.001, {"redefined": ("outcome",), "changed": ("x",)}, "definitions"),
        (-0.05, -0.001, {"redefined": ("stage",), "changed": ("x",)}, "promote"),
        (-0.05, -0.001, {"other_mapping": "lost", "changed": ("x",)}, "definitions"),
    ],
)
def test_the_verdict(lower, upper, facts, verdict):
    both = {"candidate": GOOD, "current": GOOD}
    covered = {"candidate": COVERED, "current": COVERED}
    assert verdict_of(difference(lower, upper), both, covered, Facts(**facts), OPTIONS) == verdict


@pytest.mark.parametrize(("deals", "clusters"), [(29, 29), (60, 9)])
def test_few_deals_or_clusters_cannot_tell_whatever_the_difference(deals, clusters):
    both, covered = {"candidate": GOOD, "current": GOOD}, {"candidate": COVERED, "current": COVERED}
    few = difference(-0.5, -0.4, deals, clusters)
    assert verdict_of(few, both, covered, Facts(), OPTIONS) == "not_enough"
    assert verdict_before(deals, clusters, Facts(), OPTIONS) == "not_enough"


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"), [(BAD, GOOD, "miscalibrated"), (BAD, BAD, "promote"), (GOOD, BAD, "promote")]
)
def test_miscalibration_holds_a_candidate_only_where_the_current_model_is_better(ours, theirs, verdict):
    covered = {"candidate": COVERED, "current": COVERED}
    assert verdict_of(difference(-0.02, 0.01), {"candidate": ours, "current": theirs}, covered, Facts(), OPTIONS) == (
        verdict
    )


@pytest.mark.parametrize(("ours", "theirs", "warned"), [(BAD, BAD, True), (GOOD, BAD, False), (BAD, GOOD, False)])
def test_a_passed_candidate_comes_with_a_warning_where_neither_model_is_calibrated(ours, theirs, warned):
    scored = difference(-0.01, 0.01)
    both = {"candidate": ours, "current": theirs}
    gate = Gate(verdict="promote", settings=OPTIONS, seed=1, difference=scored, calibration=both)
    assert any("neither model is calibrated" in sentence for sentence in gate_sentences(gate)) is warned


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [(EXPOSED, COVERED, "not_covered"), (EXPOSED, EXPOSED, "promote"), (COVERED, EXPOSED, "promote")],
)
def test_groups_that_are_not_covered_hold_a_candidate_only_where_the_current_model_covers_more(ours, theirs, verdict):
    both = {"candidate": GOOD, "current": GOOD}
    got = verdict_of(difference(-0.02, 0.01), both, {"candidate": ours, "current": theirs}, Facts(), OPTIONS)
    assert got == verdict


def test_refused_definitions_are_a_setting():
    options = replace(OPTIONS, changed_definitions="refuse")
    assert verdict_before(60, 40, Facts(redefined=("stage",)), options) == "definitions"
    assert verdict_before(60, 40, Facts(redefined=("stage",)), OPTIONS) is None


def test_a_refit_that_did_not_converge_holds_the_candidate():
    won = np.ones(40)
    scores, new = scores_of(np.full(40, np.nan), np.full(40, 0.5), won, np.arange(40))
    gate = judge(replace(scores, failed=("R-hat of x",)), new, Facts(), OPTIONS, seed=1)
    assert gate.verdict == "not_converged"
    assert not gate.allows
    assert "R-hat of x" in gate_sentences(gate)[0]


def test_a_judged_gate_is_plain_json_and_has_sentences_in_both_languages():
    rng = np.random.default_rng(1)
    won = (rng.random(60) < 0.5).astype(float)
    scores, new = scores_of(rng.uniform(0.3, 0.7, 60), rng.uniform(0.3, 0.7, 60), won, np.arange(60) // 2)
    gate = judge(scores, new, Facts(changed=("priors",), redefined=("stage",)), OPTIONS, seed=1)
    record = json.loads(json.dumps(gate.record(), allow_nan=False))
    assert record["verdict"] == gate.verdict
    assert record["difference"]["clusters"] == 30
    english = [*gate_sentences(gate), *decision_sentences(gate)]
    with use_language("zh"):
        chinese = [*gate_sentences(gate), *decision_sentences(gate)]
    assert len(english) == len(chinese)
    assert not set(english) & set(chinese)


@pytest.mark.parametrize(
    "verdict", ["first", "not_enough", "not_converged", "rewritten", "definitions", "worse", "not_better"]
)
def test_every_verdict_says_what_to_do(verdict):
    gate = Gate(verdict=verdict, settings=OPTIONS, seed=1, difference=difference(0.0, 0.1), new_deals=12)
    gate = replace(gate, calibration={"candidate": GOOD, "current": GOOD})
    assert gate_sentences(gate)[0].startswith("First" if verdict == "first" else "Held")
    assert decision_sentences(gate)
    assert gate.allows == (verdict == "first")
