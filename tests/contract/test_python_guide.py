"""docs/guide/python.md: its code runs from top to bottom with real fits, and does what the page promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from winprob import plot
from winprob.extras import EXTRAS

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "python.md").read_text(encoding="utf-8")
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_code_is_python() -> None:
    assert len(CODE) >= 8
    for block in CODE:
        compile(block, "python.md", "exec")


def test_it_names_every_chart_and_every_extra() -> None:
    charts = {name for name, value in vars(plot).items() if getattr(value, "__module__", "") == "winprob.plot"}
    named = set(re.findall(r"`plot\.(\w+)\(", PAGE))
    assert named == {name for name in charts if not name.startswith("_")}
    assert set(re.findall(r"^\| `winprob\[(\w+)\]` \|", PAGE, re.MULTILINE)) == set(EXTRAS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_its_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings are those of ArviZ and Matplotlib."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    room: dict[str, Any] = {}
    for block in CODE:
        exec(compile(block, "python.md", "exec"), room)
    shown = capsys.readouterr().out
    promised = re.search(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert promised
    for line in promised[1].splitlines():
        assert re.search(re.escape(line).replace("…", ".*"), shown), line
    assert "赢单模型" in shown
    assert (tmp_path / "quarter.svg").read_text("utf-8").startswith("<svg")
    assert isinstance(room["table"], pl.DataFrame)
    assert (room["lower"] < room["chance"]).all()
    assert (room["chance"] < room["upper"]).all()
    assert room["held_out"].shape == (120, 2)
    assert isinstance(room["weights"], pd.DataFrame)
    assert len(room["weights"]) == 5
    assert np.isfinite(room["score"].elpd)
    assert -120 < room["score"].elpd < 120 * np.log(0.5) + 20
