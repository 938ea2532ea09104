"""A team's files replace ours, or are refused with every offence at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from winprob.errors import InputError, SettingsError
from winprob.methodology import canonical, coach_status, label, load, plays

TEST = '[[items]]\nid = "{id}"\npart = "validation"\norigin = "ours"\nen = "Checked"\nzh = "已核对"\n'
VOCABULARY = Path(load.__code__.co_filename).with_name("vocabulary.toml")


def test_ours_is_read_once() -> None:
    assert load() is load()


def test_a_teams_file_replaces_ours_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "coach.toml").write_text(TEST.format(id="only"), encoding="utf-8-sig")
    team = load(tmp_path)
    assert [play.id for play in plays("coach", using=team)] == ["only"]
    assert plays("signs", using=team) == plays("signs")
    assert coach_status({"only": True}, using=team).state == "validated"
    assert len(plays("coach")) > 1


def test_a_teams_vocabulary_may_rename_and_add_aliases(tmp_path: Path) -> None:
    text = VOCABULARY.read_text("utf-8").replace('en = "Approver"\naliases = [', 'en = "Signer"\naliases = ["局长",')
    (tmp_path / "vocabulary.toml").write_text(text, "utf-8")
    team = load(tmp_path)
    assert label("role", "approver", "en", using=team) == "Signer"
    assert canonical("role", "局长", using=team) == "approver"
    assert canonical("role", "局长") is None


def test_every_offence_is_listed_at_once_by_file_and_item(tmp_path: Path) -> None:
    broken = (
        TEST.format(id="a")
        + TEST.format(id="a")
        + '[[items]]\nid = "b"\npart = "validation"\norigin = "ours"\nen = "No Chinese"\ncolour = "red"\n'
        + '[[items]]\nid = "c"\npart = "validatoin"\norigin = "theirs"\nen = " "\nzh = "空"\nhow = {en = "x"}\n'
    )
    (tmp_path / "coach.toml").write_text(broken, "utf-8")
    (tmp_path / "support.toml").write_text(TEST.format(id="trust").replace("validation", "layer"), "utf-8")
    (tmp_path / "trust.toml").write_text("not = = toml", "utf-8")
    (tmp_path / "needs.toml").write_bytes("[[items]]\nzh = '需求'".encode("gbk"))
    (tmp_path / "chanels.toml").write_text("", "utf-8")
    (tmp_path / "visits.toml").write_text("items = 3", "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    message = str(caught.value)
    for expected in (
        "coach.toml: [[items]] 'a': the id is used 2 times",
        "coach.toml: [[items]] 'b' 'colour' is not known; did you mean 'columns'?",
        "coach.toml: [[items]] 'b' 'zh' is missing",
        "coach.toml: [[items]] 'c' 'en' is ' ', wanted a text",
        "coach.toml: [[items]] 'c' 'how.zh' is missing",
        "coach.toml: [[items]] 'c' 'origin' is 'theirs'; accepted: method, ours",
        "coach.toml: [[items]] 'c' 'part' is 'validatoin'; did you mean 'validation'?",
        "support.toml: [[items]] 'trust' 'anchors' is missing",
        "trust.toml is not TOML: ",
        "needs.toml is not TOML: ",
        "'chanels.toml' is not known; did you mean 'channels.toml'?",
        "visits.toml: 'items' is 3, wanted at least one table [[items]]",
    ):
        assert expected in message
    assert "12 faults to fix" in message


def test_wrong_kinds_of_value_are_offences(tmp_path: Path) -> None:
    item = '[[items]]\nid = ["x"]\norigin = "ours"\nen = 3\nzh = "甲"\nknows = "person"\n'
    other = '[[items]]\nid = "y"\norigin = "ours"\nen = "Y"\nzh = "乙"\nknows = ["persons"]\ncolumns = ["amout"]\n'
    (tmp_path / "channels.toml").write_text(item + other, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    for expected in (
        "[[items]] 1 'id' is ['x'], wanted a text",
        "[[items]] 1 'en' is 3, wanted a text",
        "[[items]] 1 'knows' is 'person', wanted a list",
        "[[items]] 'y' 'knows' is 'persons'; did you mean 'person'?",
        "[[items]] 'y' 'columns' is 'amout'; did you mean 'amount'?",
    ):
        assert expected in str(caught.value)


def test_a_rating_needs_four_anchors(tmp_path: Path) -> None:
    anchors = ", ".join(['{ en = "A", zh = "甲" }'] * 3)
    text = TEST.format(id="trust").replace("validation", "layer") + f"anchors = [{anchors}]\n"
    (tmp_path / "support.toml").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=r"'anchors' is \[.*wanted four tables with en and zh"):
        load(tmp_path)


def test_a_vocabulary_may_neither_lose_nor_invent_values_nor_be_ambiguous(tmp_path: Path) -> None:
    text = VOCABULARY.read_text("utf-8")
    file = tmp_path / "vocabulary.toml"
    wrong = text.replace("[coach.none]", "[coach.absent]").replace("[stage.decision]\nzh", "[stage.decision]\ncn")
    file.write_text(wrong, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    for expected in (
        "'coach.none' is missing",
        "'coach.absent' is not a canonical value",
        "'stage.decision.cn' is not known",
        "'stage.decision.zh' is missing",
    ):
        assert expected in str(caught.value)

    file.write_text(text.replace('"没有教练"', '"未验证", "不详"'), "utf-8")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    assert "[coach]: '未验证' means both 'none' and 'unvalidated'" in str(caught.value)
    assert "[coach]: '不详' means both 'unknown' and 'none'" in str(caught.value)

    file.write_text('stage = 3\n[coach.none]\nen = "No"\nzh = "无"\naliases = "no"\n', "utf-8")
    with pytest.raises(SettingsError, match=r"'stage' is 3, wanted a table") as caught:
        load(tmp_path)
    assert "'coach.none.aliases' is 'no', wanted a list" in str(caught.value)


def test_a_folder_that_is_none_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        load(tmp_path / "absent")
    with pytest.raises(SettingsError, match="no TOML file"):
        load(tmp_path)
