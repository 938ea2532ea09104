"""The page stands alone, says what it must in both languages, and its numbers agree with one another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, draw_win_prob, explain, fit_prior, predict, simulate
from winprob.catalog import speaking
from winprob.prediction import prior_share
from winprob.report import render_page
from winprob.report.breakdown import SHOWN, break_down
from winprob.report.charts import _shorten
from winprob.report.numbers import compact_money, percent, span
from winprob.report.outlook import foresee
from winprob.report.review import FACTS, join_chances, missing_facts

REPORT = Path(__file__).parents[2] / "winprob" / "report"
HOSTILE = "</script><script>alert(1)</script>"
NO_FINDINGS = pd.DataFrame(columns=["severity", "column", "rows", "first_deal", "message"])


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return fit_prior(seed=1)


@pytest.fixture(scope="module")
def open_deals() -> pd.DataFrame:
    return simulate(30, 12, seed=3).open


def summary(posterior: Posterior) -> pd.DataFrame:
    """The role weights alone: all that the page asks of the parameters."""
    rows = []
    for role in posterior.coords["role"]:
        for method in posterior.coords["decision_method"][:3]:
            draws = posterior.sel("role_weight", role=role, decision_method=method)
            share = float(prior_share(draws.var(), draws.var()))
            rows.append((f"role_weight[{role}, {method}]", draws.mean(), *np.quantile(draws, (0.05, 0.95)), share))
    return pd.DataFrame(rows, columns=["parameter", "mean", "lower", "upper", "prior_share"])


def page(posterior: Posterior, deals: pd.DataFrame, lang: str = "en", **given: object) -> str:
    with speaking(lang):
        chances = predict(posterior, deals)
        explained = {deal: explain(posterior, deals, deal) for deal in chances["deal_id"].head(2)}
        if "text" in given:
            explained = {deal: terms.assign(text=given["text"]) for deal, terms in explained.items()}
            del given["text"]
        asked = {"parameters": summary(posterior), "findings": NO_FINDINGS, "simulated": False} | given
        return render_page(posterior, deals, chances, explained, **asked)  # type: ignore[arg-type]


class Seen(HTMLParser):
    """Tags with their attributes, and the text a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join(self.words)


def sentences() -> Iterator[str]:
    """Every sentence that the report says."""
    for path in REPORT.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "say":
                yield ast.literal_eval(node.args[0])


def table(html: str) -> list[list[str]]:
    """The rows of the table of all open deals."""
    body = re.search(r'class="grid deals".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", body[1] if body else "", re.DOTALL)
    return [[unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows]


def charted(html: str) -> str:
    return html[html.index("<figure>") : html.index("</figure>")]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_asks_nothing_of_anyone(posterior: Posterior, open_deals: pd.DataFrame, lang: str) -> None:
    html = page(posterior, open_deals, lang)
    assert re.sub(r' xmlns(:\w+)?="[^"]*"', "", html).count("://") == 0
    seen = Seen(html)
    assert not {"script", "link", "img", "iframe", "object", "image", "use", "form"} & {tag for tag, _ in seen.tags}
    loading = {"src", "href", "xlink:href", "srcset", "action", "background"}
    handlers = {name for _, attributes in seen.tags for name in attributes if name in loading or name.startswith("on")}
    assert not handlers
    assert "@import" not in html
    policy = next(attributes["content"] for _, attributes in seen.tags if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy


@pytest.mark.parametrize("column", ["deal_id", "account", "seller"])
def test_a_hostile_name_stays_text(posterior: Posterior, open_deals: pd.DataFrame, column: str) -> None:
    deals = open_deals.copy()
    deals.loc[deals.index[0], column] = HOSTILE
    finding = pd.DataFrame([("error", HOSTILE, 1, HOSTILE, HOSTILE)], columns=NO_FINDINGS.columns)
    html = page(posterior, deals, findings=finding)
    seen = Seen(html)
    assert "script" not in {tag for tag, _ in seen.tags}
    assert "alert(1)" in seen.text
    assert "<script" not in html.lower()


def test_the_chart_escapes_a_hostile_name(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    deals = open_deals.assign(account='"><svg onload=x>&')
    drawn = charted(page(posterior, deals))
    assert "&lt;svg onload=x&gt;" in drawn
    assert not any("onload" in attributes for _, attributes in Seen(drawn).tags)


def test_the_chinese_page_has_no_english_sentence_left(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    seen = Seen(page(posterior, open_deals, "zh", simulated=True, text="一句话"))
    shown = seen.text + "\n".join(attributes.get("aria-label") or "" for _, attributes in seen.tags)
    pieces = {piece.strip() for sentence in sentences() for piece, *_ in Formatter().parse(sentence)}
    left = {piece for piece in pieces if len(piece) > 3 and re.search("[A-Za-z]{3}", piece) and piece in shown}
    assert not left
    assert '<html lang="zh-CN">' in page(posterior, open_deals, "zh")


def test_expected_wins_are_the_sum_of_the_chances(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    outlook = foresee(posterior, open_deals)
    assert outlook.expected == pytest.approx(predict(posterior, open_deals)["mean"].sum(), abs=1e-4)
    assert f"{outlook.expected:.1f} wins" in page(posterior, open_deals)


def test_the_range_of_wins_holds_doubt_and_luck(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    """Oracle: given a draw the number won is Poisson binomial; its exact distribution by convolution."""
    outlook = foresee(posterior, open_deals)
    draws = draw_win_prob(posterior, open_deals).astype(float)
    exact = np.zeros((len(open_deals) + 1, draws.shape[1]))
    exact[0] = 1
    for chance in draws:
        exact[1:] = exact[1:] * (1 - chance) + exact[:-1] * chance
        exact[0] *= 1 - chance
    below = np.cumsum(exact.mean(axis=1))
    assert abs(outlook.lower - np.searchsorted(below, 0.05)) <= 1
    assert abs(outlook.upper - np.searchsorted(below, 0.95)) <= 1
    assert outlook.upper - outlook.lower >= outlook.expected_upper - outlook.expected_lower - 1


def test_bookings_are_in_order_and_centred(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    bookings = foresee(posterior, open_deals).bookings
    assert bookings is not None
    assert bookings.p10 <= bookings.p50 <= bookings.p90
    expected = float((predict(posterior, open_deals)["mean"] * open_deals["amount"]).sum())
    assert bookings.mean == pytest.approx(expected, rel=0.05)


def test_blocks_change_no_number(
    posterior: Posterior, open_deals: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = foresee(posterior, open_deals)
    monkeypatch.setattr("winprob.report.outlook._BLOCK", 5)
    parts = foresee(posterior, open_deals)
    assert parts.expected == pytest.approx(whole.expected, abs=1e-5)
    assert parts.expected_upper == pytest.approx(whole.expected_upper, abs=1e-4)


def test_money_that_does_not_add_up_is_left_out(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    mixed = open_deals.copy()
    mixed.loc[mixed.index[0], "currency"] = "EUR"
    html = page(posterior, mixed)
    assert "2 currencies (CNY, EUR)" in html
    assert "EUR " in "".join(row[4] for row in table(html))
    assert "no amount with a currency" in page(posterior, open_deals.drop(columns=["amount", "currency"]))
    some = open_deals.copy()
    some.loc[some.index[:3], "amount"] = np.nan
    assert "3 deals without an amount" in page(posterior, some)


def test_the_banners_say_what_the_model_rests_on(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    html = page(posterior, open_deals, simulated=True)
    assert html.count('class="banner"') == 2
    assert "Prior only" in html
    assert "Simulated data" in html
    seen = replace(posterior.provenance, deals=40, rows=40, counted=40.0, won=18.0)
    few = page(replace(posterior, provenance=seen), open_deals)
    assert "only 40 closed deals" in few
    assert "18 (45%) were won" in few
    many = replace(seen, deals=80, counted=80.0)
    assert 'class="banner"' not in page(replace(posterior, provenance=many), open_deals)


def test_no_open_deals_is_an_answer(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    html = page(posterior, open_deals.iloc[:0])
    assert "nothing to foresee" in html
    assert not table(html)
    assert html.count("<figure>") == 1


def test_more_than_forty_deals_go_to_the_table(posterior: Posterior) -> None:
    deals = simulate(30, 45, seed=3).open
    html = page(posterior, deals)
    assert "40 largest of 45 deals" in html
    assert len(table(html)) == 45
    smallest = deals.loc[deals["amount"].idxmin(), "deal_id"]
    assert sum(deal in charted(html) for deal in deals["deal_id"]) == 40
    assert smallest not in charted(html)
    assert "40 least certain of 45 deals" in page(posterior, deals.drop(columns="amount"))


def test_the_table_says_what_was_predicted(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    deals = open_deals.set_index(pd.Index(range(100, 112)))
    chances = predict(posterior, deals).set_index("deal_id")
    rows = table(page(posterior, deals))
    assert [row[0] for row in rows] == chances["mean"].sort_values(ascending=False, kind="stable").index.to_list()
    for row in rows:
        chance = chances.loc[row[0]]
        assert row[5:7] == [percent(chance["mean"]), span(chance["lower"], chance["upper"])]
        assert row[7:] == [str(int(chance["unknowns"])), percent(chance["prior_share"])]


def test_of_several_readings_the_last_counts(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    later = open_deals.iloc[:1].assign(as_of=pd.Timestamp("2026-12-31"), seller="somebody else")
    html = page(posterior, pd.concat([later, open_deals]))
    assert len(table(html)) == len(open_deals)
    assert "somebody else" in "".join(row[2] for row in table(html))
    assert "as of 2026-12-31" in html


def test_the_facts_named_unknown_are_those_counted(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    chances = predict(posterior, open_deals)
    review = join_chances(open_deals, chances)
    assert len(FACTS) == 9
    assert missing_facts(review).sum(axis=1).to_list() == review["unknowns"].to_list()


def test_bars_run_from_the_base_rate_to_the_deal(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    review = join_chances(open_deals, predict(posterior, open_deals))
    deal = str(review["deal_id"].iloc[0])
    terms = explain(posterior, open_deals, deal)
    (told,) = break_down(review, {deal: terms, "not there": terms})
    first, *steps, last = told.bars
    assert (first.kind, last.kind) == ("point", "point")
    assert len(steps) <= SHOWN + 2
    at = first.at
    for bar in steps:
        left, right = sorted((at, bar.at))
        assert (bar.start, bar.start + bar.width) == pytest.approx((left, right), abs=0.02)
        assert bar.kind == ("up" if bar.at >= at else "down")
        at = bar.at
    assert all(0 <= bar.start <= bar.start + bar.width <= 100 for bar in told.bars)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.001, "<1%"), (0.237, "24%"), (0.999, ">99%"), (1.0, "100%")]
)
def test_percent_claims_no_certainty(share: float, text: str) -> None:
    assert percent(share) == text


def test_numbers_in_words() -> None:
    assert span(0.41, 0.8) == "41–80%"
    with speaking("zh"):
        assert compact_money(123_456_789, "CNY") == "¥1.2亿"
    assert compact_money(123_456_789, "CNY") == "CN¥123.5M"
    assert _shorten("华东区域电力公司总部数据中心", 10) == "华东区域…"
    assert len(_shorten("A" * 40, 30)) == 30


def test_every_picture_has_a_name_and_a_description(posterior: Posterior, open_deals: pd.DataFrame) -> None:
    html = page(posterior, open_deals)
    named = [a for tag, a in Seen(html).tags if tag == "svg" and a.get("aria-hidden") != "true"]
    assert len(named) == 2
    assert all(a["role"] == "img" and a["aria-label"] for a in named)
    assert html.count("<desc>") == 2
    assert html.count("<figcaption>") == 2
