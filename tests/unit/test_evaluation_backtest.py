"""The backtest around the fits: a stand-in for the fit, so that the fast lane samples nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from winprob.errors import NotConvergedError
from winprob.evaluation import backtesting, run_backtest
from winprob.evaluation.backtesting import OURS, PREVIOUS, TABLE, WITH_SELLER
from winprob.evaluation.baselines import baselines
from winprob.evaluation.sentences import backtest_sentences
from winprob.settings import EvaluationSettings, Settings

SETTINGS = Settings(evaluation=EvaluationSettings(folds=3, repeats=2, kept_draws=50))


@pytest.fixture
def fits(monkeypatch, believed) -> list[int]:
    """How many deals each fit learned from; every fit gives the prior."""
    from winprob.model import inference

    seen: list[int] = []

    def fit(deals, *, seed, settings, **_):
        seen.append(len(deals))
        return believed

    def plain(train, test, settings, groups, seed):
        return np.full(len(test), 0.4)

    def quick(deals):
        return {name: plain if name in ("logistic", "boosting") else learn for name, learn in baselines(deals).items()}

    monkeypatch.setattr(inference, "fit", fit)
    # They take seconds a fold, and have tests of their own.
    monkeypatch.setattr(backtesting, "baselines", quick)
    return seen


@pytest.fixture(scope="module")
def deals(team) -> pd.DataFrame:
    return pd.concat([team.closed.head(200), team.open], ignore_index=True)


def test_the_table_has_the_columns_of_the_contract(fits, deals):
    table = run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold").table()
    assert list(table.columns) == list(TABLE)
    assert table["model"].tolist() == [
        OURS,
        WITH_SELLER,
        "base rate",
        "stage win rate",
        "CRM stage default",
        "logistic",
        "boosting",
        "rep_probability",
    ]
    assert (table["n"] == 200).all()
    assert len(fits) == 12, "six folds, each with and without the seller's number"


def test_rows_are_scored_with_the_draws_of_their_own_fit(fits, deals, believed):
    from winprob import draw_win_prob

    result = run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold")
    once = (result.deals["repeat"] == 0).to_numpy()
    draws = draw_win_prob(believed, result.deals[once])
    wanted = draws[:, np.linspace(0, draws.shape[1] - 1, 50).astype(int)]
    np.testing.assert_allclose(result.draws[OURS][once], wanted, atol=1e-5)
    np.testing.assert_allclose(result.win_prob[OURS][once], wanted.mean(axis=1), atol=1e-5)


def test_a_run_that_was_stopped_goes_on(fits, deals, tmp_path, monkeypatch):
    from winprob.model import inference

    stand_in = inference.fit

    def broken(deals, **how):
        if len(fits) >= 8:
            raise KeyboardInterrupt
        return stand_in(deals, **how)

    monkeypatch.setattr(inference, "fit", broken)
    with pytest.raises(KeyboardInterrupt):
        run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    monkeypatch.setattr(inference, "fit", stand_in)
    fits.clear()
    again = run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    assert len(fits) == 4
    fits.clear()
    whole = run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    assert not fits
    pd.testing.assert_frame_equal(again.table(), whole.table())


def test_a_damaged_file_of_a_fold_is_made_anew(fits, deals, tmp_path):
    run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    damaged = next(tmp_path.rglob("*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:200])
    fits.clear()
    run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    assert len(fits) == 2


def test_cached_folds_belong_to_their_deals_settings_and_seed(fits, deals, tmp_path):
    run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    for other, seed, settings in (
        (deals.assign(amount=deals["amount"] + 1), 1, SETTINGS),
        (deals, 2, SETTINGS),
        (deals, 1, replace(SETTINGS, priors=replace(SETTINGS.priors, coach=0.1))),
    ):
        fits.clear()
        run_backtest(other, seed=seed, settings=settings, protocol="k-fold", keep=tmp_path)
        assert len(fits) == 12


def test_cached_folds_hold_no_names(fits, deals, tmp_path):
    run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    for path in tmp_path.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as file:
            text = str(file["names"])
            assert not any(account in text for account in deals["account"].dropna().unique())


def test_folds_that_fail_are_named_and_the_others_kept(fits, deals, tmp_path, monkeypatch):
    from winprob.model import inference

    stand_in = inference.fit

    def sometimes(deals, **how):
        if len(fits) == 4:
            fits.append(0)
            raise NotConvergedError("R-hat 2")
        return stand_in(deals, **how)

    monkeypatch.setattr(inference, "fit", sometimes)
    with pytest.raises(NotConvergedError, match=r"1 folds failed.*0-2: R-hat 2"):
        run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", keep=tmp_path)
    assert len(list(tmp_path.rglob("*.npz"))) == 5


def test_a_previous_model_is_scored_only_on_what_it_can_not_have_seen(fits, deals, posterior):
    """The stand-in for last quarter's model has read deals until the end of June."""
    result = run_backtest(deals, seed=1, settings=SETTINGS, protocol="rolling", previous=posterior)
    assert PREVIOUS not in result.win_prob
    old = replace(posterior, provenance=replace(posterior.provenance, last_day="2025-06-30"))
    chances = run_backtest(deals, seed=1, settings=SETTINGS, protocol="rolling", previous=old)
    known = ~np.isnan(chances.win_prob[PREVIOUS])
    assert known.any()
    assert (chances.deals["as_of"][known] > "2025-06-30").all()
    sentences = backtest_sentences(run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold", previous=old))
    assert any("previous model may have learned" in line for line in sentences)


def test_rows_without_a_reps_number_leave_the_others_alone(fits, deals):
    half = deals.copy()
    half.loc[::2, "rep_probability"] = None
    result = run_backtest(half, seed=1, settings=SETTINGS, protocol="k-fold")
    table = result.table().set_index("model")["n"]
    assert table[OURS] == 200
    assert table["rep_probability"] == 100
    differences = result.differences().set_index("model")["n"]
    assert differences["rep_probability"] == 100
    assert differences["logistic"] == 200


def test_baselines_by_hand():
    train = pd.DataFrame(
        {
            "deal_id": list("abcdef"),
            "stage": ["decision"] * 3 + ["approval"] * 2 + [None],
            "outcome": ["won"] * 3 + ["lost"] * 3,
        }
    )
    test = pd.DataFrame({"deal_id": list("xyz"), "stage": ["decision", "difficulty", None]})
    known = baselines(train)
    settings, groups = Settings(), np.arange(6)
    assert known["base rate"](train, test, settings, groups, 1).tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_allclose(known["stage win rate"](train, test, settings, groups, 1), [4 / 5, 0.5, 1 / 3])
    table = settings.evaluation.stage_default
    assert known["CRM stage default"](train, test, settings, groups, 1).tolist() == [table[4], table[0], 0.5]


def test_the_regression_and_the_trees_find_a_plain_signal():
    rng = np.random.default_rng(0)
    coach = rng.choice(["none", "validated"], 400)
    won = rng.random(400) < np.where(coach == "validated", 0.9, 0.1)
    table = pd.DataFrame(
        {"deal_id": np.arange(400).astype(str), "coach": coach, "outcome": np.where(won, "won", "lost")}
    )
    known = baselines(table)
    for name in ("logistic", "boosting"):
        chance = known[name](table.head(300), table.tail(100), Settings(), np.arange(300), 1)
        expected = np.where(coach[300:] == "validated", 0.9, 0.1)
        np.testing.assert_allclose(chance, expected, atol=0.08)


def test_the_record_is_plain_and_complete(fits, deals):
    result = run_backtest(deals, seed=1, settings=SETTINGS)
    record = json.loads(json.dumps(result.record(versions={"winprob": "0"}, made_on="2026-01-01"), allow_nan=False))
    assert record["protocol"]["kind"] == "rolling"
    assert len(record["table"]) == 8
    assert {"grouping", "level", "n", "won", "covered"} <= set(record["groups"][0])


def test_the_sentences_claim_no_more_than_the_interval(fits, deals):
    result = run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold")
    sentences = " ".join(backtest_sentences(result))
    for row in result.differences().to_dict("records"):
        if row["lower"] < 0 < row["upper"]:
            assert row["model"] in sentences.split("No difference beyond chance from: ")[1].split(".")[0]


def test_a_baseline_without_its_column_is_left_out_and_named(fits, deals):
    blank = deals.assign(stage=pd.Series(None, index=deals.index, dtype="str"))
    blank = blank.drop(columns=["rep_probability", "rep_category"])
    result = run_backtest(blank, seed=1, settings=SETTINGS, protocol="k-fold")
    assert result.table()["model"].tolist() == [OURS, "base rate", "logistic", "boosting"]
    compared, *rest = backtest_sentences(result)[1:4]
    assert "stage" not in compared
    assert rest == [
        "Left out of the comparison: stage win rate, CRM stage default. No closed deal has a known 'stage'.",
        "Left out of the comparison: rep_probability. No closed deal has a known 'rep_probability'.",
    ]


def test_nothing_is_called_left_out_where_every_column_is_there(fits, deals):
    sentences = backtest_sentences(run_backtest(deals, seed=1, settings=SETTINGS, protocol="k-fold"))
    assert not any("Left out" in sentence for sentence in sentences)
