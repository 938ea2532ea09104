"""The pieces of ``benchmarks/information.py`` that judge the ranking; nothing here samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from winprob.actions.questions.facts import SupportFact
from winprob.actions.questions.ranking import open_questions
from winprob.data.schema import validate_deals

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("WINPROB_BENCH_OUT", str(tmp_path / "out"))
    yield import_module("information")
    for name in ("information", "misspecification", "_timing"):
        sys.modules.pop(name, None)


def test_policies_ask_what_they_say_and_never_what_is_closed(bench: ModuleType) -> None:
    rng = np.random.default_rng(0)
    bits, can_ask = rng.random((50, 6)), rng.random((50, 6)) < 0.7
    can_ask[:, 0] = can_ask[:, 1] = True
    for policy, order in bench.orders(bits, can_ask, rng).items():
        count = can_ask.sum(axis=1)
        assert all(can_ask[row, order[row, : count[row]]].all() for row in range(50)), policy
    asked = bench.orders(bits, can_ask, rng)
    assert (asked["approver"][:, 0] == 0).all()
    assert (asked["ranked"][:, 0] == np.where(can_ask, bits, -1).argmax(axis=1)).all()


def test_brute_force_agrees_with_the_ranking(bench: ModuleType, posterior, team) -> None:
    """Two routes to the same bits, on a few deals: closed forms here, a nested simulation there."""
    asked = open_questions(posterior, validate_deals(team.open.head(3)))
    brute = bench.brute_bits(posterior, team.open.head(3), asked.facts, asked.is_open, seed=1)
    known = asked.is_open & [isinstance(fact, SupportFact) for fact in asked.facts]
    np.testing.assert_allclose(asked.bits[known], brute[known], rtol=0.12, atol=5e-4)


def test_hidden_facts_are_answered_by_the_truth(bench: ModuleType) -> None:
    team = bench.team_of(60, 3)
    hidden = team.fresh["decision_method"].isna() & team.again.closed["decision_method"].notna()
    assert 0.15 < hidden.mean() < 0.45
    rows = team.fresh["decision_method"].notna()
    true = team.again.latent_closed.facts["decision_method"]
    pd.testing.assert_series_equal(team.fresh.loc[rows, "decision_method"], true[rows], check_dtype=False)
