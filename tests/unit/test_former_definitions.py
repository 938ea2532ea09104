"""Former definitions of a fact: which readings are under them, and their own effect in the model. Nothing samples."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import make_posterior
from winprob import explain, predict, rank_roles
from winprob.data.history import read_history, write_snapshot
from winprob.data.schema import validate_deals
from winprob.model import inference
from winprob.model.features import Scaling, describe, learn_scaling, without_former
from winprob.model.features.columns import NO_LEVEL
from winprob.model.inference import read_training
from winprob.retrain.candidate import CurrentModel, define, definitions_from, run_retraining
from winprob.retrain.candidate.definitions import (
    Definition,
    dated,
    of_snapshots,
    with_own_effects,
    without_old_readings,
)
from winprob.settings import Settings, settings_from
from winprob.simulation import simulate_pipeline


def test_several_peoples_readings_of_a_support_lose_it_too():
    rows = pd.DataFrame(
        {"as_of": pd.to_datetime(["2026-06-30"]), "approver_support": [3.0], "approver_readings": ["3*2 4*1"]}
    )
    known = SimpleNamespace(by_concept={"support": Definition(digest="x", since=pd.Timestamp("2026-07-01").date())})
    got, lost = without_old_readings(rows, known)
    assert got[["approver_support", "approver_readings"]].isna().all(axis=None)
    assert lost == {"support": 1}


def test_a_definition_that_comes_back_is_not_a_former_one():
    days = [pd.Timestamp(day).date() for day in ("2026-04-01", "2026-07-01")]
    first, second = define(), define({"columns": {"coach": "Coach?"}})
    there = dated(first, second, days[0])
    back = dated(there, first, days[1])
    assert definitions_from(json.loads(back.to_json())) == back
    (former,) = back.by_concept["coach"].former
    assert (former.digest, former.since, former.until) == (second.by_concept["coach"].digest, *days)
    rows = pd.DataFrame({"as_of": pd.to_datetime(["2026-03-31", *days]), "coach": ["none"] * 3})
    got, lost = without_old_readings(rows, back)
    assert got["coach"].isna().tolist() == [False, True, False]
    assert lost == {"coach": 1}
    # A first day that a person names overrides what was known of the days before.
    early = dated(there, first, pd.Timestamp("1990-01-01").date())
    assert not without_old_readings(rows, early)[0]["coach"].isna().any()


def test_an_old_reading_gets_an_effect_of_its_own_and_one_of_an_unknown_day_loses_the_fact(table):
    rows = table(
        as_of=["2026-06-30", "2026-07-01", None, "2026-01-01"],
        stage=["approval", "approval", "decision", None],
        outcome=["won", "lost", "won", "lost"],
    )
    valid = validate_deals(rows)
    since = pd.Timestamp("2026-07-01").date()
    known = SimpleNamespace(by_concept={"stage": Definition(digest="x", since=since)})
    got, own, lost = with_own_effects(valid, known)
    assert (own, lost) == ({"stage": 1}, {"stage": 1})
    assert got["stage"].isna().tolist() == [False, False, True, True]
    assert valid.attrs.get("covariates", {}) == {}
    scaling = learn_scaling(got, Settings())
    (field,) = [field for field in scaling.fields if field.column]
    assert (field.name, field.levels, field.until) == ("stage before 2026-07-01", ("approval",), "2026-07-01")
    codes = describe(got, scaling).level[:, list(scaling.fields).index(field)]
    first = sum(len(each.levels) for each in scaling.fields) - 1
    assert codes.tolist() == [first, NO_LEVEL, NO_LEVEL, NO_LEVEL]
    assert Scaling.from_dict(json.loads(json.dumps(scaling.to_dict()))).fields == scaling.fields
    # The time to close has no such term: it does not use the old reading.
    assert without_former(got)["stage"].isna().tolist() == [True, False, True, True]
    assert read_training(got, Settings()).scaling.level_share[first] == pytest.approx(0.25)


def test_the_deviation_of_an_old_reading_is_a_term_of_its_own_in_explanations(table):
    rows = table(as_of=["2026-06-30", "2026-07-01"], approver_support=[2.0, 2.0], outcome=["won", "lost"])
    since = pd.Timestamp("2026-07-01").date()
    known = SimpleNamespace(by_concept={"support": Definition(digest="x", since=since)})
    deals, own, _ = with_own_effects(validate_deals(rows), known)
    assert own == {"support": 1}
    model = make_posterior(deals, learn_scaling(deals, Settings()))
    old, new = (explain(model, rows, name).set_index("term") for name in ("D0", "D1"))
    term = "approver_support before 2026-07-01"
    place = model.coords["level"].index(f"{term}=2")
    assert old["log_odds"][term] != pytest.approx(new["log_odds"][term], abs=1e-4)
    assert "Approver's support as read before 2026-07-01: Neutral" in old["text"][term]
    assert "not read then" in new["text"][term]
    difference = model.flat["offset"][:, place].mean()
    gap = predict(model, rows)
    assert np.sign(gap["mean"].iloc[0] - gap["mean"].iloc[1]) == np.sign(difference)
    # A lever moves the fact as it is defined today.
    levers = rank_roles(model, rows.assign(outcome="open"))
    assert levers.groupby("role")["log_odds_lift"].nunique().max() <= 2


def test_a_history_knows_from_which_snapshot_on_another_mapping_was_used(tmp_path, believed, monkeypatch):
    seen: list[pd.DataFrame] = []

    def fit(deals, *, seed, settings, **_):
        seen.append(deals)
        return replace(believed, settings=settings)

    monkeypatch.setattr(inference, "fit", fit)
    mappings = [None, {"columns": {"coach": "Coach"}}, {"columns": {"coach": "Contact"}}]
    pipeline = simulate_pipeline(seed=3, quarters=3)
    days = pd.date_range(pipeline.first_day, pipeline.last_day, freq="MS")
    for at, day in enumerate(days):
        deals = pipeline.known_on(day.date())
        # A former version did not record it; the mapping changes on the fifth day.
        if at >= 2:
            deals.attrs["definitions"] = define(mappings[1 if at < 4 else 2]).digests
        write_snapshot(deals, day.date(), tmp_path / "history")
    known = of_snapshots(read_history(tmp_path / "history")).by_concept
    (former,) = known["coach"].former
    assert (former.since, former.until) == (None, days[4].date())
    assert known["stage"].former == ()
    for plain in (None, CurrentModel(posterior=believed, record={}, definitions=define())):
        result = run_retraining(tmp_path / "history", plain, seed=1)
        old = seen[-1]["as_of"] < days[4]
        assert seen[-1]["coach"][old].isna().all()
        assert seen[-1]["coach"][~old].notna().any()
        assert seen[-1]["stage"][old].notna().any()
        assert result.definitions.by_concept["coach"].since == days[4].date()
        assert result.gate.redefined == (("coach",) if plain else ())
    # Named by hand: it was a new header for the same thing.
    renamed = settings_from({"retraining": {"definitions_since": "1990-01-01"}})
    run_retraining(tmp_path / "history", None, seed=1, settings=renamed)
    assert seen[-1]["coach"][seen[-1]["as_of"] < days[4]].notna().any()
