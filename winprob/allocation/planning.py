"""How does a plan come about? From a model, deals and executives to visits, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta

from winprob.allocation.candidates import Candidates, pick_candidates
from winprob.allocation.common_sense import common_sense
from winprob.allocation.draws import BestByDraw, best_by_draw
from winprob.allocation.eligibility import Access, find_access
from winprob.allocation.gains import Outlook, RoleSet, blocks, role_sets, shares
from winprob.allocation.kinds import Kinds, group_kinds, hand_out
from winprob.allocation.problem import NOBODY, Problem, Solution
from winprob.allocation.program import solve
from winprob.allocation.records import COLUMNS, Estimate, Plan
from winprob.allocation.success import STATES, Success, learn_success
from winprob.allocation.tail import one_visit_more, solve_tail, tail_mean
from winprob.catalog import say
from winprob.errors import PlanError
from winprob.executives import Roster, read_executives, roster_from
from winprob.features import describe
from winprob.intervals import TAILS, summarise
from winprob.lifts import steps_up
from winprob.methodology.vocabulary import COVERAGES, ROLES
from winprob.posterior import Posterior
from winprob.schema import validate_deals
from winprob.schema.visits import validate_visits
from winprob.settings import VisitSettings
from winprob.terms import coefficients

Array = npt.NDArray[Any]
Follow = Callable[[str, float], None]

#: Seconds for the search of the plan.
TIME_LIMIT = 30.0
#: What may be spent on each further question (the best plan of each draw, one slot more), as a share of that.
_FURTHER = 1 / 6


def allocate(
    posterior: Posterior,
    deals: pd.DataFrame,
    executives: Roster | Path | str | Mapping[str, Any],
    *,
    visits: pd.DataFrame | None = None,
    settings: VisitSettings | None = None,
    goal: str = "bookings",
    risk: float | None = None,
    time_limit: float = TIME_LIMIT,
    seed: int = 1,
) -> pd.DataFrame:
    """The visits that add most expected bookings, within the executives' slots and limits.

    Parameters
    ----------
    posterior : a fitted model
    deals : frame in canonical columns; of several readings of a deal the last counts, closed deals are left out
    executives : a roster, the TOML file that holds it, or its plain tables
    visits : log of past visits (``deal_id, role, executive, date, tier_before, tier_after``, ``coverage`` optional)
    settings : what visits are believed to do; by default the model's own settings
    goal : ``bookings``, or ``wins`` where every deal counts the same
    risk : 0..1; plan for the mean of the worst ``1 - risk`` of draws instead of the mean of all
    time_limit : seconds for the search

    Returns
    -------
    DataFrame with columns ``executive, deal_id, role, expected_gain, lower, upper, prob_in_best``, a row a visit, its
    index that of the deal in ``deals``. ``plan_visits`` gives the whole record.

    Raises
    ------
    PlanError
        Executives, visits or rules are wrong or cannot be met; there is no deal to plan for.
    DealTableError
        The deals are not valid.
    """
    plan = plan_visits(
        posterior,
        deals,
        executives,
        visits=visits,
        settings=settings,
        goal=goal,
        risk=risk,
        time_limit=time_limit,
        seed=seed,
    )
    return plan.visits


def plan_visits(
    posterior: Posterior,
    deals: pd.DataFrame,
    executives: Roster | Path | str | Mapping[str, Any],
    *,
    visits: pd.DataFrame | None = None,
    settings: VisitSettings | None = None,
    goal: str = "bookings",
    risk: float | None = None,
    time_limit: float = TIME_LIMIT,
    seed: int = 1,
    follow: Follow = lambda what, share: None,
) -> Plan:
    """The plan of ``allocate`` with all that is known about it; ``follow`` is told how far along the work is."""
    _require_sound(risk, time_limit)
    chosen = posterior.settings.visits if settings is None else settings
    roster = _roster(executives)
    valid = validate_deals(deals)
    success = learn_success(None if visits is None else validate_visits(visits), chosen)
    picked = pick_candidates(valid, goal)
    outlook = _outlook(posterior, picked, success, seed)
    access = find_access(roster, picked.deals, valid, outlook.steps > 0, chosen.most_per_deal)
    case = _Case(
        outlook=outlook,
        sets=role_sets(chosen.most_per_deal),
        roster=roster,
        access=access,
        kinds=group_kinds(roster, access),
        settings=chosen,
        risk=risk,
        time_limit=time_limit,
    )
    follow(say("working out what each visit would add"), 0.1)
    problem, scenarios = _problem(case, picked)
    follow(say("searching for the best plan"), 0.3)
    made = _settled(case, problem, scenarios)
    best = _best(case, made.problem, scenarios, follow)
    follow(say("comparing with other plans"), 0.9)
    return _told(replace(case, kinds=made.kinds), picked, made, scenarios, best, success, deals.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All that one plan is made from."""

    outlook: Outlook
    sets: tuple[RoleSet, ...]
    roster: Roster
    access: Access
    kinds: Kinds
    settings: VisitSettings
    risk: float | None
    time_limit: float


def _require_sound(risk: float | None, time_limit: float) -> None:
    faults = []
    if risk is not None and not 0 < risk < 1:
        faults.append(say("risk is {got}, wanted a share between 0 and 1", got=risk))
    if not 0 < time_limit < float("inf"):
        faults.append(say("the time limit is {got} seconds, wanted more than 0", got=time_limit))
    if faults:
        raise PlanError("; ".join(faults))


def _roster(executives: Roster | Path | str | Mapping[str, Any]) -> Roster:
    if isinstance(executives, Roster):
        return executives
    return roster_from(executives) if isinstance(executives, Mapping) else read_executives(executives)


def _outlook(posterior: Posterior, picked: Candidates, success: Success, seed: int) -> Outlook:
    features = describe(picked.deals, posterior.scaling)
    by = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    expected = posterior.flat["unknown_support"].mean(axis=0)
    draws = len(posterior.flat["unknown_support"])
    return Outlook(
        by=by,
        features=features,
        steps=steps_up(features, posterior.scaling, expected),
        worth=picked.worth,
        chance=success.draw(draws, np.random.default_rng(seed)),
        state=_coverage_states(picked.deals),
    )


def _coverage_states(deals: pd.DataFrame) -> Array:
    """(deal, role) how far each role is covered, a code into ``STATES``; a blank is the last."""
    states = np.full((len(deals), len(ROLES)), len(STATES) - 1)
    for at, role in enumerate(ROLES):
        if f"{role}_coverage" in deals:
            code = pd.Index(COVERAGES).get_indexer(pd.Index(deals[f"{role}_coverage"]))
            states[:, at] = np.where(code < 0, len(STATES) - 1, code)
    return states


def _problem(case: _Case, picked: Candidates) -> tuple[Problem, Array]:
    """What is to be decided, by mean gains; and the gains of some draws, (scenario, deal, set)."""
    count, draws = len(picked.worth), case.outlook.chance.shape[2]
    spread = np.unique(np.linspace(0, draws - 1, min(case.settings.scenarios, draws)).astype(int))
    gain = np.empty((count, len(case.sets)))
    scenarios = np.empty((len(spread), count, len(case.sets)), dtype=np.float32)
    for rows in blocks(count):
        gains = case.outlook.gains(rows, case.sets)
        gain[rows] = gains.mean(axis=2, dtype=np.float64).T
        scenarios[:, rows] = gains[:, :, spread].transpose(2, 1, 0)
    problem = Problem(
        sets=case.sets,
        gain=gain,
        eligible=case.kinds.eligible,
        slots=case.kinds.slots,
        account=_accounts(picked.deals) if case.roster.one_executive_per_account else None,
        fixed=case.kinds.fixed,
        largest=case.kinds.largest,
    )
    return problem, scenarios


def _accounts(deals: pd.DataFrame) -> Array:
    """(deal,) codes of accounts; a deal whose account is unknown is one by itself."""
    if "account" not in deals:
        return np.arange(len(deals))
    code = pd.factorize(deals["account"])[0]
    blank = np.flatnonzero(code < 0)
    code[blank] = code.max(initial=-1) + 1 + np.arange(len(blank))
    return np.asarray(code)


def _solved(case: _Case, problem: Problem, scenarios: Array, seconds: float) -> Solution:
    if case.risk is None:
        return solve(problem, time_limit=seconds)
    return solve_tail(problem, scenarios, case.risk, time_limit=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A plan with the problem it solves, and ``who`` (deal, role) the executive who visits."""

    kinds: Kinds
    problem: Problem
    solution: Solution
    who: Array


def _settled(case: _Case, problem: Problem, scenarios: Array) -> _Made:
    """The plan, handed out to executives.

    With the rule on accounts, executives taken together may have slots that none of them has alone; where the visits
    cannot be handed out for that, each is planned for alone.
    """
    kinds, solution = case.kinds, _solved(case, problem, scenarios, case.time_limit)
    who = hand_out(solution.visitor, kinds, case.roster, case.access, problem.account)
    if who is None:
        kinds = group_kinds(case.roster, case.access, alone=True)
        problem = replace(problem, eligible=kinds.eligible, slots=kinds.slots, fixed=kinds.fixed, largest=kinds.largest)
        solution = _solved(case, problem, scenarios, case.time_limit)
        who = hand_out(solution.visitor, kinds, case.roster, case.access, problem.account)
    return _Made(kinds=kinds, problem=problem, solution=solution, who=solution.visitor if who is None else who)


def _best(case: _Case, problem: Problem, scenarios: Array, follow: Follow) -> BestByDraw:
    return best_by_draw(
        problem,
        scenarios,
        seconds=case.time_limit * _FURTHER,
        follow=lambda share: follow(say("searching for the best plan of each draw"), 0.4 + 0.5 * share),
    )


def _told(
    case: _Case,
    picked: Candidates,
    made: _Made,
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


def _gain_draws(case: _Case, visited: Array) -> tuple[Array, dict[tuple[int, int], Array]]:
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
    case: _Case,
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


def _one_more_slot(case: _Case, problem: Problem, scenarios: Array, solution: Solution) -> pd.DataFrame:
    """What one slot more would add, for each executive; those of one kind share the answer. NaN where time ran out."""
    names = [executive.name for executive in case.roster.executives]
    if case.risk is not None:
        worth = one_visit_more(problem, scenarios, solution.visitor, case.risk)
        return pd.DataFrame({"executive": names, "expected_gain": worth[case.kinds.of]})
    more, started = np.full(len(problem.slots), np.nan), time.perf_counter()
    for kind in range(len(problem.slots)):
        left = case.time_limit * _FURTHER - (time.perf_counter() - started)
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


def _rivals(case: _Case, problem: Problem) -> dict[str, Array]:
    """(deal, role) the kind that visits, in each plan of common sense."""
    win_prob, lift = case.outlook.win_prob_lifts()
    return common_sense(problem, case.outlook.worth, win_prob, lift, case.settings.most_per_deal)


def _compared(case: _Case, rivals: Mapping[str, Array], total: Array) -> pd.DataFrame:
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
            say(
                "Past visits not counted, the role was at the top tier and could not rise: {count}.",
                count=success.at_top,
            )
        )
    if success.unjudged:
        notes.append(
            say("Past visits not counted, the tier before or after is blank: {count}.", count=success.unjudged)
        )
    return notes
