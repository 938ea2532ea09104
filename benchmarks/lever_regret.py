"""Does the first lever raise the right role, and does the lift's interval hold the truth? Simulated teams, known truth.

Each team's closed deals are learned from, once for all measures; fresh open deals of the same team are ranked. A visit
moves one role's true support one tier up, from the middle of its reported tier to the next (not reported: from the
mean of such roles), by the true tiers. The *true lift* of a role is what that adds to the win probability at the true
parameters: expected given the record (over what tiers and blanks leave open), and realised, at the deal's true
support. Regret is the best role's lift minus that of the role ranked first. Next to winprob: (a) the coefficients of a
logistic regression on reported tiers, (b) raising the lowest role, (c) the highest title first. Every team is kept, so
that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import _timing as timing
import misspecification as worlds
import numpy as np
import pandas as pd

from winprob.methodology.vocabulary import ROLES
from winprob.simulation import Truth, simulate

Array = np.ndarray
Cell = dict[str, Array]

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


def run_team(world: str, closed: int, seed: int) -> Cell:
    """A team's means over its fresh deals."""
    import winprob

    first = simulate(closed, 1, seed=seed, truth=Truth(**worlds.WORLDS[world]))
    again = simulate(10, FRESH, seed=seed + 5000, truth=first.truth)
    posterior = winprob.fit(first.closed, seed=seed, settings=winprob.Settings().for_refits())
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
    return cell


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


def told(results: dict[tuple[str, int], list[Cell]]) -> str:
    """Three tables: regret, how often right, intervals."""
    parts = []
    for title, name, times in (
        (
            "Regret, points of win probability (± se over teams), true lift expected given the record",
            "regret_expected",
            100,
        ),
        ("The same, true lift realised", "regret_realised", 100),
        ("First lever is the true best role (expected), share of deals, %", "hit_expected", 100),
    ):
        head = ("world", "closed deals", OURS, *RIVALS, RANDOM, "winprob / logistic")
        rows = []
        for (world, closed), cells in results.items():
            got = {who: over_teams(cells, f"{name}_{who}") for who in (OURS, *RIVALS, RANDOM)}
            ratio = f"{got[OURS][0] / got[LOGISTIC][0]:.2f}"
            rows.append(
                (world, closed, *(f"{times * mean:.2f} ± {times * se:.2f}" for mean, se in got.values()), ratio)
            )
        parts.append(f"**{title}**\n\n{timing.markdown(head, rows)}")
    head = (
        "world",
        "closed deals",
        "holds the expected lift, % (aim 87-93)",
        "of the first lever",
        "holds the realised lift",
        "interval is above it",
        "mean width, points",
        "mean lift minus true, points",
        "prob_best of the first",
        "it is best",
        "best lift, points",
    )
    names = ("held_expected", "held_expected_first", "held_realised", "too_high", "width", "bias", "said_best")
    rows = [
        (
            world,
            closed,
            *(
                f"{100 * mean:.1f} ± {100 * se:.1f}"
                for mean, se in (over_teams(cells, n) for n in (*names, f"hit_expected_{OURS}", "best_expected"))
            ),
        )
        for (world, closed), cells in results.items()
    ]
    parts.append(f"**The 90 % interval of a lift**\n\n{timing.markdown(head, rows)}")
    return "\n\n".join(parts)


def figures(results: dict[tuple[str, int], list[Cell]]) -> list[timing.Figure]:
    """The aims, in the plain world."""
    found = []
    for (world, closed), cells in results.items():
        if world != "plain":
            continue
        regret = {who: over_teams(cells, f"regret_expected_{who}")[0] for who in (OURS, *RIVALS)}
        if closed == 300:
            found.append(
                timing.Figure(quantity="regret / logistic's, 300", got=regret[OURS] / regret[LOGISTIC], aim=0.5)
            )
        least = min(regret[who] for who in RIVALS)
        found.append(timing.Figure(quantity=f"regret / best rival's, {closed}", got=regret[OURS] / least, aim=1.0))
        held = over_teams(cells, "held_expected")[0]
        found.append(timing.Figure(quantity=f"coverage's distance from 90 %, {closed}", got=abs(held - 0.9), aim=0.03))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="closed deals to learn from")
    parser.add_argument(
        "--worlds", nargs="+", choices=[w for w in worlds.WORLDS if "later" not in w], default=["plain"]
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams of one size, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked = argparse.Namespace(**{**vars(asked), "teams": 2, "sizes": [150]})
    seeds, mark = range(asked.seed, asked.seed + asked.teams), worlds.mark_of(__file__, worlds.__file__)
    results: dict[tuple[str, int], list[Cell]] = {(w, n): [] for w in asked.worlds for n in asked.sizes}
    for seed in seeds:
        for (world, closed), cells in results.items():
            label = f"levers {world} {closed} {seed}"
            cells.append(worlds.cached(mark, label, lambda: run_team(world, closed, seed)))  # noqa: B023
    print(f"{asked.teams} teams a world and size, {FRESH} fresh open deals each\n\n{told(results)}\n")
    print(timing.figures_table(figures(results)))
    means = {
        f"{world} {closed}": {name: over_teams(cells, name) for name in cells[0]}
        for (world, closed), cells in results.items()
    }
    timing.save("lever_regret", figures(results), teams=asked.teams, fresh=FRESH, scores=means)


if __name__ == "__main__":
    main()
