"""The form of a worksheet in a real browser: filled in, saved, read back equal; it sends nothing and runs no name."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.browser import Browser, needs_browser
from winprob import read_answers, write_worksheets
from winprob.i18n import use_language
from winprob.methodology import ROLES, worksheet_questions

HOSTILE = "</script><script>alert(1)</script>"
DEALS = pd.DataFrame(
    {
        "deal_id": ["D1", HOSTILE, "=1+1"],
        "as_of": "2026-09-30",
        "outcome": "open",
        "account": ["客户甲", '"><img src=x onerror=alert(1)>', "A3"],
        "stage": "evaluation",
        "coach": "unvalidated",
    }
)
PEOPLE = pd.DataFrame(
    [("D1", "2026-09-30", "王总", "approver", 3), (HOSTILE, "2026-09-30", '<b onclick="x">', "evaluator", 2)],
    columns=["deal_id", "as_of", "person", "role", "support"],
)
#: Choose an answer as a user does, with an event; a note where there is one.
ANSWER = """({deal_id, role, person, question, value, note}) => {
  const deal = [...document.querySelectorAll('.deal')].find((one) => one.dataset.deal === deal_id);
  const mine = (one) => one.dataset.role === role && one.dataset.person === person;
  const block = [...deal.querySelectorAll('.block')].find(mine);
  const place = [...block.querySelectorAll('.question')].find((one) => one.dataset.question === question);
  place.closest('details').open = true;
  const number = place.querySelector('input[type=number]');
  if (number) { number.value = value; number.dispatchEvent(new Event('input', {bubbles: true})); }
  else place.querySelector(`.choices input[value="${value}"]`).click();
  const text = place.querySelector('.note input');
  text.value = note;
  text.dispatchEvent(new Event('input', {bubbles: true}));
}"""
DAY = """(day) => { for (const place of document.querySelectorAll('input.day')) place.value = day; }"""

pytestmark = needs_browser


@pytest.fixture(scope="module", params=["en", "zh"])
def form(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    folder = tmp_path_factory.mktemp("worksheet")
    with use_language(request.param):
        write_worksheets(DEALS, folder / "form.html", people=PEOPLE)
    driven = Browser(folder / "profile")
    try:
        driven.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        yield driven, folder
    finally:
        driven.close()


def every_answer() -> list[dict[str, Any]]:
    """An answer to each question about the deal and to each about one person of each role, of every kind."""
    answers: list[dict[str, Any]] = []
    for deal, role, person in [("D1", "", ""), ("D1", "approver", "王总"), *(("D1", role, "") for role in ROLES[1:])]:
        for at, question in enumerate(worksheet_questions(role or None).values()):
            value = str(question.numbers[at % len(question.numbers)]) if question.numbers else ("yes", "no")[at % 2]
            value = "yes" if question.id == "contacts.coach_exists" else value
            answers.append({"deal_id": deal, "role": role, "person": person, "question": question.id, "value": value})
    answers.append({"deal_id": HOSTILE, "role": "evaluator", "person": '<b onclick="x">', "question": "support.trust"})
    answers.append({"deal_id": "=1+1", "role": "", "person": "", "question": "signs.decision.says.terms"})
    answers[-2]["value"], answers[-1]["value"] = "4", "yes"
    notes = {3: "=cmd|'/C calc'!A0", 7: HOSTILE, 9: "他说：“再等等”"}
    return [{**answer, "note": notes.get(at, "")} for at, answer in enumerate(answers)]


def saved(browser: Browser, folder: Path) -> Path:
    """The file that the browser saves after a click on the button."""
    for old in folder.glob("winprob-answers-*"):
        old.unlink()
    browser.ask("document.getElementById('save').click()")
    ends = time.monotonic() + 30
    while not (files := list(folder.glob("winprob-answers-*.json"))):
        assert time.monotonic() < ends, "nothing was saved"
        time.sleep(0.05)
    return files[0]


def test_what_is_filled_in_and_saved_is_read_back_equal(form: tuple[Browser, Path]) -> None:
    browser, folder = form
    browser.open(folder / "form.html")
    wanted = every_answer()
    browser.ask(f"({DAY})('2026-10-01')")
    for answer in wanted:
        browser.ask(f"({ANSWER})({json.dumps(answer)})")
    read = read_answers(saved(browser, folder), DEALS)
    back = [
        {
            "deal_id": row.deal_id,
            "role": "" if pd.isna(row.role) else row.role,
            "person": "" if pd.isna(row.person) else row.person,
            "question": f"{row.concept}.{row.item}",
            "value": {True: "yes", False: "no"}[row.value] if isinstance(row.value, bool) else str(row.value),
            "note": "" if pd.isna(row.note) else row.note,
        }
        for row in read.itertuples()
    ]
    key = lambda one: (one["deal_id"], one["role"], one["question"])  # noqa: E731
    assert sorted(back, key=key) == sorted(wanted, key=key)
    assert set(read["day"].dt.strftime("%Y-%m-%d")) == {"2026-10-01"}


def test_a_saved_file_is_gone_on_from_and_keeps_its_days(form: tuple[Browser, Path]) -> None:
    browser, folder = form
    browser.open(folder / "form.html")
    browser.ask(f"({DAY})('2026-10-01')")
    for answer in every_answer()[:20]:
        browser.ask(f"({ANSWER})({json.dumps(answer)})")
    first = saved(browser, folder)
    kept = first.rename(folder / "first.json")
    browser.open(folder / "form.html")
    browser.ask(f"({DAY})('2026-10-08')")
    put = """async (content) => { const place = document.getElementById('open'); const files = new DataTransfer();
        files.items.add(new File([content], 'a.json')); place.files = files.files;
        place.dispatchEvent(new Event('change')); }"""
    browser.ask(f"({put})({json.dumps(kept.read_text('utf-8'))})")
    time.sleep(0.2)
    changed = {**every_answer()[0], "value": "no", "note": ""}
    browser.ask(f"({ANSWER})({json.dumps(changed)})")
    days = read_answers(saved(browser, folder))["day"].dt.strftime("%Y-%m-%d").tolist()
    assert days == ["2026-10-08"] + ["2026-10-01"] * 19
    browser.ask(f"({put})({json.dumps(json.dumps({'worksheet': 'other', 'answers': []}))})")
    time.sleep(0.2)
    assert browser.ask("document.getElementById('status').textContent") == browser.ask(
        "document.getElementById('status').dataset.stale"
    )


def test_answers_without_a_day_are_not_saved(form: tuple[Browser, Path]) -> None:
    browser, folder = form
    browser.open(folder / "form.html")
    for old in folder.glob("winprob-answers-*"):
        old.unlink()
    browser.ask(f"({DAY})('')")
    browser.ask(f"({ANSWER})({json.dumps(every_answer()[0])})")
    browser.ask("document.getElementById('save').click()")
    assert browser.ask("document.activeElement.classList.contains('missing')")
    assert not list(folder.glob("winprob-answers-*"))


def test_no_name_runs_nothing_is_requested_and_every_answer_has_a_label(form: tuple[Browser, Path]) -> None:
    browser, folder = form
    browser.open(folder / "form.html")
    # Again, for the browser reports on the page of the test before when it is left.
    browser.open(folder / "form.html")
    assert browser.ask("document.scripts.length") == 1
    assert browser.ask("document.images.length") == 0
    assert HOSTILE in browser.ask("document.body.textContent")
    assert not browser.seen("Page.javascriptDialogOpening", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert not [one for one in browser.seen("Log.entryAdded") if one["entry"]["level"] in ("error", "warning")]
    asked = [one["request"]["url"] for one in browser.seen("Network.requestWillBeSent")]
    # The icon of a date field is the browser's own, a data URL.
    assert [url for url in asked if not url.startswith(("file:", "data:image/"))] == []
    bare = "[...document.querySelectorAll('main input')].filter((one) => !one.labels.length && !one.ariaLabel).length"
    assert browser.ask(bare) == 0
    legends = (
        "[...document.querySelectorAll('fieldset')].every((one) => one.querySelector('legend').textContent.trim())"
    )
    assert browser.ask(legends)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_form_fits_the_screen(form: tuple[Browser, Path], width: int) -> None:
    browser, folder = form
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    browser.open(folder / "form.html")
    browser.ask("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert browser.ask("document.documentElement.scrollWidth") <= width
