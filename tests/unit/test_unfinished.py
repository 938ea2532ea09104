"""A run that did not converge is kept as plain arrays, and a later run goes on from it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.data.schema import validate_deals
from winprob.errors import InputError, NotConvergedError
from winprob.model.features import describe, learn_scaling
from winprob.model.inference import Unfinished, fit
from winprob.model.inference.sampling import Draws
from winprob.model.inference.unfinished import checksum
from winprob.model.posterior import Posterior
from winprob.model.win.density import Density
from winprob.model.win.density_data import build_density
from winprob.settings import GateSettings, PriorSettings, SamplerSettings, Settings
from winprob.simulation import Simulation, simulate

CHAINS, DRAWS = 2, 6


@pytest.fixture(scope="module")
def closed(team: Simulation) -> pd.DataFrame:
    return validate_deals(team.closed.head(40))


def density_of(closed: pd.DataFrame, priors: PriorSettings | None = None) -> Density:
    scaling = learn_scaling(closed, Settings())
    won = (closed["outcome"] == "won").to_numpy(dtype=float)
    evidence: dict[str, Any] = {"won": won, "weight": np.ones(len(won))}
    return build_density(describe(closed, scaling), scaling.layout, priors or PriorSettings(), **evidence)


def unfinished(density: Density, seed: int = 0) -> Unfinished:
    rng = np.random.default_rng(seed)
    statistics = xr.Dataset(
        {
            "diverging": (("chain", "draw"), rng.random((CHAINS, DRAWS)) < 0.5),
            "energy": (("chain", "draw"), rng.standard_normal((CHAINS, DRAWS))),
            "depth": (("chain", "draw"), np.ones((CHAINS, DRAWS))),
        }
    )
    points = rng.standard_normal((CHAINS, DRAWS, density.unknowns))
    draws = Draws(points=points, statistics=statistics, starts=rng.standard_normal((3, density.unknowns)))
    return Unfinished(draws=draws, target_accept=0.9, density=checksum(density))


def test_what_is_saved_comes_back(closed, tmp_path):
    density = density_of(closed)
    run = unfinished(density)
    run.save(tmp_path / "run.npz")
    back = Unfinished.load(tmp_path / "run.npz")
    np.testing.assert_allclose(back.draws.points, run.draws.points, rtol=1e-6)
    np.testing.assert_allclose(back.draws.starts, run.draws.starts, rtol=1e-6)
    assert (back.draws.statistics["diverging"] == run.draws.statistics["diverging"]).all()
    assert back.target_accept == run.target_accept
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]
    back.require(density, CHAINS)


def test_a_run_goes_on_only_over_the_same_density(closed):
    density = density_of(closed)
    run = unfinished(density)
    others = {
        "a deal less": density_of(closed.head(39)),
        "an outcome": density_of(closed.assign(outcome=["won" if at == 5 else "lost" for at in range(40)])),
        "a prior": density_of(closed, PriorSettings(stage_step=0.51)),
    }
    for name, other in others.items():
        with pytest.raises(InputError, match="other deals, settings"):
            run.require(other, CHAINS)
        assert checksum(other) != checksum(density), name
    with pytest.raises(InputError, match="other deals, settings"):
        run.require(density, CHAINS + 1)


def test_later_draws_follow_those_of_their_chain(closed):
    density = density_of(closed)
    first, second = unfinished(density), unfinished(density, 1)
    both = first.joined(second.draws)
    assert both.points.shape == (CHAINS, 2 * DRAWS, density.unknowns)
    assert (both.points[1] == np.concatenate([first.draws.points[1], second.draws.points[1]])).all()
    assert (both.statistics["energy"][:, DRAWS:] == second.draws.statistics["energy"].to_numpy()).all()
    assert (both.starts == second.draws.starts).all()


class Trap:
    """Its unpickling would write a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.place, "sprung")


def test_a_file_that_is_not_of_this_kind_is_refused(closed, tmp_path):
    density = density_of(closed)
    unfinished(density).save(tmp_path / "good.npz")
    with np.load(tmp_path / "good.npz") as file:
        good = dict(file)
    content = (tmp_path / "good.npz").read_bytes()
    path = tmp_path / "bad.npz"

    def refuse(why: str) -> None:
        with pytest.raises(InputError, match=r"bad\.npz is damaged, or not an unfinished run") as caught:
            Unfinished.load(path)
        assert caught.value.__cause__ is None, why

    spoiled: dict[str, dict[str, Any]] = {
        "a missing array": {name: values for name, values in good.items() if name != "energy"},
        "not finite": good | {"points": np.full_like(good["points"], np.nan)},
        "other lengths": good | {"energy": good["energy"][:, 1:]},
        "a dim more": good | {"starts": good["starts"][None]},
        "no draws": good | {name: good[name][:, :0] for name in ("points", "diverging", "energy")},
        "words": good | {"points": good["points"].astype(str)},
        "no share": good | {"target_accept": np.array(1.5)},
    }
    for why, arrays in spoiled.items():
        np.savez(path, **arrays)
        refuse(why)
    np.savez(path, **good | {"density": np.array(Trap(tmp_path / "sprung"), dtype=object)})
    refuse("pickled")
    np.savez_compressed(path, **good)
    refuse("compressed")
    for why, some in {"cut": content[:-40], "empty": b"", "pickle": pickle.dumps([1])}.items():
        path.write_bytes(some)
        refuse(why)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(InputError, match="there is no unfinished run"):
        Unfinished.load(tmp_path / "none.npz")


# --- the command, without sampling ------------------------------------------------------------------------------------


@pytest.fixture
def folder(team: Simulation, tmp_path: Path) -> Path:
    team.closed.head(40).to_csv(tmp_path / "closed.csv", index=False)
    return tmp_path


def train(folder: Path, *options: str) -> Result:
    given = ["train", str(folder / "closed.csv"), "--model", str(folder / "m.nc"), *options]
    return CliRunner().invoke(main, given)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_train_keeps_the_draws_and_goes_on_from_them(folder, closed, posterior, monkeypatch):
    run = unfinished(density_of(closed))
    gates = {"r_hat": 1.003, "bulk_ess": 1500.0, "tail_ess": 1200.0, "divergent_share": 0.0, "bfmi": 0.9}
    model = replace(posterior, provenance=replace(posterior.provenance, gates=gates))
    asked: list[Unfinished | None] = []

    def fit_at_second_try(deals: pd.DataFrame, unfinished: Unfinished | None = None, **_: Any) -> Posterior:
        asked.append(unfinished)
        if unfinished is None:
            raise NotConvergedError("it did not converge.", unfinished=run)
        return model

    monkeypatch.setattr("winprob.model.inference.fit", fit_at_second_try)
    failed = train(folder)
    assert failed.exit_code == 1
    assert "it did not converge. Its draws are in" in failed.stderr
    assert "--resume" in failed.stderr
    assert names(folder) == ["closed.csv", "m.nc.unfinished.npz"]
    done = train(folder, "--resume")
    assert done.exit_code == 0, done.output
    assert names(folder) == ["closed.csv", "m.nc"]
    assert asked[0] is None
    assert asked[1] is not None
    np.testing.assert_allclose(asked[1].draws.points, run.draws.points, rtol=1e-6)


def test_without_draws_to_go_on_from_nothing_is_kept(folder, monkeypatch):
    def fit_never(*_: Any, **__: Any) -> Posterior:
        raise NotConvergedError("it diverged.")

    monkeypatch.setattr("winprob.model.inference.fit", fit_never)
    failed = train(folder)
    assert "it diverged." in failed.stderr
    assert "--resume" not in failed.stderr
    assert names(folder) == ["closed.csv"]
    assert "there is no unfinished run" in train(folder, "--resume").stderr
    both = CliRunner().invoke(main, ["train", "--prior-only", "--resume", "--model", str(folder / "m.nc")])
    assert both.exit_code == 2
    assert "--prior-only does not sample" in both.stderr


# --- with the sampler -------------------------------------------------------------------------------------------------

STRICT = Settings(
    sampler=SamplerSettings(draws=100, tune=100, chains=2, retry_draws=150, thin=1, prior_draws=100),
    gates=GateSettings(r_hat=1.1, bulk_ess=1e6, tail_ess=40, divergent_share=0.05),
)


@pytest.fixture(scope="module")
def few() -> pd.DataFrame:
    return simulate(40, 5, seed=3).closed


@pytest.fixture(scope="module")
def stopped(few: pd.DataFrame) -> Unfinished:
    """A run that cannot pass its gates."""
    with pytest.raises(NotConvergedError, match="bulk ESS") as caught:
        fit(few, seed=1, settings=STRICT)
    assert isinstance(caught.value.unfinished, Unfinished)
    return caught.value.unfinished


@pytest.mark.slow
def test_a_resumed_run_adds_draws_of_its_own_to_those_it_has(few, stopped, tmp_path):
    assert stopped.draws.points.shape[:2] == (2, 150)
    stopped.save(tmp_path / "run.npz")
    with pytest.raises(NotConvergedError) as caught:
        fit(few, seed=1, settings=STRICT, unfinished=Unfinished.load(tmp_path / "run.npz"))
    points = caught.value.unfinished.draws.points
    assert points.shape[:2] == (2, 300)
    np.testing.assert_allclose(points[:, :150], stopped.draws.points, rtol=1e-5, atol=1e-5)
    earlier, later = (
        {tuple(point) for point in part.reshape(-1, part.shape[-1]).round(3).tolist()}
        for part in (points[:, :150], points[:, 150:])
    )
    assert not earlier & later
    assert len(later) > 290


@pytest.mark.slow
def test_a_resumed_run_passes_with_the_draws_of_both_and_has_the_same_posterior(few, stopped):
    modest = replace(STRICT, gates=replace(STRICT.gates, bulk_ess=120))
    resumed = fit(few, seed=1, settings=modest, unfinished=stopped)
    assert resumed.provenance.gates["bulk_ess"] > 120
    sampler = SamplerSettings(draws=1000, tune=300, chains=4, retry_draws=1000, thin=1)
    long = fit(
        few, seed=2, settings=Settings(sampler=sampler, gates=GateSettings(r_hat=1.1, bulk_ess=100, tail_ess=100))
    )
    for name in ("base_rate_logit", "intercept", "role_weight_population", "stage_effect", "offset_scale"):
        got, wanted = resumed.draws[name], long.draws[name]
        error = wanted.std(axis=(0, 1)) / np.sqrt(100)
        assert (np.abs(got.mean(axis=(0, 1)) - wanted.mean(axis=(0, 1))) < 4.5 * error).all(), name


@pytest.mark.slow
def test_a_run_of_other_deals_is_not_resumed(few, stopped):
    with pytest.raises(InputError, match="other deals, settings"):
        fit(few.assign(outcome=few["outcome"].iloc[::-1].to_numpy()), seed=1, settings=STRICT, unfinished=stopped)
    other = replace(STRICT, priors=PriorSettings(stage_step=0.6))
    with pytest.raises(InputError, match="other deals, settings"):
        fit(few, seed=1, settings=other, unfinished=stopped)
