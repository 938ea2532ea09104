"""Planning of visits: from a model, deals and executives to the visits that add most expected bookings."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.actions.levers import rank_roles
from winprob.actions.visits.asks import add_levers
from winprob.actions.visits.assessment import COLUMNS, FURTHER, Assignment, Case, Plan, assess_plan
from winprob.actions.visits.candidates import Candidates, pick_candidates
from winprob.actions.visits.eligibility import assign, executive_groups, find_access
from winprob.actions.visits.executives import Roster, read_executives, roster_from
from winprob.actions.visits.gains import blocks, outlook_of, role_sets
from winprob.actions.visits.problem import Problem, Solution
from winprob.actions.visits.program import BestByDraw, best_by_draw, solve
from winprob.actions.visits.success import instrument_of, learn_success
from winprob.actions.visits.tail import solve_tail
from winprob.arrays import Array
from winprob.data.fiscal import Quarter, find_quarter, quarter_of
from winprob.data.schema import column_or_missing, validate_deals, validate_visits
from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.settings import VisitSettings

Follow = Callable[[str, float], None]

#: Effort of the search, in seconds of a usual machine; counted in steps, not by the clock.
TIME_LIMIT = 30.0


def allocate(
    posterior: Posterior,
    deals: pd.DataFrame,
    executives: Roster | Path | str | Mapping[str, Any],
    *,
    visits: pd.DataFrame | None = None,
    readings: pd.DataFrame | None = None,
    settings: VisitSettings | None = None,
    goal: str = "bookings",
    quarter: Quarter | str | None = None,
    risk: float | None = None,
    time_limit: float = TIME_LIMIT,
    seed: int = 1,
) -> pd.DataFrame:
    """Plan the visits that add most expected bookings, within the executives' slots and limits.

    Parameters
    ----------
    posterior : a fitted model
    deals : frame in canonical columns; of several readings of a deal the last counts, closed deals are left out
    executives : a roster, the TOML file that holds it, or its plain tables
    visits : log of past visits (``deal_id, role, executive, date, tier_before, tier_after``; optional
        ``coverage`` and ``coach`` of that day)
    readings : deals, open or closed, with several readings each (``training_rows``): over the same time, their roles
        that were not visited are what the visited ones are compared with; ``deals`` by default
    settings : prior success of visits and their limits; by default the model's own settings
    goal : ``bookings``, ever; ``quarter``, bookings won in one; ``wins``, where every deal counts the same
    quarter : the one that ``goal="quarter"`` is for; by default that of the day after the newest reading
    risk : 0..1; plan for the mean of the worst ``1 - risk`` of draws instead of the mean of all
    time_limit : effort of the search in seconds of a usual machine; it is counted in steps of the search, so that the
        plan depends on the data and the seed alone, not on the clock

    Returns
    -------
    DataFrame with columns ``executive, deal_id, role, expected_gain, lower, upper, prob_in_best``, a row for each
    visit, its index that of the deal in ``deals``. ``plan_visits`` returns the whole record.

    Raises
    ------
    PlanError
        Executives, visits or rules are invalid or cannot be met, or no deal is left to plan for.
    DealTableError
        The deals are not valid.
    """
    options: Any = {"visits": visits, "readings": readings, "settings": settings, "goal": goal, "risk": risk}
    options["quarter"] = quarter
    return plan_visits(posterior, deals, executives, **options, time_limit=time_limit, seed=seed).visits[list(COLUMNS)]


def plan_visits(
    posterior: Posterior,
    deals: pd.DataFrame,
    executives: Roster | Path | str | Mapping[str, Any],
    *,
    visits: pd.DataFrame | None = None,
    readings: pd.DataFrame | None = None,
    settings: VisitSettings | None = None,
    goal: str = "bookings",
    quarter: Quarter | str | None = None,
    risk: float | None = None,
    time_limit: float = TIME_LIMIT,
    seed: int = 1,
    follow: Follow = lambda what, share: None,
) -> Plan:
    """The plan of ``allocate`` with its assessment; ``follow`` receives the current step and the share done."""
    _require_sound(risk, time_limit)
    chosen = posterior.settings.visits if settings is None else settings
    roster = _roster(executives)
    valid = validate_deals(deals)
    success = learn_success(
        None if visits is None else validate_visits(visits),
        valid if readings is None else validate_deals(readings),
        instrument_of(posterior),
        chosen,
    )
    picked = pick_candidates(valid, goal)
    wanted = _quarter(posterior, valid, quarter) if goal == "quarter" else None
    outlook = outlook_of(posterior, picked.deals, picked.worth, success, seed, wanted)
    access = find_access(roster, picked.deals, valid, outlook.steps > 0, chosen.most_per_deal)
    case = Case(
        outlook=outlook,
        sets=role_sets(chosen.most_per_deal),
        roster=roster,
        access=access,
        groups=executive_groups(roster, access),
        settings=chosen,
        risk=risk,
        time_limit=time_limit,
    )
    follow(gettext("computing the gain of each visit"), 0.1)
    problem, scenarios = _problem(case, picked)
    follow(gettext("searching for the best plan"), 0.3)
    assignment = _assigned(case, problem, scenarios)
    best = _best(case, assignment.problem, scenarios, follow)
    follow(gettext("comparing with other plans"), 0.9)
    plan = assess_plan(
        replace(case, groups=assignment.groups), picked, assignment, scenarios, best, success, deals.index
    )
    levers = add_levers(plan.visits, rank_roles(posterior, picked.deals), case.roster)
    return replace(plan, visits=levers, quarter=None if wanted is None else wanted.name)


def _quarter(posterior: Posterior, valid: pd.DataFrame, quarter: Quarter | str | None) -> Quarter:
    """The quarter planned for: the one named, else that of the day after the newest reading."""
    if isinstance(quarter, Quarter):
        return quarter
    calendar = posterior.settings.calendar
    if quarter:
        return find_quarter(quarter, calendar)
    newest = column_or_missing(valid, "as_of").max()
    if pd.isna(newest):
        raise PlanError(gettext("the deals have no day of reading ('as_of'): name the quarter to plan for"))
    return quarter_of(newest.date() + dt.timedelta(days=1), calendar)


def _require_sound(risk: float | None, time_limit: float) -> None:
    faults = []
    if risk is not None and not 0 < risk < 1:
        faults.append(gettext("risk is {got}; accepted: a share between 0 and 1", got=risk))
    if not 0 < time_limit < float("inf"):
        faults.append(gettext("the time limit is {got} seconds; accepted: more than 0", got=time_limit))
    if faults:
        raise PlanError("; ".join(faults))


def _roster(executives: Roster | Path | str | Mapping[str, Any]) -> Roster:
    if isinstance(executives, Roster):
        return executives
    return roster_from(executives) if isinstance(executives, Mapping) else read_executives(executives)


def _problem(case: Case, picked: Candidates) -> tuple[Problem, Array]:
    """The problem by mean gains, and the gains of some draws, (scenario, deal, set)."""
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
        eligible=case.groups.eligible,
        slots=case.groups.slots,
        account=_accounts(picked.deals) if case.roster.one_executive_per_account else None,
        fixed=case.groups.fixed,
        largest=case.groups.largest,
    )
    return problem, scenarios


def _accounts(deals: pd.DataFrame) -> Array:
    """(deal,) codes of accounts; a deal of unknown account has a code of its own."""
    code = pd.factorize(column_or_missing(deals, "account"))[0]
    blank = np.flatnonzero(code < 0)
    code[blank] = code.max(initial=-1) + 1 + np.arange(len(blank))
    return np.asarray(code)


def _solved(case: Case, problem: Problem, scenarios: Array, seconds: float) -> Solution:
    if case.risk is None:
        return solve(problem, time_limit=seconds)
    return solve_tail(problem, scenarios, case.risk, time_limit=seconds)


def _assigned(case: Case, problem: Problem, scenarios: Array) -> Assignment:
    """The plan, assigned to executives.

    With the rule on accounts, a group may have slots that none of its executives has alone; where the visits cannot be
    assigned for that reason, each executive is planned for as a group of one.
    """
    groups, solution = case.groups, _solved(case, problem, scenarios, case.time_limit)
    who = assign(solution.visitor, groups, case.roster, case.access, problem.account)
    if who is None:
        groups = executive_groups(case.roster, case.access, alone=True)
        problem = replace(
            problem, eligible=groups.eligible, slots=groups.slots, fixed=groups.fixed, largest=groups.largest
        )
        solution = _solved(case, problem, scenarios, case.time_limit)
        who = assign(solution.visitor, groups, case.roster, case.access, problem.account)
    return Assignment(groups=groups, problem=problem, solution=solution, who=solution.visitor if who is None else who)


def _best(case: Case, problem: Problem, scenarios: Array, follow: Follow) -> BestByDraw:
    return best_by_draw(
        problem,
        scenarios,
        seconds=case.time_limit * FURTHER,
        follow=lambda share: follow(gettext("searching for the best plan of each draw"), 0.4 + 0.5 * share),
    )
