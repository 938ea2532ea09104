"""Robustness to misspecification: correlated supports, sellers who overrate, a veto, a probit link, strong drift, and a
decision method without effect or with the contrary effect.

The model is fitted to each team's closed deals and predicts fresh deals of the same team. The oracle knows every true
parameter and the record of each deal. Lever regret: a visit moves one role's true support by the width of one tier;
regret is the true lift of the best role minus that of the role the model ranks first. Completed teams are cached, so
that an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
from scipy.special import expit, ndtr, ndtri

from winprob.evaluation.calibration import coverage_90, group_calibration
from winprob.evaluation.scores import log_losses, paired_difference, recalibration
from winprob.methodology.vocabulary import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES
from winprob.model.features.readings import bin_moments
from winprob.settings import CovariateSettings
from winprob.simulation import Truth, simulate
from winprob.simulation.deals import standardised_log_amount, tier_cuts
from winprob.simulation.frames import level_names
from winprob.simulation.truth import TEAM

Array = np.ndarray

_WEIGHTS = np.array(Truth().role_weight)
#: Violated assumptions by name; ``later`` predicts the quarter after the last in training.
WORLDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "correlated": {"support_correlation": 0.4},
    "biased": {"seller_bias_sd": 0.6},
    "veto": {"veto": 1.5},
    "probit": {"link": "probit"},
    "drift": {"drift_sd": 0.5},
    "drift, later": {"drift_sd": 0.5},
    "plain, later": {},
    "method idle": {"role_weight": np.repeat(_WEIGHTS.mean(axis=1, keepdims=True), 3, axis=1).tolist()},
    "method contrary": {"role_weight": _WEIGHTS[:, ::-1].tolist()},
}
CLOSED, FRESH = 600, 2000
ORACLE_DRAWS = 400
#: Cached scores of a team: scalars, and arrays over its fresh deals.
Cell = dict[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Training deals, fresh test deals, and the latent truth of these.

    Attributes
    ----------
    chance : (deal,) true win probability, given true support
    best : (deal,) the same given the record only
    step : (deal, role) change of true support by a visit; NaN where the report is already the top tier
    lift : (deal, role) its effect on the true win probability; NaN likewise
    """

    closed: pd.DataFrame
    fresh: pd.DataFrame
    truth: Truth
    won: Array
    chance: Array
    best: Array
    step: Array
    lift: Array


def team_of(world: str, seed: int) -> Team:
    """A team of this world; the same seed gives the same sellers in every world."""
    first = simulate(CLOSED, 1, seed=seed, truth=Truth(**WORLDS[world]))
    again = simulate(10, FRESH, seed=seed + 5000, truth=first.truth)
    fresh, latent = again.open, again.latent_open
    if "later" not in world:
        again = simulate(FRESH, 10, seed=seed + 5000, truth=first.truth)
        fresh, latent = again.closed, again.latent_closed
    step = visit_steps(fresh, first.truth)
    return Team(
        closed=first.closed,
        fresh=fresh,
        truth=first.truth,
        won=latent.won.astype(float),
        chance=latent.win_prob,
        best=oracle(fresh, first.truth, seed),
        step=step,
        lift=true_lifts(first.truth, latent, step),
    )


# --- levers -------------------------------------------------------------------------------------------------------


def visit_steps(deals: pd.DataFrame, truth: Truth) -> Array:
    """(deal, role) from the mean of the reported tier to that of the next; not reported: the tiers' mean distance."""
    steps = np.full((len(deals), len(ROLES)), np.nan)
    for at, role in enumerate(ROLES):
        up = np.append(np.diff(bin_moments(truth.array("tier_frequency")[at])[0]), np.nan)
        tier = deals[f"{role}_support"].to_numpy(dtype=float)
        known = ~np.isnan(tier)
        steps[known, at] = up[tier[known].astype(int) - 1]
        steps[~known, at] = np.nanmean(up)
    return steps


def true_lifts(truth: Truth, latent: Any, step: Array) -> Array:
    """(deal, role) effect of the visit on the true win probability."""
    method = pd.Index(DECISION_METHODS).get_indexer(latent.facts["decision_method"])
    after = latent.logit_win_prob[:, None] + truth.array("role_weight").T[method] * step
    cut = tier_cuts(truth)[0, 0]
    approver = latent.support[:, 0]
    after[:, 0] += truth.veto * ((approver <= cut) & (approver + step[:, 0] > cut))
    return linked(truth, after) - latent.win_prob[:, None]


def linked(truth: Truth, logit: Array) -> Array:
    return expit(logit) if truth.link == "logit" else ndtr(logit * np.sqrt(np.pi / 8))


def regrets(team: Team, lifts: Array, weights: Array) -> dict[str, Array]:
    """(deal,) regret against the best role of the model's first, of a random role, and of the role with the largest
    mean weight over methods. ``weights`` (draw, role, method).
    """
    able = ~np.isnan(team.lift)
    rows, best = able.any(axis=1), np.where(able, team.lift, -np.inf).max(axis=1)
    always = weights[:, :, : len(DECISION_METHODS)].mean(axis=(0, 2))

    def lost(ranked: Array) -> Array:
        first = np.where(able, ranked, -np.inf).argmax(axis=1)
        return (best - team.lift[np.arange(len(best)), first])[rows]

    at_random = best[rows] - np.nanmean(team.lift[rows], axis=1)
    return {
        "regret": lost(lifts),
        "regret_random": at_random,
        "regret_always": lost(np.broadcast_to(always, able.shape)),
        "best_lift": best[rows],
    }


# --- the oracle ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """Weighted draws of the latent truth of deals given their record and the true parameters, each (deal, draw).

    Attributes
    ----------
    weight : importance weight, up to a factor for each deal
    logit : on the scale of the link
    method : code of the decision method
    approver : the approver's true support
    """

    weight: Array
    logit: Array
    method: Array
    approver: Array

    def mean(self, values: Array) -> Array:
        """(deal,) expectation of ``values`` (deal, draw)."""
        return (self.weight * values).sum(axis=1) / self.weight.sum(axis=1)


def oracle(deals: pd.DataFrame, truth: Truth, seed: int) -> Array:
    """(deal,) win probability under the true parameters given the record, averaged over its blanks and tiers."""
    worlds = possible_worlds(deals, truth, seed)
    return worlds.mean(linked(truth, worlds.logit))


def possible_worlds(deals: pd.DataFrame, truth: Truth, seed: int) -> Worlds:
    """The conditional distribution of the latent truth given the record, under the true parameters.

    Monte Carlo: common part of support from its prior, weighted by the probability of the reported tiers; readings
    within their tiers; supports given both.
    """
    rng, shape = np.random.default_rng(seed), (len(deals), ORACLE_DRAWS)

    def code(column: str, levels: Sequence[str], shares: Array) -> Array:
        known = pd.Index(levels).get_indexer(deals[column])
        return np.where(known[:, None] < 0, rng.choice(len(levels), shape, p=shares), known[:, None])

    coach = code("coach", COACH_STATES, truth.array("coach_share"))
    method = code("decision_method", DECISION_METHODS, truth.array("method_share"))
    logit = (
        fixed_part(deals, truth)[:, None] + truth.array("coach_effect")[coach] + truth.array("method_effect")[method]
    )
    logit += truth.array("stage_effect")[code("stage", STAGES, truth.array("stage_share"))]
    shared, common = truth.support_correlation, rng.standard_normal(shape)
    rho = truth.array("reliability")[coach]
    bias = truth.array("seller_bias")[pd.Index(level_names(truth, "seller")).get_indexer(deals["seller"])][:, None]
    edges = np.pad(tier_cuts(truth), ((0, 0), (1, 1)), constant_values=((0, 0), (-np.inf, np.inf)))
    weight = np.ones(shape)
    for at, role in enumerate(ROLES):
        tier = deals[f"{role}_support"].to_numpy(dtype=float)
        known, code_of = ~np.isnan(tier), np.nan_to_num(tier, nan=1).astype(int)
        centre, spread = np.sqrt(shared) * common, np.sqrt(1 - rho**2 * shared)
        low = ndtr((edges[at, code_of - 1][:, None] - bias - rho * centre) / spread)
        high = ndtr((edges[at, code_of][:, None] - bias - rho * centre) / spread)
        reading = rho * centre + spread * ndtri(np.clip(low + (high - low) * rng.random(shape), 1e-12, 1 - 1e-12))
        precision = 1 / (1 - shared) + rho**2 / (1 - rho**2)
        mean = (centre / (1 - shared) + rho * reading / (1 - rho**2)) / precision
        noise = rng.standard_normal(shape)
        silent = truth.unknown_mean[at] + centre + np.sqrt(1 - shared) * noise
        support = np.where(known[:, None], mean + noise / np.sqrt(precision), silent)
        weight *= np.where(known[:, None], high - low, 1.0)
        logit += truth.array("role_weight")[at][method] * support
        if at == 0:
            approver = support
            logit -= truth.veto * (support <= edges[0, 1])
    return Worlds(weight=weight, logit=logit, method=method, approver=approver)


def fixed_part(deals: pd.DataFrame, truth: Truth) -> Array:
    """(deal,) log-odds of the facts that are never blank."""
    logit = truth.intercept + truth.amount_effect * standardised_log_amount(truth, deals["amount"].to_numpy())
    logit += truth.array("coverage_effect")[pd.Index(COVERAGES).get_indexer(deals["approver_coverage"])]
    quarter = (deals["as_of"].dt.year * 4 + deals["as_of"].dt.quarter).to_numpy()
    logit += truth.array("drift")[quarter - NOW + len(truth.drift) - 1]
    for field in TEAM:
        names = pd.Index(level_names(truth, field))
        logit += truth.array(f"{field}_offset")[names.get_indexer(deals[field].fillna(""))]
    return logit


#: The quarter in which the simulator's open deals are read.
NOW = 2026 * 4 + 3

# --- one team -----------------------------------------------------------------------------------------------------


def score_team(team: Team, chances: Array, lifts: Array, weights: Array) -> Cell:
    """The cached scores of a team, from ``chances`` (deal, draw), ``lifts`` (deal, role) and ``weights``
    (draw, role, method).
    """
    mean, true = chances.mean(axis=1), team.truth.array("role_weight")
    learned = weights[:, :, : true.shape[1]]
    lower, upper = np.quantile(learned, [0.05, 0.95], axis=0)
    slope, intercept = recalibration(team.won, mean)
    return {
        "won": team.won,
        "win_prob": mean,
        "loss": log_losses(team.won, mean),
        "loss_truth": log_losses(team.won, team.chance),
        "loss_best": log_losses(team.won, team.best),
        "slope": np.array(slope),
        "intercept": np.array(intercept),
        "coverage": np.array(coverage_90(group_calibration(team.won, chances, team.fresh))),
        "weight_bias": (learned.mean(axis=0) - true).ravel(),
        "weight_held": ((lower <= true) & (true <= upper)).ravel(),
        **regrets(team, lifts, learned),
    }


def run_winprob(world: str, seed: int, *, report_bias: bool = True) -> Cell:
    """Scores of one team with ``fit`` and ``predict``; sellers' readings corrected for their bias, or uncorrected."""
    import winprob
    from winprob.data.schema import validate_deals
    from winprob.model.features import describe
    from winprob.model.win.terms import attenuation, coefficients, logits, support_terms

    team = team_of(world, seed)
    settings = winprob.Settings(covariates=CovariateSettings(report_bias=report_bias)).for_refits()
    posterior = winprob.fit(team.closed, seed=seed, settings=settings)
    features = describe(validate_deals(team.fresh), posterior.scaling)
    coefs = coefficients(posterior.flat, features, seed=seed)
    log_odds = logits(coefs, features).astype(float)
    chances, shrink = expit(log_odds), attenuation(support_terms(coefs, features)[1])
    lifts = np.zeros(team.step.shape)
    for role in range(len(ROLES)):
        moved = coefs.role_weight[role][features.method] * np.nan_to_num(team.step[:, role])[:, None]
        lifts[:, role] = (expit(log_odds + shrink * moved) - chances).mean(axis=1)
    return score_team(team, chances, lifts, posterior.flat["role_weight"])


def cached(mark: str, label: str, work: Callable[[], Cell]) -> Cell:
    """A completed team, from the cache of an earlier run if there."""
    folder = timing.out_dir() / "misspecification" / mark
    path = folder / f"{label.replace(' ', '-').replace(',', '')}.npz"
    if path.exists():
        with np.load(path) as arrays:
            return dict(arrays)
    timing.progress(label)
    cell = work()
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(scratch := path.with_suffix(".part.npz"), **cell)
    scratch.replace(path)
    return cell


def mark_of(*sources: str) -> str:
    """Cache key: hash of the package and of the programs that produce a team."""
    content = b"".join(Path(source).read_bytes() for source in sources)
    return f"{timing.code_hash()}-{hashlib.sha256(content).hexdigest()[:8]}"


# --- the table ----------------------------------------------------------------------------------------------------


def summary(cells: Sequence[Cell]) -> dict[str, float]:
    """Scores over teams; ``_se`` are standard errors over teams."""
    won, win_prob = (np.concatenate([cell[name] for cell in cells]) for name in ("won", "win_prob"))
    slope, intercept = recalibration(won, win_prob)

    def over_teams(name: str, values: Sequence[float]) -> dict[str, float]:
        return {name: float(np.mean(values)), f"{name}_se": float(np.std(values, ddof=1) / np.sqrt(len(values)))}

    scores: dict[str, float] = {"pooled_slope": slope, "pooled_intercept": intercept}
    for name in ("loss", "slope", "intercept", "coverage", "weight_bias", "weight_held", "best_lift"):
        scores |= over_teams(name, [cell[name].mean() for cell in cells])
    for name in ("regret", "regret_random", "regret_always"):
        scores |= over_teams(name, [cell[name].mean() for cell in cells])
    for name in ("best", "truth"):
        scores |= over_teams(f"excess_{name}", [(cell["loss"] - cell[f"loss_{name}"]).mean() for cell in cells])
    return scores


def results_table(records: Mapping[str, dict[str, float]]) -> str:
    header = (
        "world",
        "log loss",
        "minus the oracle's (± se)",
        "minus that of true support",
        "slope (± se)",
        "intercept (± se)",
        "group coverage",
        "weights' bias",
        "weights covered (aim .90)",
        "lever regret, points (± se)",
        "of any role",
        "of one role for all",
        "best lift",
    )

    def with_se(record: dict[str, float], name: str, digits: int, times: float = 1) -> str:
        return f"{times * record[name]:.{digits}f} ± {times * record[f'{name}_se']:.{digits}f}"

    rows = [
        (
            name,
            f"{r['loss']:.4f}",
            with_se(r, "excess_best", 4),
            f"{r['excess_truth']:.4f}",
            with_se(r, "slope", 3),
            with_se(r, "intercept", 3),
            with_se(r, "coverage", 3),
            f"{r['weight_bias']:+.3f}",
            f"{r['weight_held']:.3f}",
            with_se(r, "regret", 2, 100),
            f"{100 * r['regret_random']:.2f}",
            f"{100 * r['regret_always']:.2f}",
            f"{100 * r['best_lift']:.2f}",
        )
        for name, r in records.items()
    ]
    return timing.markdown(header, rows)


def gap(cells: Sequence[Cell], others: Sequence[Cell], name: str, seed: int = 1) -> tuple[float, float, float]:
    """Paired difference of ``name`` by deal, and its 90 % interval over teams."""
    groups = np.repeat(np.arange(len(cells)), [len(cell[name]) for cell in cells])
    ours, theirs = (np.concatenate([cell[name] for cell in of]) for of in (cells, others))
    return paired_difference(ours, theirs, groups, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=12)
    parser.add_argument("--worlds", nargs="+", choices=tuple(WORLDS), default=list(WORLDS))
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams of two worlds, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked = argparse.Namespace(**{**vars(asked), "teams": 2, "worlds": ["plain", "veto"]})
    seeds, mark = range(asked.seed, asked.seed + asked.teams), mark_of(__file__)
    records = {}
    for world in asked.worlds:
        cells = [cached(mark, f"{world} {seed}", lambda: run_winprob(world, seed)) for seed in seeds]  # noqa: B023
        records[world] = summary(cells)
    print(f"{asked.teams} teams a world, {CLOSED} closed deals to learn from, {FRESH} fresh test deals\n")
    print(results_table(records))
    timing.save("misspecification", [], worlds=records, teams=asked.teams, closed=CLOSED, fresh=FRESH)


if __name__ == "__main__":
    main()
