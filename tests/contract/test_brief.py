"""The visit sheet as a page: its sections, its length, its language, hostile names, then and now, and refusals."""

from __future__ import annotations

import re
import unicodedata
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
        "Preparation",
        "Next step with this person",
        "Most valuable questions",
        "Commitment to ask for",
        "What would change the forecast",
        "Evidence and caution",
    ],
    "zh": [
        "商机现状",
        "拜访目的规划",
        "拜访准备",
        "与此人的下一步",
        "最值得问的问题",
        "请对方作出的行动承诺",
        "什么会改变预测",
        "依据与注意事项",
    ],
}
#: First on the page of a deal that has one.
FLAGS = {"en": "Red flags", "zh": "警示"}
#: Labels of the preparation, the method's own words.
PREPARED = ["Needs expected", "Find out", "Competitors expected", "Differentiators", "Guiding path"]
#: A printed page, A4 at nine points: lines and columns. An executive's page has the five gaps besides, that of a deal
#: with red flags two of them in full and the titles of the others.
COLUMNS, LINES, LINES_EXECUTIVE, LINES_FLAGS = 110, 68, 78, 8

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


def printed(page: str) -> int:
    """Lines on paper: wrapped, a Chinese character twice as wide as a letter, rules of tables left out."""
    lines = [line.replace("**", "").replace("|", " ") for line in page.splitlines()]
    widths = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line.strip(" -:")) for line in lines]
    return sum(-(-width // COLUMNS) for width in widths)


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_sections_are_in_order_and_the_page_is_about_one(work: Path, lang: str) -> None:
    for deal in ids(work)[:3]:
        page = good(work, "--deal", deal, "--lang", lang)
        assert page.startswith(f"# {'Visit sheet: ' if lang == 'en' else '拜访单：'}{deal}\n")
        assert titles(page) == expected_titles(work / "open.csv", work / "people.csv", deal, lang)
        assert printed(page) <= LINES_EXECUTIVE + (LINES_FLAGS if FLAGS[lang] in titles(page) else 0)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_role_has_a_page_in_one_language_without_gaps(
    posterior: Posterior, team: Simulation, role: str, lang: str
) -> None:
    for deal in team.open["deal_id"].head(3):
        with use_language(lang):
            page = render_brief(posterior, team.open, deal, role=role, people=team.people)
        executive = role in ("approver", "decision_maker")
        most = (LINES_EXECUTIVE if executive else LINES) + (LINES_FLAGS if FLAGS[lang] in titles(page) else 0)
        assert printed(page) <= most
        assert ("Gaps:" in page or "弥合差距：" in page) == executive
        assert not re.search(r"[{}]|\bNone\b|\bnan\b|NaT", page)
        assert not re.search(r"\.\.(?!\.)|。。|；。|\(\)|（）|:\*\* $", page)
        for line in page.splitlines():
            stranger = CHINESE if lang == "en" else ENGLISH
            assert not stranger.search(line), line


def test_it_says_all_that_a_visit_needs(work: Path) -> None:
    page = good(work, "--deal", ids(work)[0], "--lang", "en")
    for label in (*PREPARED, "Goal", "Why this role", "Relationship", "Trust to build", "Minimum commitment"):
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
    assert "The best of the five levers with a probability of 100%." in leader


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
    assert "likely source: Other inside sources" in page
    assert "likely source: The coach" not in page


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
