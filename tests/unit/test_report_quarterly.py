"""The review page: its sums are the forecast's, it loads nothing, and names stay text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, find_flags, predict
from winprob.actions.flags import flag_sentences, flag_title
from winprob.i18n import use_language
from winprob.quarter import LINES, Bridge, Forecast
from winprob.quarter.results import CorrectedTotal
from winprob.report.numbers import points, signed_money, tied
from winprob.report.quarterly import render_review
from winprob.settings import ReviewSettings
from winprob.simulation import Simulation

HOSTILE = ("</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }} <b>")
ENGLISH = re.compile(r"\b[A-Za-z]+ [a-z]+ [a-z]+\b")
#: What the data check and names may hold in any language.
NAMES = re.compile(r"winprob [\d.]+")

Made = tuple[pd.DataFrame, Forecast, Bridge]


class Page(HTMLParser):
    """Tags, what a reader sees, and tables as rows of texts and keys, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw: dict[str, str] = {"style": "", "script": ""}
        self.tables: list[list[list[tuple[str, str | None]]]] = []
        self._within: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self._within.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(("", given.get("data-key")))

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag in ("style", "script"):
            if tag in self._within:
                self.raw[tag] += data
                return
        if data.strip():
            self.words.append(data.strip())
        if {"td", "th"} & set(self._within):
            text, key = self.tables[-1][-1][-1]
            self.tables[-1][-1][-1] = (text + data, key)

    def table(self, caption: str) -> list[list[tuple[str, str | None]]]:
        """The table whose first heading is ``caption``."""
        return next(rows for rows in self.tables if rows[0][0][0].strip() == caption)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [given for name, given in self.tags if name == tag]


@pytest.fixture(scope="session")
def made(posterior: Posterior, team: Simulation, make_forecast: Callable[..., tuple[Forecast, Bridge]]) -> Made:
    return team.open, *make_forecast(team.open, predict(posterior, team.open))


def page(posterior: Posterior, made: Made, lang: str = "en", **given: object) -> str:
    deals, forecast, bridge = made
    chosen = {"bridge": bridge, "settings": ReviewSettings(deals=4), **given}
    with use_language(lang):
        return render_review(posterior, deals, forecast, **chosen)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def english(posterior: Posterior, made: Made) -> str:
    return page(posterior, made)


@pytest.fixture(scope="session")
def chinese(posterior: Posterior, made: Made) -> str:
    return page(posterior, made, "zh", simulated=True)


@pytest.fixture(scope="session")
def seen(english: str) -> Page:
    return Page(english)


@pytest.fixture(scope="session")
def hostile(posterior: Posterior, made: Made) -> Page:
    """The page of three deals with hostile names."""
    deals, forecast, bridge = made
    deals, known = deals.copy(), forecast.deals.copy()
    for at, name in enumerate(HOSTILE):
        victim = deals["deal_id"] == known["deal_id"].iloc[at]
        for column in ("deal_id", "account", "seller"):
            known.loc[at, column] = name
            deals.loc[victim, column] = name
    return Page(page(posterior, (deals, replace(forecast, deals=known), bridge)))


@pytest.fixture(scope="session")
def compared(posterior: Posterior, made: Made) -> Page:
    """The page with the win probabilities of the last review, seven points lower, and one past forecast."""
    known = made[1].deals
    before = pd.DataFrame({"deal_id": known["deal_id"][1:], "mean": known["win_prob"][1:] - 0.07})
    score = {"quarter": "2026Q2", "as_of": pd.Timestamp(2026, 4, 6), "week": 1, "currency": "CNY", "inside_80": True}
    money = {"p10": 6e6, "p50": 8e6, "p90": 1e7, "actual": 9e6, "model_error": -1e6, "commit_error": 3e6}
    scores = pd.DataFrame([{**score, **money, "stage_weighted_error": np.nan, "prob_target": np.nan, "reached": False}])
    return Page(page(posterior, made, before=before, scores=scores))


@pytest.fixture(scope="session")
def quiet(made: Made) -> tuple[pd.DataFrame, Forecast]:
    """Deals that break no rule, and their forecast."""
    deals, forecast, _ = made
    deals = deals.assign(
        expected_close_on=pd.Timestamp("2026-12-01"), as_of=pd.Timestamp("2026-10-24"), rep_probability=np.nan
    )
    for role in ("approver", "decision_maker", "evaluator", "influencer", "procurement"):
        deals[f"{role}_coverage"] = "engaged"
    known = forecast.deals.assign(expected_close_on=pd.Timestamp("2026-12-01"), rep_category="pipeline")
    return deals, replace(forecast, deals=known)


@pytest.fixture(scope="session")
def bare(posterior: Posterior, quiet: tuple[pd.DataFrame, Forecast]) -> str:
    """The page of quiet deals with nothing else given: no target, no bridge, no model of time."""
    deals, forecast = quiet
    return page(posterior, (deals, replace(forecast, target=None, dated=False), None))  # type: ignore[arg-type]


def number(text: str) -> int:
    """An amount as the page writes it, in hundredths of a million: its last decimal."""
    return round(100 * float(re.sub(r"[+,M±]|CN¥", "", text).replace("−", "-")))


def hundredths(amount: float) -> int:
    return round(amount / 1e4)


def test_the_lines_shown_are_the_forecasts_and_their_means_add_up(seen: Page, made: Made) -> None:
    forecast = made[1]
    rows = seen.table("Line")[1:]
    assert len(rows) == len(LINES)
    for row, line in zip(rows, forecast.lines.to_dict("records"), strict=True):
        exact = [line[end] / 1e4 for end in ("p10", "p50", "p90")]
        # To the last decimal; a tie may go either way.
        np.testing.assert_allclose([number(cell) for cell, _ in row[1:4]], exact, atol=0.5, rtol=0)
        assert float(row[4][1] or "nan") == pytest.approx(line["mean"])
    means = [number(row[4][0]) for row in rows]
    assert sum(means[:-1]) == means[-1] == hundredths(forecast.lines["mean"].iloc[-1])


def test_the_bridge_shown_adds_up(seen: Page, made: Made) -> None:
    bridge = made[2]
    rows = seen.table("Step")[1:]
    shown = [number(row[1][0]) for row in rows]
    assert sum(shown[:-1]) == shown[-1] == hundredths(bridge.p50_now)
    assert [float(row[1][1] or "nan") for row in rows[1:-1]] == pytest.approx(bridge.steps["amount"].tolist())


def test_every_deal_is_in_the_appendix_and_the_selection_is_stated(english: str, seen: Page, made: Made) -> None:
    assert "The 4 of 40 open deals with the highest expected bookings" in english
    appendix = next(rows for rows in seen.tables if len(rows) == 41)
    assert {row[0][0] for row in appendix[1:]} == set(made[0]["deal_id"])
    expected = [float(row[10][1] or "nan") for row in appendix[1:]]
    assert expected == sorted(expected, reverse=True)
    assert sum(expected) == pytest.approx(made[1].deals["expected_bookings"].sum())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_text(hostile: Page, name: str) -> None:
    assert len(hostile.of("script")) == 1
    assert not hostile.of("img")
    assert not any(name.startswith("on") for _, given in hostile.tags for name in given)
    assert name in "".join(hostile.words)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_loads_nothing(english: str, chinese: str, lang: str) -> None:
    html = chinese if lang == "zh" else english
    assert "://" not in re.sub(r' xmlns(:\w+)?="[^"]*"', "", html)
    assert "@import" not in html
    assert "url(" not in html
    seen = Page(html)
    assert [given["href"] for given in seen.of("link")] == ["data:,"]
    assert not {"iframe", "object", "image", "use", "form", "embed", "img"} & {tag for tag, _ in seen.tags}
    assert not any({"src", "srcset", "action", "style"} & set(given) for _, given in seen.tags)


def test_the_policy_names_script_and_style_by_their_hashes(seen: Page) -> None:
    policy = next(given["content"] for given in seen.of("meta") if "http-equiv" in given) or ""
    for tag in ("script", "style"):
        found = base64.b64encode(hashlib.sha256(seen.raw[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{found}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_every_picture_has_a_title_and_a_description(english: str, seen: Page) -> None:
    assert english.count("<svg") == english.count("<desc>") == english.count("</title><desc>")
    assert all(given.get("aria-label") or given.get("aria-hidden") for given in seen.of("svg"))


def test_headings_and_cells_have_their_roles(seen: Page) -> None:
    assert all(given.get("scope") for given in seen.of("th"))
    assert len(seen.of("caption")) == len(seen.of("table"))
    levels = [int(tag[1]) for tag, _ in seen.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1


def test_the_chinese_page_has_no_english_sentence_left(chinese: str) -> None:
    left = [word for word in Page(chinese).words if ENGLISH.search(NAMES.sub("", word))]
    assert not left
    assert '<html lang="zh-CN">' in chinese


def test_the_head_gives_day_quarter_model_and_currency(seen: Page) -> None:
    text = " ".join(seen.words)
    for fact in ("2026-10-25", "4 of 13", "1 EUR = 7.85 CNY (2026-10-20)", "2026-10-01 to 2026-12-31", "0" * 12):
        assert fact in text


def test_what_was_not_given_is_stated(bare: str) -> None:
    for hint in (
        "There is no earlier review to compare with",
        "No executives were given",
        "NOTHING ON RECORD",
        "none is set",
        "won eventually",
        "No data check was run",
    ):
        assert hint in bare


def test_the_trend_is_the_change_of_the_win_probability(compared: Page) -> None:
    deals = next(rows for rows in compared.tables if "Trend, points" in [text for text, _ in rows[0]])
    trends = [cells[6][0] for cells in deals[1:] if len(cells) > 8]
    assert trends[0].endswith("new")
    assert all(trend.endswith("+7") for trend in trends[1:])


def test_exceptions_name_the_deals_that_break_a_rule(
    posterior: Posterior, made: Made, quiet: tuple[pd.DataFrame, Forecast], bare: str
) -> None:
    assert "None: no deal breaks a rule" in bare
    deals, forecast = quiet
    known, odd = forecast.deals.copy(), deals.set_index("deal_id")
    first, second, third = known["deal_id"][:3]
    odd.loc[first, "as_of"] = pd.Timestamp("2026-08-01")
    odd.loc[second, [f"{role}_coverage" for role in ("approver", "evaluator", "influencer", "procurement")]] = "unknown"
    odd["pushes"] = [3.0 if name == third else 2.0 for name in odd.index]
    odd["days_slipped"] = 41.0
    odd["rep_probability"] = known.set_index("deal_id")["win_prob"].reindex(odd.index)
    odd.loc[first, "rep_probability"] += -0.3 if odd.loc[first, "rep_probability"] > 0.5 else 0.3
    known.loc[1, "rep_category"] = "commit"
    rows = Page(page(posterior, (odd.reset_index(), replace(forecast, deals=known), made[2]))).table("What")[1:]
    named = {row[0][0].split(":")[0]: row[3][0] for row in rows}
    assert named["Stale"].startswith(first)
    assert named["Single-threaded"] == second
    assert named["Commit, and the approver is not in contact"] == second
    assert named["Close date pushed 3 times or more"] == f"{third} (3×, 41 days in all)"
    assert named["Model and seller disagree by more than 25 points"].startswith(first)
    assert len(named) == 5


def test_a_corrected_total_is_a_figure_of_its_own(posterior: Posterior, made: Made, english: str) -> None:
    deals, forecast, bridge = made
    corrected = CorrectedTotal(quarters=6, p10=21e6, p50=33e6, p90=47e6, prob_target=0.23)
    html = page(posterior, (deals, replace(forecast, corrected=corrected), bridge))
    assert "corrected by 6 past quarters; probability of the target 23%" in html
    assert html.count("Corrected P50") == 2
    assert "Corrected P50" not in english


def test_no_open_deal_is_an_answer(posterior: Posterior, made: Made) -> None:
    deals, forecast, bridge = made
    html = page(posterior, (deals, replace(forecast, deals=forecast.deals[:0]), bridge))
    assert "No open deals." in html


@pytest.mark.parametrize("parts", [[1.5, 2.5, 3.0], [0.4, 0.4, 0.4], [-1.5, 2.25, 0.25], [1e9 + 0.5, -2.5]])
def test_rounded_parts_add_up_to_the_rounded_total(parts: list[float]) -> None:
    shown = tied(parts, sum(parts))
    assert sum(shown) == round(sum(parts))
    assert all(abs(one - part) < 1 for one, part in zip(shown, parts, strict=True))


def test_changes_carry_their_sign() -> None:
    assert [points(change) for change in (0.051, -0.07, 0.001)] == ["+5", "−7", "±0"]
    assert signed_money(-1_200_000, "CNY") == "−CN¥1.2M"
    assert signed_money(-1e-9, "CNY") == signed_money(0.0, "CNY") == "±CN¥0"


def test_past_forecasts_are_shown_with_their_errors(compared: Page) -> None:
    rows = [[text for text, _ in row] for table in compared.tables for row in table]
    assert [
        "2026Q2",
        "2026-04-06",
        "1",
        "yes",
        "CN¥6.00M",
        "CN¥8.00M",
        "CN¥10.0M",
        "CN¥9.00M",
        "−CN¥1.00M",
        "+CN¥3.00M",
        "–",
    ] in rows


# --- red flags -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "word"), [("en", "Red flags: "), ("zh", "警示： ")])
def test_red_flags_are_counted_over_the_pipeline_and_marked_at_their_deal(
    posterior: Posterior, made: Made, lang: str, word: str
) -> None:
    deals, forecast, bridge = made
    order = forecast.deals.sort_values("expected_bookings", ascending=False)["deal_id"].tolist()
    flagged = deals.assign(coach="validated", closed_on=pd.NaT)
    flagged.loc[flagged["deal_id"] == order[0], ["coach", "stage"]] = ["none", "decision"]
    found = find_flags(flagged, as_of=forecast.as_of)
    html = page(posterior, (flagged, forecast, bridge), lang)
    with use_language(lang):
        verdict = flag_sentences(flagged, found)[0]
        titles = {name: [flag_title(flag) for flag in rows["flag"]] for name, rows in found.groupby("deal_id")}
        assert flag_title("coach_missing") in titles[order[0]]
    shown = Page(html)
    assert verdict in shown.words
    assert [text for text in shown.words if text.startswith("⚑ ") and text[2:].isdigit()] == [
        f"⚑ {len(titles[name])}" for name in order[:4] if name in titles
    ]
    separator = "; " if lang == "en" else "；"
    for name in order[:4]:
        if name in titles:
            assert f"⚑ {word}{separator.join(titles[name])}" in shown.words
