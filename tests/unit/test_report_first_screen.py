"""The first screen of the review: dots, trend, groups, flags, the gap, decisions; and the pages of its PDF."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, predict
from winprob.data.fiscal import Quarter
from winprob.errors import InputError, OutputError
from winprob.i18n import use_language
from winprob.quarter import Bridge, Forecast, append_forecast, quarter_trend
from winprob.report.backtest import require_same_data
from winprob.report.numbers import Money
from winprob.report.pdf import require_pdf
from winprob.report.quarterly import render_review
from winprob.report.quarterly.bridge import changes_by_deal
from winprob.report.quarterly.charts import DOTS, Mark, dots_reaching, draw_dots, draw_histogram, draw_trend
from winprob.report.quarterly.plots import INK, Plot, spread
from winprob.settings import ReviewSettings
from winprob.simulation import Simulation

MILLIONS = Money.of(34e6, "CNY")
QUARTER = Quarter(start=dt.date(2026, 10, 1), end=dt.date(2026, 12, 31), name="2026Q4")
Made = tuple[pd.DataFrame, Forecast, Bridge]


@pytest.fixture(scope="module")
def made(posterior: Posterior, team: Simulation, make_forecast: Callable[..., tuple[Forecast, Bridge]]) -> Made:
    return team.open, *make_forecast(team.open, predict(posterior, team.open))


def page(posterior: Posterior, made: Made, lang: str = "en", **given: object) -> str:
    deals, forecast, bridge = made
    with use_language(lang):
        return render_review(
            posterior,
            deals,
            forecast,
            bridge=bridge,
            settings=ReviewSettings(deals=2),
            **given,  # type: ignore[arg-type]
        )


def first_screen(html: str) -> str:
    start = html.index('<section id="top"')
    return re.sub(r"<[^>]+>", " ", html[start : html.index('<section id="number"')])


# --- money ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "en", "zh"),
    [
        (34_390_000, "CN¥34.4M", "¥3,439万"),
        (8_300_000, "CN¥8.30M", "¥830万"),
        (250_000, "CN¥0.25M", "¥25万"),
        (123_400_000, "CN¥123M", "¥12,340万"),
        (0.0, "CN¥0", "¥0"),
        (float("nan"), "–", "–"),
    ],
)
def test_money_has_one_unit_on_a_page(amount: float, en: str, zh: str) -> None:
    assert MILLIONS.text(amount) == en
    with use_language("zh"):
        assert Money.of(34e6, "CNY").text(amount) == zh


def test_parts_rounded_to_the_last_decimal_sum_to_the_total() -> None:
    parts = [5_714_999.0, 9_674_999.0, 3_334_999.0]
    shown = [float(re.sub(r"[^\d.]", "", MILLIONS.exact(part))) for part in MILLIONS.tie(parts, sum(parts))]
    assert sum(shown) == pytest.approx(round(sum(parts) / 1e6, 2))
    assert MILLIONS.signed(-300_000) == "−CN¥0.30M"
    assert MILLIONS.signed(1.0) == "±CN¥0"


# --- charts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chance", [0.0, 0.2, 0.5, 1.0])
def test_full_dots_are_those_that_reach_the_target(chance: float) -> None:
    total = np.random.default_rng(3).gamma(20, 2e6, 4000)
    target = float(np.quantile(total, 1 - chance)) + (1.0 if chance == 0 else 0.0)
    plot = draw_dots(total, [Mark(at=target, text="Target", line="dotted")], target=target, money=MILLIONS)
    line = next(stroke for stroke in plot.strokes if stroke.dash)
    right = [dot for dot in plot.dots if dot.x > line.x1]
    assert len(plot.dots) == DOTS
    assert len(right) == len([dot for dot in plot.dots if dot.fill == dot.color]) == dots_reaching(total, target)
    assert dots_reaching(total, target) == pytest.approx(DOTS * chance, abs=1)
    assert f"{dots_reaching(total, target)} of 50 dots" in plot.caption


def test_dots_do_not_overlap_at_the_width_of_a_telephone() -> None:
    total = np.random.default_rng(4).gamma(20, 2e6, 4000)
    for target in (4e7, 2e8):
        mark = Mark(at=target, text="Target", line="dotted")
        dots = draw_dots(total, [mark], target=target, money=MILLIONS).dots
        apart = [
            np.hypot(3.4 * (one.x - other.x), one.y - other.y) - 2 * one.r
            for at, one in enumerate(dots)
            for other in dots[:at]
        ]
        assert min(apart) > -0.2


def inside(plot: Plot) -> bool:
    x = [*(dot.x for dot in plot.dots), *(end for line in plot.strokes for end in (line.x1, line.x2))]
    return all(0 <= at <= 100 for at in x)


def test_the_target_is_inside_the_charts_however_far_it_is() -> None:
    total = np.random.default_rng(5).gamma(20, 2e6, 4000)
    for target in (1e6, 4e7, 5e8):
        marks = [Mark(at=target, text="Target", line="dotted")]
        for draw in (draw_dots, draw_histogram):
            plot = draw(total, marks, target=target, money=MILLIONS)
            assert inside(plot)
            assert any(line.dash and 0 < line.x1 < 100 for line in plot.strokes)


def test_the_histogram_has_a_scale_of_shares() -> None:
    total = np.random.default_rng(6).gamma(20, 2e6, 4000)
    plot = draw_histogram(total, [], target=4e7, money=MILLIONS)
    shares = [float(label.text[:-1]) / 100 for label in plot.labels if label.text.endswith("%")]
    assert shares
    base = max(line.y1 for line in plot.strokes)
    heights = {round(label.y - 4, 1) for label in plot.labels if label.text.endswith("%")}
    tallest = max(plot.boxes, key=lambda box: box.height)
    counted = np.histogram(total, bins=40)[0].max() / len(total)
    unit = (base - min(heights)) / max(shares)
    assert tallest.height / unit == pytest.approx(counted, rel=0.35)


def test_names_of_lines_do_not_overlap() -> None:
    assert spread([10.0, 11.0, 40.0], 14) == [10.0, 24.0, 40.0]


# --- trend ---------------------------------------------------------------------------------------------------------


def test_the_trend_is_the_logs_then_the_historys(made: Made, tmp_path: object) -> None:
    forecast = made[1]
    folder = tmp_path / "log"  # type: ignore[operator]
    for day, shift in ((dt.date(2026, 10, 5), 1.0), (dt.date(2026, 10, 12), 2.0), (dt.date(2026, 11, 1), 9.0)):
        lines = forecast.lines.assign(p50=forecast.lines["p50"] + shift)
        append_forecast(folder, replace(forecast, as_of=day, lines=lines))
    history = made[0].assign(outcome="open", closed_on=pd.NaT)
    snapshots = pd.concat([history.assign(as_of=pd.Timestamp(day)) for day in ("2026-10-05", "2026-10-19")])
    trend = quarter_trend(forecast, log=folder, snapshots=snapshots)
    assert [str(day) for day in trend["as_of"]] == ["2026-10-05", "2026-10-12", "2026-10-19", "2026-10-25"]
    assert trend["p50"].iloc[0] == forecast.p50 + 1
    assert trend["p50"].isna().tolist() == [False, False, True, False]
    assert trend["closed"].iloc[2] == 0
    due = history["expected_close_on"].between("2026-10-01", "2026-12-31") & (history["rep_category"] == "commit")
    assert trend["commit"].iloc[2] == pytest.approx(history.loc[due & (history["currency"] == "CNY"), "amount"].sum())
    plot = draw_trend(trend, QUARTER, MILLIONS)
    assert inside(plot)
    assert len([line for line in plot.strokes if line.color == INK and line.width == 2.2]) == 2


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_first_screen_has_no_seed_hash_or_option(posterior: Posterior, made: Made, lang: str) -> None:
    text = first_screen(page(posterior, made, lang))
    assert not re.search(r"--[a-z]|0{8}|seed|种子|winprob \d", text)
    assert "50" in text


@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_groups_sum_to_the_total_of_the_forecast(posterior: Posterior, made: Made, noise: float) -> None:
    deals, forecast, bridge = made
    known = forecast.deals.assign(expected_bookings=(1 + noise) * forecast.deals["expected_bookings"])
    html = page(posterior, (deals, replace(forecast, deals=known), bridge))
    rows = re.findall(r"<tr>\s*<th scope=\"row\">\s*([^<]+)</th>(.*?)</tr>", html[: html.index('id="number"')], re.S)
    amounts = {
        name.strip(): [float(cell) for cell in re.findall(r"CN¥([\d.,]+)", cells)]
        for name, cells in rows
        if "M" in cells
    }
    total = amounts.pop("Total")
    mean = made[1].lines["mean"].iloc[-1] / 1e6
    assert total[2] == pytest.approx(mean, abs=0.01)
    parts = {name: cells for name, cells in amounts.items() if len(cells) == 3}
    assert sum(cells[2] for cells in parts.values()) == pytest.approx(total[2])


def test_what_would_close_the_gap_is_named_in_order(posterior: Posterior, made: Made) -> None:
    forecast = made[1]
    lacking = replace(forecast, target=forecast.p50 * 1.01)
    assert "The first of these wins closes the gap." in page(posterior, (made[0], lacking, made[2]))
    beyond = replace(forecast, target=forecast.p50 * 9)
    assert "not enough" in page(posterior, (made[0], beyond, made[2]))
    assert "above the target" in page(posterior, (made[0], replace(forecast, target=1e6), made[2])).lower()


def test_changes_by_deal_sum_to_the_step(made: Made) -> None:
    deals = pd.DataFrame(
        {
            "deal_id": list("abcde"),
            "step": "facts_changed",
            "amount": [2.5e6, 1.2e6, 0.9e6, -0.8e6, -5.1e6],
        }
    )
    text = changes_by_deal(replace(made[2], deals=deals), "facts_changed", -1.6e6, {}, MILLIONS)
    amounts = [float(part.replace("−", "-")) for part in re.findall(r"[+−][^,\d]*[\d.]+", text.replace("CN¥", ""))]
    assert "e −CN¥5.10M" in text
    assert "all others" in text
    assert sum(amounts) == pytest.approx(-1.6)


def test_the_seller_and_the_quarter_of_the_reading_are_no_reasons(posterior: Posterior, made: Made) -> None:
    html = page(posterior, made)
    reasons = " ".join(re.findall(r'<ul>(<li><span class="mark">.*?)</ul>', html, re.S))
    assert reasons
    assert "Quarter of the reading" not in reasons
    assert "Seller:" not in reasons


# --- decisions -----------------------------------------------------------------------------------------------------


def test_decisions_show_what_became_of_them(posterior: Posterior, made: Made) -> None:
    forecast = made[1]
    first, second = forecast.deals["deal_id"][:2]
    rows = [
        ("2026-10-12", first, "Meet the approver", "CEO", "2026-10-20", None, None),
        ("2026-10-12", second, "Send the reference", "S01", "2026-10-20", "2026-10-19", None),
        ("2026-10-12", None, "Review the pipeline", "VP", "2026-11-20", None, None),
        ("2026-10-12", None, "Hire", "VP", "2026-10-20", None, "two hired"),
        ("2026-06-01", None, "Long past", "VP", "2026-06-20", "2026-06-19", None),
        ("2026-10-26", None, "Of a later review", "VP", "2026-11-20", None, None),
    ]
    table = pd.DataFrame(rows, columns=["decided_on", "deal_id", "what", "who", "by_when", "done_on", "result"])
    for name in ("decided_on", "by_when", "done_on"):
        table[name] = pd.to_datetime(table[name])
    before = pd.DataFrame({"deal_id": [first], "mean": forecast.deals["win_prob"].iloc[:1] - 0.05})
    text = first_screen(page(posterior, made, decisions=table, before=before))
    assert "not done: 5 days late; win probability" in text
    assert "done on 2026-10-19" in text
    assert "two hired" in text
    assert "Long past" not in text
    assert "Of a later review" not in text


# --- records -------------------------------------------------------------------------------------------------------


def test_a_backtest_record_of_other_data_is_refused(posterior: Posterior) -> None:
    source = replace(posterior.provenance, first_day="2025-01-01", last_day="2026-06-30", deals=300, closed=None)
    same = {"protocol": {"scored": 200, "first_day": "2025-07-01", "last_day": "2026-06-30"}}
    require_same_data(same, source)
    require_same_data({"protocol": {"scored": 300, "first_day": None, "last_day": None}}, source)
    for other in (
        {"scored": 301, "first_day": None, "last_day": None},
        {"scored": 200, "first_day": "2024-07-01", "last_day": "2026-06-30"},
        {"scored": 200, "first_day": "2025-07-01", "last_day": "2026-07-01"},
    ):
        with pytest.raises(InputError, match="other data"):
            require_same_data({"protocol": other}, source)


def test_an_empty_score_of_a_log_is_not_nothing_on_record(posterior: Posterior, made: Made) -> None:
    html = page(posterior, made, scores=pd.DataFrame(columns=["quarter", "p50"]))
    assert "NOTHING ON RECORD" not in html
    assert "no quarter of the forecast log is over" in html


# --- colours and paper ---------------------------------------------------------------------------------------------


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_contrast_in_light_and_dark() -> None:
    style = files("winprob.report").joinpath("style.css").read_text("utf-8")
    palettes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", rule)) for rule in re.findall(r":root \{([^}]*)\}", style)]
    assert len(palettes) == 2
    for palette in palettes:
        for ground in ("paper", "wash"):
            for ink in ("ink", "soft", "accent", "alert"):
                assert _contrast(palette[ink], palette[ground]) >= 4.5, (ink, ground)
        assert _contrast(palette["fill"], palette["paper"]) >= 1.9


def test_dark_mode_replaces_every_colour_of_the_charts(posterior: Posterior, made: Made) -> None:
    html = page(posterior, made)
    style = files("winprob.report").joinpath("style.css").read_text("utf-8")
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]{3,6})"', html[: html.index('<section id="appendix"')]))
    assert used
    assert {color for color in used if f'="{color}"]' not in style} == set()


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_pdf_has_at_most_twelve_pages_and_the_first_screen_is_one(
    posterior: Posterior, made: Made, lang: str
) -> None:
    try:
        require_pdf()
    except OutputError as missing:
        pytest.skip(str(missing))
    from weasyprint import HTML

    deals, forecast, bridge = made
    # Sixty open deals: twenty of the forty once more, under other names.
    more = forecast.deals.head(20).assign(deal_id=lambda rows: rows["deal_id"] + "x")
    wide = replace(forecast, deals=pd.concat([forecast.deals, more], ignore_index=True))
    table = pd.concat(
        [
            deals,
            deals[deals["deal_id"].isin(forecast.deals["deal_id"].head(20))].assign(
                deal_id=lambda rows: rows["deal_id"] + "x"
            ),
        ]
    )
    with use_language(lang):
        html = render_review(posterior, table, wide, bridge=bridge)
    document = HTML(string=html).render()
    assert len(document.pages) <= 12
    starts = {name: at for at, one in enumerate(document.pages) for name in one.anchors}
    assert starts["top"] == 0
    assert starts["number"] == 1
    # No page but the last is less than half full: its lowest text, the page number aside, is in the lower half.
    for one in document.pages[1:-1]:
        texts = [box for box in one._page_box.descendants() if getattr(box, "text", "").strip()]
        lowest = max(box.position_y for box in texts if not re.fullmatch(r"[\d /]+", box.text))
        assert lowest > one.height / 2
