"""Hazards of known truth are found again, and the draws are those that NUTS would give."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import nutpie
import pandas as pd
import pytest
from scipy.special import expit, logsumexp

from winprob.data.schema import validate_deals
from winprob.methodology.vocabulary import STAGES
from winprob.model.hazards import Hazards, TimingScaling, days, hazards_of, learn_hazards
from winprob.model.hazards.batch import batch_density
from winprob.model.hazards.density import TimingDensity, prior_normal
from winprob.model.hazards.design import build_design, learn_timing_scaling, stage_codes, usable
from winprob.model.hazards.laplace import find_mode
from winprob.model.hazards.learning import named_draws, sample_posterior
from winprob.model.hazards.pace import kernel, pace_prior
from winprob.model.hazards.spans import spans_between
from winprob.model.hazards.survival import HAZARD_DIMS, YOUNGER
from winprob.settings import CalendarSettings, Settings
from winprob.simulation import simulate

pytestmark = pytest.mark.slow
#: Tests share no fixtures: each may run on another worker.
INDEPENDENT = True

KNOWN_ON = pd.Timestamp(2026, 6, 30)
DEALS, SETS, WEEKS = 400, 40, 120
#: Paces of quarters rest on as many draws of their sds as there are chains, 25, from a Laplace approximation: means are
#: off by up to half an sd. All other unknowns are held to what independent draws would have.
PACE_OFF = 0.7


def facts(rng: np.random.Generator) -> pd.DataFrame:
    read = KNOWN_ON - pd.to_timedelta(rng.integers(30, 500, DEALS), unit="D")
    return validate_deals(
        pd.DataFrame(
            {
                "deal_id": [f"D{at}" for at in range(DEALS)],
                "as_of": read,
                "opened_on": read - pd.to_timedelta(rng.integers(1, 300, DEALS), unit="D"),
                "expected_close_on": (read + pd.to_timedelta(rng.integers(0, 200, DEALS), unit="D"))
                .to_series(index=range(DEALS))
                .mask(rng.random(DEALS) < 0.1),
                "outcome": "open",
                "closed_on": pd.Series(pd.NaT, index=range(DEALS), dtype="datetime64[us]"),
                "amount": np.exp(rng.normal(13, 1, DEALS)),
                "segment": rng.choice(["finance", "energy", "public"], DEALS),
                "stage": rng.choice(STAGES, DEALS),
                "pushes": rng.poisson(0.5, DEALS).astype(float),
            }
        )
    )


def flat(scaling: TimingScaling) -> Hazards:
    """A twentieth of the deals that will be won close in a week, a tenth of the others."""
    sizes = {"end": 2, "fact": len(scaling.facts), "since_bin": 11, "near_bin": 12, "quarter_state": 3, "stage": 6}
    sizes["stage_or_all"] = 7
    draws = {
        name: np.zeros((1, *(sizes[dim] for dim in dims)), np.float32)
        for name, dims in HAZARD_DIMS.items()
        if name not in YOUNGER
    }
    draws["since"] += np.log([0.05, 0.1], dtype=np.float32)[None, :, None]
    return truth_of(draws, scaling)


def truth_of(draws: dict[str, np.ndarray], scaling: TimingScaling, quarters: tuple[str, ...] = ()) -> Hazards:
    return Hazards(
        draws=draws,
        quarters=quarters,
        scaling=scaling,
        calendar=CalendarSettings(),
        known_on="2026-06-30",
        closed=0,
        still_open=0,
        effective=1.0,
        reliable=True,
    )


def closed_by_truth(deals: pd.DataFrame, truth: Hazards, rng: np.random.Generator) -> pd.DataFrame:
    """How each deal ends and when, drawn from the model itself."""
    read = days(deals, "as_of")
    deal_hazards = hazards_of(truth, deals, read)
    cumulative = np.stack(
        [deal_hazards.cumulative(slice(None), read + 7 * k)[..., 0] for k in range(WEEKS + 1)], axis=-1
    )
    incidence = truth.draws["incidence"][0]
    won = rng.random(DEALS) < expit(incidence[0] + incidence[1:][stage_codes(deals)])
    own = np.where(won[:, None], cumulative[0], cumulative[1])
    due = rng.exponential(size=DEALS)
    to_close = np.array(
        [np.interp(one, row, np.arange(WEEKS + 1), right=9 * WEEKS) for one, row in zip(due, own, strict=True)]
    )
    closed = deals["as_of"] + pd.to_timedelta(np.maximum(np.ceil(7 * to_close), 1), unit="D")
    done = (closed <= KNOWN_ON).to_numpy()
    ends = np.where(won, "won", "lost")
    return deals.assign(outcome=np.where(done, ends, "open"), closed_on=closed.where(done).astype("datetime64[us]"))


@pytest.mark.long
def test_nine_in_ten_intervals_hold_the_truth():
    """Truth from the prior, data from the truth: each group of unknowns is covered as it should be.

    The sds of the paces are of a grid of six values each, whose intervals cover too much if anything.
    """
    settings, inside = Settings(), {name: [] for name in HAZARD_DIMS}
    for seed in range(SETS):
        rng = np.random.default_rng([seed, 11])
        deals = facts(rng)
        scaling = learn_timing_scaling(deals, np.ones(DEALS))
        truth = prior_truth(deals, scaling, settings, rng)
        learned = learn_hazards(
            closed_by_truth(deals, truth, rng), settings, known_on=KNOWN_ON.date(), draws=1000, seed=seed
        )
        if learned is None:
            continue
        seen = [truth.quarters.index(quarter) for quarter in learned.quarters]
        for name, values in learned.draws.items():
            low, high = np.quantile(values, (0.05, 0.95), axis=0)
            wanted = truth.draws[name][0][:, seen] if name == "pace" else truth.draws[name][0]
            inside[name].append(((low <= wanted) & (wanted <= high)).mean())
    coverage = {name: float(np.mean(shares)) for name, shares in inside.items()}
    assert coverage.pop("pace_sd") >= 0.85
    assert all(0.85 <= share <= 0.95 for share in coverage.values()), coverage


def prior_truth(deals: pd.DataFrame, scaling: TimingScaling, settings: Settings, rng: np.random.Generator) -> Hazards:
    """Hazards from the prior, with sds of seasons and shocks from theirs, over all weeks in which deals may close."""
    read = days(deals, "as_of")
    spans = spans_between(int(read.min()), int(read.max()) + 7 * WEEKS, CalendarSettings())
    pace = pace_prior(spans, settings.timing)
    mean, precision = prior_normal(scaling, settings.timing, pace)
    point = mean + np.linalg.solve(np.linalg.cholesky(precision).T, rng.standard_normal(len(mean)))
    design, _ = build_design(deals, int(read.max()), CalendarSettings())
    effects = design.cells.shape[1] - len(design.spans) + len(spans)
    wide = replace(design, spans=spans, cells=np.zeros((0, effects)))
    drawn = named_draws(point[None], TimingDensity(wide, mean, precision, pace), scaling)
    mass = np.exp(pace.log_weight - 0.5 * np.linalg.slogdet(pace.precision)[1])
    sds = pace.sds[rng.choice(len(mass), size=2, p=mass / mass.sum())]
    roots = [np.linalg.cholesky(kernel(one, spans, spans) + 1e-9 * np.eye(len(spans))) for one in sds]
    drawn["pace"] = np.stack([root @ rng.standard_normal(len(spans)) for root in roots])[None].astype(np.float32)
    return truth_of({**drawn, "pace_sd": sds[None].astype(np.float32)}, scaling, spans.dates)


def mixed_paces(density: TimingDensity, point: np.ndarray) -> tuple[float, np.ndarray]:
    """What drawing the sds of the paces adds to the log density with the sds in the middle, and its slope."""
    prior, value, slope = density.pace, 0.0, np.zeros(len(point))
    for places in density.pace_places:
        squared = np.einsum("s,gst,t->g", point[places], prior.change, point[places])
        parts = prior.log_weight - 0.5 * squared
        value += logsumexp(parts)
        slope[places] = -np.einsum("g,gst,t->s", np.exp(parts - logsumexp(parts)), prior.change, point[places])
    return value, slope


def test_the_draws_are_those_of_nuts():
    """The same density as a PyMC graph, on few deals, where it is furthest from a normal.

    No mean is off by a sixth of an sd, most by a thirtieth; sds within a tenth.
    """
    import pymc as pm
    import pytensor.tensor as pt

    rng = np.random.default_rng(4)
    deals = facts(rng)
    scaling = learn_timing_scaling(deals, np.ones(DEALS))
    deals = closed_by_truth(deals, flat(scaling), rng)
    # The dense graph of more deals would take NUTS many minutes.
    deals = deals.iloc[:150]
    design, scaling = build_design(deals, (KNOWN_ON.date() - dt.date(1970, 1, 1)).days, CalendarSettings())
    pace = pace_prior(design.spans, Settings().timing)
    density = TimingDensity(design, *prior_normal(scaling, Settings().timing, pace), pace)
    points, _, effective = sample_posterior(density, 2000, np.random.default_rng(1))
    assert effective > 400
    root, one, facts_count = np.linalg.cholesky(density.precision), density.per_end, design.facts.shape[1]
    with pm.Model():
        theta = density.mean + pt.dot(np.linalg.inv(root.T), pm.Normal("z", shape=len(density.mean)))
        logit = pt.dot(design.incidence, theta[2 * one :])
        chance = (-pt.softplus(-logit), -pt.softplus(logit))
        total, still, waits = 0.0, design.closed == 0, []
        for end in (0, 1):
            own = theta[end * one : (end + 1) * one]
            rate, cell = (
                pt.exp(pt.dot(design.facts, own[:facts_count])),
                pt.exp(pt.dot(design.cells, own[facts_count:])),
            )
            before, within = (rate * pt.dot(weeks.toarray(), cell) for weeks in (design.before, design.within))
            mine = (design.closed == 1) & (design.won == 1 - end)
            total += (chance[end][mine] - before[mine] + pt.log(-pt.expm1(-within[mine]))).sum()
            waits.append(chance[end][still] - before[still])
        for places in density.pace_places:
            squared = (pt.dot(pace.change, theta[places]) * theta[places]).sum(axis=1)
            total += pt.logsumexp(pace.log_weight - 0.5 * squared)
        pm.Potential("likelihood", total + pt.logaddexp(*waits).sum())
        pm.Deterministic("theta", theta)
        trace = pm.sample(1000, tune=500, chains=2, cores=1, random_seed=1, progressbar=False, nuts_sampler="nutpie")
    nuts = trace.posterior["theta"].to_numpy().reshape(-1, len(density.mean))
    off = np.abs(points.mean(axis=0) - nuts.mean(axis=0)) / nuts.std(axis=0)
    spread = points.std(axis=0) / nuts.std(axis=0)
    paces = density.pace_places.ravel()
    assert off[paces].max() < PACE_OFF
    off, spread = np.delete(off, paces), np.delete(spread, paces)
    assert off.max() < 0.17
    assert np.median(off) < 0.04
    assert 0.85 < spread.min() <= spread.max() < 1.18
    assert abs(np.median(spread) - 1) < 0.03


@pytest.mark.long
@pytest.mark.parametrize("count", [40, 100, 300])
def test_intervals_and_chances_are_those_of_nuts(count):
    """A thousand draws against NUTS, which sees the same density by one point: errors of a thousand independent draws.

    Bounds are some one and a half times what independent draws have in the mean (.03) and the log sd (.022).
    """
    team = simulate(count, count // 4, seed=3)
    deals = validate_deals(pd.concat([team.closed, team.open], ignore_index=True))
    day = int(days(deals, "closed_on").max())
    design, scaling = build_design(usable(deals, day), day, CalendarSettings())
    pace = pace_prior(design.spans, Settings().timing)
    density = TimingDensity(design, *prior_normal(scaling, Settings().timing, pace), pace)
    got, wanted = sample_posterior(density, 1000, np.random.default_rng(1))[0], nuts_points(density)
    off, spread, *tails = errors(got, wanted)
    sd, paces = wanted.std(axis=0), density.pace_places.ravel()
    assert np.abs(off / sd)[paces].max() < PACE_OFF
    sd, off, spread, *tails = (np.delete(values, paces) for values in (sd, off, spread, *tails))
    for error, typical, most in ((off / sd, 0.05, 0.15), (spread / sd, 0.04, 0.11)):
        assert np.sqrt((error**2).mean()) < typical
        assert np.abs(error).max() < most
    for error in tails:
        assert np.sqrt(((error / sd) ** 2).mean()) < 0.12
        assert np.abs(error / sd).max() < 0.35
    off, _, *tails = errors(*(closed_by(points, density, scaling, team.open) for points in (got, wanted)))
    # Chances depend on the paces too, which are known less exactly than the rest.
    assert np.abs(off).max() < 0.06
    assert max(np.abs(error).max() for error in tails) < 0.12


def nuts_points(density: TimingDensity) -> np.ndarray:
    """Draws (draw, unknown) by NUTS, an unknown each in sds of the Laplace fit; sds of paces summed out."""
    mode, at_points = find_mode(density.slopes, density.mean), batch_density(density)
    root = np.linalg.inv(mode.factor.T)

    def log_density(z: np.ndarray) -> tuple[float, np.ndarray]:
        point = mode.point + root @ z
        (value, slope), (added, turned) = at_points(point[:, None]), mixed_paces(density, point)
        return float(value[0] + added), root.T @ (slope[:, 0] + turned)

    size = len(mode.point)
    model = nutpie.compiled_pyfunc.from_pyfunc(
        size, lambda: log_density, lambda *_, **__: lambda z: {"z": z}, [np.dtype("float64")], [(size,)], ["z"]
    )
    trace = nutpie.sample(model, draws=1500, tune=300, chains=2, cores=1, seed=7, progress_bar=False)
    return mode.point + trace.posterior["z"].to_numpy().reshape(-1, size) @ root.T


def errors(got: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """Differences of mean, sd, 5 % and 95 % quantile over draws (first axis)."""
    pairs = [
        (draws.mean(axis=0), draws.std(axis=0), *np.quantile(draws, (0.05, 0.95), axis=0)) for draws in (got, wanted)
    ]
    return [one - other for one, other in zip(*pairs, strict=True)]


def closed_by(points: np.ndarray, density: TimingDensity, scaling: TimingScaling, deals: pd.DataFrame) -> np.ndarray:
    """(draw, chance) that open deals close within 30, 90, 180 days, if they end one way and if they end the other."""
    valid = validate_deals(deals)
    read = days(valid, "as_of")
    # Coming quarters with the sds in the middle, on both sides.
    sds = np.broadcast_to(density.pace.sds[density.pace.middle], (len(points), 2, 2)).astype(np.float32)
    drawn = {**named_draws(points, density, scaling), "pace_sd": sds}
    one = hazards_of(truth_of(drawn, scaling, density.design.spans.dates), valid, read)
    ahead = [one.cumulative(slice(None), read + within) for within in (30, 90, 180)]
    return -np.expm1(-np.concatenate(ahead, axis=1).astype(float)).reshape(-1, len(points)).T
