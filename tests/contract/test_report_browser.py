"""The review page in a real browser: it sums, sorts and filters, reports no error, asks for nothing, and runs no name.

Chromium is driven over a pipe in its own protocol; where no Chromium is installed the tests say so and are skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pandas as pd
import pytest

from tests.browser import Browser, needs_browser
from winprob import Posterior, predict
from winprob.quarter import Bridge, Forecast
from winprob.report.quarterly import render_review
from winprob.settings import ReviewSettings
from winprob.simulation import Simulation

HOSTILE = "</script><script>alert(1)</script>"

pytestmark = needs_browser


@pytest.fixture(scope="module")
def forecast(
    posterior: Posterior, team: Simulation, make_forecast: Callable[..., tuple[Forecast, Bridge]]
) -> tuple[pd.DataFrame, Forecast, Bridge]:
    deals = team.open.copy()
    deals.loc[deals.index[:2], "account"] = [HOSTILE, '"><img src=x onerror=alert(1)>']
    return deals, *make_forecast(deals, predict(posterior, deals))


@pytest.fixture(scope="module")
def browser(
    posterior: Posterior, forecast: tuple[pd.DataFrame, Forecast, Bridge], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    deals, known, bridge = forecast
    page = folder / "review.html"
    page.write_text(
        render_review(posterior, deals, known, bridge=bridge, settings=ReviewSettings(deals=6)), encoding="utf-8"
    )
    driven = Browser(folder / "profile")
    try:
        driven.open(page)
        yield driven
    finally:
        driven.close()


#: The column of numbers of a table, as the page holds them: by section, heading and whether keys or texts.
COLUMN = """(place, column) => [...document.querySelectorAll(place + ' tbody')].flatMap((body) => [...body.rows])
    .filter((row) => row.cells.length > column)
    .map((row) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim())"""


def column(browser: Browser, place: str, at: int) -> list[str]:
    return list(browser.ask(f"({COLUMN})({json.dumps(place)}, {at})"))


def hundredths(text: str) -> int:
    """An amount of the page, ``CN¥6.20M``, in units of its last decimal."""
    return round(100 * float(re.sub(r"[+,M±]|CN¥", "", text).replace("−", "-")))


def test_parts_add_up_to_the_total(browser: Browser) -> None:
    texts = "[...document.querySelectorAll('.lines tbody tr')].map((row) => row.cells[4].textContent.trim())"
    means = [hundredths(text) for text in browser.ask(texts)]
    assert sum(means[:-1]) == means[-1]
    steps = "[...document.querySelectorAll('.bridge tbody tr')].map((row) => row.cells[1].textContent.trim())"
    amounts = [hundredths(text) for text in browser.ask(steps)]
    assert sum(amounts[:-1]) == amounts[-1]


def test_a_click_on_a_heading_sorts(browser: Browser) -> None:
    head = "document.querySelectorAll('.deal-table thead th')[1]"
    for order, backwards in (("descending", True), ("ascending", False)):
        browser.ask(f"{head}.querySelector('button').click()")
        amounts = [float(key) for key in column(browser, ".deal-table", 1)]
        assert amounts == sorted(amounts, reverse=backwards)
        assert browser.ask(f"{head}.getAttribute('aria-sort')") == order
    assert browser.ask("document.querySelectorAll('.deal-table [aria-sort]').length") == 1
    browser.ask("document.querySelectorAll('.deal-table thead th')[0].querySelector('button').click()")
    rows = "[...document.querySelectorAll('.deal-table tbody')].map((body) => body.querySelector('.name').textContent)"
    assert browser.ask(rows) == sorted(browser.ask(rows))
    assert len(browser.ask(rows)) == 6


def test_a_word_filters_the_appendix(browser: Browser, forecast: tuple[pd.DataFrame, Forecast, Bridge]) -> None:
    deals = forecast[1].deals
    wanted = str(deals["deal_id"].iloc[7])
    put = """(word) => { const place = document.querySelector('#appendix .sortable input'); place.value = word;
        place.dispatchEvent(new Event('input')); }"""
    shown = """[...document.querySelectorAll('#appendix .sortable tbody')].filter((body) => body.checkVisibility())
        .map((body) => body.rows[0].cells[0].textContent.trim())"""
    browser.ask(f"({put})({json.dumps(wanted.lower())})")
    assert browser.ask(shown) == [wanted]
    assert browser.ask("document.querySelector('#appendix .sortable output').textContent") == f"1 / {len(deals)}"
    browser.ask(f"({put})('')")
    assert len(browser.ask(shown)) == len(deals)


def test_a_hostile_name_is_text(browser: Browser) -> None:
    assert browser.ask("document.scripts.length") == 1
    assert browser.ask("document.images.length") == 0
    assert HOSTILE in browser.ask("document.body.textContent")
    assert not browser.seen("Page.javascriptDialogOpening")


def test_no_error_and_no_request(browser: Browser) -> None:
    assert not browser.seen("Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert not [entry for entry in browser.seen("Log.entryAdded") if entry["entry"]["level"] in ("error", "warning")]
    asked = [request["request"]["url"] for request in browser.seen("Network.requestWillBeSent")]
    assert len([url for url in asked if not url.startswith("data:")]) == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_of_the_window(browser: Browser, width: int) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    assert browser.ask("document.documentElement.scrollWidth") <= width
