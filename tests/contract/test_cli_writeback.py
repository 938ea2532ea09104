"""``winprob writeback``: the dry run, files and receipt, the second run, the quarter, refusals, both languages."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior
from winprob.retrain import Registry
from winprob.simulation import Simulation

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
#: An export under Salesforce's names.
EXPORT = """Id,Name,StageName,Amount,CloseDate,IsClosed,IsWon,Probability,ForecastCategory
0065g00000AbCdE,One,Needs Analysis,100000,2026-12-01,false,false,20,Pipeline
0065g00000AbCdF,Two,Negotiation/Review,200000,2026-11-01,false,false,90,Forecast
0065g00000AbCdG,Three,Closed Won,300000,2026-08-01,true,true,100,Closed
"""


@pytest.fixture
def place(tmp_path: Path, believed: Posterior, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    believed.save(tmp_path / "model.nc")
    Path("crm_2026-09-30.csv").write_text(EXPORT, encoding="utf-8")
    return tmp_path


def run(*words: object, target: str = "salesforce", deals: str = "crm_2026-09-30.csv") -> Result:
    common = ["--model", "model.nc", "--target", target, "--out", "wb"]
    return CliRunner().invoke(main, ["writeback", deals, *common, *map(str, words)])


def salesforce(*words: object) -> Result:
    return run("--preset", "salesforce", *words)


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_from_an_export_to_the_import(place: Path) -> None:
    shown = salesforce("--dry-run", "--format", "json")
    assert shown.exit_code == 0, shown.output
    records = json.loads(shown.stdout)
    assert {record["deal_id"] for record in records} == {"0065g00000AbCdEAAV", "0065g00000AbCdFAAV"}
    assert {record["before"] for record in records} == {None}
    assert not Path("wb").exists()
    done = salesforce()
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert "Salesforce: 2 deals to write, 0 as last written." in done.stderr
    written = rows("wb/salesforce-0001/opportunity-001.csv")
    assert [row["Id"] for row in written] == ["0065g00000AbCdEAAV", "0065g00000AbCdFAAV"]
    after = {(record["deal_id"], record["field"]): record["after"] for record in records}
    for row in written:
        assert {row["WinProb_As_Of__c"], row["WinProb_Won_By__c"]} == {"2026-09-30", ""}
        assert 0 < int(row["WinProb_Lower__c"]) < int(row["WinProb_Chance__c"]) < int(row["WinProb_Upper__c"]) < 100
        shown_row = {field: str(value) for (deal, field), value in after.items() if deal == row["Id"]}
        assert shown_row == {field: value for field, value in row.items() if value and field != "Id"}
    again = salesforce()
    assert again.exit_code == 0
    assert "Nothing has changed: nothing is written." in again.stderr
    assert [path.name for path in Path("wb").iterdir()] == ["salesforce-0001"]


def test_only_the_deal_that_changed_is_written(place: Path) -> None:
    assert salesforce().exit_code == 0
    changed = EXPORT.replace("One,Needs Analysis", "One,Negotiation/Review")
    Path("crm_2026-09-30.csv").write_text(changed, encoding="utf-8")
    shown = salesforce("--dry-run", "--format", "csv")
    assert {row["deal_id"] for row in csv.DictReader(shown.stdout.splitlines())} == {"0065g00000AbCdEAAV"}
    assert salesforce().exit_code == 0
    assert [row["Id"] for row in rows("wb/salesforce-0002/opportunity-001.csv")] == ["0065g00000AbCdEAAV"]


def test_the_quarter_adds_the_chance_to_be_won_by_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shutil.copytree(GOLDEN, tmp_path / "v1"))
    words = ["--external-id", "deal_number"]
    done = run("--quarter", "P26-3", *words, target="hubspot", deals="history")
    assert done.exit_code == 0, done.output
    written = rows("wb/hubspot-0001/deals-001.csv")
    assert next(iter(written[0])) == "deal_number"
    by = CliRunner().invoke(
        main, ["predict", "history", "--model", "model.nc", "--by", "2026-09-30", "--format", "json"]
    )
    expected = {row["deal_id"]: row for row in json.loads(by.stdout)}
    assert len(written) == len(expected)
    for row in written:
        known = expected[row["deal_number"]]
        for field, name in (("winprob_chance", "mean"), ("winprob_won_by", "won_by")):
            assert abs(int(row[field]) - min(max(100 * known[name], 1), 99)) <= 0.5 + 1e-9
    # Without the quarter it is unknown again, and the import of HubSpot cannot clear it.
    again = run(*words, target="hubspot", deals="history")
    assert "clear these deals by hand" in again.stderr


def test_a_model_without_a_clock_has_no_quarter(place: Path) -> None:
    done = salesforce("--quarter", "2026Q4")
    assert done.exit_code == 1
    assert not Path("wb").exists()


def test_a_model_of_a_registry_is_named(place: Path) -> None:
    registry = Registry("registry")
    entry = registry.add({"model.nc": Path("model.nc").read_bytes()}, by="wang", reason="first")
    registry.promote(1, by="wang", reason="first")
    words = ["writeback", "crm_2026-09-30.csv", "--preset", "salesforce", "--model", "registry", "--out", "wb"]
    done = CliRunner().invoke(main, [*words, "--target", "salesforce"])
    assert done.exit_code == 0, done.output
    assert rows("wb/salesforce-0001/opportunity-001.csv")[0]["WinProb_Model__c"] == entry.name
    receipt = json.loads(Path("wb/salesforce-0001/receipt.json").read_text("utf-8"))
    assert receipt["model_hash"] == entry.files["model.nc"]


def test_deals_without_an_id_of_the_crm_are_refused(place: Path, team: Simulation) -> None:
    team.open.head(3).to_csv("open.csv", index=False)
    done = run(target="dynamics", deals="open.csv")
    assert done.exit_code == 1
    assert "3 of 3 open deals have no id of Dynamics 365 (a GUID)" in done.stderr
    assert not Path("wb").exists()


def test_a_mapping_to_a_field_of_the_crm_writes_nothing(place: Path) -> None:
    Path("ours.toml").write_text('[salesforce]\nchance = "Probability"\nband = "StageName"\n', encoding="utf-8")
    done = salesforce("--fields", "ours.toml")
    assert done.exit_code == 1
    assert "salesforce.chance is 'Probability'" in done.stderr
    assert "salesforce.band is 'StageName'" in done.stderr
    assert not Path("wb").exists()


def test_the_format_goes_with_the_dry_run(place: Path) -> None:
    done = salesforce("--format", "csv")
    assert done.exit_code == 2
    assert "--format goes with --dry-run." in done.stderr


def test_words_are_chinese_in_chinese(place: Path) -> None:
    done = salesforce("--lang", "zh")
    assert done.exit_code == 0, done.output
    row = rows("wb/salesforce-0001/opportunity-001.csv")[0]
    texts = [row[f"WinProb_{name}__c"] for name in ("Band", "Flag", "Next_Step")]
    assert [text for text in texts if re.search("[a-z]", text)] == []
    assert "个商机需要写入" in done.stderr


def test_readings_of_one_deal_are_one_row(place: Path, team: Simulation) -> None:
    deals = team.open.head(2).assign(deal_id=["1", "2"], as_of="2026-09-01")
    pd.concat([deals, deals.head(1).assign(as_of="2026-09-30", coach="validated")]).to_csv("open.csv", index=False)
    assert run(target="hubspot", deals="open.csv").exit_code == 0
    assert sorted(row["Record ID"] for row in rows("wb/hubspot-0001/deals-001.csv")) == ["1", "2"]


# ---- the project folder ---------------------------------------------------------------------------------------------

KEYS = """model = "model.nc"
preset = "salesforce"
[writeback]
target = "salesforce"
external_id = "Name__c"
fields = "ours.toml"
out = "reports/crm"
"""


@pytest.fixture
def below(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below a project that names its CRM."""
    Path("winprob.toml").write_text(KEYS, encoding="utf-8")
    Path("ours.toml").write_text('[salesforce]\nchance = "Ours__c"\n[hubspot]\nchance = "ours"\n', encoding="utf-8")
    (place / "below").mkdir()
    monkeypatch.chdir(place / "below")
    return place


def in_project(*words: str) -> Result:
    return CliRunner().invoke(main, ["writeback", "../crm_2026-09-30.csv", *words])


def test_a_project_names_crm_fields_and_folder(below: Path) -> None:
    done = in_project()
    assert done.exit_code == 0, done.output
    header = list(rows(str(below / "reports" / "crm" / "salesforce-0001" / "opportunity-001.csv"))[0])
    assert header[:2] == ["Name__c", "Ours__c"]
    assert "Nothing has changed" in in_project().stderr


def test_the_command_line_takes_precedence_over_the_project(below: Path) -> None:
    assert in_project("--out", "here", "--external-id", "Other__c").exit_code == 0
    assert next(iter(rows("here/salesforce-0001/opportunity-001.csv")[0])) == "Other__c"
    # The id field of Salesforce is not one of HubSpot; the names of our fields are those of HubSpot.
    other = in_project("--target", "hubspot", "--out", "here")
    assert other.exit_code == 1
    assert "no id of HubSpot" in other.stderr
    assert in_project("--target", "hubspot", "--out", "here", "--external-id", "number").exit_code == 0
    assert list(rows("here/hubspot-0001/deals-001.csv")[0])[:2] == ["number", "ours"]
    assert not (below / "reports").exists()


def test_without_a_project_crm_and_folder_must_be_given(place: Path) -> None:
    done = in_project("--model", "model.nc")
    assert done.exit_code == 2
    assert "--target" in done.stderr


def test_faults_of_the_table_are_listed_at_once(below: Path) -> None:
    (below / "ours.toml").unlink()
    (below / "winprob.toml").write_text(
        KEYS.replace('"salesforce"\next', '"sugar"\next') + "odds = 1\n", encoding="utf-8"
    )
    done = in_project()
    assert done.exit_code == 1
    for part in ("'writeback.odds' is not known", "'writeback.target' is 'sugar'", "writeback.fields is 'ours.toml'"):
        assert part in done.stderr


def test_config_and_init_know_the_table(below: Path) -> None:
    shown = CliRunner().invoke(main, ["config", "--format", "json"])
    found = {row["setting"]: (row["value"], row["source"]) for row in json.loads(shown.stdout)}
    assert found["writeback.target"] == ("salesforce", "winprob.toml")
    assert found["writeback.out"] == ("../reports/crm", "winprob.toml")
    (below / "winprob.toml").write_text('[writeback]\ntarget = "hubspot"\n', encoding="utf-8")
    again = CliRunner().invoke(main, ["config", "--format", "json"])
    assert {"setting": "writeback.out", "value": None, "source": "default"} in json.loads(again.stdout)
    refused = CliRunner().invoke(main, ["init", "..", "--company", "ACME"])
    assert "writeback.target: hubspot -> " in refused.stderr
    assert CliRunner().invoke(main, ["init", "../new"]).exit_code == 0
    text = (below / "new" / "winprob.toml").read_text("utf-8")
    assert '# [writeback]\n# The CRM: "salesforce", "hubspot" or "dynamics".\n# target = ""' in text
    bare = text.replace("# [writeback]", "[writeback]").replace('# target = ""', 'target = "dynamics"')
    (below / "new" / "winprob.toml").write_text(bare, encoding="utf-8")
    assert CliRunner().invoke(main, ["init", "../new"]).exit_code == 1
