"""The benchmark of the gate, without a fit: its worlds, and what its table counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("WINPROB_BENCH_OUT", str(tmp_path / "out"))
    yield import_module("retraining")
    for name in ("retraining", "_timing"):
        sys.modules.pop(name, None)


def test_new_deals_come_after_the_old_ones_and_follow_the_same_or_a_shifted_truth(bench):
    old, new = bench.world(7)
    assert (len(old), len(new)) == (bench.OLD, bench.NEW)
    assert old["closed_on"].max() <= pd.Timestamp(bench.CUT) < new["as_of"].min()
    assert not set(old["deal_id"]) & set(new["deal_id"])
    rates = {
        kind: np.mean([(bench.world(seed, kind)[1]["outcome"] == "won").mean() for seed in range(8)])
        for kind in ("same", "drift")
    }
    assert rates["drift"] < rates["same"] - 0.08


def test_a_team_whose_current_model_does_not_converge_counts_as_held(bench, monkeypatch):
    monkeypatch.setattr(bench, "current_model", lambda *_: None)
    table = bench.of_team(7)
    assert table["candidate"].tolist() == list(bench.AIMS)
    assert set(table["verdict"]) == {"not_converged"}
    figures = {figure.quantity: figure.verdict for figure in bench.figures_of(table)}
    assert figures["same: held"] == "missed"
    assert figures["scrambled: promoted"] == "met"
    assert "0.0%" in bench.shares_table(table)
