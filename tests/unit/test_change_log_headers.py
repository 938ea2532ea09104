"""Change logs under a team's own headers or HubSpot's labels; one mapping for the deals and for their log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from winprob.cli import main
from winprob.data.tables import check_file, read_changes, read_deals
from winprob.errors import InputError, MappingError

EXPORT = "Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon\n006A,Firmas,100,2026-09-30,2026-01-01,false,false\n"
LOG = "Id,OpportunityId,Field,OldValue,NewValue,CreatedDate\n017A1,006A,StageName,Interes,Firmas,2026-03-01T10:00:00Z\n"
OWN = 'preset = "salesforce"\n[columns.stage.values]\ndifficulty = ["Interes"]\ndecision = ["Firmas"]\n'


def write(tmp_path: Path, text: str, name: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def snapshot(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["snapshot", *map(str, arguments)])


def stages(changes: pd.DataFrame) -> list[tuple[str, str]]:
    rows = changes[changes["field"] == "stage"]
    return list(zip(rows["deal_id"], rows["new"].fillna(""), strict=True))


def test_values_alone_extend_a_preset_for_the_deals_and_for_their_log(tmp_path: Path) -> None:
    deals, log, own = (write(tmp_path, *given) for given in ((EXPORT, "d.csv"), (LOG, "l.csv"), (OWN, "m.toml")))
    assert read_deals(deals, own)["stage"].tolist() == ["decision"]
    changes, _ = read_changes(log, own)
    assert changes[["old", "new"]].iloc[0].tolist() == ["difficulty", "decision"]
    done = snapshot(deals, "--mapping", own, "--changes", log, "--every", "month", "--history", tmp_path / "h")
    assert done.exit_code == 0, done.output


def test_values_of_a_column_that_this_export_lacks_are_a_note(tmp_path: Path) -> None:
    path = write(tmp_path, EXPORT.replace("StageName", "Etapa"), "d.csv")
    findings = check_file(path, write(tmp_path, OWN, "m.toml"))
    assert "error" not in set(findings["severity"])
    assert "the preset looks for StageName, Stage" in " ".join(findings["message"])


@pytest.mark.parametrize(
    ("mapping", "fault"),
    [
        ({"columns": {"stgae": "S"}}, "'columns.stgae' is not known; did you mean 'stage'?"),
        ({"columns": {"stage": {"values": {"won": ["x"]}}}}, "columns.stage: 'won' is not a canonical value"),
        ({"columns": {"coach": {"values": {"none": ["x"]}}}}, "columns.coach names no source column"),
        ({"covariates": {"numeric": ["Probability"]}}, "covariate 'Probability' is derived by Salesforce"),
        ({"columns": 5}, "'columns' is 5, wanted a table"),
        ({"covariates": {"numeric": 5}, "zone": "Mars"}, "time zone 'Mars'"),
    ],
)
def test_a_fault_of_a_mapping_over_a_preset_is_found_with_the_deals_and_with_their_log(
    tmp_path: Path, mapping: dict[str, Any], fault: str
) -> None:
    for read, text in ((read_deals, EXPORT), (read_changes, LOG)):
        with pytest.raises(MappingError) as refused:
            read(write(tmp_path, text, "x.csv"), {"preset": "salesforce", **mapping})
        assert fault in str(refused.value)


@pytest.mark.parametrize("preset", [{}, {"preset": "salesforce"}])
def test_a_mapping_names_the_headers_of_a_log(tmp_path: Path, preset: dict[str, str]) -> None:
    log = write(tmp_path, "Deal,When,What,Before,After\nd1,2026-03-01,stage,difficulty,approval\n", "log.csv")
    headers = {"deal_id": "Deal", "changed_on": "When", "field": "What", "old": "Before", "new": "After"}
    if preset:
        log.write_text(log.read_text().replace(",stage,", ",Stage,"))
        preset = {**preset, "columns": {"stage": {"values": {"approval": ["approval"]}}}}  # type: ignore[dict-item]
    changes, _ = read_changes(log, {**preset, "changes": headers})
    row = changes.iloc[0]
    assert (row["deal_id"], row["field"], row["old"], row["new"]) == ("d1", "stage", "difficulty", "approval")


def test_a_log_of_states_under_its_own_headers(tmp_path: Path) -> None:
    log = write(
        tmp_path, "Deal,Since,Until,stage\nd1,2026-01-05,2026-02-01,approval\nd1,2026-02-01,,decision\n", "log.csv"
    )
    headers = {"deal_id": "Deal", "changed_on": "Since", "until": "Until"}
    changes, _ = read_changes(log, {"changes": headers})
    assert stages(changes) == [("d1", "approval"), ("d1", "decision")]
    assert set(changes["kind"]) == {"state"}


def test_headers_that_no_log_has_or_this_one_lacks_are_named(tmp_path: Path) -> None:
    log = write(tmp_path, LOG, "log.csv")
    with pytest.raises(MappingError, match=r"'changes\.feild' is not known; did you mean 'field'\?"):
        read_changes(log, {"changes": {"feild": "Field"}})
    with pytest.raises(InputError, match=r"lacks columns that \[changes\] names: new = 'After'; its columns are 'Id'"):
        read_changes(log, {"changes": {"deal_id": "OpportunityId", "new": "After"}})


def test_a_replay_ends_on_the_last_day_of_the_log_unless_a_day_is_given(tmp_path: Path) -> None:
    deals, log = write(tmp_path, EXPORT, "d.csv"), write(tmp_path, LOG, "l.csv")
    given = (deals, "--preset", "salesforce", "--every", "month", "--history")
    done = snapshot(*given, tmp_path / "h", "--changes", log, "--format", "csv")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "h").glob("as_of*")) == [
        f"as_of=2026-0{month}-01" for month in (1, 2, 3)
    ]
    missing = snapshot(*given, tmp_path / "g")
    assert missing.exit_code == 2
    assert "--as-of" in missing.output


@pytest.mark.parametrize("quotes", ['""{}""', "'{}'", "“{}”", "‘{}’", "«{}»", "{}"])
def test_hubspots_labels_are_days_of_entry_into_a_stage(tmp_path: Path, quotes: str) -> None:
    entered, left = (
        ",".join(
            f'"{label} {quotes.format(stage)}"'
            for stage in ("Qualified To Buy (Sales Pipeline)", "Closed Won (Big) deals")
        )
        for label in ("Date entered", "Date exited")
    )
    header = f"Record ID,Deal Stage,Close Date,Create Date,{entered},{left},Date entered current stage\n"
    path = write(
        tmp_path,
        header.replace(" (Big) deals", " (Sales Pipeline)")
        + "1,Closed Won,2025-05-04 10:22,2025-01-04 10:22,2025-02-01 09:00,2025-05-04 10:22,2025-05-04,,2025-05-04\n"
        + "2,Qualified To Buy,2025-09-04 10:22,2025-01-14 10:22,2025-02-11 09:00,,,,2025-02-11\n",
        "deals.csv",
    )
    changes, _ = read_changes(path, {"preset": "hubspot"})
    assert stages(changes) == [("1", "exploration"), ("2", "exploration"), ("1", "")]
    won = changes[(changes["field"] == "outcome") & (changes["new"] == "won")]
    assert won["changed_at"].tolist() == [pd.Timestamp("2025-05-04 10:22")]


def test_a_stage_with_parentheses_of_its_own_is_matched_as_a_whole(tmp_path: Path) -> None:
    path = write(tmp_path, 'Record ID,"Date entered ""Demo (online) (Sales)"""\n1,2025-02-01\n', "deals.csv")
    for words, stage in ((["Demo (online)"], "evaluation"), (["Demo (online) (Sales)"], "evaluation"), (["Demo"], "")):
        values = {"columns": {"stage": {"values": {"evaluation": words}}}}
        changes, _ = read_changes(path, {"preset": "hubspot", **values})
        assert stages(changes) == [("1", stage)]
