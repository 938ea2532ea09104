"""Prototypes of three extensions of the win model (design 4.7), compared with the plain model.

``factor``: the supports of a deal share a common factor. ``bias``: the readings of each seller are shifted. ``veto``: a
penalty where the approver's true support is in the opposed tier. One graph contains all three; which are active enters
as data, so that it is compiled once. Without any it is the plain model. Evaluated by log loss, calibration and lever
regret in the world that an extension is made for, and on plain teams, paired by deal, with an interval over teams.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import _timing as timing
import misspecification
import numpy as np
import pandas as pd
from misspecification import (
    CLOSED,
    FRESH,
    Cell,
    cached,
    gap,
    mark_of,
    results_table,
    run_winprob,
    score_team,
    summary,
    team_of,
)
from scipy.special import expit, ndtr, ndtri

Array = np.ndarray

#: Active extensions: a common factor, sellers' biases, a veto; and whether the likelihood includes the readings (their
#: correlation within a deal identifies the factor, their level a seller's bias) or only the outcomes.
VARIANTS: dict[str, dict[str, float]] = {
    "plain": {"factor": 0.0, "bias": 0.0, "veto": 0.0, "reports": 0.0},
    "factor": {"factor": 1.0, "bias": 0.0, "veto": 0.0, "reports": 1.0},
    "factor, outcomes only": {"factor": 1.0, "bias": 0.0, "veto": 0.0, "reports": 0.0},
    "bias": {"factor": 0.0, "bias": 1.0, "veto": 0.0, "reports": 1.0},
    "bias, outcomes only": {"factor": 0.0, "bias": 1.0, "veto": 0.0, "reports": 0.0},
    "veto": {"factor": 0.0, "bias": 0.0, "veto": 1.0, "reports": 0.0},
}
#: The world that each is made for.
HOME = {"factor": "correlated", "bias": "biased", "veto": "veto"}
STANDARD = ("normal", "half_normal", "ratio", "common", "bias", "scale")
BIAS_SD, VETO_SD, FACTOR_PRIOR = 0.5, 1.0, (1.0, 2.0)
SELLERS, APPROVER, FAR = 32, 0, 8.0
SAMPLER = {"draws": 500, "tune": 500, "chains": 2, "target_accept": 0.85}


# --- the graph, for one draw: PyTensor's or NumPy's arithmetic ----------------------------------------------------


class NumPy:
    """The functions of the normal distribution that the graph needs, for one draw in NumPy."""

    xp = np
    cdf = staticmethod(ndtr)


class Symbols:
    """The same in PyTensor."""

    @property
    def xp(self) -> Any:
        import pytensor.tensor as pt

        return pt

    def cdf(self, x: Any) -> Any:
        return self.xp.erfc(-x / np.sqrt(2)) / 2


def log_odds(by: Mapping[str, Any], data: Mapping[str, Any], on: Any) -> tuple[Any, Any]:
    """Log-odds of winning (deal,) and the log likelihood of the reports, for one draw of the parameters."""
    mean, variance, log_reports = reading_moments(by, data, on)
    predictor, spread, log_common = supported(by, data, on, mean, variance)
    shrunk = predictor / on.xp.sqrt(1 + np.pi / 8 * spread)
    return shrunk, log_reports + log_common


def reading_moments(by: Mapping[str, Any], data: Mapping[str, Any], on: Any) -> tuple[Any, Any, Any]:
    """Mean and variance of an unbiased reading within its tier (deal, role), and the log probability of the tiers.

    Tiers are cut at quantiles of all readings, biases included: their spread widens the edges.
    """
    xp, shift = on.xp, (data["biased"] * by["bias_sd"] * by["bias"])[data["seller"]][:, None]
    wide = xp.sqrt(1 + data["biased"] * by["bias_sd"] ** 2)
    low, high = data["low"] * wide - shift, data["high"] * wide - shift
    inside = xp.maximum(on.cdf(high) - on.cdf(low), 1e-12)
    at_low, at_high = xp.exp(-(low**2) / 2) / np.sqrt(2 * np.pi), xp.exp(-(high**2) / 2) / np.sqrt(2 * np.pi)
    mean = (at_low - at_high) / inside
    variance = xp.clip(1 + (low * at_low - high * at_high) / inside - mean**2, 1e-6, 1.0)
    return mean, variance, (data["biased"] * data["reported"] * xp.log(inside)).sum()


def supported(
    by: Mapping[str, Any], data: Mapping[str, Any], on: Any, reading: Any, hidden: Any
) -> tuple[Any, Any, Any]:
    """Predictor, the variance that support leaves in it, and the log evidence of a common factor in the reports.

    Each report counts as a normal reading of its support, precise enough to give the support the mean and variance it
    has by itself. A common normal part then has a closed-form posterior (a rank-one update), and known roles inform
    unknown ones. Without the common part this is the plain model, exactly.
    """
    xp, shared = on.xp, data["common"] * by["common"]
    rho = by["reliability"][data["coach"]][:, None]
    reported = data["reported"]
    alone = 1 - rho**2 + rho**2 * hidden
    precision = reported * (1 / alone - 1)
    pull = reported * rho * reading / alone
    kept_part = 1 / (1 + (1 - shared) * precision)
    common_precision = 1 + shared * (precision * kept_part).sum(axis=1)
    common_pull = (kept_part * pull).sum(axis=1)
    mean = kept_part * ((1 - reported) * by["unknown_support"] + (1 - shared) * pull)
    mean = mean + shared * kept_part * (common_pull / common_precision)[:, None]
    own = (1 - shared) * kept_part
    weight = by["role_weight"].T[data["method"]]
    spread = (weight**2 * own).sum(axis=1) + shared * (weight * kept_part).sum(axis=1) ** 2 / common_precision
    evidence = (
        (-xp.log(1 + (1 - shared) * precision) + own * pull**2).sum()
        + (xp.log(1 + precision) - pull**2 / (1 + precision)).sum()
        + (-xp.log(common_precision) + shared * common_pull**2 / common_precision).sum()
    ) / 2
    approver_sd = xp.sqrt(own + shared * kept_part**2 / common_precision[:, None])[:, APPROVER]
    approver = mean[:, APPROVER] + data["moved"][:, APPROVER]
    opposed = on.cdf((data["opposed"] - approver) / approver_sd)
    effects = xp.concatenate(
        [*(by[f"{word}_effect"] for word in ("stage", "coverage", "coach", "method")), by["offset"], by["drift"], [0.0]]
    )
    predictor = (
        by["intercept"]
        + effects[data["effect"]].sum(axis=1)
        + data["columns"] @ by["numeric_weight"]
        + (weight * (mean + data["moved"])).sum(axis=1)
        - data["vetoed"] * by["veto"] * opposed
    )
    return predictor, spread, evidence


# --- data ---------------------------------------------------------------------------------------------------------


def read(deals: pd.DataFrame, scaling: Any, variant: str, moved: Array | None = None) -> dict[str, Array]:
    """Every array that belongs to the deals; ``moved`` (deal, role) is added to true support."""
    from winprob.methodology.vocabulary import ROLES
    from winprob.model.features import describe
    from winprob.model.win.blocks import effect_places

    features, switch = describe(deals, scaling), VARIANTS[variant]
    if features.unseen:
        raise ValueError(f"levels that training never saw: {features.unseen}")
    tier = deals[[f"{role}_support" for role in ROLES]].to_numpy(dtype=float)
    cuts, at = cuts_of(scaling), np.nan_to_num(tier, nan=1).astype(int)
    seller = next(at for at, field in enumerate(scaling.fields) if field.name == "seller")
    first = sum(len(field.levels) for field in scaling.fields[:seller])
    return {
        "effect": effect_places(features, scaling.layout),
        "coach": features.coach,
        "method": features.method,
        "seller": features.level[:, seller] - first,
        "reported": (~np.isnan(tier)).astype(float),
        "low": cuts[np.arange(len(ROLES)), at - 1],
        "high": cuts[np.arange(len(ROLES)), at],
        "columns": features.numeric.astype(float),
        "moved": np.zeros(tier.shape) if moved is None else moved,
        "opposed": np.array(cuts[APPROVER, 1]),
        "common": np.array(switch["factor"]),
        "biased": np.array(switch["bias"]),
        "vetoed": np.array(switch["veto"]),
        "reports": np.array(switch["reports"]),
    }


def cuts_of(scaling: Any) -> Array:
    """(role, tier + 1) edges of the tiers on the scale of readings."""
    counts = np.array(scaling.tier_counts)
    inner = ndtri(np.cumsum(counts, axis=1)[:, :-1] / counts.sum(axis=1, keepdims=True))
    return np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (-FAR, FAR)))


def build(layout: Any, data: Mapping[str, Array]) -> Any:
    """The graph over ``data``, which also holds the priors' numbers and ``won``."""
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model() as model:
        for name, values in data.items():
            pm.Data(name, values)
        standard = {
            "normal": pm.Normal("normal", 0, 1, shape=len(data["normal_mean"])),
            "half_normal": pm.HalfNormal("half_normal", 1, shape=len(data["half_normal_sd"])),
            "ratio": pm.Beta("ratio", model["ratio_a"], model["ratio_b"], shape=4),
        }
        extra = {
            "common": pm.Beta("common_share", *FACTOR_PRIOR),
            "bias": pm.Normal("seller_bias", 0, 1, shape=SELLERS),
            "scale": pm.HalfNormal("scale", 1, shape=2),
        }
        by = named(pt, standard | extra, model.named_vars, layout)
        logit, log_reports = log_odds(by, model.named_vars, Symbols())
        pm.Potential("won_likelihood", (model["won"] * logit - pt.softplus(logit)).sum())
        pm.Potential("reports_likelihood", model["reports"] * log_reports)
    return model


def named(xp: Any, standard: Mapping[str, Any], prior: Mapping[str, Any], layout: Any) -> dict[str, Any]:
    """Parameters by name, those of the extensions too."""
    from winprob.model.win.parameters import derive_parameters

    by = derive_parameters(xp, {name: standard[name] for name in ("normal", "half_normal", "ratio")}, prior, layout)
    scale = standard["scale"]
    return {
        **by,
        "common": standard["common"],
        "bias": standard["bias"],
        "bias_sd": scale[..., 0] * BIAS_SD,
        "veto": scale[..., 1] * VETO_SD,
    }


# --- learning and predicting --------------------------------------------------------------------------------------

_compiled: dict[tuple[int, ...], Any] = {}
_VARIABLES = ("normal", "half_normal", "ratio", "common_share", "seller_bias", "scale")


def learn(deals: pd.DataFrame, variant: str, seed: int) -> tuple[dict[str, Array], Any, dict[str, float]]:
    """Parameters, each (draw, *dims), the scaling, and convergence diagnostics."""
    import nutpie

    from winprob.model.features import learn_scaling
    from winprob.model.posterior import flatten_chains
    from winprob.model.win.parameters import prior_data
    from winprob.settings import Settings

    settings = Settings()
    scaling = learn_scaling(deals, settings)
    layout = scaling.layout
    prior = prior_data(layout, settings.priors)
    won = (deals["outcome"] == "won").to_numpy(dtype=float)
    data = {**read(deals, scaling, variant), **prior, "won": won}
    key = (len(layout.field_of_level), len(layout.quarter_share), layout.features)
    if key not in _compiled:
        timing.progress("compiling")
        _compiled[key] = nutpie.compile_pymc_model(build(layout, data), cache=False, var_names=list(_VARIABLES))
    tree = nutpie.sample(_compiled[key].with_data(**data), seed=seed, progress_bar=False, save_warmup=False, **SAMPLER)
    standard = dict(zip(STANDARD, (tree["posterior"][name].to_numpy() for name in _VARIABLES), strict=True))
    by = named(np, standard, prior, layout)
    health = {"r_hat": worst_r_hat(by), "diverging": float(tree["sample_stats"]["diverging"].mean())}
    return flatten_chains(by), scaling, health


def worst_r_hat(by: Mapping[str, Array]) -> float:
    """Largest R-hat of the parameters that prediction uses most."""
    from arviz_stats.base import array_stats

    watched = ("intercept", "role_weight", "reliability", "unknown_support", "common", "bias_sd", "veto")
    columns = np.concatenate([by[name].reshape(*by["intercept"].shape, -1) for name in watched], axis=-1)
    return float(array_stats.rhat(columns, chain_axis=0, draw_axis=1).max())


def chances(draws: Mapping[str, Array], data: Mapping[str, Array], every: int = 4) -> Array:
    """(deal, draw) win probability, by the graph's own arithmetic, one draw at a time."""
    rows = range(0, len(draws["intercept"]), every)
    by_draw = ({name: values[at] for name, values in draws.items()} for at in rows)
    return np.stack([expit(log_odds(by, data, NumPy())[0]) for by in by_draw], axis=1)


def run(world: str, seed: int, variant: str) -> Cell:
    """Fit and score one team."""
    from winprob.data.schema import validate_deals

    team = team_of(world, seed)
    draws, scaling, health = learn(validate_deals(team.closed, training=True), variant, seed)
    fresh = validate_deals(team.fresh)
    learned = chances(draws, read(fresh, scaling, variant))
    lifts = np.zeros(team.step.shape)
    for role in range(lifts.shape[1]):
        only = np.where(np.arange(lifts.shape[1]) == role, np.nan_to_num(team.step), 0.0)
        lifts[:, role] = (chances(draws, read(fresh, scaling, variant, only)) - learned).mean(axis=1)
    means = {name: np.array(draws[name].mean()) for name in ("common", "bias_sd", "veto")}
    diagnostics = {name: np.array(value) for name, value in health.items()}
    return {**score_team(team, learned, lifts, draws["role_weight"]), **means, **diagnostics}


# --- evaluation ---------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--variants", nargs="+", choices=tuple(VARIANTS), default=list(VARIANTS))
    parser.add_argument(
        "--built-in", action="store_true", help="evaluate the seller's bias as implemented in the package"
    )
    parser.add_argument("--quick", action="store_true", help="two teams of two worlds, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.teams, asked.variants = 2, ["plain", "veto"]
    if asked.built_in:
        print(built_in(range(asked.seed, asked.seed + asked.teams)))
        return
    mark, seeds = mark_of(__file__, misspecification.__file__), range(asked.seed, asked.seed + asked.teams)
    cells: dict[tuple[str, str], list[Cell]] = {}
    for world, variant in wanted(asked.variants):
        label = f"{world} {variant}"
        cells[world, variant] = [
            cached(mark, f"{label} {seed}", lambda: run(world, seed, variant))  # noqa: B023
            for seed in seeds
        ]
    print(f"{asked.teams} teams a world, {CLOSED} closed deals to learn from, {FRESH} fresh test deals\n")
    records = {f"{world}: {variant}": summary(of) for (world, variant), of in cells.items()}
    print(results_table(records), differences(cells), learned_table(cells), sep="\n\n")
    timing.save("extensions", [], worlds=records, teams=asked.teams, closed=CLOSED, fresh=FRESH)


def built_in(seeds: range) -> str:
    """The package with sellers' readings corrected, minus the package without, in the world of biases and in others."""
    rows, mark = [], mark_of(misspecification.__file__)
    for world in ("biased", "plain", "correlated"):
        on, off = (
            [
                cached(mark, f"{world} {seed} {act}", lambda: run_winprob(world, seed, report_bias=act))  # noqa: B023
                for seed in seeds
            ]
            for act in (True, False)
        )
        rows.append((world, *compared(on, off)))
    header = ("world", "log loss, on minus off", "lever regret, on minus off, points", "slope's distance from 1")
    return timing.markdown(header, rows)


def wanted(variants: list[str]) -> list[tuple[str, str]]:
    """Pairs of world and variant: each extension in its own world and in the plain one, and the plain model there."""
    extended = [variant for variant in variants if variant != "plain"]
    homes = dict.fromkeys(HOME[variant.split(",")[0]] for variant in extended)
    pairs = [(world, "plain") for world in ("plain", *homes)]
    return pairs + [(world, v) for v in extended for world in (HOME[v.split(",")[0]], "plain")]


def differences(cells: Mapping[tuple[str, str], list[Cell]]) -> str:
    """Each extension minus the plain model on the same deals, 90 % interval over teams."""
    rows = []
    for (world, variant), of in cells.items():
        if variant == "plain":
            continue
        rows.append((world, variant, *compared(of, cells[world, "plain"])))
    header = (
        "world",
        "extension",
        "log loss minus plain",
        "lever regret minus plain, points",
        "slope's distance from 1",
    )
    return timing.markdown(header, rows)


def compared(cells: list[Cell], others: list[Cell]) -> tuple[str, str, str]:
    """Paired differences of log loss and lever regret, and the slope's distance from 1 of both."""
    losses, regret = (gap(cells, others, name) for name in ("loss", "regret"))
    slopes = [np.mean([abs(cell["slope"] - 1) for cell in each]) for each in (cells, others)]
    return (
        f"{losses[0]:+.4f} ({losses[1]:+.4f}, {losses[2]:+.4f})",
        f"{100 * regret[0]:+.2f} ({100 * regret[1]:+.2f}, {100 * regret[2]:+.2f})",
        f"{slopes[0]:.3f}, was {slopes[1]:.3f}",
    )


def learned_table(cells: Mapping[tuple[str, str], list[Cell]]) -> str:
    """Each extension's own parameter, mean over teams (range), and the worst convergence diagnostics."""
    own = {"factor": "common", "bias": "bias_sd", "veto": "veto"}
    rows = []
    for (world, variant), of in cells.items():
        name = own.get(variant.split(",")[0])
        values = [float(cell[name]) for cell in of] if name else []
        shown = f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "-"
        worst = (max(float(cell[name]) for cell in of) for name in ("r_hat", "diverging"))
        rows.append((world, variant, shown, *(f"{value:.3f}" for value in worst)))
    return timing.markdown(("world", "extension", "its parameter", "worst R-hat", "most diverging"), rows)


if __name__ == "__main__":
    main()
