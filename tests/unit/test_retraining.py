"""Which deals are scored, what a refit may know, and when the recipe or a definition has changed. Nothing samples."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, replace
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from winprob.data.history import read_history, write_snapshot
from winprob.data.schema import is_closed, validate_deals
from winprob.errors import NotConvergedError, RegistryError
from winprob.methodology import load
from winprob.model import inference
from winprob.retrain import Registry
from winprob.retrain.candidate import CurrentModel, define, definitions_from, run_retraining, to_toml
from winprob.retrain.candidate.changes import WIN_RATE, data_changes, largest_moves, level_changes, parameter_changes
from winprob.retrain.candidate.definitions import Definition, changed_concepts, dated, without_old_readings
from winprob.retrain.candidate.evidence import LearnedFrom, evidence_of, fingerprint, learned_by_count, learned_from
from winprob.retrain.candidate.recipe import LEARNED_BY, Recipe, changed_parts, recipe_from, recipe_of, settings_changes
from winprob.retrain.candidate.scoring import blocks_of, cluster_labels, new_deals
from winprob.settings import CalendarSettings, RetrainingSettings, Settings, settings_from
from winprob.simulation import simulate_pipeline

CALENDAR = CalendarSettings()
SETTINGS = Settings(retraining=RetrainingSettings(least_deals=20))


@pytest.fixture(scope="module")
def deals(team) -> pd.DataFrame:
    return pd.concat([team.closed, team.open], ignore_index=True)


@pytest.fixture(scope="module")
def cut(team) -> pd.Timestamp:
    """The day on which all but about 80 of the deals had closed."""
    return team.closed["closed_on"].sort_values().iloc[-81]


@pytest.fixture
def fits(monkeypatch, believed) -> list[pd.DataFrame]:
    """The tables of every fit; every fit gives the prior."""
    seen: list[pd.DataFrame] = []

    def fit(deals, *, seed, settings, **more):
        seen.append(deals)
        return replace(believed, settings=settings)

    monkeypatch.setattr(inference, "fit", fit)
    return seen


def current_of(believed, deals: pd.DataFrame, cut: pd.Timestamp, **record) -> CurrentModel:
    """A model on record as fitted to what had closed by ``cut``."""
    past = deals[deals["closed_on"] <= cut]
    learned = replace(learned_from(evidence_of(past, CALENDAR)), until=cut)
    recipe = recipe_of(SETTINGS, None, validate_deals(deals), define())
    whole = {"learned_from": learned.record(), "recipe": recipe.record(), **record}
    return CurrentModel(posterior=replace(believed, settings=SETTINGS), record=json.loads(json.dumps(whole)))


# --- never seen ------------------------------------------------------------------------------------------------------


def test_a_deal_that_the_current_model_learned_from_is_never_scored(deals, cut):
    evidence = evidence_of(deals, CALENDAR)
    learned = learned_from(evidence_of(deals[deals["closed_on"] <= cut], CALENDAR))
    new = new_deals(evidence, replace(learned, until=cut))
    ids = set(new.readings["deal_id"])
    assert ids == set(deals["deal_id"][deals["closed_on"] > cut])
    # Even where the end of the data on record is too early.
    early = new_deals(evidence, replace(learned, until=cut - pd.Timedelta(days=200)))
    assert set(early.readings["deal_id"]) == ids


def test_a_deal_entered_late_is_counted_and_not_scored(deals, cut):
    past = deals[deals["closed_on"] <= cut]
    forgotten = past["deal_id"].iloc[0]
    learned = learned_from(evidence_of(past[past["deal_id"] != forgotten], CALENDAR))
    new = new_deals(evidence_of(deals, CALENDAR), replace(learned, until=cut))
    assert new.entered_late == 1
    assert forgotten not in set(new.readings["deal_id"])


def test_a_refit_knows_only_what_had_closed_before_its_block(fits, believed, deals, team):
    cut = team.closed["closed_on"].sort_values().iloc[-201]
    result = run_retraining(deals, current_of(believed, deals, cut), seed=1, settings=SETTINGS)
    assert result.gate.difference is not None
    assert len(fits) == result.gate.difference.blocks + 1 >= 3
    ends = deals.set_index("deal_id")["closed_on"]
    starts = []
    for table in fits[:-1]:
        closed = table[is_closed(table)]
        waiting = table[~is_closed(table)]
        last = closed["closed_on"].max()
        starts.append(last)
        assert (ends[waiting["deal_id"]].isna() | (ends[waiting["deal_id"]] > last).to_numpy()).all()
        assert waiting["closed_on"].isna().all()
        assert (waiting["as_of"] <= waiting["known_until"]).all()
    assert starts == sorted(starts)
    assert starts[0] <= cut + pd.Timedelta(days=1)
    pd.testing.assert_frame_equal(fits[-1], validate_deals(deals))


def test_the_same_model_twice_is_not_worse(fits, believed, deals, cut):
    result = run_retraining(deals, current_of(believed, deals, cut), seed=1, settings=SETTINGS)
    assert result.gate.changed == ()
    assert result.gate.verdict == "promote"
    assert result.gate.difference.mean == pytest.approx(0, abs=1e-6)
    assert result.changes.quarter is None or result.changes.quarter["old"] == pytest.approx(
        result.changes.quarter["new"]
    )
    assert json.loads(json.dumps(result.record(), allow_nan=False))["verdict"] == "promote"


def test_too_few_new_deals_are_not_scored_at_all(fits, believed, deals, team):
    late = team.closed["closed_on"].sort_values().iloc[-6]
    result = run_retraining(deals, current_of(believed, deals, late), seed=1, settings=SETTINGS)
    assert result.gate.verdict == "not_enough"
    assert len(fits) == 1
    assert result.candidate is not None


def test_the_first_model_has_nothing_to_compare_with(fits, deals):
    result = run_retraining(deals, None, seed=1, settings=SETTINGS)
    assert (result.gate.verdict, result.gate.allows, result.changes) == ("first", True, None)
    assert result.record()["verdict"] == "promote"


def test_scrambled_outcomes_of_past_deals_hold_the_candidate(fits, believed, deals, cut):
    current = current_of(believed, deals, cut)
    past = (deals["closed_on"] <= cut).to_numpy()
    mixed = deals["outcome"].to_numpy(copy=True)
    mixed[past] = np.random.default_rng(1).permutation(mixed[past])
    result = run_retraining(deals.assign(outcome=mixed), current, seed=1, settings=SETTINGS)
    assert result.gate.verdict == "rewritten"
    assert result.gate.rewritten > 0.3 * result.gate.past
    assert len(fits) == 1


def test_a_fit_that_does_not_converge_leaves_no_candidate(monkeypatch, believed, deals, cut):
    def fit(*_, **__):
        raise NotConvergedError("R-hat 1.4 of stage")

    monkeypatch.setattr(inference, "fit", fit)
    result = run_retraining(deals, current_of(believed, deals, cut), seed=1, settings=SETTINGS)
    assert result.gate.verdict == "not_converged"
    assert result.candidate is None
    assert "R-hat 1.4 of stage" in result.gate.reasons[0]


def test_a_model_without_a_record_is_taken_to_have_learned_from_the_first_that_closed(team):
    closed = team.closed
    guessed = learned_by_count(closed, 500, "2025-01-01")
    assert int((closed["closed_on"] <= guessed.until).sum()) >= 500
    assert int((closed["closed_on"] < guessed.until).sum()) < 500
    assert guessed.won is None


# --- as known before the close ---------------------------------------------------------------------------------------


def test_a_history_is_scored_on_the_last_snapshot_before_the_close(tmp_path):
    rows = {"deal_id": ["A", "B"], "stage": ["approval", "decision"], "opened_on": ["2026-01-01"] * 2}
    for day, stage, outcome, closed in (
        ("2026-01-05", "approval", "open", None),
        ("2026-02-02", "evaluation", "open", None),
        ("2026-02-09", "decision", "won", "2026-02-04"),
    ):
        frame = pd.DataFrame({**rows, "stage": [stage, "decision"], "outcome": [outcome, "open"], "closed_on": closed})
        frame["closed_on"] = pd.to_datetime(frame["closed_on"].where(frame["outcome"] != "open"))
        write_snapshot(frame.assign(opened_on=pd.to_datetime(frame["opened_on"])), day, tmp_path / "history")
    evidence = evidence_of(tmp_path / "history", CALENDAR)
    readings, hindsight = evidence.before_close()
    assert readings[["deal_id", "stage", "outcome"]].to_numpy().tolist() == [["A", "evaluation", "won"]]
    assert not hindsight.any()


def test_a_past_day_of_a_history_is_what_its_snapshots_knew(tmp_path):
    pipeline = simulate_pipeline(seed=3, quarters=3)
    days = pd.date_range(pipeline.first_day, pipeline.last_day, freq="MS")
    for day in days:
        write_snapshot(pipeline.known_on(day.date()), day.date(), tmp_path / "history")
    evidence = evidence_of(tmp_path / "history", CALENDAR)
    known = evidence.known_before(days[-2], [])
    assert known.deals["known_until"].max() < days[-2]
    assert known.ends["as_of"].max() < days[-2]
    assert set(known.more) == {"ends"}
    assert known.deals["as_of"].nunique() == len(days) - 2
    assert evidence.until >= read_history(tmp_path / "history")["as_of"].max()


def test_facts_without_a_day_before_the_close_are_hindsight(deals, cut):
    plain = deals.assign(as_of=deals["as_of"].mask(deals["closed_on"] > cut, deals["closed_on"]))
    learned = learned_from(evidence_of(deals[deals["closed_on"] <= cut], CALENDAR))
    new = new_deals(evidence_of(plain, CALENDAR), replace(learned, until=cut))
    assert new.hindsight.all()
    assert new.deals == int((deals["closed_on"] > cut).sum())


def test_deals_without_days_are_one_block_of_unseen_ids(fits, believed, deals, cut):
    undated = deals.drop(columns=["as_of", "closed_on", "opened_on", "expected_close_on"])
    current = current_of(believed, deals, cut)
    record = {**current.record, "recipe": recipe_of(SETTINGS, None, undated, define()).record()}
    result = run_retraining(undated, replace(current, record=record), seed=1, settings=SETTINGS)
    new = set(deals["deal_id"][deals["closed_on"] > cut])
    assert result.gate.new_deals == len(new)
    assert result.gate.hindsight == len(new)
    assert not new & set(fits[0]["deal_id"])


# --- blocks and clusters ---------------------------------------------------------------------------------------------


def test_a_block_is_a_quarter_or_as_many_as_hold_thirty_deals():
    counts = {"2026-01-15": 10, "2026-05-01": 25, "2026-07-01": 40, "2026-10-02": 5}
    days = np.repeat(list(counts), list(counts.values()))
    readings = pd.DataFrame({"deal_id": [f"D{at}" for at in range(80)], "closed_on": pd.to_datetime(days)})
    assert np.bincount(blocks_of(readings, Settings())).tolist() == [35, 45]
    assert set(blocks_of(readings.assign(closed_on=pd.NaT), Settings())) == {0}


def test_clusters_are_accounts_else_sellers_else_deals():
    readings = pd.DataFrame({"deal_id": ["1", "2", "3"], "account": ["A", "A", None], "seller": ["S", "T", "T"]})
    by, labels = cluster_labels(readings)
    assert by == "account"
    assert labels.tolist() == ["account A", "account A", "deal 3"]
    assert cluster_labels(readings.drop(columns="account"))[1].nunique() == 2
    assert cluster_labels(readings[["deal_id"]])[0] == "deal"


# --- recipe and definitions ------------------------------------------------------------------------------------------


def test_the_recipe_is_the_same_whatever_is_only_shown(deals):
    plain = recipe_of(Settings(), None, deals, define())
    shown = settings_from({"review": {"deals": 3}, "retraining": {"margin": 0.1}})
    assert changed_parts(plain, recipe_of(shown, None, deals, define())) == ()
    learned = settings_from({"priors": {"coach": 0.5}})
    assert changed_parts(plain, recipe_of(learned, None, deals, define())) == ("priors",)


def test_a_new_setting_at_a_value_that_changes_nothing_is_the_same_recipe():
    stored = tomllib.loads(to_toml(asdict(Settings())))
    assert settings_changes(stored, Settings(), of_history=True) == (LEARNED_BY, ())
    del stored["covariates"]["days_elapsed"]
    # In a history the days elapsed were covariates before; in an export they are new.
    assert settings_changes(stored, Settings(), of_history=True) == (LEARNED_BY, ())
    tables = tuple(name for name in LEARNED_BY if name != "covariates")
    assert settings_changes(stored, Settings(), of_history=False) == (tables, ("covariates.days_elapsed",))
    switched_off = settings_from({"covariates": {"days_elapsed": False}})
    assert settings_changes(stored, switched_off, of_history=False) == (LEARNED_BY, ())
    assert settings_changes(stored, switched_off, of_history=True) == (tables, ())


def test_a_new_default_that_changes_only_what_a_fit_costs_is_the_same_recipe():
    """A model of the former default is fitted as before; one whose user asks for it, or did, is not."""
    stored = tomllib.loads(to_toml(asdict(Settings())))
    stored["sampler"]["tune"] = 300
    assert settings_changes(stored, Settings(), of_history=True) == (LEARNED_BY, ())
    stored["sampler"]["tune"] = 400
    assert settings_changes(stored, Settings(), of_history=True) == (LEARNED_BY[1:], ())


def test_a_changed_setting_is_the_users_or_the_new_versions():
    stored = tomllib.loads(to_toml(asdict(Settings())))
    del stored["timing"]["season"]
    stored["priors"] |= {"stage_step": 1.0, "coach": 0.7}
    stored["sampler"]["forgotten"] = 3
    same, by_version = settings_changes(stored, Settings(), of_history=False)
    assert same == ("gates", "covariates")
    assert by_version == ("sampler.forgotten", "priors.stage_step", "timing.season")
    of_history = settings_changes(stored, Settings(), of_history=True)[1]
    assert of_history == ("sampler.forgotten", "timing.season"), "deals that are read often have the prior they had"
    assert settings_changes(None, Settings(), of_history=True) == ((), ())


@pytest.mark.parametrize(("step", "by_version"), [(1.0, ()), (0.7, ("priors.stage_step_of_readings",))])
def test_a_history_was_fitted_by_the_prior_that_held_for_all(step, by_version):
    """Before there were two priors of stages; that of deals read once is not used for a history."""
    stored = tomllib.loads(to_toml(asdict(Settings())))
    del stored["priors"]["stage_step_of_readings"]
    stored["priors"]["stage_step"] = step
    assert settings_changes(stored, Settings(), of_history=True)[1] == by_version
    asked = settings_from({"priors": {"stage_step_of_readings": step}})
    assert "priors" in settings_changes(stored, asked, of_history=True)[0]


def test_the_report_names_the_new_version_and_not_the_user(fits, believed, deals, cut):
    older = settings_from({"priors": {"stage_step": 1.0}})
    past = deals.assign(outcome=deals["outcome"])
    recipe = recipe_of(older, None, validate_deals(past), define())
    current = current_of(believed, deals, cut, recipe=recipe.record())
    stored = tomllib.loads(to_toml(asdict(older)))
    result = run_retraining(deals, replace(current, stored_settings=stored), seed=1, settings=SETTINGS)
    assert (result.gate.changed, result.gate.by_version) == (("priors",), ("priors.stage_step",))
    assert "the new version of winprob has changed" in " ".join(result.record()["sentences"]["en"])
    del stored["covariates"]["days_elapsed"]
    stored["priors"]["stage_step"] = 0.5
    same = run_retraining(
        deals,
        replace(current, stored_settings=stored),
        seed=1,
        settings=replace(SETTINGS, covariates=replace(SETTINGS.covariates, days_elapsed=False)),
    )
    assert same.gate.changed == ()


def test_mapping_and_covariates_are_parts_of_the_recipe(deals):
    mapping = {"columns": {"deal_id": "Id", "stage": {"column": "S", "values": {"approval": ["A"]}}}}
    reordered = {"columns": {"stage": {"values": {"approval": ["A"]}, "column": "S"}, "deal_id": "Id"}}
    one, other = (recipe_of(Settings(), each, deals, define(each)) for each in (mapping, reordered))
    assert changed_parts(one, other) == ()
    plain = recipe_of(Settings(), None, deals, define())
    assert changed_parts(plain, one) == ("mapping", "definitions: stage")
    more = deals.copy()
    more.attrs["covariates"] = {"varying": ["Team"]}
    assert changed_parts(plain, recipe_of(Settings(), None, more, define())) == ("mapping covariates",)


def test_what_is_not_on_record_counts_as_changed(deals):
    unknown = recipe_from(None, Settings())
    assert "mapping" in changed_parts(unknown, recipe_of(Settings(), None, deals, define()))
    assert isinstance(unknown, Recipe)


def test_another_criterion_of_a_stage_changes_its_definition_alone(tmp_path):
    text = files("winprob.methodology").joinpath("subjects/stages.toml").read_text(encoding="utf-8")
    (criterion,) = (play.en for play in load().plays["stages"] if play.id == "approval.state")
    (tmp_path / "stages.toml").write_text(text.replace(criterion, f"{criterion}, in writing"), encoding="utf-8")
    assert changed_concepts(define(), define(methodology=tmp_path)) == ("stage",)
    assert changed_concepts(define(), define()) == ()


def test_definitions_survive_json_and_carry_their_first_day():
    old, new = define(), define({"columns": {"coach": "Coach?"}})
    since = pd.Timestamp("2026-07-01").date()
    later = dated(old, new, since)
    assert definitions_from(json.loads(later.to_json())) == later
    assert later.by_concept["coach"].since == since
    assert later.by_concept["stage"].since is None
    # The next retraining under the same definitions keeps the day.
    assert dated(later, new, pd.Timestamp("2026-10-01").date()) == later


def test_a_reading_under_another_definition_loses_the_fact_and_no_other():
    rows = pd.DataFrame(
        {
            "deal_id": ["1", "2", "3"],
            "as_of": pd.to_datetime(["2026-06-30", "2026-07-01", None]),
            "stage": ["approval", "approval", "decision"],
            "coach": ["none", "validated", "none"],
        }
    )
    since = pd.Timestamp("2026-07-01").date()
    known = SimpleNamespace(by_concept={"stage": Definition(digest="x", since=since), "coach": Definition(digest="y")})
    got, lost = without_old_readings(rows, known)
    assert got["stage"].isna().tolist() == [True, False, True]
    assert got["coach"].tolist() == rows["coach"].tolist()
    assert lost == {"stage": 2}
    assert rows["stage"].notna().all()


def test_a_changed_definition_is_not_pooled_and_the_gate_reports_it(fits, believed, deals, cut):
    current = current_of(believed, deals, cut)
    old = define({"columns": {"stage": "Stage"}})
    result = run_retraining(deals, replace(current, definitions=old), seed=1, settings=SETTINGS)
    assert result.gate.redefined == ("stage",)
    assert result.gate.lost["stage"] > 100
    final = fits[-1]
    assert final["stage"][final["as_of"] <= cut].isna().all()
    assert final["stage"][final["as_of"] > cut].notna().any()
    own_effect = replace(SETTINGS, retraining=RetrainingSettings(least_deals=20, changed_definitions="own_effect"))
    own = run_retraining(deals, replace(current, definitions=old), seed=1, settings=own_effect)
    assert own.gate.own_effect["stage"] == result.gate.lost["stage"]
    assert fits[-1]["stage"][final["as_of"] <= cut].notna().any()
    (former,) = fits[-1].attrs["covariates"]["former"]
    assert former == {"column": "stage", "since": "", "until": f"{cut + pd.Timedelta(days=1):%Y-%m-%d}"}
    assert "own_effect" in " ".join(own.record()["sentences"]["en"])
    assert "lose_fact" in " ".join(result.record()["sentences"]["en"])
    refused = replace(SETTINGS, retraining=RetrainingSettings(least_deals=20, changed_definitions="refuse"))
    held = run_retraining(deals, replace(current, definitions=old), seed=1, settings=refused)
    assert held.gate.verdict == "definitions"


def test_without_any_day_a_changed_definition_holds_the_candidate(fits, believed, deals):
    undated = deals.drop(columns=["as_of", "closed_on", "opened_on", "expected_close_on"])
    current = CurrentModel(posterior=believed, record={}, definitions=define({"columns": {"stage": "Stage"}}))
    result = run_retraining(undated, current, seed=1, settings=SETTINGS)
    assert (result.gate.verdict, result.gate.undatable) == ("definitions", True)


def test_the_current_model_is_scored_on_its_own_reading_of_the_export(fits, believed, deals, cut):
    current = current_of(believed, deals, cut)
    same = run_retraining(deals, current, seed=1, settings=SETTINGS, seen_by_current=lambda: deals)
    assert same.gate.other_mapping == "own"
    flipped = deals.assign(outcome=deals["outcome"].replace({"won": "lost", "lost": "won"}))
    lost = run_retraining(deals, current, seed=1, settings=SETTINGS, seen_by_current=lambda: flipped)
    assert (lost.gate.other_mapping, lost.gate.verdict) == ("lost", "definitions")


def test_settings_survive_their_toml():
    changed = settings_from(
        {
            "priors": {"method_lean": 0.25, "coach": 0.5},
            "covariates": {"varying": ["seller", 'A "quoted" \\ name\n'], "numeric": [{"column": "Umsatz €"}]},
            "retraining": {"margin": 0.03},
        }
    )
    assert settings_from(tomllib.loads(to_toml(asdict(changed)))) == changed


# --- changes ---------------------------------------------------------------------------------------------------------


def test_changes_of_the_data_are_shares_with_intervals(team):
    closed = team.closed.reset_index(drop=True)
    old = np.arange(len(closed)) < 500
    table = data_changes(closed, old).set_index("quantity")
    assert table.loc[WIN_RATE, "old"] == pytest.approx((closed["outcome"][:500] == "won").mean())
    assert table.loc["coach", "new"] == pytest.approx(closed["coach"][500:].isna().mean())
    assert (table["old_upper"] - table["old_lower"] < table["new_upper"] - table["new_lower"]).all()
    nothing = data_changes(closed, np.ones(len(closed), dtype=bool))
    assert nothing["new"].isna().all()


def test_a_model_compared_with_itself_has_not_changed(posterior, team):
    table = parameter_changes(posterior, posterior)
    assert (table["old"] == table["new"]).all()
    assert set(table["kind"]) == {"weight", "reliability", "stage"}
    assert table["width_ratio"].to_numpy() == pytest.approx(1)
    assert level_changes(posterior, posterior).empty
    moves = largest_moves(posterior, posterior, team.open.reset_index(drop=True), 3)
    assert moves["change"].abs().max() == 0


def test_a_rewritten_outcome_is_counted():
    closed = pd.DataFrame({"deal_id": ["1", "2", "3"], "outcome": ["won", "lost", "no_decision"]})
    known = LearnedFrom(until=None, won={fingerprint("1"): False, fingerprint("3"): False, fingerprint("9"): True})
    assert known.rewritten(closed) == (1, 2)


# --- through a registry ----------------------------------------------------------------------------------------------


def test_a_retraining_goes_through_a_registry_in_python(fits, deals, tmp_path):
    registry = Registry(tmp_path / "registry")
    first = run_retraining(deals, seed=1, settings=SETTINGS)
    entry = registry.add(first.files())
    assert set(entry.files) == {"model.nc", "gate.json", "settings.toml", "definitions.json"}
    current = CurrentModel.from_entry(entry)
    assert current.definitions == first.definitions
    again = run_retraining(deals, current, seed=1, settings=SETTINGS, judge_only=True)
    # What it learned from and its recipe are on record: no deal is new, and nothing has changed.
    assert (again.gate.verdict, again.gate.new_deals, again.gate.changed) == ("not_enough", 0, ())
    with pytest.raises(RegistryError, match="without a candidate"):
        again.files()


def test_definitions_in_a_registry_that_are_none_are_refused(fits, deals, tmp_path):
    files = run_retraining(deals, seed=1, settings=SETTINGS).files()
    entry = Registry(tmp_path / "registry").add({**files, "definitions.json": b"[]"})
    with pytest.raises(RegistryError, match="not a file of definitions"):
        CurrentModel.from_entry(entry)
