"""Does the first lever raise the right role, and does the lift's interval hold the truth? Simulated teams, known truth.

Each team's closed deals are learned from, once for all measures; fresh open deals of the same team are ranked. A visit
moves one role's true support one tier up, from the middle of its reported tier to the next (not reported: from the
mean of such roles), by the true tiers. The *true lift* of a role is what that adds to the win probability at the true
parameters: expected given the record (over what tiers and blanks leave open), and realised, at the deal's true
support. Regret is the best role's lift minus that of the role ranked first. Next to winprob: (a) the coefficients of a
logistic regression on reported tiers, (b) raising the lowest role, (c) the highest title first. What is true of a team
is one fixed set of numbers, a draw from the model's prior, or a wider draw (``--truths``, see ``_truths``). Every team
is kept, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import _timing as timing
import _truths as truths
import misspecification as worlds
import numpy as np
import pandas as pd

from winprob.errors import NotConvergedError
from winprob.evaluation.scores import TAILS, paired_difference
from winprob.methodology.vocabulary import ROLES
from winprob.simulation import Truth, simulate

Array = np.ndarray
Cell = dict[str, Array]
#: World, kind of truth, closed deals.
Case = tuple[str, str, int]

SIZES = (150, 300, 1000)
FRESH = 500
OURS, LOGISTIC, LOWEST, TITLE, RANDOM = "winprob", "logistic", "lowest role", "highest title", "any role"
RIVALS = (LOGISTIC, LOWEST, TITLE)
WORDS = (
    "stage",
    "coach",
    "decision_method",
    "approver_coverage",
    "segment",
    "region",
    "seller",
    "product",
    "competitor",
)
PENALTIES = np.logspace(-3, 1, 9)
#: Edges of the bins in which ``prob_best`` is compared with how often the first lever was right.
EDGES = np.array([0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
RESAMPLES = 4000


# --- what is true -------------------------------------------------------------------------------------------------


def true_steps(deals: pd.DataFrame, truth: Truth, scaling: Any) -> Array:
    """(deal, role) how far one tier up is by the true tiers; 0 at the top tier."""
    from winprob.data.schema import validate_deals
    from winprob.model.features import describe
    from winprob.model.win.lifts import steps_up

    exact = replace(scaling, tier_counts=tuple(tuple(1e6 * share for share in row) for row in truth.tier_frequency))
    return steps_up(describe(validate_deals(deals), exact), exact, truth.array("unknown_mean"))


def expected_lifts(deals: pd.DataFrame, truth: Truth, steps: Array, seed: int) -> Array:
    """(deal, role) true lift of win probability, averaged over what the record leaves open."""
    open_to = worlds.possible_worlds(deals, truth, seed)
    now, cut = worlds.linked(truth, open_to.logit), worlds.tier_cuts(truth)[0, 0]
    lifts = np.zeros(steps.shape)
    for role in range(len(ROLES)):
        step = steps[:, role, None]
        after = open_to.logit + truth.array("role_weight")[role][open_to.method] * step
        if role == 0:
            after += truth.veto * ((open_to.approver <= cut) & (open_to.approver + step > cut))
        lifts[:, role] = open_to.mean(worlds.linked(truth, after) - now)
    return lifts


# --- who ranks how ------------------------------------------------------------------------------------------------


def logistic_coefficients(closed: pd.DataFrame, seed: int) -> Array:
    """(role,) log-odds a reported tier, ridge of a strength that inner folds choose; blanks at the mean, marked."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold

    tiers = closed[[f"{role}_support" for role in ROLES]].to_numpy(dtype=float)
    blank = np.isnan(tiers)
    numbers = np.where(blank, np.nanmean(tiers, axis=0), tiers)
    amount = np.log1p(closed["amount"].to_numpy(dtype=float))
    words = pd.get_dummies(closed[list(WORDS)].astype(object).fillna("blank").astype(str)).to_numpy(dtype=float)
    design = np.column_stack([numbers, blank, (amount - amount.mean()) / amount.std(), words])
    won = (closed["outcome"] == "won").to_numpy(dtype=float)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = LogisticRegressionCV(
        Cs=PENALTIES,
        cv=folds,
        scoring="neg_log_loss",
        max_iter=5000,
        l1_ratios=(0,),
        use_legacy_attributes=False,
    )
    return model.fit(design, won).coef_[0, : len(ROLES)]


def scores(deals: pd.DataFrame, closed: pd.DataFrame, seed: int) -> dict[str, Array]:
    """(deal, role) of each rival: the role of the highest score is raised. Alike scores are drawn among by lot."""
    tiers = deals[[f"{role}_support" for role in ROLES]].to_numpy(dtype=float)
    by_title = -np.arange(len(ROLES), dtype=float)
    return {
        LOGISTIC: np.broadcast_to(logistic_coefficients(closed, seed), tiers.shape),
        # Nobody knows how low a role is that is not reported: after those that are.
        LOWEST: -np.nan_to_num(tiers, nan=9.0),
        TITLE: np.broadcast_to(by_title, tiers.shape),
        RANDOM: np.zeros(tiers.shape),
    }


def choices(score: Array, able: Array) -> Array:
    """(deal, role) the chance that each role is raised: the best score among those that can rise, ties by lot."""
    among = np.where(able, score, -np.inf)
    first = (among == among.max(axis=1, keepdims=True)) & able
    return first / first.sum(axis=1, keepdims=True)


# --- one team -----------------------------------------------------------------------------------------------------


def run_team(world: str, kind: str, closed: int, seed: int) -> Cell:
    """A team's means over its fresh deals; only ``refused`` where the model did not converge."""
    import winprob

    first = truths.team_with(kind, closed, seed, worlds.WORLDS[world])
    again = simulate(10, FRESH, seed=seed + 5000, truth=first.truth)
    try:
        posterior = winprob.fit(first.closed, seed=seed, settings=winprob.Settings().for_refits())
    except NotConvergedError:
        return {"refused": np.array(1.0)}
    levers = winprob.rank_roles(posterior, again.open)
    steps = true_steps(again.open, first.truth, posterior.scaling)
    able = steps > 0
    rows = able.any(axis=1)
    expected = expected_lifts(again.open, first.truth, steps, seed)[rows]
    realised = np.nan_to_num(worlds.true_lifts(first.truth, again.latent_open, steps))[rows]
    ours = {name: by_role(levers, name)[rows] for name in ("win_prob_lift", "lower", "upper", "prob_best")}
    ranked = {OURS: np.nan_to_num(ours["win_prob_lift"], nan=-1.0)}
    ranked |= {name: score[rows] for name, score in scores(again.open, first.closed, seed).items()}
    cell = judge(ranked, able[rows], expected, realised)
    known = ~np.isnan(ours["lower"])
    for name, true in (("expected", expected), ("realised", realised)):
        held = (ours["lower"] <= true) & (true <= ours["upper"])
        cell[f"held_{name}"] = np.array(held[known].mean())
        cell[f"held_{name}_first"] = np.array(
            (held & (ranked[OURS] == ranked[OURS].max(axis=1, keepdims=True))).sum() / len(held)
        )
    cell["width"] = np.array((ours["upper"] - ours["lower"])[known].mean())
    cell["bias"] = np.array((ours["win_prob_lift"] - expected)[known].mean())
    cell["too_high"] = np.array((ours["lower"] > expected)[known].mean())
    cell["said_best"] = np.array(ours["prob_best"].max(axis=1).mean())
    return cell | reliability(ranked[OURS], ours["prob_best"], able[rows], expected)


def reliability(score: Array, prob_best: Array, able: Array, lift: Array) -> Cell:
    """By bin of ``prob_best`` of the first lever: deals, the sum of ``prob_best``, in how many the lever was right."""
    row, first = np.arange(len(score)), score.argmax(axis=1)
    said = prob_best[row, first]
    right = able[row, first] & (lift[row, first] >= np.where(able, lift, -np.inf).max(axis=1))
    place = np.clip(np.digitize(said, EDGES) - 1, 0, len(EDGES) - 2)
    sums = {"deals": np.ones(len(said)), "said": said, "right": right.astype(float)}
    return {f"bin_{name}": np.bincount(place, values, len(EDGES) - 1) for name, values in sums.items()}


def by_role(levers: pd.DataFrame, name: str) -> Array:
    """(deal, role) one column of a table of levers, deals in its order."""
    wide = levers.pivot_table(index="deal_id", columns="role", values=name, sort=False, dropna=False)
    return wide.reindex(columns=list(ROLES), index=levers["deal_id"].unique()).to_numpy()


def judge(ranked: dict[str, Array], able: Array, expected: Array, realised: Array) -> Cell:
    """Regret, and how often the role of the largest true lift is chosen, of every ranking."""
    cell: Cell = {}
    for truth, true in (("expected", expected), ("realised", realised)):
        lift = np.where(able, true, 0)
        best = np.where(able, true, -np.inf).max(axis=1)
        for name, score in ranked.items():
            chosen = choices(score, able)
            cell[f"regret_{truth}_{name}"] = np.array((best - (chosen * lift).sum(axis=1)).mean())
            cell[f"hit_{truth}_{name}"] = np.array((chosen * (lift >= best[:, None])).sum(axis=1).mean())
        cell[f"best_{truth}"] = np.array(best.mean())
    return cell


# --- the table ----------------------------------------------------------------------------------------------------


def over_teams(cells: Sequence[Cell], name: str) -> tuple[float, float]:
    """Mean and its standard error over teams."""
    values = np.array([float(cell[name]) for cell in cells])
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def ratio(cells: Sequence[Cell], name: str, other: str) -> tuple[float, float, float]:
    """Ratio of two means over teams, and its 90 % interval from resampled teams."""
    pairs = np.array([[float(cell[name]), float(cell[other])] for cell in cells])
    chosen = np.random.default_rng(1).integers(len(pairs), size=(RESAMPLES, len(pairs)))
    means = pairs[chosen].mean(axis=1)
    lower, upper = np.quantile(means[:, 0] / means[:, 1], TAILS)
    return float(pairs[:, 0].mean() / pairs[:, 1].mean()), float(lower), float(upper)


def minus(cells: Sequence[Cell], name: str, other: str) -> tuple[float, float, float]:
    """Mean difference over teams, and its 90 % interval from resampled teams."""
    ours, theirs = (np.array([float(cell[each]) for cell in cells]) for each in (name, other))
    return paired_difference(ours, theirs, np.arange(len(cells)), seed=1, draws=RESAMPLES)


def results_tables(results: dict[Case, list[Cell]]) -> str:
    """Regret, how often right, paired differences, intervals, reliability."""
    titles = {
        "Regret, points of win probability (± se over teams), true lift expected given the record": "regret_expected",
        "The same, true lift realised": "regret_realised",
        "First lever is the true best role (expected), share of deals, %": "hit_expected",
    }
    tables = {title: means_table(results, name) for title, name in titles.items()}
    tables["Regret, winprob minus each, points (90 % interval over teams), true lift expected"] = paired_table(results)
    tables["The 90 % interval of a lift"] = intervals_table(results)
    tables["prob_best of the first lever, and how often it was the best, %"] = reliability_table(results)
    return "\n\n".join(f"**{title}**\n\n{table}" for title, table in tables.items())


def means_table(results: dict[Case, list[Cell]], name: str) -> str:
    head = ("world", "truth", "closed deals", OURS, *RIVALS, RANDOM, "winprob / logistic (90 %)")
    rows = []
    for case, cells in results.items():
        got = [over_teams(cells, f"{name}_{who}") for who in (OURS, *RIVALS, RANDOM)]
        middle, lower, upper = ratio(cells, f"{name}_{OURS}", f"{name}_{LOGISTIC}")
        points = [f"{100 * mean:.2f} ± {100 * se:.2f}" for mean, se in got]
        rows.append((*case, *points, f"{middle:.2f} ({lower:.2f}, {upper:.2f})"))
    return timing.markdown(head, rows)


def paired_table(results: dict[Case, list[Cell]]) -> str:
    head = ("world", "truth", "closed deals", *(f"minus {who}" for who in (*RIVALS, RANDOM)))
    rows = []
    for case, cells in results.items():
        gaps = [minus(cells, f"regret_expected_{OURS}", f"regret_expected_{who}") for who in (*RIVALS, RANDOM)]
        rows.append((*case, *("{:+.2f} ({:+.2f}, {:+.2f})".format(*(100 * part for part in gap)) for gap in gaps)))
    return timing.markdown(head, rows)


def intervals_table(results: dict[Case, list[Cell]]) -> str:
    columns = {
        "covers the expected lift, % (aim 87-93)": "held_expected",
        "of the first lever": "held_expected_first",
        "covers the realised lift": "held_realised",
        "interval is above it": "too_high",
        "mean width, points": "width",
        "mean lift minus true, points": "bias",
        "largest prob_best": "said_best",
        "first lever is best": f"hit_expected_{OURS}",
        "best lift, points": "best_expected",
    }
    rows = []
    for case, cells in results.items():
        got = [over_teams(cells, name) for name in columns.values()]
        rows.append((*case, *(f"{100 * mean:.1f} ± {100 * se:.1f}" for mean, se in got)))
    return timing.markdown(("world", "truth", "closed deals", *columns), rows)


def reliability_table(results: dict[Case, list[Cell]]) -> str:
    """Of each bin with deals: their share, mean ``prob_best`` and share right; all deals in the last column."""
    bins = [f"{low:.1f}-{high:.1f}" for low, high in pairwise(EDGES)]
    rows = []
    for case, cells in results.items():
        deals, said, right = (sum(cell[f"bin_{name}"] for cell in cells) for name in ("deals", "said", "right"))
        parts = [
            f"{100 * s / n:.0f}: {100 * r / n:.0f} (of {100 * n / deals.sum():.0f})" if n else "-"
            for n, s, r in zip(deals, said, right, strict=True)
        ]
        rows.append((*case, *parts, f"{100 * said.sum() / deals.sum():.1f}: {100 * right.sum() / deals.sum():.1f}"))
    return timing.markdown(("world", "truth", "closed deals", *bins, "all"), rows)


def figures(results: dict[Case, list[Cell]]) -> list[timing.Figure]:
    """The aims, in the plain world. With truths wider than the prior no interval has to hold: no aim there."""
    found = []
    for (world, kind, closed), cells in results.items():
        if world != "plain":
            continue
        regret = {who: over_teams(cells, f"regret_expected_{who}")[0] for who in (OURS, *RIVALS)}
        gained = {
            f"regret / logistic's, {closed}": (regret[OURS] / regret[LOGISTIC], 0.5 if kind == "fixed" else 1.0),
            f"regret / best rival's, {closed}": (regret[OURS] / min(regret[who] for who in RIVALS), 1.0),
            f"coverage's distance from 90 %, {closed}": (
                abs(over_teams(cells, "held_expected")[0] - 0.9),
                None if kind == "wide" else 0.03,
            ),
            f"prob_best minus share right, {closed}": (
                sum((cell["bin_said"] - cell["bin_right"]).sum() for cell in cells)
                / sum(cell["bin_deals"].sum() for cell in cells),
                None if kind == "wide" else 0.05,
            ),
        }
        found += [
            timing.Figure(quantity=f"{name}, truth {kind}", got=got, aim=aim) for name, (got, aim) in gained.items()
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="closed deals to learn from")
    parser.add_argument(
        "--worlds", nargs="+", choices=[w for w in worlds.WORLDS if "later" not in w], default=["plain"]
    )
    parser.add_argument(
        "--truths", nargs="*", choices=truths.TRUTHS, default=[], help="what is true of a team; all three by default"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams of one size, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked = argparse.Namespace(**{**vars(asked), "teams": 2, "sizes": [150]})
    seeds = range(asked.seed, asked.seed + asked.teams)
    mark = worlds.mark_of(__file__, worlds.__file__, truths.__file__)
    results: dict[Case, list[Cell]] = {case: [] for case in cases(asked)}
    for seed in seeds:
        for (world, kind, closed), cells in results.items():
            label = f"levers {world} {kind} {closed} {seed}"
            cells.append(worlds.cached(mark, label, lambda: run_team(world, kind, closed, seed)))  # noqa: B023
    refused = {case: int(sum("refused" in cell for cell in cells)) for case, cells in results.items()}
    results = {case: [cell for cell in cells if "refused" not in cell] for case, cells in results.items()}
    print(f"{asked.teams} teams a world, truth and size, {FRESH} fresh open deals each")
    for case, teams in refused.items():
        if teams:
            print(f"{case}: {teams} teams without a model, because its draws did not converge; they are left out")
    if any(kind != "fixed" for _, kind, _ in results) and (kept := truths.kept_parameters(simulate(150, 1, seed=1))):
        print(f"not drawn from the prior, but as in the simulator: {', '.join(kept)}")
    results = {case: cells for case, cells in results.items() if len(cells) > 1}
    print(f"\n{results_tables(results)}\n")
    print(timing.figures_table(figures(results)))
    means = {
        " ".join(map(str, case)): {name: over_teams(cells, name) for name in cells[0] if not name.startswith("bin_")}
        for case, cells in results.items()
    }
    timing.save("lever_regret", figures(results), teams=asked.teams, fresh=FRESH, scores=means)


def cases(asked: argparse.Namespace) -> list[Case]:
    """What is run: a world that sets the role weights has them fixed in every team, and is run with no other truth."""
    kinds = asked.truths or truths.TRUTHS
    return [
        (world, kind, closed)
        for world in asked.worlds
        for kind in kinds
        for closed in asked.sizes
        if kind == "fixed" or "role_weight" not in worlds.WORLDS[world]
    ]


if __name__ == "__main__":
    main()
