"""The review page in a real browser: it sums, sorts and filters, reports no error, asks for nothing, and runs no name.

Chromium is driven over a pipe in its own protocol; where no Chromium is installed the tests say so and are skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from winprob import Posterior, predict
from winprob.quarter import Bridge, Forecast
from winprob.report.quarterly import render_review
from winprob.settings import ReviewSettings
from winprob.simulation import Simulation

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FOUND = next((path for name in BROWSERS if (path := shutil.which(name))), None)
HOSTILE = "</script><script>alert(1)</script>"
SECONDS = 90

pytestmark = pytest.mark.skipif(FOUND is None, reason=f"no browser on the PATH: {', '.join(BROWSERS)}")


class Browser:
    """One tab of a headless Chromium, spoken to over file descriptors 3 and 4, messages ended by a zero byte."""

    def __init__(self, profile: Path) -> None:
        theirs, self._out = os.pipe()
        self._in, answers = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
        script = f'exec "$0" "$@" 3<&{theirs} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, str(FOUND), *flags, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(answers)
        self._rest, self._count, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        ends = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            assert time.monotonic() < ends, "the browser does not answer"
            piece = os.read(self._in, 1 << 16)
            assert piece, "the browser has gone"
            self._rest += piece
        line, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, page: Path) -> None:
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not self.seen("Page.loadEventFired"):
            self._read()

    def ask(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def seen(self, *methods: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event["method"] in methods]

    def close(self) -> None:
        try:
            self.call("Browser.close")
            self._process.wait(20)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._out)
            os.close(self._in)


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
