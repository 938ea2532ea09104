"""Write-back: no field of the CRM itself, unknown is not zero, only changes are written, receipts whole or absent."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import winprob
from winprob.actions.flags import flag_title
from winprob.data.schema import is_open
from winprob.errors import DealTableError, InputError, SettingsError
from winprob.model.posterior import Posterior
from winprob.report.statements import STATEMENT_COLUMNS, band, deal_statements
from winprob.routine.writeback import receipts
from winprob.routine.writeback.receipts import Statements, last_written, write_back
from winprob.routine.writeback.rows import change_sentences, changed_rows, crm_rows, import_files, whole_percent
from winprob.routine.writeback.targets import FIELDS, TARGETS, Target, _known, read_target, require_ids
from winprob.simulation import Simulation

IDS = {
    "salesforce": ["0065g00000AbCdE", "0065g00000AbCdFAAV"],
    "hubspot": ["9876543210", "12"],
    "dynamics": ["3a2b1c4d-0001-ee11-8179-000d3a123456", "3A2B1C4D-0002-EE11-8179-000D3A123456"],
}
DAY = pd.Timestamp("2026-09-30").date()


def statements(target: str, **columns: list[Any]) -> pd.DataFrame:
    """Two deals with the ids of a CRM, alike but for the columns named."""
    plain: dict[str, list[Any]] = {
        "deal_id": IDS[target],
        "chance": [0.42, 0.003],
        "lower": [0.2, 0.0],
        "upper": [0.7, 0.02],
        "won_by": [float("nan")] * 2,
        "band": ["undecided", "unlikely"],
        "flag": ["none found", "Late stage, no coach"],
        "next_step": ["王总, one tier up", "=cmd()"],
        "model": ["0001-abcdef"] * 2,
        "as_of": ["2026-09-30"] * 2,
    }
    return pd.DataFrame({**plain, **columns})


def signed(target: str, **columns: list[Any]) -> Statements:
    return Statements(table=statements(target, **columns), model="0001-abcdef", model_hash="0" * 64, as_of="2026-09-30")


def texts(target: Target, table: pd.DataFrame, last: dict[str, dict[str, Any]] | None = None) -> dict[str, str]:
    changes = changed_rows(target, table, last or {})
    return {name: data.decode("utf-8") for name, data in import_files(target, changes)}


# ---- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_no_field_of_ours_is_a_field_of_the_crm(name: str) -> None:
    target = read_target(name)
    assert tuple(target.fields) == FIELDS
    protected = {own.casefold() for own in _known()[name]["protected"]}
    written = {target.key, *target.fields.values()}
    assert {field.casefold() for field in target.fields.values()} & protected == set()
    columns = {
        column
        for file, text in texts(target, statements(name)).items()
        for column in (
            {key for row in json.loads(text)["Targets"] for key in row}
            if file.endswith("json")
            else next(csv.reader(io.StringIO(text)))
        )
    }
    score = {"msdyn_score", "msdyn_grade", "msdyn_scoretrend", "msdyn_entityid", "msdyn_entitytype"}
    allowed = written | ({"@odata.type", "@odata.id", *score} if name == "dynamics" else set())
    assert columns <= allowed


@pytest.mark.parametrize("name", TARGETS)
def test_a_mapping_to_any_field_of_the_crm_is_refused_with_all_offences(name: str, tmp_path: Path) -> None:
    must = {
        "salesforce": ["Probability", "StageName", "ForecastCategory", "ForecastCategoryName", "Amount", "CloseDate"],
        "hubspot": ["hs_deal_stage_probability", "dealstage", "hs_manual_forecast_category", "amount", "closedate"],
        "dynamics": [
            *("closeprobability", "stepname", "msdyn_forecastcategory", "estimatedvalue", "estimatedclosedate"),
            "actualvalue",
        ],
    }[name]
    assert set(must) <= set(_known()[name]["protected"])
    tried = [spelled for own in _known()[name]["protected"] for spelled in (own, own.upper(), f" {own}_")]
    names = tmp_path / "ours.toml"
    for start in range(0, len(tried), len(FIELDS)):
        batch = tried[start : start + len(FIELDS)]
        lines = [f"{key} = {json.dumps(field)}" for key, field in zip(FIELDS, batch, strict=False)]
        names.write_text(f"[{name}]\n" + "\n".join(lines), encoding="utf-8")
        with pytest.raises(SettingsError) as refused:
            read_target(name, names)
        missing = [field for field in batch if f"is {field!r}, a field of" not in str(refused.value)]
        assert missing == []
        assert "winprob never writes" in str(refused.value)


def test_all_other_faults_of_a_fields_file_are_listed_at_once(tmp_path: Path) -> None:
    names = tmp_path / "ours.toml"
    names.write_text(
        '[salesforce]\nchance = ""\nlower = "Lower"\nupper = "A__c"\nband = "a__c"\nodds = "Odds__c"\n'
        '[hubspot]\nflag = "hs_flag"\n[sugar]\nchance = "x"\n',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as refused:
        read_target("salesforce", names, "Amount")
    for part in (
        "salesforce.chance is empty",
        "salesforce.lower is 'Lower'; wanted a custom field, which ends in __c",
        "salesforce.band and salesforce.upper are both 'a__c'",
        "salesforce.odds is not known",
        "hubspot.flag is 'hs_flag'",
        "sugar is not known",
        "--external-id is 'Amount', a field of Salesforce itself",
        "7 faults to fix",
    ):
        assert part in str(refused.value)
    names.write_text("[salesforce]\nchance = 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="chance"):
        read_target("salesforce", names)
    with pytest.raises(SettingsError, match="its own id, a GUID"):
        read_target("dynamics", None, "new_number")


def test_fields_are_renamed_or_left_out(tmp_path: Path) -> None:
    names = tmp_path / "ours.toml"
    names.write_text('[hubspot]\nchance = "our_chance"\nnext_step = ""\n', encoding="utf-8")
    target = read_target("hubspot", names)
    assert target.fields["chance"] == "our_chance"
    assert read_target("salesforce", None, "pkg__Deal_Number__c").key == "pkg__Deal_Number__c"
    header = texts(target, statements("hubspot"))["deals-001.csv"].splitlines()[0]
    assert header.startswith("Record ID,our_chance,winprob_lower")
    assert "next_step" not in header


# ---- ids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_ids_of_another_form_are_named(name: str) -> None:
    target = read_target(name)
    require_ids(target, IDS[name])
    wrong = ["D00301", "0065g00000AbCd", "3a2b1c4d", "ABC!", ""]
    with pytest.raises(DealTableError, match=r"5 of 7 open deals") as refused:
        require_ids(target, [*IDS[name], *wrong])
    assert all(repr(deal) in str(refused.value) for deal in wrong)
    assert f"--preset {name}" in str(refused.value)


def test_values_of_an_external_id_may_be_anything_but_a_formula() -> None:
    target = read_target("salesforce", None, "Deal_Number__c")
    require_ids(target, ["D00301", "商机-7"])
    with pytest.raises(DealTableError, match="2 of 2"):
        require_ids(target, ["=1+1", "two\nlines"])


# ---- rows and files -------------------------------------------------------------------------------------------------


def test_percents_are_whole_and_certain_only_where_exact() -> None:
    assert [whole_percent(share) for share in (0.0, 0.001, 0.425, 0.994, 0.9999, 1.0)] == [0, 1, 42, 99, 99, 100]


def test_the_file_for_salesforce() -> None:
    text = texts(read_target("salesforce"), statements("salesforce"))["opportunity-001.csv"]
    assert "\r" not in text
    assert not text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["Id", *read_target("salesforce").fields.values()]
    assert rows[0]["WinProb_Chance__c"] == "42"
    assert rows[1]["WinProb_Chance__c"] == "1"
    assert rows[0]["WinProb_Next_Step__c"] == "王总, one tier up"
    # A spreadsheet would run it.
    assert rows[1]["WinProb_Next_Step__c"] == "'=cmd()"
    # Unknown, and never known: the cell is empty, which leaves the CRM's value as it is.
    assert rows[0]["WinProb_Won_By__c"] == ""


@pytest.mark.parametrize(("name", "cleared"), [("salesforce", "#N/A"), ("hubspot", ""), ("dynamics", None)])
def test_what_has_become_unknown_is_cleared(name: str, cleared: str | None) -> None:
    target = read_target(name)
    last = crm_rows(target, statements(name, won_by=[0.3, float("nan")]))
    table = statements(name)
    changes = changed_rows(target, table, last)
    assert list(changes.rows) == IDS[name][:1]
    assert changes.table.to_dict("records") == [
        {"deal_id": IDS[name][0], "field": target.fields["won_by"], "before": 30, "after": None}
    ]
    file, text = list(texts(target, table, last).items())[-1]
    row = json.loads(text)["Targets"][0] if file.endswith("json") else next(csv.DictReader(io.StringIO(text)))
    assert row[target.fields["won_by"]] == cleared
    by_hand = [line for line in change_sentences(target, changes) if "by hand" in line]
    assert len(by_hand) == (name == "hubspot")


def test_files_stay_below_the_limits() -> None:
    ids = [f"{number:015d}" for number in range(50)]
    table = pd.concat([statements("salesforce").head(1)] * 50, ignore_index=True).assign(deal_id=ids)
    target = replace(read_target("salesforce"), bytes=1500)
    files = dict(import_files(target, changed_rows(target, table, {})))
    assert len(files) > 3
    assert max(map(len, files.values())) <= 1500
    assert len({data.splitlines()[0] for data in files.values()}) == 1
    again = [row["Id"] for data in files.values() for row in csv.DictReader(io.StringIO(data.decode()))]
    assert again == ids
    fewer = replace(target, bytes=10**6, rows=20)
    sizes = [data.count(b"\n") - 1 for _, data in import_files(fewer, changed_rows(fewer, table, {}))]
    assert sizes == [20, 20, 10]


def test_the_limit_of_salesforce_is_the_documented_one() -> None:
    """150 MB after base64; the documentation: upload data that does not exceed 100 MB."""
    assert read_target("salesforce").bytes == 100_000_000


@pytest.mark.parametrize(
    ("before", "chance", "expected"),
    [(None, 0.8, (80, 0, 3)), (40, 0.5, (50, 1, 0)), (40, 0.44, (44, 2, 1)), (40, 0.1, (10, 3, 2))],
)
def test_scores_of_dynamics(before: int | None, chance: float, expected: tuple[int, int, int]) -> None:
    """Score, grade (0 A to 3 D) and trend (0 improving, 1 steady, 2 declining, 3 not enough info)."""
    target = read_target("dynamics")
    last = {} if before is None else {IDS["dynamics"][0]: {target.fields["chance"]: before}}
    files = texts(target, statements("dynamics", chance=[chance, 0.2]), last)
    assert list(files) == ["msdyn_predictivescores-001.json", "opportunities-001.json"]
    score = json.loads(files["msdyn_predictivescores-001.json"])["Targets"][0]
    assert (score["msdyn_score"], score["msdyn_grade"], score["msdyn_scoretrend"]) == expected
    guid = IDS["dynamics"][0]
    assert score["@odata.id"] == f"msdyn_predictivescores(msdyn_entityid='{guid}',msdyn_entitytype='opportunity')"
    assert (score["msdyn_entityid"], score["msdyn_entitytype"]) == (guid, "opportunity")
    ours = json.loads(files["opportunities-001.json"])["Targets"][0]
    assert (ours["opportunityid"], ours["new_winprob_chance"]) == (guid, expected[0])
    # Never known: not in the body, so that the column stays as it is.
    assert "new_winprob_won_by" not in ours


def test_a_text_is_one_line_that_fits_the_field() -> None:
    table = statements("salesforce", next_step=["a\nb  c", "x" * 300])
    rows = crm_rows(read_target("salesforce"), table)
    first, second = (values["WinProb_Next_Step__c"] for values in rows.values())
    assert first == "a b c"
    assert len(str(second)) == 255


# ---- changes and receipts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_a_second_run_writes_nothing_and_a_change_is_written_alone(name: str, tmp_path: Path) -> None:
    target = read_target(name)
    first = write_back(tmp_path, target, signed(name))
    assert first.folder == tmp_path / f"{name}-0001"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = write_back(tmp_path, target, signed(name, as_of=["2026-10-07"] * 2))
    assert again.folder is None
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    third = write_back(tmp_path, target, signed(name, chance=[0.42, 0.3], as_of=["2026-10-07"] * 2))
    assert third.folder == tmp_path / f"{name}-0002"
    receipt = json.loads((third.folder / "receipt.json").read_text("utf-8"))
    assert list(receipt["values"]) == IDS[name][1:]
    assert receipt["rows"] == 1
    assert (receipt["target"], receipt["model_hash"], receipt["sent"]) == (name, "0" * 64, False)
    assert set(receipt["files"]) == {path.name for path in third.folder.iterdir()} - {"receipt.json"}
    # The receipts together are what the CRM has.
    last = last_written(tmp_path, target, sent=False)
    assert last[IDS[name][0]][target.fields["as_of"]] == "2026-09-30"
    assert last[IDS[name][1]][target.fields["as_of"]] == "2026-10-07"
    assert last[IDS[name][1]][target.fields["chance"]] == 30


def test_a_new_model_or_a_renamed_field_writes_all_deals(tmp_path: Path) -> None:
    target = read_target("hubspot")
    write_back(tmp_path, target, signed("hubspot"))
    other = write_back(tmp_path, target, signed("hubspot", model=["0002-fedcba"] * 2))
    assert list(other.changes.rows) == IDS["hubspot"]
    renamed = replace(target, fields={**target.fields, "band": "our_band"})
    done = write_back(tmp_path, renamed, signed("hubspot", model=["0002-fedcba"] * 2))
    assert set(done.changes.table["field"]) == {"our_band"}


def test_a_deal_that_is_open_no_longer_is_left_as_it_was(tmp_path: Path) -> None:
    target = read_target("hubspot")
    write_back(tmp_path, target, signed("hubspot"))
    rest = replace(signed("hubspot"), table=statements("hubspot").head(1))
    assert write_back(tmp_path, target, rest).folder is None


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["write_synced", "rename", "sync_folder"])
def test_a_run_that_is_killed_leaves_the_former_or_the_new_state(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = read_target("salesforce")
    write_back(tmp_path, target, signed("salesforce"))
    former = last_written(tmp_path, target, sent=False)
    new = signed("salesforce", chance=[0.6, 0.7])
    calls = 0

    def killed(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        if step != "write_synced" or calls == 2:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(os if step == "rename" else receipts, step, killed)
        # A killed process does not clean up.
        patched.setattr("shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(KilledError):
            write_back(tmp_path, target, new)
    assert last_written(tmp_path, target, sent=False) == former
    assert write_back(tmp_path, target, new).folder == tmp_path / "salesforce-0002"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["salesforce-0001", "salesforce-0002"]
    assert last_written(tmp_path, target, sent=False) == crm_rows(target, new.table)


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """The receipts of three write-backs."""
    for chance in (0.2, 0.4, 0.6):
        write_back(tmp_path, read_target("salesforce"), signed("salesforce", chance=[chance, 0.003]))
    return [tmp_path / f"salesforce-000{number}" / "receipt.json" for number in (1, 2, 3)]


def refused(folder: Path) -> list[str]:
    """The line of the one error on each receipt; by a dry run and by a write-back, which writes nothing."""
    target = read_target("salesforce")
    before = sorted(folder.iterdir())
    with pytest.raises(InputError, match="not as they were written") as written:
        write_back(folder, target, signed("salesforce"))
    with pytest.raises(InputError) as shown:
        last_written(folder, target, sent=False)
    assert str(shown.value) == str(written.value)
    assert sorted(folder.iterdir()) == before
    return [line.removeprefix("  - ") for line in str(written.value).splitlines() if line.startswith("  - ")]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 1}', '{"format": 2, "sent": true, "values": {}}', '{"format": 2', "\udcff"]
)
def test_damaged_receipts_are_named_in_one_error(content: str, three: list[Path], tmp_path: Path) -> None:
    for path in (three[0], three[2]):
        path.write_text(content, encoding="utf-8", errors="surrogateescape")
    lines = refused(tmp_path)
    assert [line.split(": ")[0] for line in lines] == [str(three[0]), str(three[2])]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"WinProb_Chance__c": 40', b'"WinProb_Chance__c": 41'),
        (b'"sent": false', b'"sent": true'),
        (b"\n", b"\r\n"),
        (b' "as_of": "2026-09-30",\n', b""),
    ],
)
def test_an_altered_line_of_a_receipt_is_found(old: bytes, new: bytes, three: list[Path], tmp_path: Path) -> None:
    data = three[1].read_bytes()
    assert old in data
    three[1].write_bytes(data.replace(old, new, 1))
    assert refused(tmp_path) == [f"{three[1]}: it was altered: it differs from its own hash"]


@pytest.mark.parametrize("gone", [0, 1])
def test_a_receipt_that_is_gone_or_another_is_found_by_the_next(gone: int, three: list[Path], tmp_path: Path) -> None:
    missing = [f"{three[gone + 1]}: the receipt before it is gone, or is another"]
    other = tmp_path / "other"
    write_back(other, read_target("salesforce"), signed("salesforce", chance=[0.9, 0.003]))
    if not gone:
        # Whole in itself, and not the one that was there.
        former = three[0].read_bytes()
        three[0].write_bytes((other / "salesforce-0001" / "receipt.json").read_bytes())
        assert refused(tmp_path) == missing
        three[0].write_bytes(former)
    shutil.rmtree(other)
    shutil.rmtree(three[gone].parent)
    assert refused(tmp_path) == missing


def test_a_receipt_is_json_that_names_the_one_before(three: list[Path]) -> None:
    contents = [json.loads(path.read_bytes()) for path in three]
    digests = [sha256(path.read_bytes()).hexdigest() for path in three]
    assert [content["previous"] for content in contents] == [None, *digests[:2]]


# ---- statements -----------------------------------------------------------------------------------------------------


def test_statements_repeat_what_other_functions_return(posterior: Posterior, team: Simulation) -> None:
    deals = pd.concat([team.open.head(6), team.closed.head(4)], ignore_index=True)
    before = deals.copy()
    table = deal_statements(posterior, deals, DAY)
    pd.testing.assert_frame_equal(deals, before)
    still = deals[is_open(deals)].reset_index(drop=True)
    assert list(table) == list(STATEMENT_COLUMNS)
    assert table["deal_id"].tolist() == still["deal_id"].tolist()
    chances = winprob.predict(posterior, still)
    assert table["chance"].tolist() == pytest.approx(chances["mean"].tolist())
    assert table["upper"].tolist() == pytest.approx(chances["upper"].tolist())
    assert table["won_by"].isna().all()
    flags = winprob.find_flags(still, as_of=DAY, settings=posterior.settings.flags)
    for deal, flag in zip(table["deal_id"], table["flag"], strict=True):
        own = flags.loc[flags["deal_id"] == deal, "flag"].tolist()
        assert flag == (flag_title(own[0]) if own else "none found")


def test_the_band_is_read_from_the_interval() -> None:
    assert [band(0.51, 0.9), band(0.2, 0.49), band(0.2, 0.8), band(0.5, 0.9)] == [
        "likely",
        "unlikely",
        "undecided",
        "undecided",
    ]


def test_a_table_without_open_deals_has_no_statements(posterior: Posterior, team: Simulation) -> None:
    assert deal_statements(posterior, team.closed.head(3), DAY).empty
