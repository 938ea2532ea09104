"""``winprob retrain``: exit codes, what it leaves in the registry, its page; the fits are stand-ins but in one test."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob import Registry
from winprob.cli import main
from winprob.data.history import write_snapshot
from winprob.model import inference
from winprob.model.posterior import Posterior
from winprob.report import card
from winprob.settings import Settings, settings_from
from winprob.simulation import Pace, simulate, simulate_pipeline

FILES = {"card.html", "definitions.json", "gate.json", "mapping.toml", "model.nc", "report.html", "settings.toml"}
FAST = """
[sampler]
chains = 2
tune = 100
draws = 100
thin = 1
prior_draws = 100
retry_draws = 200
[gates]
r_hat = 2
bulk_ess = 5
tail_ess = 5
divergent_share = 0.5
bfmi = 0.01
[refit.sampler]
tune = 100
draws = 100
retry_draws = 200
[refit.gates]
r_hat = 2
bulk_ess = 5
tail_ess = 5
divergent_share = 0.5
bfmi = 0.01
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of 300 closed deals, the same a quarter earlier, and a smaller one in other headers."""
    place = tmp_path_factory.mktemp("retrain")
    team = simulate(300, 20, seed=12)
    deals = pd.concat([team.closed, team.open], ignore_index=True)
    day = team.closed["closed_on"].sort_values().iloc[-61]
    deals.to_csv(place / "now.csv", index=False)
    before = deals[~(deals["as_of"] > day)]
    later = before["closed_on"] > day
    before = before.assign(outcome=before["outcome"].mask(later, "open"), closed_on=before["closed_on"].mask(later))
    before.to_csv(place / "before.csv", index=False)
    headers = {"approver_support": "Boss", "evaluator_support": "Expert"}
    deals.rename(columns=headers).to_csv(place / "mapped.csv", index=False)
    columns = "\n".join(f'{name} = "{headers.get(name, name)}"' for name in deals.columns)
    (place / "right.toml").write_text(f"[columns]\n{columns}\n", encoding="utf-8")
    swapped = columns.replace('"Boss"', '"?"').replace('"Expert"', '"Boss"').replace('"?"', '"Expert"')
    (place / "swapped.toml").write_text(f"[columns]\n{swapped}\n", encoding="utf-8")
    (place / "fast.toml").write_text(FAST, encoding="utf-8")
    return place


def stand_in(monkeypatch: pytest.MonkeyPatch, believed: Posterior) -> list[pd.DataFrame]:
    """Every fit gives the prior; the tables that were fitted."""
    seen: list[pd.DataFrame] = []

    def fit(deals, *, seed, settings, **_):
        seen.append(deals)
        return replace(believed, settings=settings)

    monkeypatch.setattr(inference, "fit", fit)
    # It has tests of its own, and takes a second.
    monkeypatch.setattr(card, "render_card", lambda *_, **__: "<html></html>")
    return seen


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch, believed: Posterior) -> list[pd.DataFrame]:
    return stand_in(monkeypatch, believed)


@pytest.fixture(scope="module")
def started(place: Path, believed: Posterior) -> Result:
    """The first retraining of ``place/registry``."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, believed)
        return retrain(place / "before.csv", place / "registry", "--promote", "auto", "--reason", "start")


@pytest.fixture
def registry(started: Result, place: Path, tmp_path: Path) -> Path:
    """A registry whose current model learned from ``before.csv``."""
    return Path(shutil.copytree(place / "registry", tmp_path / "registry"))


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def retrain(deals: Path, registry: Path, *words: object) -> Result:
    return run("retrain", deals, "--registry", registry, *words)


def gate_of(registry: Path, number: int) -> dict:
    return Registry(registry).entry(number).gate()


def test_the_first_model_becomes_current_and_says_that_there_was_nothing_to_compare_with(started, place):
    assert started.exit_code == 0, started.output
    assert "nothing to compare it with" in started.stderr
    entry = Registry(place / "registry").current()
    assert entry is not None
    assert {path.name for path in entry.path.iterdir()} == FILES
    assert entry.reason == "start"
    text = (entry.path / "settings.toml").read_text(encoding="utf-8")
    assert settings_from(tomllib.loads(text)) == Settings()
    assert run("models", "verify", "--registry", place / "registry").exit_code == 0


def test_a_candidate_that_passes_is_left_unless_auto(fits, place, registry):
    asked = retrain(place / "now.csv", registry, "--format", "json")
    assert asked.exit_code == 3, asked.output
    assert "Passed" in asked.stderr
    records = json.loads(asked.stdout)
    assert [record["model"] for record in records] == ["candidate", "current"]
    assert records[0]["n"] == 60
    current = Registry(registry).current()
    assert current is not None
    assert current.number == 1
    auto = retrain(place / "now.csv", registry, "--promote", "auto")
    assert auto.exit_code == 0, auto.output
    now = Registry(registry).current()
    assert now is not None
    assert now.number == 3
    # What a candidate learned from is on record for the next retraining: no deal is new then.
    held = retrain(place / "now.csv", registry, "--promote", "auto")
    assert held.exit_code == 3
    assert "not enough to tell: 0 deals" in held.stderr
    assert gate_of(registry, 4)["verdict"] == "not_enough"
    refused = run("models", "promote", 4, "--registry", registry)
    assert refused.exit_code == 1
    assert "give a reason" in refused.stderr


def test_no_deal_that_the_current_model_learned_from_is_scored(fits, place, registry, tmp_path):
    retrain(place / "now.csv", registry)
    before = pd.read_csv(place / "before.csv")
    known = gate_of(registry, 1)["learned_from"]["deals"]
    assert len(known) == int((before["outcome"] != "open").sum())
    assert gate_of(registry, 2)["gate"]["new_deals"] == 300 - len(known)


def test_a_swapped_mapping_is_a_changed_recipe_and_the_current_model_keeps_its_own(fits, place, tmp_path):
    registry = tmp_path / "r"
    right, swapped = (["--mapping", place / f"{name}.toml"] for name in ("right", "swapped"))
    first = pd.read_csv(place / "mapped.csv")
    cut = first["closed_on"].sort_values().iloc[-81]
    first[(first["closed_on"] <= cut) & (first["as_of"] <= cut)].to_csv(tmp_path / "first.csv", index=False)
    assert retrain(tmp_path / "first.csv", registry, *right, "--promote", "auto").exit_code == 0
    done = retrain(place / "mapped.csv", registry, *swapped, "--promote", "auto")
    assert done.exit_code == 3, done.output
    gate = gate_of(registry, 2)
    assert gate["verdict"] == "not_better"
    assert "mapping" in gate["gate"]["changed"]
    assert gate["gate"]["redefined"] == ["support"]
    assert gate["gate"]["lost"]["support"] > 0
    assert gate["gate"]["other_mapping"] == "own"
    assert "its own mapping" in done.stderr
    assert "lost the fact" in done.stderr


def test_scrambled_outcomes_are_held_before_anything_is_scored(fits, place, registry, tmp_path):
    deals = pd.read_csv(place / "now.csv")
    closed = deals["outcome"] != "open"
    mixed = np.random.default_rng(1).permutation(deals.loc[closed, "outcome"])
    deals.loc[closed, "outcome"] = mixed
    deals.to_csv(tmp_path / "mixed.csv", index=False)
    done = retrain(tmp_path / "mixed.csv", registry, "--promote", "auto")
    assert done.exit_code == 3
    assert "have the other outcome now" in done.stderr
    assert len(fits) == 1


def test_the_page_has_the_gate_the_changes_and_what_to_decide_in_both_languages(fits, place, registry, tmp_path):
    pages = {}
    for language in ("en", "zh"):
        pages[language] = tmp_path / f"{language}.html"
        retrain(place / "now.csv", registry, "--page", pages[language], "--lang", language)
    english, chinese = (path.read_text(encoding="utf-8") for path in pages.values())
    for words in ("What to decide", "The gate", "What changed in the data", "What that does to open deals", "win rate"):
        assert words in english
        assert words not in chinese
    assert "需要决定的事" in chinese
    assert english.count("<svg") == 1
    assert not re.search(r'(?:src|href)="?http', english)
    record = gate_of(registry, 2)
    assert len(record["changes"]["moves"]) == 10
    assert {row["quantity"] for row in record["changes"]["data"]} >= {"win_rate", "stage", "approver_support"}


def test_a_history_is_retrained_on_with_what_its_snapshots_knew(fits, place, tmp_path):
    pipeline = simulate_pipeline(seed=3, quarters=5, pace=Pace(per_quarter=60))
    days = [day.date() for day in pd.date_range(pipeline.first_day, pipeline.last_day, freq="14D")]
    for day in days[:-7]:
        write_snapshot(pipeline.known_on(day), day, tmp_path / "history")
    registry = tmp_path / "r"
    assert retrain(tmp_path / "history", registry, "--promote", "auto").exit_code == 0
    for day in days[-7:]:
        write_snapshot(pipeline.known_on(day), day, tmp_path / "history")
    done = retrain(tmp_path / "history", registry, "--promote", "auto")
    assert done.exit_code == 0, done.output
    gate = gate_of(registry, 2)["gate"]
    assert gate["hindsight"] == 0
    assert gate["new_deals"] >= 30
    assert "recipe was fitted anew" in done.stderr


def test_faults_leave_nothing_behind(fits, place, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    foreign = retrain(place / "now.csv", tmp_path / "other")
    assert foreign.exit_code == 1
    assert "not a registry" in foreign.stderr
    bad = pd.read_csv(place / "now.csv").assign(approver_support=7)
    bad.to_csv(tmp_path / "bad.csv", index=False)
    wrong = retrain(tmp_path / "bad.csv", tmp_path / "r")
    assert wrong.exit_code == 1
    assert "approver_support" in wrong.stderr
    assert not (tmp_path / "r").exists()
    assert fits == []


def test_another_model_became_current_meanwhile(fits, place, registry, tmp_path, monkeypatch, believed):
    plain = inference.fit

    def fit(*args, **named):
        models = Registry(registry)
        if len(models.entries()) == 1:
            believed.save(tmp_path / "m.nc")
            models.promote(models.add({"model.nc": (tmp_path / "m.nc").read_bytes()}).number)
        return plain(*args, **named)

    monkeypatch.setattr(inference, "fit", fit)
    done = retrain(place / "now.csv", registry, "--promote", "auto")
    assert done.exit_code == 1
    assert "was compared with" in done.stderr
    current = Registry(registry).current()
    assert current is not None
    assert current.number == 2


@pytest.mark.slow
def test_two_retrainings_that_sample(place, tmp_path):
    registry, fast = tmp_path / "r", ["--settings", place / "fast.toml", "--promote", "auto"]
    first = retrain(place / "before.csv", registry, *fast)
    assert first.exit_code == 0, first.output
    second = retrain(place / "now.csv", registry, *fast)
    gate = gate_of(registry, 2)["gate"]
    assert second.exit_code == (0 if gate["allows"] else 3), second.output
    assert gate["changed"] == []
    assert gate["difference"]["deals"] == 60
    assert gate["difference"]["lower"] < gate["difference"]["mean"] < gate["difference"]["upper"]
    settings = asdict(Registry(registry).entry(2).load().settings)
    assert settings["sampler"]["draws"] == 100
