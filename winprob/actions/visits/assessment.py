"""What is known of a plan? Its gain, each visit's part in it, regret, one slot more, and common sense beside it."""

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import beta

from winprob.actions.visits.baselines import common_sense
from winprob.actions.visits.candidates import Candidates
from winprob.actions.visits.draws import BestByDraw
from winprob.actions.visits.gains import RoleSet, blocks, shares
from winprob.actions.visits.problem import NOBODY, Case, Made, Problem, Solution
from winprob.actions.visits.program import solve
from winprob.actions.visits.records import COLUMNS, Estimate, Plan
from winprob.actions.visits.success import STATES, Success
from winprob.actions.visits.tail import one_visit_more, tail_mean
from winprob.arrays import Array
from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.methodology import ROLES
from winprob.model.draws import TAILS, summarise

#: What may be spent on each further question (the best plan of each draw, one slot more), as a share of that.
FURTHER = 1 / 6


def tell_plan(
    case: Case,
    picked: Candidates,
    made: Made,
    scenarios: Array,
    best: BestByDraw,
    success: Success,
    index: pd.Index,
) -> Plan:
    """The plan with all that is said about it."""
    problem, solution = made.problem, made.solution
    visited = solution.visitor != NOBODY
    total, by_visit = _gain_draws(case, visited)
    rivals = _rivals(case, problem)
    achieved = scenarios_of(scenarios[: len(best.worth)], case.sets, visited)
    table = _visits(case, picked, made.who, by_visit, best.share, index)
    return Plan(
        visits=table,
        unit=picked.unit,
        gain=_estimate(total),
        tail_gain=None if case.risk is None else tail_mean(total, case.risk),
        # Each draw's own best plan is found to a small tolerance.
        regret=float(np.maximum(best.worth - achieved, 0).mean()) if len(best.worth) else np.nan,
        draws=len(best.worth),
        gap=solution.gap,
        free_slots=int(problem.slots.sum() - visited.sum()),
        one_more_slot=_one_more_slot(case, problem, scenarios, solution),
        common_sense=_compared(case, rivals, total),
        common_sense_visits=_listed(rivals, picked),
        success=_success_table(success),
        visits_learned_from=success.counted,
        notes=(*picked.notes, *case.access.notes, *_log_notes(success)),
    )


def scenarios_of(scenarios: Array, sets: tuple[RoleSet, ...], visited: Array) -> Array:
    """(scenario,) what visits (deal, role) add in each."""
    at = {chosen: place for place, chosen in enumerate(sets)}
    rows = np.flatnonzero(visited.any(axis=1))
    chosen = [at[tuple(np.flatnonzero(visited[row]).tolist())] for row in rows]
    return np.asarray(scenarios[:, rows, chosen].sum(axis=1, dtype=np.float64))


def _gain_draws(case: Case, visited: Array) -> tuple[Array, dict[tuple[int, int], Array]]:
    """(draw,) what a plan adds, and what each of its visits (deal, role) contributes."""
    total = np.zeros(case.outlook.chance.shape[2])
    by_visit: dict[tuple[int, int], Array] = {}
    rows = np.flatnonzero(visited.any(axis=1))
    for some in blocks(len(rows)):
        gains = case.outlook.gains(rows[some], case.sets).astype(np.float64)
        for at, row in enumerate(rows[some]):
            chosen = tuple(np.flatnonzero(visited[row]).tolist())
            of_set = {roles: gains[place, at] for place, roles in enumerate(case.sets)}
            total += of_set[chosen]
            by_visit |= {(int(row), role): share for role, share in shares(of_set, chosen).items()}
    return total, by_visit


def _estimate(draws: Array) -> Estimate:
    mean, lower, upper = (float(end) for end in summarise(draws))
    return Estimate(mean=mean, lower=lower, upper=upper)


def _visits(
    case: Case,
    picked: Candidates,
    who: Array,
    by_visit: dict[tuple[int, int], Array],
    in_best: Array,
    index: pd.Index,
) -> pd.DataFrame:
    """A row a visit: executives in the file's order, each one's visits by gain."""
    made = sorted(by_visit, key=lambda visit: (who[visit], -by_visit[visit].mean()))
    records = []
    for deal, role in made:
        gain = _estimate(by_visit[deal, role])
        name = case.roster.executives[who[deal, role]].name
        deal_id = picked.deals["deal_id"].iloc[deal]
        records.append((name, deal_id, ROLES[role], gain.mean, gain.lower, gain.upper, float(in_best[deal, role])))
    table = pd.DataFrame(records, columns=list(COLUMNS))
    return table.set_index(index[picked.place[[deal for deal, _ in made]]])


def _one_more_slot(case: Case, problem: Problem, scenarios: Array, solution: Solution) -> pd.DataFrame:
    """What one slot more would add, for each executive; those of one kind share the answer. NaN where time ran out."""
    names = [executive.name for executive in case.roster.executives]
    if case.risk is not None:
        worth = one_visit_more(problem, scenarios, solution.visitor, case.risk)
        return pd.DataFrame({"executive": names, "expected_gain": worth[case.kinds.of]})
    more, started = np.full(len(problem.slots), np.nan), time.perf_counter()
    for kind in range(len(problem.slots)):
        left = case.time_limit * FURTHER - (time.perf_counter() - started)
        larger = _with_one_more(problem, kind, left) if left > 0 else None
        if larger is not None and larger.gap == 0:
            more[kind] = max(larger.objective - solution.objective, 0.0)
    return pd.DataFrame({"executive": names, "expected_gain": more[case.kinds.of]})


def _with_one_more(problem: Problem, kind: int, seconds: float) -> Solution | None:
    one = (np.arange(len(problem.slots)) == kind).astype(int)
    larger = replace(problem, slots=problem.slots + one, largest=problem.largest + one)
    try:
        return solve(larger, time_limit=seconds)
    except PlanError:
        return None


def _rivals(case: Case, problem: Problem) -> dict[str, Array]:
    """(deal, role) the kind that visits, in each plan of common sense."""
    win_prob, lift = case.outlook.win_prob_lifts()
    return common_sense(problem, case.outlook.worth, win_prob, lift, case.settings.most_per_deal)


def _compared(case: Case, rivals: Mapping[str, Array], total: Array) -> pd.DataFrame:
    records = []
    for name, visitor in rivals.items():
        draws, _ = _gain_draws(case, visitor != NOBODY)
        gain, apart = _estimate(draws), _estimate(total - draws)
        records.append((name, gain.mean, gain.lower, gain.upper, apart.mean, apart.lower, apart.upper))
    columns = ["plan", "expected_gain", "lower", "upper", "difference", "difference_lower", "difference_upper"]
    return pd.DataFrame(records, columns=columns)


def _listed(rivals: Mapping[str, Array], picked: Candidates) -> pd.DataFrame:
    """A row for each visit of each plan of common sense."""
    ids = picked.deals["deal_id"].to_numpy()
    rows = [
        (name, ids[deal], ROLES[role])
        for name, visitor in rivals.items()
        for deal, role in np.argwhere(visitor != NOBODY)
    ]
    return pd.DataFrame(rows, columns=["plan", "deal_id", "role"])


def _success_table(success: Success) -> pd.DataFrame:
    lower, upper = beta.ppf(np.array(TAILS)[:, None, None], success.wins, success.losses)
    return pd.DataFrame(
        {
            "role": np.repeat(ROLES, len(STATES)),
            "coverage": STATES * len(ROLES),
            "mean": success.mean.ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
        }
    )


def _log_notes(success: Success) -> list[str]:
    notes = []
    if success.at_top:
        notes.append(
            gettext(
                "Past visits not counted, the role was at the top tier and could not rise: {count}.",
                count=success.at_top,
            )
        )
    if success.unjudged:
        notes.append(
            gettext("Past visits not counted, the tier before or after is blank: {count}.", count=success.unjudged)
        )
    return notes
