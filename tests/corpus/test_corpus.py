"""Exports of known content, written in random dialects, read back equal or refused: never different, never a crash."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.corpus.dialects import Dialect, dialects
from tests.corpus.verdict import Case, Tally, cases, judge

ROOT = Path(__file__).parents[2]
#: Of the files whose writing leaves no doubt, this share at least must be read, so that refusing is not an excuse.
FLOOR = 0.97


@pytest.fixture(autouse=True)
def without_warnings(caplog: pytest.LogCaptureFixture) -> None:
    """Of thousands of files: they would bury the one that fails."""
    caplog.set_level(logging.ERROR, logger="winprob")


def read_back(files: int, folder: Path) -> Tally:
    """Read ``files`` generated exports; the first that is read as something else fails, made as small as possible."""
    tally = Tally()

    @settings(max_examples=files, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cases())
    def is_equal_or_refused(case: Case) -> None:
        verdict = judge(case, folder)
        tally.add(verdict)
        assert verdict.kind in ("equal", "refused"), f"{verdict.kind}: {verdict.reason}"

    is_equal_or_refused()
    return tally


def count_all(files: int, folder: Path) -> tuple[Tally, list[str]]:
    """Read ``files`` generated exports, and go on after one that is read as something else: these, as they are."""
    tally, wrong = Tally(), []

    @settings(max_examples=files, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(cases())
    def count(case: Case) -> None:
        verdict = judge(case, folder)
        tally.add(verdict)
        if verdict.kind not in ("equal", "refused"):
            wrong.append(f"{verdict.kind}: {verdict.reason}\n{case}")

    count()
    return tally, wrong


def test_a_hundred_exports_are_read_equal_or_refused(tmp_path: Path) -> None:
    tally = read_back(100, tmp_path)
    assert tally.all.total() >= 100
    assert tally.share_read >= FLOOR, str(tally)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_thousand_exports_are_read_equal_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally, wrong = count_all(2000, tmp_path)
    with capsys.disabled():
        print(f"\n{tally}")
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "corpus.json").write_text(json.dumps(tally.record(), ensure_ascii=False, indent=1) + "\n")
    assert not wrong, "\n\n".join(wrong[:3])
    assert tally.all.total() >= 2000
    assert tally.share_read >= FLOOR, str(tally)


def test_the_corpus_draws_every_kind_of_file_and_locale() -> None:
    """A generator that never draws a dialect would prove nothing about it."""
    drawn: dict[str, set[object]] = {}

    @settings(max_examples=400, suppress_health_check=list(HealthCheck))
    @given(dialects())
    def collect(dialect: Dialect) -> None:
        for name in ("kind", "encoding", "delimiter", "headers", "words", "days", "numbers", "money", "null", "sheets"):
            drawn.setdefault(name, set()).add(getattr(dialect, name))

    collect()
    smallest = {"kind": 4, "encoding": 6, "delimiter": 4, "headers": 7, "words": 4, "days": 20, "numbers": 9}
    assert {name: count for name, count in smallest.items() if len(drawn[name]) < count} == {}
