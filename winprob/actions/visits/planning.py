"""How does a plan come about? From a model, deals and executives to visits, step by step."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.actions.visits.assessment import FURTHER, tell_plan
from winprob.actions.visits.candidates import Candidates, pick_candidates
from winprob.actions.visits.draws import BestByDraw, best_by_draw
from winprob.actions.visits.eligibility import find_access
from winprob.actions.visits.executive_groups import group_kinds, hand_out
from winprob.actions.visits.executives import Roster, read_executives, roster_from
from winprob.actions.visits.gains import Outlook, blocks, role_sets
from winprob.actions.visits.problem import Case, Made, Problem, Solution
from winprob.actions.visits.program import solve
from winprob.actions.visits.records import Plan
from winprob.actions.visits.success import STATES, Success, learn_success
from winprob.actions.visits.tail import solve_tail
from winprob.arrays import Array
from winprob.data.schema import validate_deals, validate_visits
from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.methodology import COVERAGES, ROLES
from winprob.model.features import describe
from winprob.model.posterior import Posterior
from winprob.model.win.lifts import steps_up
from winprob.model.win.terms import coefficients
from winprob.settings import VisitSettings

Follow = Callable[[str, float], None]

#: Seconds for the search of the plan.
TIME_LIMIT = 30.0


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
    wishes: Any = {"visits": visits, "settings": settings, "goal": goal, "risk": risk}
    return plan_visits(posterior, deals, executives, **wishes, time_limit=time_limit, seed=seed).visits


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
    case = Case(
        outlook=outlook,
        sets=role_sets(chosen.most_per_deal),
        roster=roster,
        access=access,
        kinds=group_kinds(roster, access),
        settings=chosen,
        risk=risk,
        time_limit=time_limit,
    )
    follow(gettext("working out what each visit would add"), 0.1)
    problem, scenarios = _problem(case, picked)
    follow(gettext("searching for the best plan"), 0.3)
    made = _settled(case, problem, scenarios)
    best = _best(case, made.problem, scenarios, follow)
    follow(gettext("comparing with other plans"), 0.9)
    return tell_plan(replace(case, kinds=made.kinds), picked, made, scenarios, best, success, deals.index)


def _require_sound(risk: float | None, time_limit: float) -> None:
    faults = []
    if risk is not None and not 0 < risk < 1:
        faults.append(gettext("risk is {got}, wanted a share between 0 and 1", got=risk))
    if not 0 < time_limit < float("inf"):
        faults.append(gettext("the time limit is {got} seconds, wanted more than 0", got=time_limit))
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


def _problem(case: Case, picked: Candidates) -> tuple[Problem, Array]:
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


def _solved(case: Case, problem: Problem, scenarios: Array, seconds: float) -> Solution:
    if case.risk is None:
        return solve(problem, time_limit=seconds)
    return solve_tail(problem, scenarios, case.risk, time_limit=seconds)


def _settled(case: Case, problem: Problem, scenarios: Array) -> Made:
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
    return Made(kinds=kinds, problem=problem, solution=solution, who=solution.visitor if who is None else who)


def _best(case: Case, problem: Problem, scenarios: Array, follow: Follow) -> BestByDraw:
    return best_by_draw(
        problem,
        scenarios,
        seconds=case.time_limit * FURTHER,
        follow=lambda share: follow(gettext("searching for the best plan of each draw"), 0.4 + 0.5 * share),
    )
