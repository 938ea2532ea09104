"""What do planned visits win in truth? Simulated teams whose every parameter is known, and the time a plan takes.

Each team's closed deals are learned from, and a log of past visits; executives are then planned over its open deals, by
winprob and by three plans of common sense under the same rules. In truth a visit succeeds with the chance of its role
and coverage and moves the role's true support by one tier's width; the tiers of the log are readings of it, with noise.
What the visits add is exact arithmetic at the true parameters. Every team is kept, so that a run that was stopped goes
on where it was.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
from misspecification import linked, mark_of, visit_steps

from winprob.actions.visits import Plan, assessment, plan_visits, planning
from winprob.actions.visits.assessment import FURTHER
from winprob.actions.visits.baselines import PLANS
from winprob.actions.visits.candidates import pick_candidates
from winprob.actions.visits.eligibility import executive_groups, find_access
from winprob.actions.visits.executives import Roster, roster_from
from winprob.actions.visits.gains import role_sets
from winprob.actions.visits.pairs import STATES
from winprob.actions.visits.problem import NO_VISIT, Problem
from winprob.actions.visits.program import solve
from winprob.data.schema import validate_deals
from winprob.methodology.vocabulary import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES
from winprob.model.inference import fit, fit_prior
from winprob.model.posterior import Posterior
from winprob.settings import Settings, VisitSettings
from winprob.simulation import Simulation, Truth, simulate
from winprob.simulation.deals import tier_cuts

Array = np.ndarray
Cell = dict[str, Array]

OPEN, LOGGED = 120, 80
REGIONS = ("north", "east", "south", "west", "central", "northeast")
OURS = ("winprob", "winprob, wins", "winprob, risk 0.9")
#: Every plan that is judged; ``best`` knows the truth.
JUDGED = (*OURS, *PLANS, "random", "best")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A team with what is true of its open deals.

    Attributes
    ----------
    logit : (deal,) on the link's scale, at true support
    moves : (deal, role) what a successful visit adds to it; NaN where the report is the top tier already
    chance : (deal, role) true chance of success of a visit
    """

    closed: pd.DataFrame
    open: pd.DataFrame
    visits: pd.DataFrame
    truth: Truth
    logit: Array
    moves: Array
    chance: Array

    def added(self, visited: Array) -> Array:
        """(deal,) true change of the win probability by these visits (deal, role), exact over their success."""
        change = np.zeros(len(self.logit))
        for deal in np.flatnonzero(visited.any(axis=1)):
            roles = np.flatnonzero(visited[deal])
            before = linked(self.truth, self.logit[deal])
            for size in range(1, len(roles) + 1):
                for moved in combinations(roles, size):
                    chance = np.prod([self.chance[deal, r] if r in moved else 1 - self.chance[deal, r] for r in roles])
                    after = linked(self.truth, self.logit[deal] + self.moves[deal, list(moved)].sum())
                    change[deal] += chance * (after - before)
        return change


def world_of(closed: int, seed: int) -> World:
    rng = np.random.default_rng([seed, 77])
    first = simulate(closed, 1, seed=seed)
    again = simulate(10, OPEN, seed=seed + 5000, truth=first.truth)
    deals, latent = again.open, again.latent_open
    settings = VisitSettings()
    prior = np.array([getattr(settings, role) for role in ROLES])
    by_state = rng.beta(settings.prior_sample_size * prior, settings.prior_sample_size * (1 - prior))
    state = np.stack([pd.Index(COVERAGES).get_indexer(deals[f"{role}_coverage"]) for role in ROLES], axis=1)
    state[state < 0] = len(STATES) - 1
    method = pd.Index(DECISION_METHODS).get_indexer(latent.facts["decision_method"])
    return World(
        closed=first.closed,
        open=deals,
        visits=_log(first, by_state, rng),
        truth=first.truth,
        logit=latent.logit_win_prob,
        moves=first.truth.array("role_weight").T[method] * visit_steps(deals, first.truth),
        chance=by_state[np.arange(len(ROLES)), state],
    )


def _log(team: Simulation, by_state: Array, rng: np.random.Generator) -> pd.DataFrame:
    """Past visits to roles of closed deals, as a team keeps them: the tier read before, and read again after."""
    rows, closed, truth = [], team.closed, team.truth
    cuts, steps = tier_cuts(truth), visit_steps(closed, truth)
    coach = pd.Index(COACH_STATES).get_indexer(team.latent_closed.facts["coach"])
    while len(rows) < LOGGED:
        at, role = int(rng.integers(len(closed))), int(rng.integers(len(ROLES)))
        deal = closed.iloc[at]
        tier = deal[f"{ROLES[role]}_support"]
        if pd.isna(tier) or tier == 4:
            continue
        coverage = COVERAGES.index(deal[f"{ROLES[role]}_coverage"])
        moved = steps[at, role] * (rng.random() < by_state[role, coverage])
        rho = truth.array("reliability")[coach[at]]
        support = team.latent_closed.support[at, role] + moved
        reading = rho * support + np.sqrt(1 - rho**2) * rng.standard_normal()
        after = 1 + int((reading > cuts[role]).sum())
        rows.append((deal["deal_id"], ROLES[role], "E1", deal["as_of"], tier, after))
    return pd.DataFrame(rows, columns=["deal_id", "role", "executive", "date", "tier_before", "tier_after"])


def roster(executives: int = 6, slots: int = 3, *, limits: bool = True, accounts: bool = False) -> Roster:
    """Two in three may meet every role; each goes to three of six regions."""
    table = []
    for at in range(executives):
        entry: dict[str, Any] = {"name": f"E{at + 1}", "slots": slots, "roles": list(ROLES)}
        if limits:
            entry["regions"] = [REGIONS[at % 6], REGIONS[(at + 1 + at // 6) % 6], REGIONS[(at + 3) % 6]]
            entry["roles"] = list(ROLES) if at % 3 else ["approver", "decision_maker"]
        table.append(entry)
    return roster_from({"executives": table, "one_executive_per_account": accounts})


# --- one team -----------------------------------------------------------------------------------------------------


def judge(closed: int, seed: int) -> Cell:
    """What each plan adds in truth, in wins and in bookings, and what winprob said that it would add."""
    world, executives = world_of(closed, seed), roster()
    posterior = fit(world.closed, seed=seed, settings=Settings().for_refits())
    common = {"visits": world.visits, "readings": world.closed, "seed": seed, "time_limit": 4.0}
    asked = dict(zip(OURS, ({}, {"goal": "wins"}, {"risk": 0.9}), strict=True))
    plans = {name: plan_visits(posterior, world.open, executives, **common, **more) for name, more in asked.items()}
    visits = {name: plan.visits for name, plan in plans.items()}
    ours = plans["winprob"]
    visits |= dict(list(ours.common_sense_visits.groupby("plan")))
    problem, amount = _true_problem(world, executives)
    visited = {name: _matrix(world.open, found) for name, found in visits.items()}
    visited["best"] = solve(problem, time_limit=30.0).visitor != NO_VISIT
    change = {name: world.added(matrix) for name, matrix in visited.items()}
    change["random"] = np.mean([world.added(_at_random(problem, seed, again)) for again in range(20)], axis=0)
    cell = {f"wins/{name}": np.array(change[name].sum()) for name in JUDGED}
    cell |= {f"bookings/{name}": np.array(change[name] @ amount) for name in JUDGED}
    said = {"said": ours.gain.mean, "lower": ours.gain.lower, "upper": ours.gain.upper, "regret": ours.regret}
    hits = visited["best"][visited["winprob"]].mean()
    return cell | {name: np.array(value) for name, value in said.items()} | {"hits": np.array(hits)}


def _true_problem(world: World, executives: Roster) -> tuple[Problem, Array]:
    """The same rules with the true gains."""
    picked = pick_candidates(validate_deals(world.open), "bookings")
    access = find_access(executives, picked.deals, picked.deals, ~np.isnan(world.moves), 2)
    groups, sets = executive_groups(executives, access), role_sets(2)
    gain = np.zeros((len(world.logit), len(sets)))
    for at, chosen in enumerate(sets):
        everywhere = np.zeros(world.moves.shape, dtype=bool)
        everywhere[:, list(chosen)] = True
        gain[:, at] = np.nan_to_num(world.added(everywhere)) * picked.worth
    problem = Problem(
        sets=sets,
        gain=gain,
        eligible=groups.eligible,
        slots=groups.slots,
        account=None,
        fixed=groups.fixed,
        largest=groups.largest,
    )
    return problem, picked.worth


def _at_random(problem: Problem, seed: int, again: int) -> Array:
    from winprob.actions.visits.baselines import take_in_order

    order = np.random.default_rng([seed, again]).permutation(problem.eligible[0].size)
    return take_in_order(problem, order, 2) != NO_VISIT


def _matrix(deals: pd.DataFrame, visits: pd.DataFrame) -> Array:
    """(deal, role) whether a plan visits."""
    visited = np.zeros((len(deals), len(ROLES)), dtype=bool)
    rows = pd.Index(deals["deal_id"]).get_indexer(pd.Index(visits["deal_id"]))
    visited[rows, pd.Index(ROLES).get_indexer(pd.Index(visits["role"]))] = True
    return visited


def kept(mark: str, label: str, work: Callable[[], Cell]) -> Cell:
    """A finished team, from an earlier run if it got that far."""
    folder = timing.out_dir() / "allocation" / mark
    path = folder / f"{label}.npz"
    if path.exists():
        with np.load(path) as arrays:
            return dict(arrays)
    timing.progress(label)
    cell = work()
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(scratch := path.with_suffix(".part.npz"), **cell)
    scratch.replace(path)
    return cell


# --- the tables ---------------------------------------------------------------------------------------------------


def over_teams(values: Array) -> tuple[float, float, float]:
    """Mean over teams and its 90 % interval, normal."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - 1.645 * error), float(values.mean() + 1.645 * error)


def told(cells: Sequence[Cell]) -> str:
    """A row a plan: what it adds in truth, and what winprob adds to that, with intervals over teams."""
    rows = []
    for name in JUDGED:
        row = [name]
        for what, ours, scale, digits in (("bookings", "winprob", 1e6, 2), ("wins", "winprob, wins", 1, 3)):
            values = np.array([float(cell[f"{what}/{name}"]) for cell in cells]) / scale
            best = np.array([float(cell[f"{what}/{ours}"]) for cell in cells]) / scale
            mean, lower, upper = over_teams(best - values)
            row += [f"{values.mean():.{digits}f}"]
            row += ["-" if name == ours else f"{mean:+.{digits}f} ({lower:+.{digits}f}, {upper:+.{digits}f})"]
            row += ["-" if name == ours else f"{(best > values).mean():.0%}"]
        rows.append(row)
    header = ("plan", "added bookings, M", "winprob minus it", "winprob ahead", "added wins")
    return timing.markdown((*header, "winprob, wins, minus it", "ahead"), rows)


def sayings(cells: Sequence[Cell]) -> dict[str, float]:
    """Whether winprob's own figure for its plan holds."""
    true, said, lower, upper = (
        np.array([float(cell[name]) for cell in cells]) for name in ("bookings/winprob", "said", "lower", "upper")
    )
    best = np.array([float(cell["bookings/best"]) for cell in cells])
    return {
        "said, M": said.mean() / 1e6,
        "true, M": true.mean() / 1e6,
        "held": float(((lower <= true) & (true <= upper)).mean()),
        "share of the best plan's": float(true.sum() / best.sum()),
        "visits that the best plan makes too": float(np.mean([float(cell["hits"]) for cell in cells])),
    }


def figures(cells: Sequence[Cell], closed: int) -> list[timing.Figure]:
    """The lower end of what winprob adds to each plan of common sense, negated, since aims are upper bounds."""
    rows = []
    for what, ours in (("bookings", "winprob"), ("wins", "winprob, wins")):
        for name in PLANS:
            apart = np.array([float(cell[f"{what}/{ours}"] - cell[f"{what}/{name}"]) for cell in cells])
            quantity = f"{closed} deals: {name} minus winprob, {what}, upper end over teams"
            rows.append(timing.Figure(quantity=quantity, got=-over_teams(apart)[1], aim=0.0))
    return rows


# --- time ---------------------------------------------------------------------------------------------------------

SIZES = (100, 250, 500, 1000)
ROSTERS = {
    "alike": {"limits": False},
    "limits": {"limits": True},
    "limits and accounts": {"limits": True, "accounts": True},
}


def clock(sizes: Sequence[int], times: int) -> list[dict[str, Any]]:
    """Seconds for ``plan_visits``, 10 executives of 4 slots, five roles; median of ``times``. Once whole, once without
    the best plan of each draw and one slot more, which take what time they are given.
    """
    posterior = fit(simulate(300, 1, seed=1).closed, seed=1) if times > 1 else fit_prior(seed=1)
    plan_visits(posterior, simulate(10, 30, seed=2).open, roster(10, 4), time_limit=2.0)
    records = []
    for name, more in {**ROSTERS, "limits, risk 0.9": {"limits": True}}.items():
        for size in sizes:
            deals, who = simulate(10, size, seed=3).open, roster(10, 4, **more)
            risk = 0.9 if "risk" in name else None
            alone = statistics.median(once(posterior, deals, who, risk, further=0.0)[0] for _ in range(times))
            whole = [once(posterior, deals, who, risk, further=FURTHER) for _ in range(times)]
            plan, seconds = whole[-1][1], statistics.median(took for took, _ in whole)
            record = {"executives": name, "deals": size, "seconds": seconds, "alone": alone}
            records.append({**record, "draws": plan.draws, "gap": plan.gap})
            timing.progress(str(records[-1]))
    return records


def once(
    posterior: Posterior, deals: pd.DataFrame, who: Roster, risk: float | None, *, further: float
) -> tuple[float, Plan]:
    planning.FURTHER = assessment.FURTHER = further
    start = time.perf_counter()
    plan = plan_visits(posterior, deals, who, risk=risk)
    return time.perf_counter() - start, plan


def clock_told(records: Sequence[dict[str, Any]]) -> str:
    header = ("executives", "deals", "plan alone, s", "all, s", "draws with their own best plan", "gap")
    rows = [
        (r["executives"], r["deals"], f"{r['alone']:.2f}", f"{r['seconds']:.1f}", r["draws"], f"{r['gap']:.2%}")
        for r in records
    ]
    return timing.markdown(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=100)
    parser.add_argument("--closed", type=int, nargs="+", default=[300, 150], help="closed deals to learn from")
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--no-teams", action="store_true", help="only the times")
    parser.add_argument("--no-times", action="store_true", help="only the teams")
    parser.add_argument("--quick", action="store_true", help="two teams and two sizes, to try it out")
    asked = parser.parse_args()
    teams, closed = (2, [150]) if asked.quick else (asked.teams, asked.closed)
    found, records, mark = [], [], mark_of(__file__)
    for count in [] if asked.no_teams else closed:
        seeds = range(asked.seed, asked.seed + teams)
        cells = [kept(mark, f"{count}-{seed}", lambda: judge(count, seed)) for seed in seeds]  # noqa: B023
        print(f"{teams} teams, {count} closed deals to learn from, {OPEN} open ones, 6 executives of 3 slots\n")
        print(told(cells) + "\n")
        print(", ".join(f"{name} {value:.3f}" for name, value in sayings(cells).items()) + "\n")
        found += figures(cells, count)
    if not asked.no_times:
        records = clock((100, 250) if asked.quick else SIZES, 1 if asked.quick else 3)
        print(clock_told(records) + "\n")
        found += [
            timing.Figure(
                quantity=f"500 deals x 5 roles x 10 executives, {r['executives']}", got=r["seconds"], aim=10.0
            )
            for r in records
            if r["deals"] == 500
        ]
    print(timing.figures_table(found))
    timing.save("allocation", found, times=records)


if __name__ == "__main__":
    main()
