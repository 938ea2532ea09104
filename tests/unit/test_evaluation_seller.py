"""The seller next to winprob in a backtest: the line of both together, and sentences that claim what intervals hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from winprob.errors import NotConvergedError
from winprob.evaluation import backtesting, run_backtest
from winprob.evaluation.backtesting import OURS, WITH_SELLER, Backtest
from winprob.evaluation.baselines import baselines
from winprob.evaluation.folds import Plan
from winprob.evaluation.scores import auc_difference
from winprob.evaluation.seller import SELLER, compare_models, seller_sentences
from winprob.evaluation.sentences import backtest_sentences
from winprob.settings import EvaluationSettings, Settings

SETTINGS = Settings(evaluation=EvaluationSettings(folds=3, repeats=2, kept_draws=50))


@pytest.fixture(scope="module")
def table(team) -> pd.DataFrame:
    return pd.concat([team.closed.head(200), team.open], ignore_index=True)


def run(table: pd.DataFrame, **how) -> Backtest:
    return run_backtest(table, **{"seed": 1, "settings": SETTINGS, "protocol": "k-fold", **how})


# ---- the line --------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(believed, monkeypatch) -> list[bool]:
    """Of each fit, whether it was asked to use the seller's number; every fit gives the prior."""
    from winprob.model import inference

    seen: list[bool] = []

    def fit(deals, *, settings, **_):
        seen.append(settings.covariates.seller_forecast)
        return believed

    def quick(deals):
        return {name: learn for name, learn in baselines(deals).items() if name not in ("logistic", "boosting")}

    monkeypatch.setattr(inference, "fit", fit)
    # They take seconds a fold, and have tests of their own.
    monkeypatch.setattr(backtesting, "baselines", quick)
    return seen


def test_each_fold_is_fitted_with_and_without_the_sellers_number(asked, table):
    steps: list[tuple[str, float]] = []
    result = run(table, progress=lambda what, share: steps.append((what, share)))
    assert asked == [False, True] * 6
    assert WITH_SELLER in result.draws
    assert steps[1] == ("backtest: fold 1 of 6, with the seller's number", 1 / 12)
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert len(steps) == 12


def test_the_category_alone_is_enough_for_the_line(asked, table):
    result = run(table.drop(columns="rep_probability"))
    assert WITH_SELLER in result.win_prob
    assert not any("the seller's own number" in line for line in seller_sentences(result))


def test_without_a_sellers_number_there_is_no_line_and_no_sentence(asked, table):
    result = run(table.drop(columns=["rep_probability", "rep_category"]))
    assert asked == [False] * 6
    assert WITH_SELLER not in result.win_prob
    assert not list(seller_sentences(result))
    assert WITH_SELLER not in run(table, seller=False).win_prob


def test_where_winprob_has_the_number_already_the_sentences_name_it_so(asked, table):
    mapped = table.copy()
    mapped.attrs["covariates"] = {"varying": [], "numeric": [], "seller_forecast": True}
    result = run(mapped)
    assert len(asked) == 6
    assert WITH_SELLER not in result.win_prob
    assert any("winprob uses the seller's own number here" in line for line in backtest_sentences(result))


def test_a_number_from_after_the_close_is_neither_scored_nor_learned_from(asked, table):
    late = table.assign(as_of=table["closed_on"].fillna(table["as_of"]))
    result = run(late)
    assert asked == [False] * 6
    assert not {SELLER, WITH_SELLER} & set(result.win_prob)
    sentences = " ".join(backtest_sentences(result))
    assert "Left out of the comparison: rep_probability. No closed deal's 'rep_probability' is from before" in sentences
    assert "rep_probability: not used in 200 rows of closed deals" in sentences
    half = table.assign(as_of=table["as_of"].where(np.arange(len(table)) % 2 == 0, table["closed_on"]))
    assert run(half).table().set_index("model").loc[SELLER, "n"] == 100


def test_a_line_that_does_not_converge_leaves_winprob_alone(asked, table, believed, tmp_path, monkeypatch):
    from winprob.model import inference

    def sometimes(deals, *, settings, **_):
        asked.append(settings.covariates.seller_forecast)
        if settings.covariates.seller_forecast and len(asked) <= failing:
            raise NotConvergedError("R-hat 2")
        return believed

    monkeypatch.setattr(inference, "fit", sometimes)
    failing = 4
    result = run(table, keep=tmp_path)
    assert result.table().set_index("model")["n"][[OURS, WITH_SELLER]].tolist()[0] == 200
    assert np.isnan(result.win_prob[WITH_SELLER]).sum() == len(result.plan.folds[0].test) + len(
        result.plan.folds[1].test
    )
    assert any("did not converge in 2 folds" in line for line in backtest_sentences(result))
    asked.clear()
    failing = 99
    result = run(table)
    assert WITH_SELLER not in result.win_prob
    assert any("it converged in no fold" in line for line in backtest_sentences(result))


# ---- who is better -----------------------------------------------------------------------------------------------


def planted(*, deals: int, ours: float, seller: float, both: float, seed: int = 3) -> Backtest:
    """A backtest in which each model sees the log-odds of the truth through noise of this sd."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1.5, deals)
    won = (rng.random(deals) < expit(truth)).astype(float)
    chances = {
        name: expit((truth + noise * rng.normal(size=deals)) / (1 + noise**2 / 2.25))
        for name, noise in ((OURS, ours), (WITH_SELLER, both), (SELLER, seller))
    }
    facts = pd.DataFrame({"deal_id": np.arange(deals).astype(str), "fold": "0-0", "repeat": 0})
    return Backtest(
        plan=Plan(protocol="k-fold", reason="", folds=(), not_scored=0),
        deals=facts.assign(outcome=np.where(won == 1, "won", "lost")),
        groups=np.arange(deals),
        won=won,
        win_prob=chances,
        draws={},
        seed=1,
        seller="line",
    )


def test_the_better_one_is_named_with_its_paired_interval():
    result = planted(deals=2000, ours=3, seller=1, both=0.5)
    first, second, *rest = seller_sentences(result)
    auc = [roc_auc_score(result.won, result.win_prob[name]) for name in (OURS, SELLER)]
    assert first.startswith(
        f"winprob against the seller's own number: the seller's own number ranks deals better "
        f"(AUC {auc[0]:.3f} against {auc[1]:.3f}, difference {auc[0] - auc[1]:+.3f}, 90% "
    )
    assert "; the seller's own number has the lower log loss (" in first
    assert second.startswith("winprob + seller against winprob: winprob + seller ranks deals better")
    assert rest[0] == "Use both: set seller_forecast = true under [covariates]."
    assert rest[1].startswith("winprob + seller against the seller's own number: winprob + seller ranks deals better")


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_claimed_that_the_interval_does_not_hold(seed):
    result = planted(deals=60, ours=1, seller=1, both=0.8, seed=seed)
    sentences = [line for line in seller_sentences(result) if " against " in line]
    pairs = ((OURS, SELLER), (WITH_SELLER, OURS), (WITH_SELLER, SELLER))
    for line, pair in zip(sentences, pairs, strict=True):
        comparison = compare_models(result, *pair)
        for score, claim in ((comparison.auc, "ranks deals better"), (comparison.log_loss, "has the lower log loss")):
            assert (claim in line) == (not score.lower <= 0 <= score.upper)
            assert score.lower <= score.difference <= score.upper
    use_both = any("Use both" in line for line in seller_sentences(result))
    assert use_both == (compare_models(result, WITH_SELLER, OURS).log_loss.upper < 0)


def test_deals_without_a_sellers_number_are_left_out_of_its_comparison():
    result = planted(deals=400, ours=1, seller=1, both=1)
    rows = np.arange(400) < 300
    result.win_prob[SELLER][~rows] = np.nan
    comparison = compare_models(result, OURS, SELLER)
    assert comparison is not None
    assert comparison.auc.one == pytest.approx(roc_auc_score(result.won[rows], result.win_prob[OURS][rows]))
    assert compare_models(result, OURS, "previous model") is None


# ---- the paired interval of the AUC --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    result = planted(deals=300, ours=2, seller=1, both=1)
    return result.won, result.win_prob[OURS].round(2), result.win_prob[SELLER].round(2)


def test_areas_are_scikit_learns_with_ties(pair):
    won, one, other = pair
    got = auc_difference(won, one, other, np.arange(300), np.zeros(300))
    assert got[:2] == pytest.approx((roc_auc_score(won, one), roc_auc_score(won, other)))


def test_the_interval_is_delongs(pair):
    """Oracle: the variance of DeLong et al. by its own formula, from all pairs of a won and a lost deal."""
    won, one, other = pair
    first, last = won == 1, won == 0
    kernels = [np.sign(p[first][:, None] - p[last]) / 2 + 0.5 for p in (one, other)]
    gap = kernels[0] - kernels[1]
    variance = np.var(gap.mean(axis=1), ddof=1) / first.sum() + np.var(gap.mean(axis=0), ddof=1) / last.sum()
    _, _, difference, lower, upper = auc_difference(won, one, other, np.arange(300), np.zeros(300))
    assert difference == pytest.approx(gap.mean())
    assert [lower, upper] == pytest.approx(gap.mean() + np.array([-1.645, 1.645]) * np.sqrt(variance), abs=5e-4)


def test_rows_that_belong_together_count_once(pair):
    """Every deal three times over, in one group: the interval is that of the deals, not of the rows."""
    won, one, other = pair
    once = auc_difference(won, one, other, np.arange(300), np.zeros(300))
    copied = [np.repeat(values, 3) for values in (won, one, other, np.arange(300), np.zeros(300))]
    assert auc_difference(*copied) == pytest.approx(once)
    tiled = [np.tile(values, 3) for values in (won, one, other, np.arange(300))]
    assert auc_difference(*tiled, np.repeat([0, 1, 2], 300)) == pytest.approx(once)


def test_the_interval_agrees_with_a_bootstrap_of_groups(pair):
    won, one, other = pair
    groups, rng = np.arange(300) // 3, np.random.default_rng(0)
    drawn = []
    for _ in range(1500):
        rows = (3 * rng.integers(100, size=100)[:, None] + np.arange(3)).ravel()
        drawn.append(roc_auc_score(won[rows], one[rows]) - roc_auc_score(won[rows], other[rows]))
    _, _, _, lower, upper = auc_difference(won, one, other, groups, np.zeros(300))
    assert [lower, upper] == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=0.006)


def test_outcomes_that_are_all_equal_have_no_ranking(pair):
    _, one, other = pair
    assert np.isnan(auc_difference(np.ones(300), one, other, np.arange(300), np.zeros(300))).all()
