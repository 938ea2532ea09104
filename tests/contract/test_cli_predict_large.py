"""``winprob predict`` of a large file: the same numbers and the same refusals as of a small one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import winprob
from winprob.cli import main
from winprob.data import history
from winprob.data.tables import blocks
from winprob.model.hazards import learn_hazards
from winprob.simulation import Simulation, simulate


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


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory, posterior: winprob.Posterior, team: Simulation) -> Path:
    """A model to which it matters how long a deal has been open."""
    few = {name: values[:, :50] for name, values in posterior.draws.items()}
    hazards = learn_hazards(team.closed, posterior.settings, draws=32, seed=1)
    path = tmp_path_factory.mktemp("waiting") / "model.nc"
    replace(posterior, draws=few, hazards=hazards).save(path)
    return path


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    smaller = {**blocks.deal_blocks.__kwdefaults__, "size": 100_000, "rows": 1024}
    monkeypatch.setattr(blocks.deal_blocks, "__kwdefaults__", smaller)


def run(
    deals: pd.DataFrame,
    model: Path,
    folder: Path,
    suffix: str,
    *more: str,
    large: bool,
    monkeypatch: pytest.MonkeyPatch,
):
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
    result = CliRunner().invoke(main, ["predict", str(source), "--model", str(model), "--out", str(out), *more])
    return result, out, bool(at_once)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_large_file_gives_the_numbers_of_reading_at_once(suffix, deals, model, tmp_path, monkeypatch):
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


@pytest.mark.usefixtures("small_blocks")
def test_open_deals_wait_until_the_newest_day_of_the_whole_file(deals, waiting, tmp_path, monkeypatch):
    """Which is in its last block here; small, large, scored whole and scored in two files: the same numbers."""
    days = pd.Timestamp("2026-06-30") - pd.to_timedelta(np.arange(len(deals)) % 7 * 10, "D")
    newest = "2026-12-01"
    deals = deals.assign(as_of=[*days[:-1], pd.Timestamp(newest)], amount=deals["amount"].where(deals.index != 7, -1.0))
    frames, words = {}, []
    for large in (False, True):
        result, out, at_once = run(deals, waiting, tmp_path, "parquet", large=large, monkeypatch=monkeypatch)
        assert (result.exit_code, at_once) == (0, not large), result.output
        frames[f"large: {large}"] = pd.read_parquet(out)
        words.append(result.output.replace(out.name, "chances"))
    # The first pass warns of nothing.
    assert words[0] == words[1]
    assert words[0].count("negative in 1 rows") == 1
    (tmp_path / "two").mkdir()
    canonical = winprob.read_deals(tmp_path / "deals.parquet")
    for at, part in enumerate((canonical.iloc[:2000], canonical.iloc[2000:])):
        part.to_parquet(tmp_path / "two" / f"{at}.parquet", index=False)
    for source in ("two", "deals.parquet"):
        words = ["score", str(tmp_path / source), "--model", str(waiting), "--out", str(tmp_path / f"scored-{source}")]
        assert CliRunner().invoke(main, words).exit_code == 0
        frames[source] = pd.read_parquet(tmp_path / f"scored-{source}")
    result, out, _ = run(deals, waiting, tmp_path, "parquet", "--as-of", newest, large=True, monkeypatch=monkeypatch)
    frames["given"] = pd.read_parquet(out)
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, frames["large: False"], check_exact=True, obj=name)
    of_the_model = winprob.predict(winprob.Posterior.load(waiting), canonical)
    assert (frames["given"]["mean"] != of_the_model["mean"]).mean() > 0.9


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
