"""``winprob predict`` of a large file: the same numbers and the same refusals as of a small one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import winprob
from winprob.cli import main
from winprob.data import history
from winprob.data.tables import blocks
from winprob.simulation import simulate


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, posterior: winprob.Posterior) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.nc"
    posterior.save(path)
    return path


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    """Three thousand deals, so that a thousand at a time leaves a rest."""
    table = simulate(40, 500, seed=6).open
    many = pd.concat([table] * 6, ignore_index=True)
    noise = np.random.default_rng(2).uniform(0.5, 2, len(many))
    return many.assign(deal_id=[f"D{at:05d}" for at in range(len(many))], amount=(many["amount"] * noise).round(2))


def run(deals: pd.DataFrame, model: Path, folder: Path, suffix: str, *, large: bool, monkeypatch: pytest.MonkeyPatch):
    source, out = folder / f"deals.{suffix}", folder / f"chances-{large}.{suffix}"
    if suffix == "csv":
        deals.to_csv(source, index=False, date_format="%Y-%m-%d")
    else:
        deals.to_parquet(source, index=False)
    at_once: list[Path] = []
    read = history.read_known
    monkeypatch.setattr(history, "read_known", lambda *a, **k: (at_once.append(a[0]), read(*a, **k))[1])
    monkeypatch.setattr(blocks, "_LARGE_TEXT", 0 if large else 10**12)
    monkeypatch.setattr(blocks, "_LARGE_PARQUET", 0 if large else 10**12)
    result = CliRunner().invoke(main, ["predict", str(source), "--model", str(model), "--out", str(out)])
    return result, out, bool(at_once)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_large_file_gives_the_numbers_of_reading_at_once(suffix, deals, model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        blocks.deal_blocks, "__kwdefaults__", {**blocks.deal_blocks.__kwdefaults__, "size": 100_000, "rows": 1024}
    )
    deals = deals.assign(amount=deals["amount"].where(deals.index % 900 != 7, -1.0))
    outputs, words = [], []
    for large in (False, True):
        result, out, at_once = run(deals, model, tmp_path, suffix, large=large, monkeypatch=monkeypatch)
        assert result.exit_code == 0, result.output
        assert at_once is not large
        outputs.append(out)
        words.append(result.output.replace(out.name, "chances"))
    assert words[0] == words[1]
    assert "negative in 4 rows" in words[0]
    if suffix == "csv":
        assert outputs[0].read_bytes() == outputs[1].read_bytes()
    else:
        pd.testing.assert_frame_equal(*map(pd.read_parquet, outputs), check_exact=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda deals: deals.assign(amount=deals["amount"].astype(str).where(deals.index != 2500, "lots")),
        lambda deals: deals.assign(deal_id=deals["deal_id"].where(deals.index != 2999, "D00000")),
    ],
)
def test_a_large_file_is_refused_in_the_same_words(damage, deals, model, tmp_path, monkeypatch):
    refusals = []
    for large in (False, True):
        result, out, _ = run(damage(deals), model, tmp_path, "csv", large=large, monkeypatch=monkeypatch)
        assert result.exit_code == 1
        assert not out.exists()
        refusals.append(result.output)
    assert refusals[0] == refusals[1] != ""
    assert [path.name for path in tmp_path.iterdir()] == ["deals.csv"]
