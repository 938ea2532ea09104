"""Bad input at the command line: one message on stderr, exit 1, no traceback, nothing half-written.

In process where that tells the same; as a program where a crash, a closed pipe or the memory is the question.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior

CHINESE = re.compile(r"[\u4e00-\u9fff]")
PROGRAM = Path(sys.executable).with_name("winprob")
#: As a user's shell has it: a test machine may say PYTHONUNBUFFERED, which hides what happens at the last flush.
BUFFERED = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
GOOD = "deal_id,outcome,amount,stage,closed_on\nD1,won,10,decision,2026-01-05\nD2,lost,20,approval,2026-02-05\n"
FORMULA = "=cmd|'/C calc'!A0"


@pytest.fixture
def deals(tmp_path: Path) -> Path:
    path = tmp_path / "deals.csv"
    path.write_text(GOOD)
    return path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.nc"
    posterior.save(path)
    return path


@pytest.fixture
def model(tmp_path: Path, saved: Path) -> Path:
    path = tmp_path / "model.nc"
    path.write_bytes(saved.read_bytes())
    return path


@pytest.fixture
def untouched(deals: Path, model: Path, tmp_path: Path) -> Iterator[None]:
    """Nothing in the folder changes, and no half of anything is left behind."""
    before = contents(tmp_path)
    yield
    after = contents(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert [name for name in after if name not in before and name != "folder"] == []


def contents(folder: Path) -> dict[str, bytes | None]:
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def refused(*arguments: object) -> str:
    """The one message of a command that must fail; the same in Chinese must be Chinese."""
    told = run(*arguments)
    assert told.exit_code == 1, told.output
    assert isinstance(told.exception, SystemExit), told.exception
    assert told.stdout == ""
    assert told.stderr.startswith("winprob: ")
    assert told.stderr.count("winprob: ") == 1
    assert told.stderr.endswith("\n")
    assert told.stderr.count("\n") <= 25
    assert "Traceback" not in told.stderr
    assert CHINESE.search(run(*arguments, "--lang", "zh").stderr)
    return told.stderr.removeprefix("winprob: ").strip()


def program(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    options = {"capture_output": True, "text": True, "encoding": "utf-8", "timeout": 120} | options
    return subprocess.run([PROGRAM, *arguments], check=False, **options)


# --- the deal table ------------------------------------------------------------------------------------------------

WIDE = ",".join(["deal_id", *(f"c{at}" for at in range(9_999))])
BAD_DEALS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n\n", "is empty"),
    "header only": (b"deal_id,outcome\n", "no rows"),
    "wrong delimiter": (b"deal_id^outcome\nD1^won\n", "separated by"),
    "duplicate headers": (b"deal_id,stage,stage\nD1,approval,decision\n", "several columns of the same name: 'stage'"),
    "two headers of one meaning": ("deal_id,stage,采购阶段\nD1,approval,decision\n".encode(), "both mean 'stage'"),
    "10,000 columns": (f"{WIDE}\nD1{',x' * 9_999}\n".encode(), "10000 columns"),
    "a line of 20 MB": (b"deal_id,account\nD1," + b"x" * 20_000_000 + b"\n", "more than 10 MB"),
    "infinite amount": (b"deal_id,amount\nD1,inf\n", "'amount' does not read as a number in 1 rows"),
    "amounts in doubt": (b"deal_id,amount\nD1,1.500\n", "set decimal_comma = true or false"),
    "a sign of several currencies": (b"deal_id,amount\nD1,$ 5\nD2,\xe2\x82\xac 7\n", "has the sign $, which may be"),
    "amount in words": (b"deal_id,amount\nD1,much\n", "'amount' does not read as a number"),
    "1900": (b"deal_id,as_of\nD1,1900-01-01\n", "before 1970 or after 2099"),
    "2200": (b"deal_id,as_of\nD1,2200-01-01\n", "before 1970 or after 2099"),
    "no day": (b"deal_id,closed_on\nD1,2026-02-30\n", "does not read as a date"),
    "unknown stage": (b"deal_id,stage\nD1,nowhere\n", "'nowhere'"),
    "support out of range": (b"deal_id,approver_support\nD1,5\n", "outside 1..4"),
    "doubled deal": (b"deal_id,amount\nD1,1\nD1,2\n", "'D1'"),
    "no deal_id": (b"name,amount\nD1,1\n", "'deal_id'"),
    "ragged": (b"deal_id,amount\nD1,1,2\nD2,1\n", "number of cells"),
    "binary": (os.urandom(4000).replace(b"\xff", b"\x00") + b"\x00", ""),
    "NUL": (b"deal_id,amount\nD1," + bytes(20) + b"1\n", "NUL"),
    "another format": (b"%PDF-1.7 ...", "PDF"),
    "cut parquet": (b"PAR1" + bytes(30), "damaged or cut short"),
    "cut workbook": (b"PK\x03\x04" + bytes(30), "damaged or cut short"),
}


@pytest.mark.parametrize("case", BAD_DEALS)
def test_bad_deals(case: str, tmp_path: Path, model: Path) -> None:
    data, wanted = BAD_DEALS[case]
    deals, out = tmp_path / "deals.csv", tmp_path / "out.csv"
    deals.write_bytes(data)
    told = refused("predict", deals, "--model", model, "--format", "csv", "--out", out)
    assert wanted in told
    assert not out.exists()
    assert wanted in refused("train", deals, "--model", tmp_path / "new.nc")
    assert not (tmp_path / "new.nc").exists()
    # `check` says the same as a table: it is what check is for.
    checked = run("check", deals, "--format", "json")
    assert checked.exit_code == 1
    if case == "a line of 20 MB":
        assert (wanted in checked.stderr, checked.stdout) == (True, "")
        return
    errors = [record for record in json.loads(checked.stdout) if record["severity"] == "error"]
    assert any(wanted in record["message"] for record in errors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deals.csv", "model.nc"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_every_encoding_that_is_promised(encoding: str, tmp_path: Path, model: Path) -> None:
    deals = tmp_path / "商机.csv"
    deals.write_text("商机编号,采购阶段,行业\n项目甲,购买决策,金融\n项目乙,内部立项,制造\n", encoding=encoding)
    told = run("predict", deals, "--model", model, "--format", "json")
    assert told.exit_code == 0, told.stderr
    assert [record["deal_id"] for record in json.loads(told.stdout)] == ["项目甲", "项目乙"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters(delimiter: str, tmp_path: Path, model: Path) -> None:
    deals = tmp_path / "deals.csv"
    deals.write_text(GOOD.replace(",", delimiter))
    assert run("predict", deals, "--model", model).exit_code == 0


def test_a_wrong_encoding_by_name(deals: Path, model: Path) -> None:
    assert "there is no text encoding 'klingon'" in refused("predict", deals, "--model", model, "--encoding", "klingon")


def test_a_nan_amount_is_unknown(tmp_path: Path, model: Path) -> None:
    chances = []
    for amount in ("NaN", "", "N/A"):
        (tmp_path / "deals.csv").write_text(f"deal_id,amount,stage\nD1,{amount},decision\n")
        told = run("predict", tmp_path / "deals.csv", "--model", model, "--format", "csv")
        assert told.exit_code == 0, told.stderr
        chances.append(told.stdout)
    assert len(set(chances)) == 1


def test_many_faults_are_one_message(tmp_path: Path, model: Path) -> None:
    lines = [f"D{at},nowhere{at},{at},9" for at in range(5_000)]
    (tmp_path / "deals.csv").write_text("deal_id,stage,opened_on,approver_support\n" + "\n".join(lines) + "\n")
    told = refused("predict", tmp_path / "deals.csv", "--model", model)
    assert all(column in told for column in ("'stage'", "'opened_on'", "'approver_support'"))
    assert len(told) < 5_000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells memory by /proc")
def test_a_gigabyte_in_one_line_costs_neither_time_nor_memory(tmp_path: Path, model: Path) -> None:
    monster = tmp_path / "deals.csv"
    with monster.open("wb") as file:
        file.write(b"deal_id,account\nD1,")
        file.truncate(1024**3)
    script = (
        "import sys\nfrom winprob.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1])\n"
    )
    start = time.perf_counter()
    command = [sys.executable, "-c", script, "predict", monster, "--model", model]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert time.perf_counter() - start < 15
    assert told.returncode == 1
    assert "more than 10 MB" in told.stderr
    assert int(told.stdout.split()[-1]) < 500_000  # kB


# --- files that are not there, or are folders ----------------------------------------------------------------------


@pytest.mark.usefixtures("untouched")
def test_missing_files(deals: Path, model: Path, tmp_path: Path) -> None:
    none = tmp_path / "none"
    for arguments, wanted in (
        (("check", none), "does not exist"),
        (("predict", none, "--model", model), "does not exist"),
        (("predict", deals, "--model", none), "does not exist"),
        (("predict", deals, "--model", model, "--mapping", none), str(none)),
        (("predict", deals, "--model", model, "--people", none), "does not exist"),
        (("explain", none, "--deal", "D1", "--model", model), "does not exist"),
        (("explain", deals, "--deal", "D1", "--model", none), "does not exist"),
        (("train", none, "--model", tmp_path / "new.nc"), "does not exist"),
        (("train", deals, "--model", tmp_path / "new.nc", "--settings", none), "cannot be read"),
        (("priors", "--settings", none), "cannot be read"),
    ):
        assert wanted in refused(*arguments), arguments


@pytest.mark.usefixtures("untouched")
def test_folders_for_files(deals: Path, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for arguments in (
        ("check", folder),
        ("predict", folder, "--model", model),
        ("predict", deals, "--model", folder),
        ("predict", deals, "--model", model, "--mapping", folder),
        ("predict", deals, "--model", model, "--people", folder),
        ("predict", deals, "--model", model, "--out", folder),
        ("predict", deals, "--model", model, "--out", folder, "--format", "csv"),
        ("predict", deals, "--model", model, "--out", folder, "--format", "json"),
        ("explain", deals, "--deal", "D1", "--model", folder),
        ("train", "--prior-only", "--model", folder),
        ("train", "--prior-only", "--model", tmp_path / "new.nc", "--settings", folder),
        ("priors", "--settings", folder),
        ("priors", "--out", folder),
    ):
        assert str(folder) in refused(*arguments), arguments


@pytest.mark.usefixtures("untouched")
def test_no_folder_to_write_to(deals: Path, model: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "none" / "x", deals / "x"):
        for arguments in (
            ("predict", deals, "--model", model, "--out", place),
            ("predict", deals, "--model", model, "--format", "csv", "--out", place),
            ("check", deals, "--format", "json", "--out", place),
            ("train", "--prior-only", "--model", place),
            ("train", "--prior-only", "--model", tmp_path / "new.nc", "--out", place),
        ):
            assert "cannot write" in refused(*arguments), arguments
    assert "cannot write" in refused("simulate", "--deals", "5", "--open", "2", "--out", deals)
    assert str(deals) in refused("demo", "--out", deals)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_no_permission(deals: Path, model: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    for arguments in (
        ("predict", deals, "--model", model, "--out", locked / "x"),
        ("train", "--prior-only", "--model", locked / "x"),
        ("simulate", "--deals", "5", "--open", "2", "--out", locked / "x"),
    ):
        assert "ermission denied" in refused(*arguments)
    deals.chmod(0)
    assert "permission denied" in refused("predict", deals, "--model", model)


# --- training, before anything is sampled --------------------------------------------------------------------------


@pytest.fixture
def no_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("the sampler was called")

    monkeypatch.setattr("winprob.model.inference.fitting.believable_draws", fail)


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("training began")

    monkeypatch.setattr("winprob.model.inference.fit", fail)


REFUSED_TRAINING: dict[str, tuple[str, list[str], str]] = {
    "all won": (GOOD.replace("lost", "won"), [], "all 2 closed deals are won"),
    "none won": (GOOD.replace("won", "no_decision"), [], "all 2 closed deals are lost or without a decision"),
    "all open": (GOOD.replace("won", "open").replace("lost", "open"), [], "no deal is closed"),
    "outcome blank": (GOOD.replace("won", "").replace("lost", ""), [], "no deal is closed"),
    "no outcome": (GOOD.replace("outcome", "remark"), [], "'outcome' is missing"),
    "nothing by then": (GOOD, ["--as-of", "2020-01-01"], "no deal was closed by 2020-01-01"),
    "one outcome by then": (GOOD, ["--as-of", "2026-01-31"], "all 1 closed deals are won"),
    "no day to tell by": (GOOD.replace("closed_on", "account"), ["--as-of", "2026-01-31"], "'closed_on'"),
}


@pytest.mark.usefixtures("no_sampling")
@pytest.mark.parametrize("case", REFUSED_TRAINING)
def test_training_refuses(case: str, tmp_path: Path) -> None:
    text, options, wanted = REFUSED_TRAINING[case]
    deals, model = tmp_path / "deals.csv", tmp_path / "model.nc"
    deals.write_text(text)
    assert wanted in refused("train", deals, "--model", model, *options)
    assert [path.name for path in tmp_path.iterdir()] == ["deals.csv"]
    model.write_bytes(b"the model in use")
    refused("train", deals, "--model", model, *options)
    assert model.read_bytes() == b"the model in use"


@pytest.mark.usefixtures("no_fit", "untouched")
def test_a_place_that_cannot_take_the_model_is_refused_before_training(deals: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for place in (tmp_path / "none" / "m.nc", deals / "m.nc", folder):
        assert "cannot write" in refused("train", deals, "--model", place)
        assert "cannot write" in refused("train", deals, "--model", tmp_path / "m.nc", "--out", place)


@pytest.mark.usefixtures("no_fit")
def test_asking_for_a_place_changes_nothing(deals: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.nc"
    link.symlink_to(tmp_path / "later.nc")
    deals.write_text("deal_id\n")
    refused("train", deals, "--model", link)
    assert link.is_symlink()
    assert not (tmp_path / "later.nc").exists()


BAD_SETTINGS = {
    "[priors": "is not TOML",
    "[priors]\nrole_wieght = 1.0\n": "'priors.role_wieght' is not known; did you mean 'role_weight'?",
    "[prior]\nrole_weight = 1.0\n": "did you mean 'priors'?",
    "[priors]\nrole_weight = -1.0\n": "> 0",
    "[priors]\nrole_weight = 'much'\n": "a number",
    "[priors]\nrole_weight = nan\n": "priors.role_weight",
    "[priors]\nintercept = [0.0, inf]\n": "priors.intercept",
    "[priors]\nintercept = [0.0]\n": "2 numbers",
    "[sampler]\nchains = 1\n": ">= 2",
    "[sampler]\ndraws = 2000.5\n": "a whole number",
    "priors = 3\n": "a table",
    "\x00": "is not TOML",
}


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize("toml", BAD_SETTINGS)
def test_bad_settings(toml: str, deals: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(toml)
    for arguments in (
        ("priors",),
        ("train", "--prior-only", "--model", tmp_path / "m.nc"),
        ("train", deals, "--model", tmp_path / "m.nc"),
    ):
        assert BAD_SETTINGS[toml] in refused(*arguments, "--settings", settings)
    assert not (tmp_path / "m.nc").exists()
    settings.write_bytes(b"\xff\xfe\x00")
    assert "is not TOML" in refused("priors", "--settings", settings)


def test_a_setting_under_its_old_name_is_a_note(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[priors]\nstrength = [-0.5, 0.5]\n")
    told = run("priors", "--settings", settings)
    assert told.exit_code == 0
    note = "setting 'priors.strength' is now 'priors.effect_scale'; the old name is accepted in version 0.2 only"
    assert told.stderr == f"{note}\n"
    assert "已改名" in run("priors", "--settings", settings, "--lang", "zh").stderr


# --- mapping and people --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "wanted"),
    [
        ("[columns", "is not TOML"),
        ("\x00", "is not TOML"),
        ("[colunms]\ndeal_id = 'deal_id'", "did you mean 'columns'?"),
        ("[columns]\ndeal_id = 'Opportunity ID'", "'Opportunity ID', which the file lacks"),
        ("[columns]\ndeal_id = 'deal_id'\namonut = 'amount'", "did you mean 'amount'?"),
        ("[columns]\ndeal_id = 'deal_id'\nstage = 'outcome'", "neither mapped nor canonical"),
        ("[columns]\namount = 'amount'", "has no deal_id"),
    ],
)
def test_bad_mapping(toml: str, wanted: str, deals: Path, model: Path, tmp_path: Path) -> None:
    mapping, out = tmp_path / "mapping.toml", tmp_path / "out.csv"
    mapping.write_text(toml)
    assert wanted in refused("predict", deals, "--mapping", mapping, "--model", model, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "is empty"),
        ("deal_id,person,role,support\nD1,Li,chief,3\n", "'chief'"),
        ("deal_id,person,role,support\nD1,Li,approver,9\n", "'support'"),
        ("deal_id,person,role,support\nD1,Li,approver,3\nD1,Li,approver,2\n", "more than once"),
        ("deal_id,support\nD1,3\n", "no column is 'person'"),
    ],
)
def test_bad_people(text: str, wanted: str, deals: Path, model: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(text)
    assert wanted in refused("predict", deals, "--people", people, "--model", model)
    assert wanted in refused("explain", deals, "--deal", "D1", "--people", people, "--model", model)


def test_an_unknown_deal(deals: Path, model: Path) -> None:
    for unknown in ("D3", "", "d1", "D1 ", "[red]", "{0}", "%s"):
        told = refused("explain", deals, "--deal", unknown, "--model", model)
        assert repr(unknown) in told
        assert "D1, D2" in told


# --- names that are more than names --------------------------------------------------------------------------------


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    path = tmp_path / "nasty.csv"
    names = (FORMULA, "+1+1", "@SUM(A1)", "-2", "plain", "[red]bold[/red]", "{x}", "客户 1")
    path.write_text("deal_id,stage\n" + "".join(f"{name},decision\n" for name in names), encoding="utf-8")
    return path


def test_formulas_are_escaped_for_spreadsheets_and_not_in_json(nasty: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert run("predict", nasty, "--model", model, "--format", "csv", "--out", out).exit_code == 0
    ids = pd.read_csv(out, dtype=str)["deal_id"].tolist()
    assert ids == [f"'{FORMULA}", "'+1+1", "'@SUM(A1)", "'-2", "plain", "[red]bold[/red]", "{x}", "客户 1"]
    book = tmp_path / "out.xlsx"
    assert run("predict", nasty, "--model", model, "--out", book).exit_code == 0
    assert pd.read_excel(book, engine="calamine", dtype=str)["deal_id"].tolist() == ids
    with zipfile.ZipFile(book) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    records = json.loads(run("predict", nasty, "--model", model, "--format", "json").stdout)
    assert [record["deal_id"] for record in records] == [name.removeprefix("'") for name in ids]
    drawn = run("predict", nasty, "--model", model).stdout
    assert all(name.removeprefix("'") in drawn for name in ids)
    assert run("explain", nasty, "--deal", FORMULA, "--model", model).exit_code == 0


def test_a_name_cannot_steer_the_terminal(tmp_path: Path, model: Path) -> None:
    path, name = tmp_path / "deals.csv", "D1\x1b[2J\x1b]0;title\x9b2Jx"
    path.write_text(f"deal_id,stage,amount\n{name},decision,1\nD2,decision,2\n", encoding="utf-8")
    told = run("predict", path, "--model", model)
    assert told.exit_code == 0
    assert "]0;title" in told.stdout
    refusal = run("explain", path, "--deal", "D3", "--model", model)
    assert "]0;title" in refusal.stderr
    path.write_text(f"deal_id,stage,amount\n{name},decision,-1\n", encoding="utf-8")
    checked = run("check", path)
    assert "]0;title" in checked.stdout
    for result in (told, refusal, checked):
        assert not set("\x1b\x9b") & set(result.output)


# --- the model file ------------------------------------------------------------------------------------------------


def test_a_cut_model_never_crashes(saved: Path, deals: Path, tmp_path: Path) -> None:
    """One process for many cuts: had the HDF5 library crashed, its exit status would tell."""
    whole = len(saved.read_bytes())
    cuts = sorted({0, 1, 7, 8, 9, 64, 511, 512, whole - 1, whole - 8, whole - 40, whole - 100,
                   *np.linspace(100, whole - 1, 40).astype(int).tolist()})  # fmt: skip
    script = (
        "import sys\nfrom pathlib import Path\nfrom click.testing import CliRunner\nfrom winprob.cli import main\n"
        "whole, deals, cut = Path(sys.argv[1]).read_bytes(), sys.argv[2], Path(sys.argv[3])\n"
        "for length in map(int, sys.argv[4:]):\n"
        "    cut.write_bytes(whole[:length])\n"
        "    told = CliRunner().invoke(main, ['predict', deals, '--model', str(cut)])\n"
        "    print(length, told.exit_code, told.stderr.count('winprob: model'), len(told.stdout), flush=True)\n"
    )
    command = [sys.executable, "-c", script, saved, deals, tmp_path / "cut.nc", *map(str, cuts)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, (told.returncode, told.stdout[-200:], told.stderr[-2000:])
    assert told.stdout.splitlines() == [f"{length} 1 1 0" for length in cuts]


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_cut_model_is_one_message_of_the_program(share: float, saved: Path, deals: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    (tmp_path / "cut.nc").write_bytes(data[: int(len(data) * share)])
    told = program("predict", deals, "--model", tmp_path / "cut.nc")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("winprob: model ")
    assert told.stderr.count("\n") == 1


def test_a_changed_byte_is_noticed(saved: Path, deals: Path, tmp_path: Path) -> None:
    """Again in a process of its own: what a flipped bit does inside a library is anybody's guess."""
    whole = len(saved.read_bytes())
    script = (
        "import sys\nfrom pathlib import Path\nfrom click.testing import CliRunner\nfrom winprob.cli import main\n"
        "whole, deals, bad = Path(sys.argv[1]).read_bytes(), sys.argv[2], Path(sys.argv[3])\n"
        "for at in map(int, sys.argv[4:]):\n"
        "    bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:])\n"
        "    print(at, CliRunner().invoke(main, ['predict', deals, '--model', str(bad)]).exit_code, flush=True)\n"
    )
    places = sorted({0, 8, 40, whole // 3, whole // 2, whole - 2, *np.linspace(1, whole - 1, 30).astype(int).tolist()})
    command = [sys.executable, "-c", script, saved, deals, tmp_path / "bad.nc", *map(str, places)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, (told.returncode, told.stdout[-200:], told.stderr[-2000:])
    assert told.stdout.splitlines() == [f"{at} 1" for at in places]


@pytest.mark.parametrize("kind", ["empty", "random", "text", "hdf5 head", "foreign hdf5", "twice", "longer"])
def test_a_file_that_is_no_model(kind: str, saved: Path, deals: Path, tmp_path: Path) -> None:
    import h5py

    path, whole = tmp_path / "bad.nc", saved.read_bytes()
    if kind == "foreign hdf5":
        with h5py.File(path, "w") as file:
            file["x"] = [1, 2, 3]
    else:
        noise = np.random.default_rng(1).bytes(20_000)
        path.write_bytes(
            {
                "empty": b"",
                "random": noise,
                "text": GOOD.encode(),
                "hdf5 head": b"\x89HDF\r\n\x1a\n" + noise,
                "twice": whole * 2,
                "longer": whole + b"\x00" * 100,
            }[kind]
        )
    told = program("predict", deals, "--model", path)
    if kind == "twice" and told.returncode == 0:
        # A whole model, however preceded, may be read; never a half.
        assert told.stdout == program("predict", deals, "--model", saved).stdout
        return
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"winprob: model {path}")
    assert told.stderr.count("\n") == 1
    assert str(path) in refused("explain", deals, "--deal", "D1", "--model", path)


def test_a_model_of_a_newer_format(
    posterior: Posterior, deals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("winprob.model.posterior_file.FORMAT", 99)
        posterior.save(tmp_path / "newer.nc")
    told = refused("predict", deals, "--model", tmp_path / "newer.nc")
    assert "format 99" in told
    assert "Update winprob" in told
    with monkeypatch.context() as older:
        older.setattr("winprob.model.posterior_file.FORMAT", 0)
        posterior.save(tmp_path / "older.nc")
    assert "Train it again" in refused("predict", deals, "--model", tmp_path / "older.nc")


# --- interrupted, cut off ------------------------------------------------------------------------------------------


def test_interrupted_training_leaves_nothing(deals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("winprob.model.inference.fit", interrupt)
    told = run("train", deals, "--model", tmp_path / "m.nc")
    assert told.exit_code == 1
    assert told.stderr.strip().endswith("Aborted!")
    assert [path.name for path in tmp_path.iterdir()] == ["deals.csv"]


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize("count", [2, 20_000], ids=["little", "much"])
def test_a_reader_that_has_seen_enough(count: int, form: str, tmp_path: Path, model: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id\n" + "".join(f"D{at}\n" for at in range(count)))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [PROGRAM, "check" if form == "table" else "predict", path, "--format", form]
        command += [] if form == "table" else ["--model", model]
        told = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, check=False, env=BUFFERED
        )
    finally:
        os.close(writer)
    assert "Traceback" not in told.stderr
    assert "Error" not in told.stderr
    assert "Exception ignored" not in told.stderr
    assert told.returncode in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("count", [2, 2_000], ids=["little", "much"])
def test_a_full_disk_is_not_passed_over(count: int, tmp_path: Path, model: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id\n" + "".join(f"D{at}\n" for at in range(count)))
    with open("/dev/full", "w") as full:
        told = subprocess.run(
            [PROGRAM, "predict", path, "--model", model, "--format", "csv"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False, env=BUFFERED,
        )  # fmt: skip
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert "No space left" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_screen_that_has_no_chinese_letters(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,stage\n项目甲,decision\n", encoding="utf-8")
    environment = BUFFERED | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for form in ("table", "csv", "json"):
        told = program("predict", path, "--model", model, "--format", form, "--lang", "zh", env=environment)
        assert "Traceback" not in told.stderr
        assert told.returncode in (0, 1)
        assert told.stdout if told.returncode == 0 else told.stderr


def test_paths_with_odd_letters(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "销售 数据 [red] {x} %s"
    folder.mkdir()
    (folder / "商机.csv").write_text(GOOD)
    told = run("predict", folder / "商机.csv", "--model", model, "--format", "csv", "--out", folder / "结果.csv")
    assert told.exit_code == 0, told.stderr
    assert (folder / "结果.csv").read_text().startswith("deal_id,mean")
    assert "{x} %s" in refused("predict", folder / "none.csv", "--model", model)
