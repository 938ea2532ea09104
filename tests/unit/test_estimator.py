"""WinProbClassifier: scikit-learn's own checks, labels and columns, and the answers of the functions it rests on."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import winprob
from winprob import Posterior, Settings, WinProbClassifier
from winprob.errors import DealTableError
from winprob.model import estimator
from winprob.simulation import Simulation

FACTS = ["deal_id", "stage", "coach", "decision_method", "approver_support", "evaluator_support", "amount", "seller"]


@pytest.mark.slow
@parametrize_with_checks([WinProbClassifier()])
def test_what_scikit_learn_checks(estimator: WinProbClassifier, check: Any) -> None:
    """With the default settings, the gates of convergence included; no check is expected to fail."""
    check(estimator)


@pytest.fixture
def seen(posterior: Posterior, monkeypatch: pytest.MonkeyPatch) -> list[tuple[pd.DataFrame, dict[str, Any]]]:
    """What the model is fitted to, in place of a fit."""
    calls: list[tuple[pd.DataFrame, dict[str, Any]]] = []

    def stand_in(deals: pd.DataFrame, **how: Any) -> Posterior:
        calls.append((deals, how))
        return posterior

    monkeypatch.setattr(estimator, "fit", stand_in)
    return calls


def test_the_chance_is_the_posterior_mean_and_the_interval_is_beside_it(
    seen: list[Any], posterior: Posterior, team: Simulation
) -> None:
    facts, deals = team.closed[FACTS], team.open[FACTS]
    model = WinProbClassifier(random_state=5).fit(facts, team.closed["outcome"] == "won")
    plain = winprob.predict(posterior, deals)
    np.testing.assert_allclose(model.predict_proba(deals)[:, 1], plain["mean"], atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(deals).sum(axis=1), 1)
    np.testing.assert_allclose(model.predict_interval(deals), plain[["lower", "upper"]], atol=1e-6)
    narrow, wide = (model.predict_interval(deals, mass) for mass in (0.5, 0.99))
    assert (wide[:, 0] < narrow[:, 0]).all()
    assert (narrow[:, 1] < wide[:, 1]).all()
    assert (model.predict(deals) == (plain["mean"] > 0.5)).all()
    with pytest.raises(ValueError, match=r"mass is 90, wanted between 0 and 1"):
        model.predict_interval(deals, 90)


def test_the_parameters_are_those_of_a_fit(seen: list[Any], team: Simulation) -> None:
    settings = Settings()
    model = WinProbClassifier(random_state=5, settings=settings, pseudonymous=True)
    assert model.get_params() == {"random_state": 5, "settings": settings, "pseudonymous": True, "won": None}
    assert clone(model).get_params() == model.get_params()
    model.set_params(random_state=6).fit(team.closed[FACTS], team.closed["outcome"] == "won")
    deals, how = seen[0]
    assert how == {"seed": 6, "settings": settings, "pseudonymous": True}
    assert list(deals.columns) == [*FACTS, "outcome"]
    assert deals["deal_id"].tolist() == team.closed["deal_id"].tolist()
    assert model.feature_names_in_.tolist() == FACTS
    assert model.n_features_in_ == len(FACTS)


@pytest.mark.parametrize(
    ("labels", "won", "meant"),
    [
        ([0, 1], None, 1),
        ([False, True], None, True),
        (["lost", "won"], None, "won"),
        (["won", "no_decision"], None, "won"),
        (["输单", "赢单"], None, "赢单"),
        (["a", "b"], None, "b"),
        (["a", "b"], "a", "a"),
        ([0, 1], 0, 0),
    ],
)
def test_the_label_that_means_won(seen: list[Any], team: Simulation, labels: list[Any], won: Any, meant: Any) -> None:
    """Support raises the chance of this one, so it must not be the other."""
    facts = team.closed[FACTS].head(40)
    y = np.array(labels)[np.arange(40) % 2]
    model = WinProbClassifier(won=won).fit(facts, y)
    assert model.won_ == meant
    assert model.classes_.tolist() == sorted(labels)
    deals, _ = seen[0]
    assert (deals["outcome"] == "won").tolist() == (y == meant).tolist()
    chance = model.predict_proba(facts)[:, model.classes_.tolist().index(meant)]
    np.testing.assert_allclose(chance, winprob.predict(model.posterior_, facts)["mean"], atol=1e-6)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["won", "lost", "no_decision"], r"Only binary .* y = \(outcome == 'won'\)"),
        (["won", "open", "won"], "'open': an open deal has no outcome yet"),
        (["won", None, "lost"], "y contains NaN: a deal without an outcome"),
        (["won", "won", "won"], "only one class, won"),
        ([0.1, 0.5, 0.7], "Unknown label type"),
        ([0, 1], "inconsistent numbers of samples"),
    ],
)
def test_labels_that_are_refused(y: list[Any], message: str, team: Simulation) -> None:
    with pytest.raises(ValueError, match=message):
        WinProbClassifier().fit(team.closed[FACTS].head(3), y)


def test_a_label_to_be_won_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"won is 'yes', which is none of the classes \['a', 'b'\]"):
        WinProbClassifier(won="yes").fit([[1.0], [2.0]], ["a", "b"])


def test_columns_beyond_the_method_are_covariates(seen: list[Any]) -> None:
    facts = pd.DataFrame(
        {
            "stage": ["decision", None],
            "visits": [3, 4],
            "hot": [True, False],
            "city": ["上海", None],
            "sum": [1.5, np.nan],
        }
    )
    before = facts.copy()
    WinProbClassifier().fit(facts, [0, 1])
    deals, _ = seen[0]
    assert deals.attrs["covariates"]["varying"] == ["city"]
    assert [item["column"] for item in deals.attrs["covariates"]["numeric"]] == ["visits", "hot", "sum"]
    assert deals["deal_id"].is_unique
    pd.testing.assert_frame_equal(facts, before)
    assert facts.attrs == {}


def test_covariates_that_a_mapping_named_keep_their_transform(seen: list[Any]) -> None:
    facts = pd.DataFrame({"age": [1.0, 2.0], "size": [3.0, 4.0]})
    named = {"varying": [], "numeric": [{"column": "size", "transform": "log1p"}]}
    facts.attrs["covariates"] = named
    WinProbClassifier().fit(facts, [0, 1])
    numeric = seen[0][0].attrs["covariates"]["numeric"]
    assert numeric == [*named["numeric"], {"column": "age", "transform": "identity"}]
    assert facts.attrs["covariates"]["numeric"] == named["numeric"]


def test_dates_are_no_covariates() -> None:
    facts = pd.DataFrame({"signed": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    with pytest.raises(ValueError, match="columns signed hold dates"):
        WinProbClassifier().fit(facts, [0, 1])


def test_a_value_that_is_not_canonical_is_named() -> None:
    with pytest.raises(DealTableError, match="'stage' not one of"):
        WinProbClassifier().fit(pd.DataFrame({"stage": ["late", "early"]}), [0, 1])


def test_other_columns_at_prediction_are_refused(seen: list[Any], team: Simulation) -> None:
    model = WinProbClassifier().fit(team.closed[FACTS], team.closed["outcome"] == "won")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(team.closed[FACTS].rename(columns={"amount": "sum"}))
    with pytest.raises(NotFittedError):
        clone(model).predict_interval(team.open[FACTS])


def test_polars_and_pandas_are_one(seen: list[Any], team: Simulation) -> None:
    facts, won = team.closed[FACTS], (team.closed["outcome"] == "won").to_numpy()
    model = WinProbClassifier().fit(pl.from_pandas(facts.reset_index(drop=True)), won)
    np.testing.assert_array_equal(
        model.predict_proba(pl.from_pandas(team.open[FACTS].reset_index(drop=True))),
        model.predict_proba(team.open[FACTS]),
    )


def test_scikit_learn_is_not_loaded_without_the_estimator() -> None:
    code = (
        "import sys, winprob, winprob.model.prediction; assert 'sklearn' not in sys.modules; winprob.WinProbClassifier"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.slow
def test_in_a_pipeline_and_cross_validated_near_logistic_regression() -> None:
    """On numbers whose log-odds are a straight line that line is the best model, and the estimator near it."""
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=(400, 2))
    won = rng.random(400) < 1 / (1 + np.exp(-(1.2 * numbers[:, 0] - 0.6 * numbers[:, 1])))
    frame = pd.DataFrame(1000 * numbers, columns=["left", "right"])
    scaled = ColumnTransformer([("scale", StandardScaler(), ["left", "right"])]).set_output(transform="pandas")
    pipeline = Pipeline([("scale", scaled), ("win", WinProbClassifier(random_state=2))])
    ours, line = (
        cross_val_predict(model, frame, won, cv=3, method="predict_proba") for model in (pipeline, LogisticRegression())
    )
    assert log_loss(won, ours) < log_loss(won, line) + 0.02
    assert log_loss(won, ours) < 0.9 * log_loss(won, np.full(400, won.mean()))
