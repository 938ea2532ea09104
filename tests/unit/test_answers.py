"""Answers of worksheets: read from every kind of file alike; a malicious or stale file gets one message."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.worksheets import fill
from winprob import read_answers, write_table, write_worksheets
from winprob.data.tables.answers import raw
from winprob.errors import InputError
from winprob.i18n import use_language
from winprob.methodology import worksheet_version

DEALS = pd.DataFrame({"deal_id": ["D1", "D2"], "outcome": "open", "stage": "evaluation"})
DAY = dt.date(2026, 10, 31)
SIGN = "signs.decision.says.terms"


def answer(question: str = SIGN, value: Any = "yes", **more: Any) -> dict[str, Any]:
    return {
        "deal_id": "D1",
        "role": "",
        "person": "",
        "question": question,
        "value": value,
        "day": "2026-10-01",
        **more,
    }


def form(folder: Path, *answers: dict[str, Any], version: str | None = None) -> Path:
    path = folder / "answers.json"
    path.write_text(json.dumps({"worksheet": version or worksheet_version(), "answers": answers}), encoding="utf-8")
    return path


def refusal(path: Path, deals: pd.DataFrame | None = DEALS, as_of: dt.date | None = DAY) -> str:
    with pytest.raises(InputError) as refused:
        read_answers(path, deals, as_of=as_of)
    return str(refused.value)


# --- what is read ----------------------------------------------------------------------------------------------------


def test_answers_are_typed_and_dated(tmp_path: Path) -> None:
    read = read_answers(
        form(
            tmp_path,
            answer(),
            answer("contacts.talks", 7, role="决策者", person="王总"),
            answer("support.trust", "3.0", role="approver"),
            answer("losses.low_ranks", "否", note="未见"),
            answer("losses.one_person", "", note="to ask"),
        ),
        DEALS,
        as_of=DAY,
    )
    assert list(read) == ["deal_id", "role", "person", "concept", "item", "value", "day", "note"]
    assert read["value"].tolist() == [True, 7, 3, False, None]
    assert read["role"].fillna("").tolist() == ["", "decision_maker", "approver", "", ""]
    assert read[["concept", "item"]].iloc[0].tolist() == ["signs", "decision.says.terms"]
    assert read["day"].dtype == "datetime64[us]"
    assert read["note"].iloc[3] == "未见"


def test_no_answers_are_an_empty_table(tmp_path: Path) -> None:
    assert len(read_answers(form(tmp_path), DEALS)) == 0


def test_a_row_without_a_value_and_a_note_is_left_out(tmp_path: Path) -> None:
    assert len(read_answers(form(tmp_path, answer(value=""), answer(value=None, day=""), answer()), DEALS)) == 1


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_a_table_of_answers_is_read_back_equal(tmp_path: Path, suffix: str) -> None:
    given = read_answers(form(tmp_path, answer(note="=1+1"), answer("support.trust", 3, role="approver", person="@Li")))
    write_table(given, tmp_path / f"answers.{suffix}" if suffix != "parquet" else tmp_path / "answers.csv")
    if suffix == "parquet":
        text = pd.read_csv(tmp_path / "answers.csv", dtype="str")
        text.to_parquet(tmp_path / "answers.parquet")
    pd.testing.assert_frame_equal(read_answers(tmp_path / f"answers.{suffix}", DEALS), given)


def test_questions_may_be_named_in_one_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"deal_id,question,value,day\nD1,{SIGN},yes,2026/10/1\n", encoding="utf-8")
    assert read_answers(tmp_path / "a.csv", DEALS)["item"].tolist() == ["decision.says.terms"]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f"deal_id,question,value,Value ,day\nD1,{SIGN},yes,no,2026-10-01\n", encoding="utf-8"
    )
    assert "has two columns named 'value'" in refusal(tmp_path / "a.csv")


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"deal_id": "D9"}, "'deal_id' is 'D9'; give a deal of the table; accepted: D1, D2"),
        ({"deal_id": ""}, "'deal_id' is ''; give the deal's id"),
        ({"question": "signs.decison.says.terms"}, "did you mean 'signs.decision.says.terms'?"),
        ({"question": "__proto__"}, "'question' is '__proto__'"),
        ({"role": "boss of all"}, "'role' is 'boss of all'; accepted: approver, decision_maker"),
        ({"role": "approver"}, "'role' is 'approver'; leave it blank: the question is about the deal"),
        ({"question": "support.trust", "value": 2}, "'role' is ''; accepted: approver, decision_maker, evaluator"),
        (
            {"question": "executives.age", "role": "evaluator"},
            "'role' is 'evaluator'; accepted: approver, decision_maker",
        ),
        ({"value": "=1+1"}, "'value' is '=1+1'; accepted: yes, no, 是, 否"),
        ({"value": "maybe"}, "'value' is 'maybe'; accepted: yes, no, 是, 否"),
        ({"question": "support.trust", "role": "approver", "value": 5}, "whole numbers from 1 to 4"),
        ({"question": "support.trust", "role": "approver", "value": 2.5}, "whole numbers from 1 to 4"),
        ({"question": "relationship.step", "role": "approver", "value": 0}, "whole numbers from 1 to 5"),
        ({"question": "contacts.talks", "role": "approver", "value": -1}, "whole numbers from 0 to 1000"),
        ({"question": "contacts.talks", "role": "approver", "value": "1e3"}, "whole numbers from 0 to 1000"),
        ({"day": "2026-11-01"}, "'day' is '2026-11-01'; it is after 2026-10-31"),
        ({"day": "soon"}, "'day' is 'soon'; give the day on which it was seen or heard"),
        ({"day": ""}, "'day' is ''; give the day on which it was seen or heard"),
        ({"day": "1900-01-01"}, "'day' is '1900-01-01'"),
        ({"note": "x" * 2001}, "shorten it to 2000 characters"),
        ({"question": "support.trust", "role": "approver", "value": 1, "person": "x" * 201}, "shorten it to 200"),
    ],
)
def test_a_wrong_cell_is_named_with_place_column_and_remedy(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    message = refusal(form(tmp_path, answer("losses.one_person"), answer(**wrong)))
    assert words in message
    assert "  - answer 2: " in message
    assert "is refused. Answers: 2, faults: 1:" in message


def test_all_faults_are_named_at_once_and_those_alike_together(tmp_path: Path) -> None:
    wrong = [answer(value="maybe", deal_id=f"E{at}") for at in range(30)]
    message = refusal(form(tmp_path, *wrong, answer(day="2027-01-01"), version="1-00000000"))
    assert "Answers: 31, faults: 62" in message
    assert "the file: 'worksheet' is '1-00000000'" in message
    assert "answer 1: 'value' is 'maybe', and 29 more such" in message
    assert "answer 31: 'day' is '2027-01-01'" in message
    many = refusal(form(tmp_path, *(answer(f"signs.{'x' * at}") for at in range(1, 60))))
    assert many.count("\n") < 30


def test_a_future_day_is_one_after_the_day_given(tmp_path: Path) -> None:
    path = form(tmp_path, answer(day="2026-11-01"))
    assert len(read_answers(path, DEALS)) == 1
    assert len(read_answers(path, DEALS, as_of=dt.date(2026, 11, 1))) == 1


def test_the_same_question_twice_on_a_day_is_a_fault_on_two_days_it_is_not(tmp_path: Path) -> None:
    assert "answered at answer 1 for the same day" in refusal(form(tmp_path, answer(), answer(value="no")))
    assert len(read_answers(form(tmp_path, answer(), answer(value="no", day="2026-10-02")), DEALS)) == 2
    people = [answer("support.trust", 2, role="approver", person=name) for name in ("Li", "Wu")]
    assert len(read_answers(form(tmp_path, *people), DEALS)) == 2


def test_coach_tests_without_a_coach_are_a_fault_on_the_same_day(tmp_path: Path) -> None:
    none, test = answer("contacts.coach_exists", "no"), answer("coach.validation.acted")
    assert "answer that there is a coach" in refusal(form(tmp_path, none, test))
    assert len(read_answers(form(tmp_path, none, {**test, "day": "2026-09-01"}), DEALS)) == 2


def test_the_message_is_in_the_language_asked_for(tmp_path: Path) -> None:
    with use_language("zh"):
        message = refusal(form(tmp_path, answer(value="maybe")))
    assert "第 1 条回答：'value' 为 'maybe'；" in message
    assert "未被接受，共 1 条回答，1 处错误" in message


# --- workbooks -------------------------------------------------------------------------------------------------------


def test_a_worksheet_of_another_version_is_refused(tmp_path: Path) -> None:
    write_worksheets(DEALS, tmp_path / "w.xlsx")
    cells = {("D1", "", "", SIGN, "value"): "yes", ("D1", "", "", "day", "value"): "2026-10-01"}
    message = refusal(fill(tmp_path / "w.xlsx", tmp_path / "old.xlsx", cells, version="1-0ld"))
    assert "'worksheet' is '1-0ld'; the questions are those of version" in message
    assert worksheet_version() in message


def test_a_formula_in_a_cell_is_refused_with_its_place(tmp_path: Path) -> None:
    write_worksheets(DEALS, tmp_path / "w.xlsx")
    cells = {("D2", "", "", SIGN, "note"): "=SUM(A1:A9)", ("D2", "", "", SIGN, "day"): "2026-10-01"}
    message = refusal(fill(tmp_path / "w.xlsx", tmp_path / "bad.xlsx", cells))
    assert "sheet 'D2', row 51: 'note' is a formula; put the value in its place" in message


def test_an_answer_without_a_day_names_its_sheet_and_row(tmp_path: Path) -> None:
    write_worksheets(DEALS, tmp_path / "w.xlsx")
    filled = fill(tmp_path / "w.xlsx", tmp_path / "f.xlsx", {("D1", "", "", SIGN, "value"): "yes"})
    assert "sheet 'D1', row 51: 'day' is ''" in refusal(filled)


def test_answers_about_other_deals_are_refused(tmp_path: Path) -> None:
    write_worksheets(DEALS.assign(deal_id=["X1", "X2"]), tmp_path / "w.xlsx")
    cells = {("X1", "", "", SIGN, "value"): "yes", ("X1", "", "", "day", "value"): "2026-10-01"}
    assert "'deal_id' is 'X1'" in refusal(fill(tmp_path / "w.xlsx", tmp_path / "other.xlsx", cells))


# --- files that are no answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    ["{}", "[1]", '{"worksheet": 1, "answers": []}', '{"worksheet": "x", "answers": [1]}', '{"worksheet": "x"',
     '{"worksheet": "x", "answers": [{"deal_id": {"a": 1}}]}', '{"worksheet": "x", "answers": ' + "[" * 100_000,
     '{"worksheet": "x", "answers": [{"value": ' + "9" * 5000 + "}]}"],
)  # fmt: skip
def test_damage_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    assert "is not a file saved by a worksheet form" in refusal(tmp_path / "a.json")


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = form(tmp_path, *[answer()] * 50)
    monkeypatch.setattr(raw, "MOST_BYTES", 100)
    assert "is too large for the answers of worksheets" in refusal(path)
    monkeypatch.setattr(raw, "MOST_BYTES", 10**9)
    monkeypatch.setattr(raw, "MOST_ANSWERS", 49)
    assert "is too large for the answers of worksheets" in refusal(path)


def test_a_workbook_that_unpacks_to_more_than_it_may_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as book:
        for at in range(4):
            book.writestr(f"xl/worksheets/sheet{at}.xml", b"0" * 80_000_000)
    (tmp_path / "bomb.xlsx").write_bytes(packed.getvalue())
    assert "is too large for the answers of worksheets" in refusal(tmp_path / "bomb.xlsx")


def test_another_workbook_and_another_table_are_refused(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"deal_id": ["D1"], "amount": [1]}), tmp_path / "deals.xlsx")
    write_table(pd.DataFrame({"deal_id": ["D1"], "amount": [1]}), tmp_path / "deals.csv")
    for name in ("deals.xlsx", "deals.csv"):
        assert "is not a worksheet, nor a table of answers: no column is 'value', 'day'" in refusal(tmp_path / name)
    (tmp_path / "cut.xlsx").write_bytes((tmp_path / "deals.xlsx").read_bytes()[:900])
    assert "damaged or cut short" in refusal(tmp_path / "cut.xlsx")
    assert "does not exist" in refusal(tmp_path / "none.json")
