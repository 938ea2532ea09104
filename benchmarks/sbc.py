"""Simulation-based calibration: draw parameters from the prior, outcomes from them, fit, and rank the truth.

If the inference is correct, the rank of a true value among its posterior draws is uniform (Talts et al. 2018,
arXiv 1804.06788). The log likelihood is ranked too: it reveals errors that no single parameter shows (Modrák et al.
2023, doi 10.1214/23-BA1404). Outcomes come either from the model's own likelihood (is the sampler right?) or, with
``--latent``, from latent supports drawn for every deal (are the likelihood's two approximations good enough?). With
``--team`` the levels of a column have role weights of their own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import _timing as timing
import altair as alt
import numpy as np
import pandas as pd
from scipy.special import expit, ndtri
from scipy.stats import chi2, kstest

from winprob.methodology.vocabulary import COACH_STATES, ROLES, STAGES
from winprob.model.features.levels import COACH_LEVELS, METHOD_LEVELS
from winprob.model.inference import Training, learn, read_training
from winprob.model.posterior import flatten_chains
from winprob.model.win.parameters import sample_prior
from winprob.model.win.terms import coefficients, logits
from winprob.settings import CovariateSettings, GateSettings, PriorSettings, SamplerSettings, Settings
from winprob.simulation import simulate

#: Number of thinned, nearly independent draws among which the truth is ranked.
RANKED = 99
BINS = 20
SETTINGS = Settings(
    # Latent supports are drawn from uncorrected readings; the weight of trees is found by stacking, not drawn.
    covariates=CovariateSettings(report_bias=False, companion=False),
    # Truths are drawn from the prior of a model without deals.
    priors=PriorSettings(intercept_with_deals=PriorSettings().intercept),
    sampler=SamplerSettings(chains=2, tune=300, draws=800, thin=1, retry_draws=3000),
    gates=GateSettings(r_hat=1.05, bulk_ess=RANKED, tail_ess=50, divergent_share=0.02),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--deals", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latent", action="store_true", help="outcomes from latent supports, not from the likelihood")
    parser.add_argument("--team", default="", help="the column of teams, such as region")
    parser.add_argument("--quick", action="store_true", help="ten simulations, to try it out")
    asked = parser.parse_args()
    simulations = 10 if asked.quick else asked.simulations
    ranks = rank_truths(simulations, asked.deals, seed=asked.seed, latent=asked.latent, team=asked.team)
    table = uniformity_tests(ranks)
    name = ("sbc_latent" if asked.latent else "sbc") + ("_team" if asked.team else "")
    print(f"{len(ranks)} simulations of {asked.deals} deals, {ranks.shape[1]} quantities\n\n{results_table(table)}")
    worst = float(table["p_adjusted"].min())
    figures = [
        timing.Figure(quantity="smallest p, 1 minus it, Holm", got=1 - worst, aim=0.95),
        timing.Figure(
            quantity="worst bias, mean rank from one half, in its standard errors", got=table["z"].abs().max()
        ),
    ]
    print("\n" + timing.figures_table(figures))
    draw(ranks, timing.out_dir() / f"{name}.svg")
    timing.save(name, figures, table=table.to_dict("records"), simulations=len(ranks), deals=asked.deals)


def rank_truths(simulations: int, deals: int, *, seed: int, latent: bool = False, team: str = "") -> pd.DataFrame:
    """(simulation, quantity) rank of each true value among its posterior draws, as a share, 0..1."""
    training = facts(deals, seed, team)
    rng = np.random.default_rng([seed, 7])
    truths = sample_prior(training.scaling.layout, SETTINGS.priors, simulations, rng)
    records = []
    for at in range(simulations):
        truth = {name: values[at : at + 1] for name, values in truths.items()}
        won = _outcomes(truth, training, rng, latent=latent)
        records.append(_ranks(truth, replace(training, won=won), seed=1000 * seed + at))
        timing.progress(f"simulation {at + 1} of {simulations}")
    return pd.DataFrame(records)


@cache
def facts(deals: int, seed: int, team: str = "") -> Training:
    """Facts of some deals, one person per role; their own outcomes are not used."""
    from winprob.simulation import Truth

    simulated = simulate(deals, 0, seed=seed, truth=Truth(second_person_share=0.0))
    settings = replace(SETTINGS, covariates=replace(SETTINGS.covariates, team=team))
    training = read_training(simulated.closed, settings)
    return replace(training, weight=np.ones(deals))


def _outcomes(truth: dict[str, Any], training: Training, rng: np.random.Generator, *, latent: bool) -> np.ndarray:
    log_odds = _latent_logits(truth, training, rng) if latent else _logits(truth, training)[:, 0]
    return (rng.random(len(log_odds)) < expit(log_odds)).astype(float)


def _logits(draws: dict[str, Any], training: Training) -> np.ndarray:
    return logits(coefficients(draws, training.features, seed=0), training.features).astype(float)


def _latent_logits(truth: dict[str, Any], training: Training, rng: np.random.Generator) -> np.ndarray:
    """Log-odds given drawn supports of every deal: exact where the marginal likelihood approximates.

    Given its tier, a reading is a truncated normal, and support given the reading is normal.
    """
    features, roles = training.features, len(ROLES)
    shape = features.readers.shape
    counts = np.array(training.scaling.tier_counts)
    edges = np.concatenate(
        [np.zeros((roles, 1)), np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)], axis=1
    )
    tier = _tiers(training)
    role = np.broadcast_to(np.arange(roles), shape)
    low, high = edges[role, np.maximum(tier, 0)], edges[role, np.maximum(tier, 0) + 1]
    reading = ndtri(np.clip(low + (high - low) * rng.random(shape), 1e-12, 1 - 1e-12))
    rho = truth["reliability"][0][features.coach][:, None]
    heard = rho * reading + np.sqrt(1 - rho**2) * rng.standard_normal(shape)
    unheard = truth["unknown_support"][0] + rng.standard_normal(shape)
    support = np.where(tier >= 0, heard, unheard)
    weight = truth["role_weight"][0][:, features.method].T
    if features.team.shape[1]:
        weight = weight * truth["team_factor"][0][features.team_code]
    silent = replace(features, readers=np.zeros(shape), reading=np.zeros(shape), reading_variance=np.zeros(shape))
    nothing = {**truth, "role_weight": np.zeros_like(truth["role_weight"])}
    rest = logits(coefficients(nothing, silent, seed=0), silent)[:, 0]
    return np.asarray(rest + (weight * support).sum(axis=1))


def _tiers(training: Training) -> np.ndarray:
    """(deal, role) reported tier counted from 0; -1 where not reported."""
    columns = [training.closed[f"{role}_support"].to_numpy(dtype=float) for role in ROLES]
    return np.nan_to_num(np.stack(columns, axis=1) - 1, nan=-1).astype(int)


def _ranks(truth: dict[str, Any], training: Training, *, seed: int) -> dict[str, float]:
    learned = learn(training, SETTINGS, seed=seed)
    flat = flatten_chains(learned.parameters)
    chosen = np.linspace(0, len(flat["intercept"]) - 1, RANKED).astype(int)
    draws = {name: values[chosen] for name, values in flat.items()}
    pairs = zip(_quantities(draws, training), _quantities(truth, training), strict=True)
    return {name: float((values < true).mean()) for (name, values), (_, true) in pairs}


def _quantities(draws: dict[str, Any], training: Training) -> Iterator[tuple[str, np.ndarray]]:
    """Name and (draw,) values of every ranked quantity."""
    for at, role in enumerate(ROLES):
        for method, name in enumerate(METHOD_LEVELS):
            yield f"role_weight[{role}, {name}]", draws["role_weight"][:, at, method]
        yield f"unknown_support[{role}]", draws["unknown_support"][:, at]
    for coach in (*COACH_STATES, "unknown"):
        yield f"reliability[{coach}]", draws["reliability"][:, COACH_LEVELS.index(coach)]
    for at, stage in enumerate(STAGES[1:]):
        yield f"stage_step[{stage}]", draws["stage_effect"][:, at + 1] - draws["stage_effect"][:, at]
    for name in ("intercept", "effect_scale", "method_spread", "method_lean", "drift_scale"):
        yield name, draws[name]
    if draws["team_factor"].shape[1]:
        yield "team_spread", draws["team_spread"][:, 0]
        for at, role in enumerate(ROLES):
            yield f"team_factor[first, {role}]", draws["team_factor"][:, 0, at]
    yield "offset_scale[first]", draws["offset_scale"][:, 0]
    yield "curve_scale[first]", draws["curve_scale"][:, 0]
    # The blank comes last.
    yield "curve[highest - lowest]", draws["curve"][:, -2] - draws["curve"][:, 0]
    log_odds = _logits(draws, training)
    yield "log likelihood", training.won @ log_odds - np.logaddexp(0, log_odds).sum(axis=0)


def uniformity_tests(ranks: pd.DataFrame) -> pd.DataFrame:
    """Tests of uniform ranks, one row per quantity.

    Returns
    -------
    DataFrame with columns ``quantity``; ``mean`` rank (0.5) and ``z``, its distance in standard errors; ``spread``, the
    ranks' sd over a uniform's (1; above 1: overconfident); ``p`` of the smaller of a Kolmogorov-Smirnov and a
    chi-square test (20 bins), doubled; ``p_adjusted`` for the number of quantities (Holm 1979)
    """
    rng = np.random.default_rng(0)
    records = []
    for name, column in ranks.items():
        # Jittered within their step, uniform integer ranks 0..99 are uniform on 0..1.
        share = (column.to_numpy() * RANKED + rng.random(len(column))) / (RANKED + 1)
        count, _ = np.histogram(share, bins=BINS, range=(0, 1))
        expected = len(share) / BINS
        fit = chi2.sf(((count - expected) ** 2 / expected).sum(), BINS - 1)
        records.append(
            {
                "quantity": name,
                "mean": share.mean(),
                "z": (share.mean() - 0.5) * np.sqrt(12 * len(share)),
                "spread": share.std() * np.sqrt(12),
                "p": min(2 * min(fit, kstest(share, "uniform").pvalue), 1.0),
            }
        )
    table = pd.DataFrame(records)
    order = table["p"].rank(method="first")
    raised = (table["p"] * (len(table) + 1 - order)).clip(upper=1)
    table["p_adjusted"] = raised.iloc[np.argsort(order)].cummax().sort_index()
    return table


def results_table(table: pd.DataFrame) -> str:
    """As a Markdown table, smallest p first."""
    rows = [
        (r["quantity"], *(f"{r[c]:.3f}" for c in ("mean", "z", "spread", "p", "p_adjusted")))
        for _, r in table.sort_values("p").iterrows()
    ]
    return timing.markdown(("quantity", "mean rank", "z", "spread", "p", "p, Holm"), rows)


def draw(ranks: pd.DataFrame, path: Any) -> None:
    """ECDF difference plot of the ranks of every quantity, with a 95 % band."""
    at = np.linspace(0, 1, 101)
    curves = [
        {"quantity": name, "at": float(a), "off": float((column <= a).mean() - a)}
        for name, column in ranks.items()
        for a in at
    ]
    half = 1.36 / np.sqrt(len(ranks))
    lines = alt.Chart(alt.Data(values=curves)).mark_line(strokeWidth=0.8, opacity=0.5, color="#3c5a78")
    lines = lines.encode(
        x=alt.X("at:Q", title="rank of the truth, as a share"),
        y=alt.Y("off:Q", title="share of ranks below it, minus that share"),
        detail="quantity:N",
    )
    band = alt.Chart(alt.Data(values=[{"y": -half, "y2": half}])).mark_rect(opacity=0.15, color="#1b2733")
    chart = alt.layer(band.encode(y="y:Q", y2="y2:Q"), lines, width=560, height=300)
    chart.properties(
        title=f"{ranks.shape[1]} quantities, {len(ranks)} simulations; grey: 95 % of single curves of uniform ranks"
    ).save(path)


if __name__ == "__main__":
    main()
