"""The bounded lane of the fuzzer: no exception but a WinprobError, and nothing read as something else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.targets import TARGETS, attack

#: Cases of each target; `./dev fuzz` tries more, with another seed each time.
CASES = 60


@pytest.fixture(autouse=True)
def without_warnings(caplog: pytest.LogCaptureFixture) -> None:
    """Of hundreds of damaged files: they would bury the one that fails."""
    caplog.set_level(logging.ERROR, logger="winprob")


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "corpus"])
def test_damage_is_read_right_or_refused(name: str, tmp_path: Path) -> None:
    target, tried = TARGETS[name], []

    @settings(max_examples=CASES, suppress_health_check=list(HealthCheck))
    @given(target.cases)
    def is_read_or_refused(case: object) -> None:
        tried.append(attack(target, case, tmp_path / "case"))

    is_read_or_refused()
    assert len(tried) >= CASES
    assert "refused" in tried, "no case did any damage"
