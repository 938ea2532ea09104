"""Worksheets as files: every question of the method, what the record knows, and nothing that a name could run."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from tests.worksheets import fill
from winprob import read_answers, write_worksheets
from winprob.errors import DealTableError, OutputError
from winprob.i18n import use_language
from winprob.methodology import ROLES, plays, worksheet_questions, worksheet_sections, worksheet_version
from winprob.report.worksheets import writing

HOSTILE = "</script><script>alert(1)</script>"
FORMULA = "=cmd|'/C calc'!A0"
DEALS = pd.DataFrame(
    {
        "deal_id": ["D1", "D2", "D3", FORMULA, "a/b:c*?[]'", "A/B:C*?[]'"],
        "as_of": "2026-09-30",
        "outcome": ["open", "won", None, "open", "open", "open"],
        "amount": [3200000.0, 1.0, None, None, None, None],
        "currency": "CNY",
        "account": ["客户甲", "x", HOSTILE, "", "", ""],
        "stage": ["evaluation", None, None, None, None, None],
        "coach": ["unvalidated", None, None, None, None, None],
        "approver_coverage": ["contacted", None, "unknown", None, None, None],
        "approver_support": [3.0, None, None, None, None, None],
    }
)
PEOPLE = pd.DataFrame(
    [("D1", "王总", "approver", 3.0, "contacted", 4.0), ("D1", "Ms Li", "approver", 2.0, "engaged", None)],
    columns=["deal_id", "person", "role", "support", "coverage", "trust"],
)
OPEN = ["D1", "D3", FORMULA, "a/b:c*?[]'", "A/B:C*?[]'"]


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    write_worksheets(DEALS, tmp_path / "w.xlsx", people=PEOPLE)
    return tmp_path / "w.xlsx"


@pytest.fixture
def page(tmp_path: Path) -> str:
    write_worksheets(DEALS, tmp_path / "w.html", people=PEOPLE)
    return (tmp_path / "w.html").read_text("utf-8")


def sheets(path: Path) -> dict[str, list[list[str]]]:
    book = CalamineWorkbook.from_path(path)
    return {
        name: [list(map(str, row)) for row in book.get_sheet_by_name(name).to_python()] for name in book.sheet_names
    }


# --- questions -----------------------------------------------------------------------------------------------------


def test_the_questions_are_those_of_the_method() -> None:
    deal, approver, evaluator = (worksheet_questions(role) for role in (None, "approver", "evaluator"))
    assert sum(name.startswith("signs.") for name in deal) == 45
    assert sum(name.startswith("coach.validation.") for name in deal) == 5
    assert sum(name.startswith("coach.selection.") for name in deal) == 5
    assert sum(name.startswith("coach.development.") for name in deal) == 5
    assert {f"intelligence.{play.id}" for play in plays("intelligence", "fact")} <= deal.keys()
    assert {
        f"executives.{play.id}" for part in ("library", "team") for play in plays("executives", part)
    } <= deal.keys()
    assert {f"support.{play.id}" for play in plays("support")} <= evaluator.keys()
    assert sum(name.startswith("needs.") for name in evaluator) == 4 + 6
    assert sum(name.startswith("trust.") for name in evaluator) == 3 + 3
    assert list(evaluator["relationship.step"].numbers) == [1, 2, 3, 4, 5]
    executive = {name for name in approver if name.startswith("executives.")}
    assert len(executive) == 7 + 5
    assert approver.keys() - evaluator.keys() == executive
    assert worksheet_questions("decision_maker").keys() == approver.keys()


def test_every_question_has_one_id_and_every_section_a_title_in_both_languages() -> None:
    for role in (None, *ROLES):
        sections = worksheet_sections(role)
        assert sum(len(section.questions) for section in sections) == len(worksheet_questions(role))
        assert all(section.play.en and section.play.zh and section.questions for section in sections)


def test_a_version_is_that_of_the_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    before = worksheet_version()
    with use_language("zh"):
        assert worksheet_version() == before
    fewer = {"worksheets": plays("worksheets")[1:]}
    monkeypatch.setattr(
        "winprob.methodology.worksheet.plays", lambda subject, part=None: fewer.get(subject) or plays(subject, part)
    )
    assert worksheet_version() != before


# --- the workbook --------------------------------------------------------------------------------------------------


def test_the_workbook_has_a_sheet_for_each_open_deal_with_every_question(workbook: Path) -> None:
    found = sheets(workbook)
    assert list(found) == ["Instructions", "D1", "D3", "=cmd|  C calc !A0", "a b c", "A B C (2)"]
    by_deal = {rows[4][5]: rows for name, rows in found.items() if name != "Instructions"}
    assert list(by_deal) == [deal if not deal.startswith("=") else f"'{deal}" for deal in OPEN]
    for rows in by_deal.values():
        asked = [(row[6], row[8]) for row in rows[5:] if row[8]]
        assert set(asked) == {(role or "", name) for role in (None, *ROLES) for name in worksheet_questions(role)}


def test_one_deal_may_be_chosen_whatever_its_outcome(tmp_path: Path) -> None:
    assert write_worksheets(DEALS, tmp_path / "one.xlsx", deal_id="D2") == 1
    assert list(sheets(tmp_path / "one.xlsx")) == ["Instructions", "D2"]
    with pytest.raises(DealTableError, match="D9"):
        write_worksheets(DEALS, tmp_path / "one.xlsx", deal_id="D9")


def test_known_facts_are_filled_in_and_marked(workbook: Path, page: str) -> None:
    known = {(row[7], row[8]): row[1] for row in sheets(workbook)["D1"] if row[8]}
    assert known["", "intelligence.project.stage"] == "on record: Evaluation"
    assert known["", "intelligence.project.volume"] == "on record: CNY 3,200,000"
    assert known["", "contacts.coach_exists"] == "on record: Coach, not validated"
    assert known["王总", "support.trust"] == "on record: 4"
    assert known["Ms Li", "support.trust"] == ""
    assert known["Ms Li", "contacts.talks"] == "on record: Engaged"
    assert known["", "intelligence.project.budget"] == ""
    assert "On record: CNY 3,200,000" in page
    answers = [row[2] for row in sheets(workbook)["D1"][4:] if row[8]]
    assert set(answers) == {""}, "what the record knows is no answer"


def test_only_answers_can_be_changed_and_from_lists(workbook: Path) -> None:
    with zipfile.ZipFile(workbook) as packed:
        xml, styles = (packed.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet2", "styles"))
    assert "<sheetProtection" in xml
    assert 'hidden="1"' in re.search(r"<cols>.*</cols>", xml)[0]  # type: ignore[index]
    lists = set(re.findall(r"<formula1>(.*?)</formula1>", xml))
    assert {'"yes,no"', '"1,2,3,4"', '"1,2,3,4,5"'} <= lists
    assert styles.count('locked="0"') == 2
    questions = sum(len(worksheet_questions(role)) for role in (None, *ROLES)) + len(worksheet_questions("approver"))
    covered = sum(len(places.split()) for places in re.findall(r'<dataValidation [^>]*sqref="([^"]*)"', xml))
    assert covered == 2 * questions + 1


def test_no_text_of_the_workbook_is_a_formula(workbook: Path) -> None:
    with zipfile.ZipFile(workbook) as packed:
        parts = {name: packed.read(name).decode() for name in packed.namelist() if "worksheets/sheet" in name}
    assert not [name for name, xml in parts.items() if re.search(r"<f\b", xml)]
    texts = [cell for rows in sheets(workbook).values() for row in rows for cell in row]
    assert not [text for text in texts if text.startswith(tuple("=+-@"))]
    assert f"'{FORMULA}" in texts


def test_two_runs_write_the_same_bytes(workbook: Path, tmp_path: Path) -> None:
    write_worksheets(DEALS, tmp_path / "again.xlsx", people=PEOPLE)
    assert (tmp_path / "again.xlsx").read_bytes() == workbook.read_bytes()


# --- round trip ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_is_filled_into_the_workbook_is_read_back_equal(tmp_path: Path, lang: str) -> None:
    yes, no = {"en": ("yes", "no"), "zh": ("是", "否")}[lang]
    with use_language(lang):
        write_worksheets(DEALS, tmp_path / "w.xlsx", people=PEOPLE)
    people = {"": [""], "approver": ["王总", "Ms Li"]} | {role: [""] for role in ROLES[1:]}
    wanted: dict[tuple[str, str, str, str], tuple[object, str]] = {}
    cells: dict[tuple[str, str, str, str, str], str | float] = {}
    for role, names in people.items():
        for person in names:
            for at, question in enumerate(worksheet_questions(role or None).values()):
                number = question.numbers[at % len(question.numbers)] if question.numbers else None
                truth = at % 2 == 0 or question.id == "contacts.coach_exists"
                value: object = truth if number is None else number
                key = ("D1", role, person, question.id)
                note = ("'=SUM(A1)", "他说：“再等等” <b>", "")[at % 3]
                wanted[key] = (value, note.removeprefix("'"))
                cells[*key, "value"] = (
                    (yes if truth else no) if number is None else (str(number), float(number))[at % 2]
                )
                if note:
                    cells[*key, "note"] = note
    cells["D1", "", "", "day", "value"] = 46296.0  # 2026-10-01
    cells["D1", "", "", "signs.decision.says.terms", "day"] = "2026-09-28"
    cells[f"'{FORMULA}", "", "", "signs.decision.says.terms", "value"] = yes
    cells[f"'{FORMULA}", "", "", "day", "value"] = "2026/10/2"
    read = read_answers(fill(tmp_path / "w.xlsx", tmp_path / "filled.xlsx", cells), DEALS)
    own = read[read["deal_id"] == FORMULA]
    assert own[["item", "value"]].to_numpy().tolist() == [["decision.says.terms", True]]
    assert own["day"].iloc[0] == pd.Timestamp("2026-10-02")
    mine = read[read["deal_id"] == "D1"].fillna({"role": "", "person": "", "note": ""})
    back = {
        ("D1", row.role, row.person, f"{row.concept}.{row.item}"): (row.value, row.note) for row in mine.itertuples()
    }
    assert back == wanted
    days = mine.set_index(mine["concept"] + "." + mine["item"])["day"].dt.strftime("%Y-%m-%d")
    assert days["signs.decision.says.terms"] == "2026-09-28"
    assert set(days) == {"2026-09-28", "2026-10-01"}


# --- the form ------------------------------------------------------------------------------------------------------


def test_the_form_asks_every_question_of_every_open_deal(page: str) -> None:
    questions = sum(len(worksheet_questions(role)) for role in (None, *ROLES))
    assert page.count("<fieldset") == questions * len(OPEN) + len(worksheet_questions("approver"))
    assert page.count('class="deal"') == len(OPEN)


def test_the_form_loads_nothing_and_a_name_is_text(page: str) -> None:
    assert page.count("<script") == 1
    assert HOSTILE not in page
    assert not re.search(r"<[^>]*\b(?:src|action|href)\s*=(?!\"#)", page.partition("<script>")[0])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]  # type: ignore[index]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'sha256-" in policy.replace("&#39;", "'")
    assert " onclick=" not in page
    assert " style=" not in page


def test_the_form_is_in_the_language_asked_for(tmp_path: Path) -> None:
    with use_language("zh"):
        write_worksheets(DEALS, tmp_path / "w.html", deal_id="D1", people=PEOPLE)
    text = (tmp_path / "w.html").read_text("utf-8")
    visible = re.sub(r"<(script|style)>.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    assert "采购阶段的表现" in visible
    assert not re.search(
        r"[A-Za-z]+ [a-z]+ [a-z]+ [a-z]+", visible.replace("winprob worksheets DEALS --answers FILE", "")
    )


def test_another_suffix_and_too_many_deals_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"\.xlsx or an \.html"):
        write_worksheets(DEALS, tmp_path / "w.csv")
    monkeypatch.setattr(writing, "MOST_IN_A_FORM", 2)
    with pytest.raises(OutputError, match="5 deals are too many for one form, which holds 2"):
        write_worksheets(DEALS, tmp_path / "w.html")
    assert not list(tmp_path.iterdir())
