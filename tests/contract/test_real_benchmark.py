"""The benchmark of real data: protocols, peers, scores and aims, on small made-up files and without any sampling."""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import winprob
from winprob.errors import NotConvergedError

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = ("_timing", "_scores", "salvirt", "maven", "_peers", "_real_sets", "real")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, ModuleType]]:
    """The programs as modules, with made-up data and results elsewhere."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("WINPROB_BENCH_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("WINPROB_REAL_DATA", str(tmp_path))
    yield {name: import_module(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def data(bench: dict[str, ModuleType], tmp_path: Path) -> Any:
    """Eighty made-up leads, where Google converts and 60 visits do."""
    rng = np.random.default_rng(0)
    source, visits = rng.choice(["Google", "Other", ""], 80), rng.integers(0, 60, 80)
    won = rng.random(80) < np.where(source == "Google", 0.7, 0.1) + visits / 200
    rows = {"ProspectID": [f"L{at}" for at in range(80)], "LeadOrigin": "API", "LeadSource": source}
    rows |= {"TotalVisits": visits, "TotalTime": rng.integers(0, 900, 80), "PageViews": rng.integers(0, 9, 80)}
    rows |= {"Specialization": "Select", "Occupation": "Student", "Converted": won.astype(int)}
    (tmp_path / "leads").mkdir()
    content = pd.DataFrame(rows).to_csv(index=False).encode()
    (tmp_path / "leads" / "leads.csv.gz").write_bytes(gzip.compress(content))
    return bench["_real_sets"].load("leads", repeats=1, quick=False)


def asked(**more: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **{"seed": 1, "settings": None, "no_peers": False, "no_winprob": True, "without": [], **more}
    )


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_leads_are_scored_once_each_and_their_numbers_are_logarithms(data: Any) -> None:
    assert sorted(np.concatenate([test for _, test in data.repeats[0]])) == list(range(80))
    assert len(data.repeats[0]) == 5
    np.testing.assert_allclose(data.facts["TotalVisits"], np.log1p(data.deals["TotalVisits"]))
    assert set(data.facts["LeadSource"]) == {"Google", "Other", ""}
    assert data.groupings == ["LeadOrigin", "LeadSource", "Specialization", "Occupation"]


def test_grants_are_learned_before_2008_and_scored_in_2008(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    days = ["2006-03-01", "2007-12-31", "2008-01-01", "2008-12-24"]
    names = (
        "sponsor category value_band research_field objective lead_role lead_department lead_faculty lead_phd "
        "lead_years_here submitted_weekday"
    ).split()
    numbers = (
        "people lead_granted_before lead_refused_before team_granted_before team_refused_before papers_a_star papers_a "
        "papers_b papers_c submitted_day"
    ).split()
    table = pd.DataFrame({"application": range(4), "status": ["granted", "refused"] * 2, "submitted_on": days})
    table = table.assign(**dict.fromkeys(names, "0280"), **dict.fromkeys(numbers, 3)).astype({"people": "str"})
    table.loc[0, "people"] = ""
    (tmp_path / "grants").mkdir()
    (tmp_path / "grants" / "grants.csv.gz").write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    grants = bench["_real_sets"].load("grants", repeats=1, quick=False)
    ((train, test),) = grants.repeats[0]
    assert (train.tolist(), test.tolist()) == ([0, 1], [2, 3])
    assert grants.facts["research_field"].tolist() == ["0280"] * 4  # a code is not a number
    assert np.isnan(grants.facts["people"][0])


def test_rare_levels_are_pooled_and_unseen_ones_join_them(bench: dict[str, ModuleType]) -> None:
    known = frame(sponsor=["a"] * 6 + ["b"] * 5 + ["c", "d"], papers=[1.0] * 12 + [np.nan])
    new = frame(sponsor=["a", "c", "z"], papers=[2.0, np.nan, 3.0])
    got = bench["_peers"].dense(known).fit(known).transform(new)
    assert got.tolist() == [[1, 0, 0, 2], [0, 0, 1, 0], [0, 0, 1, 3]]
    native = bench["_peers"].codes(known).fit(known).transform(new)
    assert native[0, 0] != native[1, 0]
    assert np.isnan(native[1, 1])


def test_the_stack_is_learned_from_members_that_have_not_seen_the_row(bench: dict[str, ModuleType]) -> None:
    """A member that repeats the outcomes it has seen is right on known rows only: the stack gives it no weight."""
    peers = bench["_peers"]

    def parrot(facts: pd.DataFrame, won: np.ndarray, _: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
        seen = dict(zip(facts["row"], won, strict=True))
        return np.array([0.5 if row not in seen else 0.05 + 0.9 * seen[row] for row in others["row"]])

    rng = np.random.default_rng(3)
    facts = frame(kind=rng.choice(["x", "y"], 200), row=np.arange(200.0))
    won = rng.random(200) < np.where(facts["kind"] == "x", 0.8, 0.2)
    got = peers._stack(lambda known: peers._one_hot(known[["kind", "row"]], "drop"), [parrot])(
        facts, won, np.arange(200), facts, 0
    )
    by_kind = pd.Series(got).groupby(facts["kind"]).agg(["min", "max"])
    assert (by_kind["max"] - by_kind["min"] < 1e-9).all()
    assert by_kind["min"]["x"] == pytest.approx(0.8, abs=0.1)
    assert by_kind["max"]["y"] == pytest.approx(0.2, abs=0.1)


def test_numbers_in_bins_are_left_out_where_there_are_none(bench: dict[str, ModuleType]) -> None:
    plain, numeric = frame(seller=["Ann", "Bob"]), frame(seller=["Ann", "Bob"], age=[1.0, 2.0])
    assert set(bench["_peers"].peers(numeric)) - set(bench["_peers"].peers(plain)) == {"logistic, numbers in bins"}


def test_a_missing_package_leaves_its_model_out(bench: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    peers = bench["_peers"]
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert peers.EXPLAINABLE not in peers.peers(frame(seller=["Ann"]))


def test_finished_peers_are_not_fitted_again(
    bench: dict[str, ModuleType], data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = bench["real"], []

    def learn(facts: pd.DataFrame, won: np.ndarray, *_: Any) -> np.ndarray:
        calls.append(len(facts))
        return np.full(16, won.mean())

    monkeypatch.setattr(real, "peers", lambda _: {"base rate": learn})
    first = real.predictions("leads", data, asked())
    again = real.predictions("leads", data, asked())
    assert calls == [64] * 5
    for one, other in zip(first["base rate"][0], again["base rate"][0], strict=True):
        np.testing.assert_array_equal(one["win_prob"], other["win_prob"])


def test_a_fit_that_does_not_converge_is_a_row_with_its_reason(
    bench: dict[str, ModuleType], data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(deals: pd.DataFrame, **_: Any) -> Any:
        if len(deals) == 64:
            raise NotConvergedError("R-hat 1.010 at effect_scale")

    monkeypatch.setattr(winprob, "fit", refuse)
    real = bench["real"]
    monkeypatch.setattr(real, "peers", lambda _: {"logistic": lambda *rows: np.full(len(rows[3]), 0.4)})
    table = real.compare("leads", data, real.predictions("leads", data, asked(no_winprob=False)), seed=1)
    ours = table.set_index("model").loc["winprob"]
    assert ours["reason"] == "5 of 5 fits failed. R-hat 1.010 at effect_scale"
    assert np.isnan(ours["log_loss"])
    shown = real.results_table(table)
    assert "| leads | winprob | - | - | - | - | - |" in shown
    assert "leads, winprob: 5 of 5 fits failed." in shown
    assert {figure.verdict for figure in real.goals("leads", data, table)} == {"missed"}


def test_repeats_are_paired_by_row(bench: dict[str, ModuleType], data: Any) -> None:
    """Two repeats with the same predictions in another order have the losses of one."""
    real, rng = bench["real"], np.random.default_rng(1)
    win_prob, rows = rng.uniform(0.1, 0.9, 80), np.arange(80)
    orders = [rng.permutation(80) for _ in range(2)]
    repeats = [[(rows, order[:40]), (rows, order[40:])] for order in orders]
    twice = type(data)(**{**{name: getattr(data, name) for name in data.__slots__}, "repeats": repeats})
    kept = [[{"win_prob": win_prob[test], "cpu": np.array(2.0)} for _, test in folds] for folds in repeats]
    losses = [real._score(twice, *both)[1] for both in zip(repeats, kept, strict=True)]
    np.testing.assert_allclose(*losses)
    table = real.compare("leads", twice, {"winprob": kept, "logistic": kept}, seed=1)
    assert table["difference"].tolist()[1] == 0
    assert table["cpu"].tolist() == [2, 2]


def test_groups_are_judged_within_a_fold(bench: dict[str, ModuleType], data: Any) -> None:
    """Two folds whose level is wrong in opposite directions: their sum is right, and neither fold is."""
    real, half = bench["real"], np.arange(40)
    folds = [(half + 40, half), (half, half + 40)]
    whole = {"facts": data.facts, "groups": data.groups, "won": np.repeat([True, False], 40), "repeats": [folds]}
    deals = data.deals.assign(LeadOrigin="API", LeadSource="Google")
    wrong = type(data)(deals=deals, **whole)
    assert wrong.deals.attrs["covariates"]
    kept = [{"win_prob": np.full(40, 0.5), "cpu": np.array(1.0)}] * 2
    assert real._score(wrong, folds, kept)[0]["coverage_90"] < 0.01


def test_aims_are_the_best_single_model_and_the_stack(bench: dict[str, ModuleType], data: Any) -> None:
    real = bench["real"]
    losses = {"winprob": 0.303, "base rate": 0.2, "boosting": 0.305, "logistic": 0.4, real.STACK: 0.299}
    table = pd.DataFrame({"model": list(losses), "log_loss": losses.values(), "slope": 1.2, "coverage_90": 0.92})
    figures = real.goals("grants", data, table)
    assert [figure.verdict for figure in figures] == ["met", "met", "missed", "met"]
    assert figures[0].quantity == "grants: log loss minus the best single model's (boosting)"
    assert figures[0].got == pytest.approx(-0.002)
    assert figures[1].got == pytest.approx(0.004)


def test_the_null_set_has_an_aim_of_its_own(bench: dict[str, ModuleType], data: Any) -> None:
    real = bench["real"]
    null = type(data)(**{**{name: getattr(data, name) for name in data.__slots__}, "null_aim": 0.67})
    table = pd.DataFrame(
        {"model": ["winprob", "logistic"], "log_loss": [0.668, 0.66], "slope": 9.0, "coverage_90": 0.9}
    )
    verdicts = {figure.quantity: figure.verdict for figure in real.goals("maven", null, table)}
    assert verdicts["maven: log loss"] == "met"
    assert verdicts["maven: log loss minus the best single model's (logistic)"] == "-"
    assert not any("slope" in quantity for quantity in verdicts)
