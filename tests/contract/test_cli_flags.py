"""``winprob flags`` and ``predict --flags``: columns, order, options, both languages, hostile names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob import write_snapshot
from winprob.cli import main
from winprob.model.posterior import Posterior

COLUMNS = ["deal_id", "flag", "facts", "next_step"]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")
FORMULA = "=cmd|'/C calc'!A0"
HEADER = "deal_id,as_of,outcome,amount,stage,coach,decision_method,rep_category,closed_on"
DEALS = f"""{HEADER},approver_support,approver_coverage
A1,2026-09-30,open,100,evaluation,none,executive,pipeline,,3,engaged
A2,2026-09-30,won,100,evaluation,none,executive,closed,2026-09-01,3,engaged
A3,2026-09-30,open,900,evaluation,validated,,pipeline,2026-09-01,3,engaged
A4,2026-08-01,open,500,difficulty,validated,scoring,commit,,,identified
{FORMULA},2026-09-30,open,,decision,none,scoring,pipeline,,1,engaged
[bold]é\x1b,2026-09-30,open,50,approval,validated,scoring,pipeline,,3,engaged
"""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior) -> Path:
    path = tmp_path_factory.mktemp("flags") / "model.nc"
    posterior.save(path)
    return path


@pytest.fixture
def deals(tmp_path: Path) -> Path:
    path = tmp_path / "deals.csv"
    path.write_text(DEALS, encoding="utf-8")
    return path


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(main, [command, *map(str, arguments)])


def records(*arguments: object, command: str = "flags") -> pd.DataFrame:
    ended = run(command, *arguments, "--format", "json")
    assert ended.exit_code == 0, ended.output
    return pd.DataFrame(json.loads(ended.stdout))


def test_open_deals_only_contradictions_first_then_by_severity(deals: Path) -> None:
    found = records(deals)
    assert list(found) == COLUMNS
    assert list(zip(found["deal_id"], found["flag"], strict=True)) == [
        ("A3", "open_with_closing_day"),
        ("A4", "coach_validated_unchecked"),
        ("A4", "commit_without_problem"),
        ("A4", "loss_by_approver"),
        (FORMULA, "approver_opposed"),
        ("A1", "coach_missing"),
        ("A3", "decision_method_unknown"),
        ("A4", "stale"),
        (FORMULA, "coach_missing"),
    ]


def test_with_a_model_the_deals_are_in_order_of_value_and_the_flags_are_the_same(deals: Path, model: Path) -> None:
    plain, ordered = records(deals), records(deals, "--model", model)
    assert list(ordered) == COLUMNS
    pd.testing.assert_frame_equal(
        plain.sort_values(COLUMNS, ignore_index=True), ordered.sort_values(COLUMNS, ignore_index=True)
    )
    value = records(deals, "--model", model, command="predict").set_index("deal_id")["mean"]
    value *= pd.read_csv(deals).set_index("deal_id")["amount"]
    warnings = ordered[ordered["flag"].isin(["coach_missing", "decision_method_unknown", "stale"])]["deal_id"]
    assert warnings.iloc[-1] == FORMULA  # without an amount
    assert value[warnings.iloc[:-1]].is_monotonic_decreasing


def test_one_deal_by_name_open_or_closed(deals: Path) -> None:
    assert records(deals, "--deal", "A2")["flag"].tolist() == ["coach_missing"]
    told = run("flags", deals, "--deal", "A4")
    assert "Red flags of deal 'A4': 4, of which contradictions in the record: 1. Correct these first." in told.stderr
    assert "Deal '[bold]é\\x1b' has no red flag." in run("flags", deals, "--deal", "[bold]é\x1b").stderr
    unknown = run("flags", deals, "--deal", "A9")
    assert unknown.exit_code == 1
    assert "'A9' is not in the table" in unknown.stderr


def test_the_verdict_is_on_stderr_in_the_language(deals: Path) -> None:
    english = run("flags", deals).stderr
    assert "4 of 5 open deals have a red flag; most often: Late stage, no coach (2)" in english
    chinese = run("flags", deals, "--lang", "zh").stderr
    assert "5 个在途商机里有 4 个带警示" in chinese
    assert not ENGLISH.search(chinese)


def test_facts_and_steps_are_in_the_language(deals: Path) -> None:
    english, chinese = records(deals), records(deals, "--lang", "zh")
    pd.testing.assert_frame_equal(english[["deal_id", "flag"]], chinese[["deal_id", "flag"]])
    for column in ("facts", "next_step"):
        assert all(CHINESE.search(text) and not ENGLISH.search(text) for text in chinese[column])
        assert not english[column].str.contains(CHINESE).any()


def test_day_and_settings_change_what_is_old(deals: Path, tmp_path: Path) -> None:
    settings = tmp_path / "team.toml"
    settings.write_text("[flags]\nstale_days = 90\n", encoding="utf-8")
    assert "stale" not in set(records(deals, "--settings", settings)["flag"])
    assert (records(deals, "--as-of", "2026-12-30")["flag"] == "stale").sum() == 5
    settings.write_text("[flags]\nstale_day = 90\n", encoding="utf-8")
    refused = run("flags", deals, "--settings", settings)
    assert refused.exit_code == 1
    assert "'stale_days'" in refused.stderr


def test_predict_adds_the_flags_and_changes_no_number(deals: Path, model: Path) -> None:
    plain, flagged = (records(deals, "--model", model, *more, command="predict") for more in ((), ("--flags",)))
    assert list(flagged) == [*plain, "flags"]
    pd.testing.assert_frame_equal(flagged[list(plain)], plain)
    assert flagged.set_index("deal_id")["flags"].to_dict() == {
        "A1": "coach_missing",
        "A2": "",
        "A3": "open_with_closing_day, decision_method_unknown",
        "A4": "coach_validated_unchecked, commit_without_problem, loss_by_approver, stale",
        FORMULA: "approver_opposed, coach_missing",
        "[bold]é\x1b": "",
    }


def test_a_name_like_a_formula_is_escaped_in_a_spreadsheet(deals: Path, tmp_path: Path) -> None:
    assert run("flags", deals, "--out", tmp_path / "flags.csv").exit_code == 0
    written = pd.read_csv(tmp_path / "flags.csv")
    assert list(written) == COLUMNS
    assert not written.map(lambda cell: str(cell).startswith(("=", "+", "-", "@"))).to_numpy().any()
    assert written["deal_id"].str.contains("calc").sum() == 2


def test_every_deal_sound_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sound.csv"
    path.write_text("deal_id,outcome\nA1,open\nA2,\n", encoding="utf-8")
    ended = run("flags", path)
    assert ended.exit_code == 0
    assert "None of the 2 open deals has a red flag." in ended.stderr
    assert "Flags that need these columns were not checked: " in ended.stderr


def test_a_history_counts_its_pushed_dates(tmp_path: Path) -> None:
    for month in (5, 6, 7, 8):
        deals = pd.DataFrame(
            {"deal_id": ["A1"], "outcome": ["open"], "expected_close_on": [f"2026-{month + 2:02d}-15"]}
        )
        write_snapshot(deals, f"2026-{month:02d}-01", tmp_path / "history")
    found = records(tmp_path / "history")
    assert found["facts"].tolist() == ["Close date pushed 3 times, 92 days in all."]
    assert run("flags", tmp_path / "history", "--as-of", "2026-06-15").stdout.count("A1") == 0
