"""``winprob week``: its files, its exit codes, the second run that changes nothing, and the run that is cut off."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob import Registry
from winprob.cli import main
from winprob.cli.week import TO_REVIEW
from winprob.model import inference
from winprob.model.posterior import Posterior
from winprob.report import card
from winprob.routine import pages
from winprob.simulation import Simulation

NAMES = ["actions.csv", "message.md", "review.html", "visits"]
DAY, LATER = "2026-10-05", "2026-10-12"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def small(posterior: Posterior) -> Posterior:
    """The model made by hand, with few draws."""
    return replace(posterior, draws={name: values[:, :50] for name, values in posterior.draws.items()})


@pytest.fixture
def plain_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has tests of its own, and takes seconds."""
    monkeypatch.setattr(pages, "_page", lambda week: f"{week.forecast.quarter.name} {week.forecast.p50} {week.bridge}")


@pytest.fixture
def place(tmp_path: Path, small: Posterior, team: Simulation, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a model, two exports of a week's distance, and a target."""
    folder = tmp_path / "team"
    (folder / "exports").mkdir(parents=True)
    small.save(folder / "model.nc")
    open_deals = team.open.head(7)
    write(open_deals, DAY, folder)
    moved = open_deals.assign(amount=3 * open_deals["amount"])
    write(moved, LATER, folder)
    words = ["--export", folder / "exports" / f"crm_{DAY}.csv", "--model", folder / "model.nc"]
    assert run("init", folder, *words, "--target", "2026Q4=2e7", "--company", "ACME").exit_code == 0
    monkeypatch.chdir(folder)
    return folder


def write(deals: pd.DataFrame, day: str, folder: Path) -> None:
    deals.assign(as_of=day).to_csv(folder / "exports" / f"crm_{day}.csv", index=False)


def test_the_files_of_a_week_and_its_summary(place: Path) -> None:
    done = run("week", f"exports/crm_{DAY}.csv", "--sheets", "2")
    assert done.exit_code == 0, done.output
    out = place / "reports" / DAY
    assert sorted(path.name for path in out.iterdir()) == NAMES
    assert "2026Q4" in (out / "review.html").read_text("utf-8")
    assert len(list((out / "visits").iterdir())) == 2
    assert done.stdout.splitlines()[-1] == "Done: nothing needs a review."
    assert [path.name for path in (place / "history").glob("as_of=*")] == [f"as_of={DAY}"]
    assert len(list((place / "forecasts").glob("*.parquet"))) == 1
    # Nothing of the work is left behind.
    assert [path.name for path in (place / "reports").iterdir()] == [DAY]


@pytest.mark.usefixtures("plain_page")
def test_actions_for_the_crm(place: Path) -> None:
    assert run("week", f"exports/crm_{DAY}.csv", "--sheets", "2").exit_code == 0
    actions = pd.read_csv(place / "reports" / DAY / "actions.csv")
    assert list(actions) == ["deal_id", "chance", "won_by", "band", "flag", "next_step", "owner", "due_date"]
    deals = pd.read_csv(place / "exports" / f"crm_{DAY}.csv")
    assert sorted(actions["deal_id"]) == sorted(deals["deal_id"])
    assert actions["chance"].between(0, 1).all()
    assert actions["next_step"].notna().all()
    assert actions.set_index("deal_id")["owner"].to_dict() == deals.set_index("deal_id")["seller"].to_dict()
    sheets = {path.stem.partition("_")[2] for path in (place / "reports" / DAY / "visits").iterdir()}
    overdue = set(deals["deal_id"][deals["expected_close_on"] < DAY])
    assert set(actions["deal_id"][actions["due_date"].notna()]) == sheets | overdue
    assert actions["due_date"].dropna().eq(LATER).all()


@pytest.mark.usefixtures("plain_page")
def test_sheets_are_for_the_deals_with_most_value_in_doubt(place: Path) -> None:
    assert run("week", f"exports/crm_{DAY}.csv", "--sheets", "7").exit_code == 0
    shown = run("predict", f"exports/crm_{DAY}.csv", "--format", "json").stdout
    chances = pd.DataFrame(json.loads(shown)).set_index("deal_id")
    amount = pd.read_csv(place / "exports" / f"crm_{DAY}.csv").set_index("deal_id")["amount"]
    doubt = amount * chances["mean"] * (chances["upper"] - chances["lower"])
    order = [path.stem.partition("_")[2] for path in sorted((place / "reports" / DAY / "visits").iterdir())]
    assert order == doubt.sort_values(ascending=False).index.tolist()


@pytest.mark.usefixtures("plain_page")
def test_the_message_is_ten_lines_in_the_language_of_the_project(place: Path) -> None:
    assert run("week", f"exports/crm_{DAY}.csv", "--lang", "zh").exit_code == 0
    chinese = (place / "reports" / DAY / "message.md").read_text("utf-8")
    assert run("week", f"exports/crm_{DAY}.csv", "--out", "en").exit_code == 0
    english = (place / "en" / "message.md").read_text("utf-8")
    for text in (chinese, english):
        assert text.startswith("**ACME · 2026Q4")
        assert 9 <= text.count("\n") <= 13
    assert "目标" in chinese
    assert not re.search(r"[a-z]{5,}", chinese.replace("reports", "").replace("review.html", ""))
    assert "Page: en/review.html" in english


def test_the_second_run_changes_no_byte(place: Path) -> None:
    assert run("week").exit_code == 0  # the newest export
    before = content(place)
    again = run("week")
    assert content(place) == before
    assert "already" in again.stdout
    assert f"as_of={LATER}" in " ".join(before)


@pytest.mark.usefixtures("plain_page")
def test_the_next_week_is_bridged_from_the_last_review(place: Path) -> None:
    first = run("week", f"exports/crm_{DAY}.csv")
    assert "the bridge begins with the next review" in first.stdout
    second = run("week", f"exports/crm_{LATER}.csv")
    assert second.exit_code == 0, second.output
    assert f"Since {DAY}: " in second.stdout
    assert "facts changed" in second.stdout.lower()
    assert f"Bridge of P50 from {DAY} to {LATER}" in (place / "reports" / LATER / "review.html").read_text("utf-8")
    # The earlier week, run again, is not compared with the later one.
    before = content(place / "reports" / DAY)
    assert run("week", f"exports/crm_{DAY}.csv").exit_code == 0
    assert content(place / "reports" / DAY) == before


@pytest.mark.usefixtures("plain_page")
def test_decisions_are_kept_and_reach_the_page(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("week", f"exports/crm_{DAY}.csv").exit_code == 0
    kept = place / "decisions.csv"
    assert kept.read_text("utf-8-sig") == "decided_on,deal_id,what,who,by_when,done_on,result\n"
    kept.write_text(kept.read_text("utf-8") + f"{DAY},,Hire,VP,{LATER},,\n", encoding="utf-8")
    before = kept.read_bytes()
    monkeypatch.setattr(pages, "_page", lambda week: week.inputs.decisions.to_csv() + week.trend.to_csv())
    assert run("week", f"exports/crm_{LATER}.csv").exit_code == 0
    page = (place / "reports" / LATER / "review.html").read_text("utf-8")
    assert "Hire" in page
    # The trend has the forecast of both weeks.
    assert page.count(f"{DAY},") >= 1
    assert kept.read_bytes() == before
    kept.write_text("what\nHire\n", encoding="utf-8")
    wrong = run("week", f"exports/crm_{LATER}.csv")
    assert wrong.exit_code == 1
    assert "by_when" in wrong.stderr


@pytest.mark.usefixtures("plain_page")
@pytest.mark.parametrize("part", ["message_text", "_swap"])
def test_a_run_that_is_cut_off_leaves_the_former_files(place: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("week", f"exports/crm_{DAY}.csv", "--out", "out").exit_code == 0
    before = content(place / "out")

    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    whole = getattr(pages, part)
    monkeypatch.setattr(pages, part, cut_off)
    assert run("week", f"exports/crm_{LATER}.csv", "--out", "out").exit_code != 0
    assert content(place / "out") == before
    monkeypatch.setattr(pages, part, whole)
    assert run("week", f"exports/crm_{LATER}.csv", "--out", "out").exit_code == 0
    assert content(place / "out") != before
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("plain_page")
def test_two_renames_where_the_system_cannot_swap(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_exchanged", lambda *_: False)
    for day in (DAY, LATER):
        assert run("week", f"exports/crm_{day}.csv", "--out", "out").exit_code == 0
    assert LATER in (place / "out" / "message.md").read_text("utf-8")


@pytest.mark.usefixtures("plain_page")
def test_a_folder_with_other_files_is_not_replaced(place: Path) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "notes.txt").write_text("mine")
    refused = run("week", f"exports/crm_{DAY}.csv", "--out", "mine")
    assert refused.exit_code == 1
    assert "notes.txt" in refused.stderr
    assert (place / "mine" / "notes.txt").read_text() == "mine"
    assert not (place / "history").exists()


@pytest.mark.usefixtures("plain_page")
def test_warnings_of_the_check_are_for_review_and_errors_a_fault(place: Path) -> None:
    path = place / "exports" / f"crm_{DAY}.csv"
    deals = pd.read_csv(path)
    people = "".join(f"{deal},{DAY},P1,approver,3\n" for deal in (deals["deal_id"][0], "D99999"))
    (place / "people.csv").write_text(f"deal_id,as_of,person,role,support\n{people}")
    done = run("week", path, "--people", "people.csv")
    assert done.exit_code == TO_REVIEW, done.output
    assert "winprob check" in done.stdout.splitlines()[-1]
    deals.assign(stage="nonsense").to_csv(place / "wrong.csv", index=False)
    wrong = run("week", "wrong.csv", "--as-of", LATER)
    assert wrong.exit_code == 1
    assert not (place / "reports" / LATER).exists()


@pytest.mark.usefixtures("plain_page")
def test_another_export_for_a_day_is_refused(place: Path) -> None:
    assert run("week", f"exports/crm_{DAY}.csv").exit_code == 0
    refused = run("week", f"exports/crm_{LATER}.csv", "--as-of", DAY)
    assert refused.exit_code == 1


@pytest.mark.usefixtures("plain_page")
def test_without_a_project_or_an_export_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = run("week", "x.csv")
    assert nothing.exit_code == 2
    assert "winprob init" in nothing.stderr
    assert run("init", ".").exit_code == 0
    assert run("week").exit_code == 2


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch, small: Posterior, believed: Posterior) -> list[int]:
    """Every fit gives the model made by hand; the number of closed deals that it was given."""
    seen: list[int] = []

    def fit(deals: pd.DataFrame, **_: object) -> Posterior:
        seen.append(int(deals["outcome"].isin(["won", "lost", "no_decision"]).sum()))
        return small

    few = replace(believed, draws={name: values[:, :50] for name, values in believed.draws.items()})
    monkeypatch.setattr(inference, "fit", fit)
    monkeypatch.setattr(inference, "fit_prior", lambda **_: few)
    monkeypatch.setattr(card, "render_card", lambda *_, **__: "<html></html>")
    return seen


@pytest.fixture
def without_model(place: Path) -> Callable[[pd.DataFrame], Result]:
    """Run a week on these deals in the project folder, whose registry is empty."""
    assert run("init", ".", "--force").exit_code == 0

    def week(deals: pd.DataFrame) -> Result:
        deals.to_csv(place / "all.csv", index=False)
        return run("week", "all.csv", "--as-of", DAY, "--sheets", "1")

    return week


@pytest.mark.usefixtures("plain_page")
def test_the_first_model_is_learned_once(
    without_model: Callable[[pd.DataFrame], Result], team: Simulation, fits: list[int], place: Path
) -> None:
    deals = pd.concat([team.closed.tail(40), team.open.head(5)])
    first = without_model(deals)
    assert first.exit_code == 0, first.output
    assert fits == [40]
    assert "learned today" in first.stdout
    current = Registry(place / "models").current()
    assert current is not None
    before = content(place)
    assert without_model(deals).exit_code == 0
    assert fits == [40]
    assert content(place) == before


@pytest.mark.usefixtures("plain_page")
def test_with_too_few_closed_deals_the_prior_is_used_and_stated(
    without_model: Callable[[pd.DataFrame], Result], team: Simulation, fits: list[int], place: Path
) -> None:
    done = without_model(pd.concat([team.closed.tail(12), team.open.head(5)]))
    assert done.exit_code == TO_REVIEW, done.output
    assert "only the prior is used: 12 closed deals are known, and a model is learned from 30" in done.stdout
    assert "only the prior" in (place / "reports" / DAY / "message.md").read_text("utf-8")
    assert fits == []
    assert not (place / "models").exists()
