"""``winprob snapshot`` and ``preset``: exports and change logs of a CRM on the command line, kept as a history."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.data.history import read_history
from winprob.model.posterior import Posterior

EXPORT = """Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,OwnerId
006Dn000003KmPX,Negotiation/Review,1000,2026-12-31,2026-01-05T00:00:00Z,false,false,005A
006Dn000003KmPx,Closed Won,5000,2026-04-13,2026-01-05T00:00:00Z,true,true,005A
006Dn000003KmPy,Prospecting,700,2026-12-13,2026-08-05T00:00:00Z,false,false,005B
"""
LOG = """OpportunityId,Field,OldValue,NewValue,CreatedDate
006Dn000003KmPXIA0,StageName,Needs Analysis,Negotiation/Review,2026-06-30T22:30:00.000+0000
006Dn000003KmPX,Amount,500,1000,2026-03-05T08:00:00.000+0000
006Dn000003KmPx,StageName,Proposal/Price Quote,Closed Won,2026-04-13T08:00:00.000+0000
006Dn000003KmPx,CloseDate,2026-06-30,2026-04-13,2026-04-13T08:00:00.000+0000
"""
STATES = """opportunityid,stagename,amount,closedate,createddate
006Dn000003KmPX,Prospecting,400,2026-10-01,2026-01-05T00:00:00Z
006Dn000003KmPX,Needs Analysis,500,2026-11-01,2026-02-05T00:00:00Z
"""
ROLES = """OpportunityId,ContactId,Role,CreatedDate
006Dn000003KmPX,003A,Economic Buyer,2026-02-06
006Dn000003KmPX,003B,Evaluator,2026-09-06
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name, text in (("deals", EXPORT), ("log", LOG), ("states", STATES), ("roles", ROLES)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def run(work: Path, *arguments: object) -> Result:
    plain = [
        str(work / part) if str(part).endswith((".csv", "kept", ".toml", ".nc")) else str(part) for part in arguments
    ]
    return CliRunner().invoke(main, plain)


def snapshot(work: Path, *arguments: object, as_of: str = "2026-10-05") -> Result:
    return run(work, "snapshot", "deals.csv", "--as-of", as_of, "--history", "kept", *arguments)


def test_a_log_becomes_one_snapshot_per_review_day(work: Path) -> None:
    told = snapshot(work, "--preset", "salesforce", "--changes", "log.csv", "--people", "roles.csv", "--format", "json")
    assert told.exit_code == 0, told.output
    rows = json.loads(told.stdout)
    assert list(rows[0]) == ["as_of", "deals", "added"]
    assert [(row["as_of"], row["deals"]) for row in rows] == [("2026-04-01", 2), ("2026-07-01", 2), ("2026-10-01", 3)]
    kept = read_history(work / "kept").set_index(["as_of", "deal_id"]).sort_index()
    first = kept.xs("006Dn000003KmPXIA0", level="deal_id")
    won = kept.xs("006Dn000003KmPxIAK", level="deal_id")
    assert won["outcome"].tolist() == ["open", "won", "won"]
    assert first["amount"].tolist() == [1000, 1000, 1000]
    assert first["stage"].tolist() == ["exploration", "decision", "decision"]
    assert first["approver_coverage"].tolist() == ["identified"] * 3
    assert first["evaluator_coverage"].fillna("").tolist() == ["", "", "identified"]
    assert "read as approver; if it means decision_maker" in told.stderr
    assert "as constant: seller" in told.stderr


def test_the_same_replay_again_adds_nothing(work: Path) -> None:
    arguments = ("--preset", "salesforce", "--changes", "log.csv")
    assert "3 snapshots added" in snapshot(work, *arguments).stderr
    again = snapshot(work, *arguments)
    assert again.exit_code == 0
    assert "0 snapshots added" in again.stderr


def test_the_zone_says_on_which_day_a_change_was(work: Path) -> None:
    snapshot(
        work,
        "--preset",
        "salesforce",
        "--changes",
        "log.csv",
        "--every",
        "month",
        "--zone",
        "Asia/Shanghai",
        as_of="2026-07-01",
    )
    kept = read_history(work / "kept")
    first = kept[kept["deal_id"] == "006Dn000003KmPXIA0"].set_index("as_of")["stage"]
    assert len(first) == 6
    assert first[pd.Timestamp("2026-06-01")] == "exploration"
    assert first[pd.Timestamp("2026-07-01")] == "decision"  # half past six in the morning, Shanghai


def test_two_logs_go_together(work: Path) -> None:
    told = snapshot(
        work,
        "--preset",
        "salesforce",
        "--changes",
        "log.csv",
        "--changes",
        "states.csv",
        "--every",
        "month",
        as_of="2026-02-01",
    )
    assert told.exit_code == 0, told.output
    kept = read_history(work / "kept").set_index("deal_id")
    assert kept.loc["006Dn000003KmPXIA0", "amount"] == 400


def test_an_export_is_kept_as_it_is_and_roles_entered_later_are_not_known(work: Path) -> None:
    told = snapshot(work, "--preset", "salesforce", "--people", "roles.csv", as_of="2026-08-30")
    assert told.exit_code == 0, told.output
    kept = read_history(work / "kept").set_index("deal_id")
    assert kept["outcome"].tolist().count("open") == 2
    assert kept.loc["006Dn000003KmPXIA0", "approver_coverage"] == "identified"
    assert "evaluator_coverage" not in kept
    assert "1 closed deals have no stage" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset", "sugar"), "there is no preset 'sugar'"),
        (("--preset", "salesforce", "--changes", "roles.csv"), "is not a change log: it has no field"),
        (("--preset", "salesforce", "--changes", "log.csv", "--zone", "Nowhere"), "there is no time zone 'Nowhere'"),
        (("--preset", "salesforce", "--changes", "none.csv"), "does not exist"),
        (("--preset", "dynamics"), "preset Dynamics 365 finds no column for 'deal_id'"),
    ],
)
def test_bad_input_is_one_message_and_keeps_nothing(work: Path, arguments: tuple[str, ...], words: str) -> None:
    told = snapshot(work, *arguments)
    assert told.exit_code == 1
    assert words in told.stderr
    assert "Traceback" not in told.output
    assert not (work / "kept").exists()


def test_no_review_day_is_said(work: Path) -> None:
    told = snapshot(work, "--preset", "salesforce", "--changes", "log.csv", as_of="2026-01-20")
    assert told.exit_code == 1
    assert "no review day" in told.stderr


def test_check_and_predict_take_a_preset(work: Path, posterior: Posterior) -> None:
    told = run(work, "check", "deals.csv", "--preset", "salesforce", "--format", "json")
    assert told.exit_code == 0, told.output
    assert not [row for row in json.loads(told.stdout) if row["severity"] == "error"]
    posterior.save(work / "model.nc")
    told = run(work, "predict", "deals.csv", "--preset", "salesforce", "--model", "model.nc", "--format", "json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)[0]["deal_id"] == "006Dn000003KmPXIA0"


def test_a_mapping_file_may_name_its_preset_and_adds_to_it(work: Path) -> None:
    (work / "own.toml").write_text('preset = "salesforce"\n[columns]\nseller = "Id"\n')
    for arguments in (("--mapping", "own.toml"), ("--mapping", "own.toml", "--preset", "salesforce")):
        told = run(work, "check", "deals.csv", *arguments)
        assert told.exit_code == 0, told.output


def test_a_derived_covariate_is_refused(work: Path) -> None:
    (work / "own.toml").write_text('[covariates]\nvarying = ["IsWon"]\n')
    told = run(work, "check", "deals.csv", "--preset", "salesforce", "--mapping", "own.toml")
    assert told.exit_code == 1
    assert "derived by Salesforce" in " ".join(told.stdout.split())


def test_a_preset_prints_as_a_file_to_edit(work: Path) -> None:
    printed = run(work, "preset", "salesforce")
    assert printed.exit_code == 0
    (work / "ours.toml").write_text(printed.stdout.replace('"Negotiation/Review"', '"Other"'))
    assert run(work, "preset", "salesforce", "--out", "same.toml").exit_code == 0
    assert (work / "same.toml").read_text() == printed.stdout
    told = run(work, "check", "deals.csv", "--preset", "ours.toml")
    assert "'Negotiation/Review' (1)" in " ".join(told.stdout.split())


def test_everything_is_said_in_chinese(work: Path) -> None:
    told = snapshot(work, "--preset", "salesforce", "--changes", "log.csv", "--people", "roles.csv", "--lang", "zh")
    assert told.exit_code == 0, told.output
    assert "日志中没有，按从未变化处理" in told.stderr
    assert "已向" in told.stderr
