"""The visit sheet as a page: its sections, its length, its language, hostile names, then and now, and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from winprob import find_flags, read_deals, render_brief
from winprob.actions.flags import flag_title
from winprob.cli import main
from winprob.i18n import use_language
from winprob.methodology.vocabulary import ROLES
from winprob.model.posterior import Posterior
from winprob.simulation import Simulation

CHINESE = re.compile(r"[\u3400-\u9fff]")
#: Three English words in a row: no Chinese sentence holds them, nor does a name.
ENGLISH = re.compile(r"\b[A-Za-z]+ [a-z]+ [a-z]+\b")
TITLES = {
    "en": [
        "Status of the deal",
        "Purpose of the visit",
        "Commitment to ask for",
        "People",
        "Most valuable questions",
        "Preparation",
        "What would change the forecast",
        "Evidence and caution",
    ],
    "zh": [
        "商机现状",
        "拜访目的规划",
        "请对方作出的行动承诺",
        "决策链人员",
        "最值得问的问题",
        "拜访准备",
        "什么会改变预测",
        "依据与注意事项",
    ],
}
#: First on the page of a deal that has one.
FLAGS = {"en": "Red flags", "zh": "警示"}
#: Labels of the preparation, the method's own words.
PREPARED = ["Needs expected", "Differentiators", "Guiding path"]

HOSTILE = "<script>alert(1)</script> [x](http://e.vil) **b** |c| `d` # e\n- f \x1b[31m \u202e {g}"


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior, team: Simulation) -> Path:
    """Open deals, their people, and a model, as files."""
    folder = tmp_path_factory.mktemp("brief")
    posterior.save(folder / "model.nc")
    team.open.to_csv(folder / "open.csv", index=False)
    team.people.to_csv(folder / "people.csv", index=False)
    return folder


def run(work: Path, *arguments: object, deals: str = "open.csv", people: bool = True) -> Result:
    given = ["brief", str(work / deals), "--model", str(work / "model.nc"), *map(str, arguments)]
    return CliRunner().invoke(main, [*given, *(["--people", str(work / "people.csv")] if people else [])])


#: Sheets already made, by folder, arguments and options.
MADE: dict[str, str] = {}


def good(work: Path, *arguments: object, **options: object) -> str:
    key = repr((work, arguments, options))
    if key not in MADE:
        MADE[key] = fresh(work, *arguments, **options)
    return MADE[key]


def fresh(work: Path, *arguments: object, **options: object) -> str:
    ended = run(work, *arguments, **options)  # type: ignore[arg-type]
    assert ended.exit_code == 0, ended.output
    assert ended.stderr == ""
    return ended.stdout


def ids(work: Path) -> list[str]:
    return pd.read_csv(work / "open.csv")["deal_id"].tolist()


def titles(page: str) -> list[str]:
    return re.findall(r"^## (.+)$", page, re.MULTILINE)


def expected_titles(deals: Path, people: Path, deal: str, lang: str) -> list[str]:
    """The sections of a deal's page: red flags where it has one, then those of every page."""
    flags = find_flags(read_deals(deals, people=people), deal_id=deal)
    return [*([FLAGS[lang]] if len(flags) else []), *TITLES[lang]]


def pages(html: str) -> int:
    """A4 pages on paper."""
    weasyprint = pytest.importorskip("weasyprint")
    return len(weasyprint.HTML(string=html).render().pages)


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_sections_are_in_order(work: Path, lang: str) -> None:
    for deal in ids(work)[:3]:
        page = good(work, "--deal", deal, "--lang", lang)
        assert page.startswith(f"# {'Visit sheet: ' if lang == 'en' else '拜访单：'}{deal}\n")
        assert titles(page) == expected_titles(work / "open.csv", work / "people.csv", deal, lang)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_role_has_a_page_in_one_language_without_gaps(
    posterior: Posterior, team: Simulation, role: str, lang: str
) -> None:
    for deal in team.open["deal_id"].head(3):
        with use_language(lang):
            page = render_brief(posterior, team.open, deal, role=role, people=team.people)
        executive = role in ("approver", "decision_maker")
        assert ("Gaps:" in page or "弥合差距：" in page) == executive
        assert not re.search(r"[{}]|\bNone\b|\bnan\b|NaT", page)
        assert not re.search(r"\.\.(?!\.)|。。|；。|\(\)|（）|:\*\* $", page)
        for line in page.splitlines():
            stranger = CHINESE if lang == "en" else ENGLISH
            assert not stranger.search(line), line


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_flagged_deal_read_twice_with_everyone_on_record_prints_on_one_page(
    posterior: Posterior, team: Simulation, lang: str
) -> None:
    """The busiest sheet: an executive's, with several red flags, a comparison, two people a role and all notes."""
    deal = team.open.head(1).assign(stage="decision", coach="none", approver_support=1, decision_method="executive")
    then = deal.assign(as_of="2026-06-01", stage="evaluation", coach="unvalidated", evaluator_support=2)
    notes = {"known_by": "S01", "last_contact": "2026-09-01", "reports_to": "Wang Xiaoming", "competitor": "C05"}
    rows = [(role, f"{name} {role[:4]}") for role in ROLES for name in ("Zhang", "Ouyang")]
    people = pd.DataFrame(rows, columns=["role", "person"]).assign(deal_id=deal["deal_id"].item(), support=2, **notes)
    with use_language(lang):
        flags = find_flags(deal, deal_id=deal["deal_id"].item())
        options = {"role": "approver", "people": people, "before": then, "output_format": "html"}
        page = render_brief(posterior, deal, deal["deal_id"].item(), **options)
    assert len(flags) >= 3
    assert "Ouyang proc" in page
    assert pages(page) == 1


@pytest.mark.parametrize("suffix", [".html", ".pdf", ".md"])
def test_the_suffix_decides_on_the_format(work: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"sheet{suffix}"
    ended = run(work, "--deal", ids(work)[0], "--out", out)
    assert ended.exit_code == 0, ended.output
    start = {".html": b"<!DOCTYPE html>", ".pdf": b"%PDF", ".md": b"# Visit sheet"}[suffix]
    assert out.read_bytes().lstrip().startswith(start)


# --- what makes it this deal's ------------------------------------------------------------------------------------


def of_people(*rows: tuple[str, str, float | None, str], **notes: object) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["person", "role", "support", "coverage"])
    return table.assign(deal_id="D0", **notes)


def line(page: str, label: str) -> str:
    return next(text for text in page.splitlines() if text.startswith(f"- **{label}:**"))


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (("Li", "evaluator", 1, "engaged"), "talk alone with Li (Decision-support evaluator, Opposed)"),
        (
            ("Li", "evaluator", 2, "engaged"),
            "give Li (Decision-support evaluator, Neutral) a reason of their own to choose us",
        ),
        (("Li", "evaluator", None, "contacted"), "find out from Li (Decision-support evaluator)"),
        (("Li", "evaluator", None, "identified"), "a first talk with Li (Decision-support evaluator); ask Wu"),
    ],
    ids=["opposed", "neutral", "unknown", "not met"],
)
def test_the_first_step_names_the_person_the_fact_and_the_day(
    posterior: Posterior, table: Callable[..., pd.DataFrame], row: tuple[str, str, float | None, str], wanted: str
) -> None:
    people = of_people(row, ("Wu", "decision_maker", 4, "engaged"))
    page = render_brief(posterior, table(as_of=["2026-05-04"]), "D0", role="evaluator", people=people)
    assert re.search(r"By 2026-05-\d\d: ", line(page, "First"))
    assert wanted in line(page, "First")


def test_a_supporter_is_asked_to_win_whoever_decides_and_is_not_for_us(
    posterior: Posterior, table: Callable[..., pd.DataFrame]
) -> None:
    rows = [
        ("Li", "evaluator", 3, "engaged"),
        ("Wu", "decision_maker", 2, "contacted"),
        ("He", "influencer", 2, "engaged"),
    ]
    people = of_people(*rows, ("Yu", "approver", 4, "engaged"))
    deal = table(decision_method=["executive"], approver_support=[4.0], procurement_support=[4.0])
    page = render_brief(posterior, deal, "D0", role="evaluator", people=people)
    assert "ask Li (Decision-support evaluator, Supportive) to speak for us to Wu (Decision maker, Neutral)" in page
    won = people.assign(support=[3, 3, 2, 4])
    asked = line(render_brief(posterior, deal.assign(stage="decision"), "D0", role="evaluator", people=won), "First")
    assert "ask Li (Decision-support evaluator, Supportive) for this: State your verdict" in asked


@pytest.mark.parametrize(
    ("close", "due", "moved"),
    [
        ("2026-05-05", "2026-05-05", True),
        ("2026-05-14", "2026-05-08", True),
        ("2026-09-01", "2026-05-18", False),
        ("2026-04-01", "2026-05-11", True),
        (None, "2026-05-18", False),
    ],
    ids=["tomorrow", "in ten days", "in months", "passed", "unknown"],
)
def test_the_commitment_is_dated_by_the_days_left(
    posterior: Posterior, table: Callable[..., pd.DataFrame], close: str | None, due: str, moved: bool
) -> None:
    deal = table(as_of=["2026-05-04"], expected_close_on=[close], evaluator_support=[2.0])
    page = render_brief(posterior, deal, "D0", role="evaluator")
    assert re.search(rf"^\| When: a date \| by {due} ", page, re.MULTILINE)
    assert (f"move the close date ({close})" in page) == moved


def test_a_deal_that_closes_tomorrow_is_not_told_to_plan_over_the_months(
    posterior: Posterior, table: Callable[..., pd.DataFrame]
) -> None:
    unmet = {f"{role}_coverage": ["identified"] for role in ROLES} | {f"{role}_support": [None] for role in ROLES}
    deal = table(as_of=["2026-05-04"], expected_close_on=["2026-05-05"], **unmet)
    for role in ("approver", "decision_maker"):
        page = render_brief(posterior, deal, "D0", role=role)
        assert "over the months" not in page
        assert "Only days are left and we have not met" in page
        assert "move the close date (2026-05-05)" in page


def test_the_people_have_their_trend_their_notes_and_who_introduces_them(
    posterior: Posterior, table: Callable[..., pd.DataFrame]
) -> None:
    rows = [("Li", "approver", None, "identified"), ("Wu", "decision_maker", 3, "engaged")]
    then = of_people(*[(*row[:2], 2 if row[0] == "Wu" else None, row[3]) for row in rows], as_of="2026-01-05")
    now = of_people(*rows, as_of="2026-05-04")
    people = pd.concat([then, now]).assign(known_by="S07", last_contact="2026-04-30")
    deals = table(as_of=["2026-01-05", "2026-05-04"], deal_id=["D0", "D0"])
    page = render_brief(posterior, deals, "D0", people=people)
    assert re.search(r"^\| Approver \| Li \| \d \| Unknown \| Identified \| 2026-04-30 \| S07 \| Wu \|$", page, re.M)
    assert re.search(r"^\| Decision maker \| Wu \| \d \| Neutral → Supportive \| Engaged \|", page, re.M)
    assert "Not on record: Reports to." in page
    assert "on our side S07 knows " in line(page, "First")


def test_what_is_not_on_record_is_listed(posterior: Posterior, table: Callable[..., pd.DataFrame]) -> None:
    named = render_brief(posterior, table(), "D0", people=of_people(("Li", "approver", 2, "engaged")))
    assert "Not on record: Last contact, Known by, Reports to, trend (one reading only)." in named
    assert "No people table was given" in render_brief(posterior, table(), "D0")


def test_the_coach_is_named_with_what_to_have_confirmed_by_whom(
    posterior: Posterior, table: Callable[..., pd.DataFrame]
) -> None:
    rows = [
        ("Li", "influencer", 4, "engaged"),
        ("Wu", "decision_maker", 3, "engaged"),
        ("He", "approver", 3, "identified"),
    ]
    people = of_people(*rows).assign(coach=["unvalidated", None, None])
    page = render_brief(posterior, table(coach=["unvalidated"], decision_method=["scoring"]), "D0", people=people)
    coach = line(page, "Coach")
    assert "Li (Influencer, Champion): not validated yet" in coach
    assert "To have confirmed by Wu (Decision maker), independently of the coach: He (Approver) is Supportive" in coach
    unnamed = render_brief(posterior, table(coach=["validated"]), "D0", people=of_people(*rows[:2]))
    assert "validated, no name on record" in line(unnamed, "Coach")
    assert "by someone who is not the coach, such as " in line(unnamed, "Coach")
    none = render_brief(posterior, table(coach=["none"]), "D0", people=people.drop(columns="coach"))
    assert "Candidate: Li (Influencer, Champion)" in line(none, "Coach")


def test_each_competitor_has_who_backs_it(posterior: Posterior, table: Callable[..., pd.DataFrame]) -> None:
    people = of_people(("Li", "evaluator", 1, "engaged"), ("Wu", "approver", 2, "engaged"))
    deal = table(competitor=["C1; C2"])
    backed = line(render_brief(posterior, deal, "D0", people=people.assign(competitor=["C2", None])), "Competitor")
    assert "C1: no one on record as backing it; opposed to us: Li" in backed
    assert "C2: backed by Li (Decision-support evaluator, Opposed)." in backed
    friendly = of_people(("Wu", "decision_maker", 3, "engaged"))
    unknown = line(render_brief(posterior, deal, "D0", role="approver", people=friendly), "Competitor")
    assert "C1: who backs it is unknown. Ask Wu (Decision maker, Supportive)" in unknown


def test_no_two_deals_have_the_same_first_step(posterior: Posterior, team: Simulation) -> None:
    """Nor is it the same sentence with other names: of 25 deals at least half differ without them."""
    deals = team.open.head(25)
    people = team.people[team.people["deal_id"].isin(deals["deal_id"])]
    steps = [line(render_brief(posterior, deals, deal, people=people), "First") for deal in deals["deal_id"]]
    nameless = {re.sub(r"P\d+|\d{4}-\d\d-\d\d", "", step) for step in steps}
    assert len(set(steps)) == len(steps)
    assert len(nameless) >= len(steps) / 2


def test_the_stage_asks_something_of_us_and_an_unknown_one_is_found_out(
    posterior: Posterior, table: Callable[..., pd.DataFrame]
) -> None:
    page = render_brief(posterior, table(stage=["approval"]), "D0")
    assert "Provide the data and templates that the business case needs" in line(page, "What the stage asks of us")
    unknown = render_brief(posterior, table(stage=[None]), "D0")
    assert "Unknown. Find out first: What has the customer said" in line(unknown, "Buying stage")


def test_what_moved_the_win_probability_is_named_with_its_size(
    posterior: Posterior, table: Callable[..., pd.DataFrame]
) -> None:
    then = table(evaluator_support=[1.0], expected_close_on=["2026-06-30"])
    now = table(evaluator_support=[4.0], expected_close_on=["2026-08-29"])
    page = render_brief(posterior, now, "D0", before=then)
    assert re.search(r"Why: Evaluator's support: Opposed → Champion \(odds ×\d+\.\d\d\)", page)
    assert "2026-06-30 → 2026-08-29 (+60 days)" in page
    assert "Why:" not in render_brief(posterior, table(), "D0", before=table())


def test_it_says_all_that_a_visit_needs(work: Path) -> None:
    page = good(work, "--deal", ids(work)[0], "--lang", "en")
    plan = ("First", "Goal", "Why this role", "Relationship", "Trust to build", "Minimum commitment")
    for label in (*PREPARED, *plan, "What the stage asks of us", "Coach", "Competitor"):
        assert f"**{label}:**" in page
    assert re.search(r"Win probability \d+%, 90% interval \d+–\d+%: about \d+ in 10 such deals are won", page)
    assert re.search(r"(&gt;)?\d+% of the prior uncertainty remains. Unknown facts: ", page)
    for element in ("Who: ", "What: ", "When: ", "Proof: "):
        assert re.search(rf"^\| {element}.+ \| \S.+ \|$", page, re.MULTILINE)
    assert "does not prove" in page
    assert "effect" not in page


def test_a_tie_is_called_a_tie_and_a_leader_a_leader(posterior: Posterior, table: Callable[..., pd.DataFrame]) -> None:
    tie = render_brief(posterior, table(**{f"{role}_support": [2.0] for role in ROLES}), "D0")
    assert "A tie: no role is the best lever with a probability above one half" in tie
    alone = {f"{role}_support": [2.0 if role == "evaluator" else 4.0] for role in ROLES}
    leader = render_brief(posterior, table(**alone), "D0")
    assert "A tie" not in leader
    assert "The best of the five roles with a probability of 100%." in leader


def test_the_prior_says_that_it_is_all_prior(believed: Posterior, team: Simulation) -> None:
    page = render_brief(believed, team.open, team.open["deal_id"].iloc[0])
    assert "Prior only: this model was not trained on any closed deal" in page


def test_an_id_alone_is_enough_for_a_page(posterior: Posterior) -> None:
    page = render_brief(posterior, pd.DataFrame({"deal_id": ["D1"]}), "D1")
    assert titles(page) == TITLES["en"]
    assert "none recorded" in page
    assert not re.search(r"\bnan\b|NaT|None", page)


def test_a_deal_of_which_all_is_known_has_no_question(posterior: Posterior, team: Simulation) -> None:
    known = {f"{role}_support": 4 for role in ROLES} | {f"{role}_coverage": "engaged" for role in ROLES}
    known |= {"stage": "decision", "coach": "validated", "decision_method": "scoring"}
    deal = team.open.head(1).assign(**known)
    page = render_brief(posterior, deal[[name for name in deal if "readings" not in name]], deal["deal_id"].item())
    assert "Every fact in the model is known" in page
    assert "No role's support can rise further" in page


def test_no_coach_is_asked_where_there_is_none(posterior: Posterior, team: Simulation) -> None:
    deal = team.open.head(1).assign(coach="none", decision_method=None, approver_support=None)
    page = render_brief(posterior, deal, deal["deal_id"].item())
    assert re.search(r"Ask [^.]+\(Decision maker|Ask [^.]*the [A-Z]", page)
    assert "Ask the coach" not in page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_opens_with_red_flags_contradictions_first(
    posterior: Posterior, table: Callable[..., pd.DataFrame], lang: str
) -> None:
    deal = table(stage=["decision"], coach=["none"], approver_support=[1.0], closed_on=["2026-05-01"], outcome=["open"])
    with use_language(lang):
        found, page = find_flags(deal), render_brief(posterior, deal, "D0")
        first, second, *others = [flag_title(flag) for flag in found["flag"]]
    assert found["flag"].tolist()[:2] == ["open_with_closing_day", "approver_opposed"]
    section = page.split("\n## ")[1].splitlines()
    assert section[0] == FLAGS[lang]
    assert [line.split(":**")[0].split("：**")[0] for line in section if line.startswith("- ")] == [
        f"- **{first}",
        f"- **{second}",
        f"- **{'Also' if lang == 'en' else '另有'}",
    ]
    assert others
    assert all(title in section[-2 if not section[-1] else -1] for title in others)
    assert found["facts"].iloc[0] in page
    assert found["next_step"].iloc[0] in page


# --- hostile names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_hostile_name_stays_text(posterior: Posterior, team: Simulation, lang: str) -> None:
    names = dict.fromkeys(("account", "seller", "product", "competitor", "currency"), HOSTILE)
    deal = team.open.head(1).assign(deal_id=HOSTILE.strip(), **{**names, "currency": "CNY"})
    people = pd.DataFrame({"deal_id": [HOSTILE], "person": [HOSTILE], "role": ["approver"], "support": [2]})
    with use_language(lang):
        page = render_brief(posterior, deal, HOSTILE.strip(), role="approver", people=people)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
    assert titles(page) == ([FLAGS[lang]] if len(find_flags(deal)) else []) + TITLES[lang]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(page)
    plain = render_brief(posterior, team.open.head(1), team.open["deal_id"].iloc[0], role="approver")
    tags = set(re.findall(r"<(\w+)", html))
    assert tags == {"h1", "h2", "p", "ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert html.count("<h2>") == plain.count("\n## ")
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt; [x](http://e.vil) **b** |c| `d` # e - f") >= 6


# --- streams, files, seeds -----------------------------------------------------------------------------------------


def test_out_writes_what_the_screen_shows(work: Path, tmp_path: Path) -> None:
    deal, out = ids(work)[0], tmp_path / "sheet.md"
    result = run(work, "--deal", deal, "--out", out)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "The visit sheet is in" in result.stderr
    assert out.read_text("utf-8") == good(work, "--deal", deal)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.md"]


def test_same_deal_same_bytes(work: Path) -> None:
    assert fresh(work, "--deal", ids(work)[1]) == good(work, "--deal", ids(work)[1])


# --- then and now --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def after(work: Path, team: Simulation) -> str:
    """A deal of which more is known six weeks on, in a table of its own and together with its first reading."""
    unknown = team.open[team.open["evaluator_support"].isna() & (team.open["coach"] != "validated")].iloc[[0]]
    learned = {"evaluator_support": 3, "evaluator_coverage": "engaged", "coach": "validated"}
    now = unknown.assign(as_of="2026-12-01", stage="decision", evaluator_readings=None, **learned)
    now.to_csv(work / "after.csv", index=False)
    pd.concat([now, unknown]).to_csv(work / "both.csv", index=False)
    return str(unknown["deal_id"].item())


def test_then_and_now_are_compared_with_a_table_before(work: Path, after: str) -> None:
    page = good(work, "--deal", after, "--before", work / "open.csv", deals="after.csv", people=False)
    assert titles(page)[:2] == ["Red flags", "Status of the deal"]
    assert titles(page)[2].startswith("What has changed since 20")
    assert re.search(r"\*\*Win probability:\*\* \d+% \(\d+–\d+%\) → \d+% \(\d+–\d+%\), ", page)
    assert "| Unknown → Supportive |" in page
    assert "**Learned:** " in page
    assert "Evaluator's support: Supportive" in page
    assert titles(page)[3:] == TITLES["en"][1:]
    chinese = good(
        work, "--deal", after, "--before", work / "open.csv", "--lang", "zh", deals="after.csv", people=False
    )
    assert not any(ENGLISH.search(line) for line in chinese.splitlines())
    assert "**新掌握：** " in chinese


def test_two_readings_in_one_table_are_compared_by_themselves(work: Path, after: str) -> None:
    apart = good(work, "--deal", after, "--before", work / "open.csv", deals="after.csv", people=False)
    assert good(work, "--deal", after, deals="both.csv", people=False) == apart


def test_what_is_no_longer_recorded_is_listed(posterior: Posterior, team: Simulation) -> None:
    then = team.open.head(1).assign(stage="evaluation")
    page = render_brief(posterior, then.assign(stage=None), then["deal_id"].item(), before=then)
    assert "**No longer recorded:** Buying stage." in page


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--deal", "D9"], "deal 'D9' is not in the table of 40 rows"),
        (["--deal", "{deal}", "--role", "boss"], "role 'boss' is not one of approver, decision_maker, evaluator"),
        (["--deal", "{deal}", "--before", "{work}/other.csv"], "(1 rows) does not contain deal '{deal}'"),
        (["--deal", "{deal}", "--before", "{work}/absent.csv"], "absent.csv does not exist"),
        (["--deal", "{deal}", "--out", "{work}/absent/x.md"], "there is no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_fault_is_one_message(work: Path, arguments: list[str], message: str) -> None:
    (work / "other.csv").write_text("deal_id\nX1\n", "utf-8")
    names = {"deal": ids(work)[0], "work": str(work)}
    result = run(work, *(part.format(**names) for part in arguments))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("winprob: ")
    assert message.format(**names) in result.stderr
    assert "Traceback" not in result.stderr


def test_a_table_before_that_is_later_is_refused(work: Path, after: str) -> None:
    result = run(work, "--deal", after, "--before", work / "after.csv", people=False)
    assert result.exit_code == 1
    assert "are the two tables swapped?" in result.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["--deal", "D1", "--people-before", "x.csv"]], ids=["no deal", "people only"]
)
def test_wrong_usage_exits_2(work: Path, arguments: list[str]) -> None:
    result = run(work, *arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
