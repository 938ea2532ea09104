"""Preset files: ours, and a team's own edited copy; every fault of one in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from winprob.data.tables import read_deals
from winprob.data.tables.presets import PRESETS, preset_text, read_preset
from winprob.errors import MappingError

API = "Id,StageName,Amount,IsClosed,IsWon"
ROWS = """
1,Needs Analysis,1000,false,false
2,Closed Won,5000,true,true
3,Closed Lost,2000,true,false
4,Discovery,1,0,0
"""


def write(tmp_path: Path, text: str, name: str = "export.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_reads_and_covers_the_roles(name: str) -> None:
    preset = read_preset(name)
    assert {"deal_id", "opened_on", "expected_close_on", "closed_on", "amount", "stage"} <= preset.columns.keys()
    assert {rule.value for rule in preset.rules} >= {"won", "lost", "open"}
    assert preset.derived


def test_an_edited_copy_is_a_preset_too(tmp_path: Path) -> None:
    text = preset_text("salesforce").replace('"Needs Analysis"', '"Discovery"')
    ours = write(tmp_path, text, "ours.toml")
    deals = read_deals(write(tmp_path, API + ROWS), {"preset": str(ours)})
    assert deals["stage"].fillna("").tolist() == ["", "", "", "exploration"]


def test_a_broken_copy_names_every_fault(tmp_path: Path) -> None:
    text = (
        'names = "x"\nids = "oracle"\n[columns]\ndeal_id = "Id"\nstge = { column = ["S"] }\n'
        '[[outcome]]\nvalue = "win"\n'
    )
    with pytest.raises(MappingError, match="6 faults to fix") as told:
        read_preset(str(write(tmp_path, text, "ours.toml")))
    for word in (
        "'names' is not known; did you mean 'name'?",
        "'ids' is 'oracle'; accepted: salesforce, guid",
        "'columns.deal_id' is 'Id', wanted a table",
        "'columns.stge' is not known; did you mean 'stage'?",
        "[[outcome]] 1 'value' is 'win'",
        "[[outcome]] 1 'when' is missing",
    ):
        assert word in str(told.value)


ID = '[columns]\ndeal_id = { column = ["Id"] }\n'
WRONG = {
    "derived = 5\n" + ID: ["'derived' is 5, wanted a table"],
    "outcome = 5\n" + ID: ["'outcome' is 5, wanted a list"],
    "people = 5\n" + ID: ["'people' is 5, wanted a table"],
    "flags = 5\n" + ID + '[[outcome]]\nvalue = "won"\nwhen = { x = 5 }\n': [
        "'flags' is 5, wanted a table",
        "'outcome.1.when.x' is not known",
        "'outcome.1.when.x' is 5, wanted true, false, a text or a list of texts",
    ],
    ID + "[people]\nroles = 5\nrole = { a = 1 }\n[changes]\nfields = { deal_id = 5 }\nentered = { prefixes = 5 }\n": [
        "'people.roles' is 5, wanted a table",
        "'people.role' is {'a': 1}, wanted a list of headers",
        "'changes.fields.deal_id' is 5, wanted a list of headers",
        "'changes.entered.prefixes' is 5, wanted a list of headers",
    ],
    'zone = "Mars"\n' + ID + 'stage = { column = ["S"], values = { decision = 3 } }\n': [
        "time zone 'Mars'",
        "'columns.stage.values.decision' is 3, wanted a list of texts",
    ],
}


@pytest.mark.parametrize("text", WRONG)
def test_a_preset_of_wrong_types_names_every_fault(tmp_path: Path, text: str) -> None:
    preset = write(tmp_path, text, "ours.toml")
    for read in (
        lambda: read_deals(write(tmp_path, API + ROWS), {"preset": str(preset)}),
        lambda: read_preset(str(preset)),
    ):
        with pytest.raises(MappingError) as refused:
            read()
        assert all(fault in str(refused.value) for fault in WRONG[text])
