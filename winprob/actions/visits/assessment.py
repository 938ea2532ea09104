"""Assessment of a plan: its gain, the share of each visit, regret, the gain of one slot more, and baseline plans."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from winprob.actions.visits.asks import worthless_fixed
from winprob.actions.visits.baselines import baseline_plans
from winprob.actions.visits.candidates import Candidates
from winprob.actions.visits.eligibility import Access, ExecutiveGroups
from winprob.actions.visits.executives import Roster
from winprob.actions.visits.gains import Outlook, RoleSet, blocks, shares
from winprob.actions.visits.pairs import STATES
from winprob.actions.visits.problem import NO_VISIT, Problem, Solution
from winprob.actions.visits.program import PROGRAMS, BestByDraw, solve
from winprob.actions.visits.success import Success
from winprob.actions.visits.tail import one_visit_more, tail_mean
from winprob.arrays import Array
from winprob.errors import PlanError
from winprob.i18n import Described, amount_text, gettext
from winprob.methodology import ROLES, label
from winprob.model.draws import summarise
from winprob.settings import VisitSettings

COLUMNS = ("executive", "deal_id", "role", "expected_gain", "lower", "upper", "prob_in_best")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its 90 % interval."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan(Described):
    """Visits for a period.

    Gains are added expected bookings (or wins): probability that the visit moves the role, times the lift of the win
    probability, times the amount. Their intervals express uncertainty about that expectation, not about outcomes.

    Attributes
    ----------
    visits : ``executive, deal_id, role, expected_gain, lower, upper, prob_in_best``; the gains of the rows add up to
        the plan's; ``prob_in_best`` is the share of draws whose own best plan visits this role of this deal. Then
        ``lever``, the role with the largest lift in the deal, and ``reason``, why the visit goes to another, or blank
    unit : the currency, ``""`` where the deals name none, None where wins are counted
    gain : of the whole plan
    tail_gain : mean gain in the worst ``1 - risk`` of draws, None for a plan made for the mean
    regret : mean over draws of the gain of the draw's own best plan minus that of this plan
    draws : number of draws used for ``prob_in_best`` and ``regret``
    gap : upper bound on the relative optimality gap; 0 where this plan is optimal
    free_slots : slots left over
    one_more_slot : ``executive, expected_gain``, the gain of one slot more for this executive (of a plan for the worst
        draws: in their mean); NaN where effort ran out
    common_sense : ``plan, expected_gain, lower, upper, difference, difference_lower, difference_upper`` of the baseline
        plans; the difference is this plan's gain minus theirs, draw by draw
    common_sense_visits : ``plan, deal_id, role``, the visits of the baseline plans
    success : ``role, coverage, mean, lower, upper``, the probability that a visit moves a role one tier up: the share
        of a tier by which it moves true support on average, below 0 where visits lower it
    visits_learned_from : number of past visits that this probability was learned from
    effect : of a visit on true support, in its sds, averaged over the past visits; None where none was counted
    compared_roles : number of roles not visited that the visited ones were compared with
    too_few : whether more than half of the prior variance of the effect remains
    notes : sentences on what was left out, and other caveats
    win_prob_gain : (draw,) what the visits add to each deal's probability of being won eventually, by deal
    quarter : the name of the quarter whose bookings the gains are, None where they are bookings ever
    """

    visits: pd.DataFrame
    unit: str | None
    gain: Estimate
    tail_gain: float | None
    regret: float
    draws: int
    gap: float
    free_slots: int
    one_more_slot: pd.DataFrame
    common_sense: pd.DataFrame
    common_sense_visits: pd.DataFrame
    success: pd.DataFrame
    visits_learned_from: int
    effect: Estimate | None
    compared_roles: int
    too_few: bool
    notes: tuple[str, ...]
    win_prob_gain: Mapping[str, Array]
    quarter: str | None = None

    def described_as(self) -> str:
        visits, deals = len(self.visits), self.visits["deal_id"].nunique()
        return gettext("Plan of {visits} visits to {deals} deals", visits=visits, deals=deals)

    def facts(self) -> Iterator[tuple[str, str]]:
        ends = {name: self.amount(getattr(self.gain, name)) for name in ("mean", "lower", "upper")}
        yield gettext("expected gain"), gettext("{mean} (90%: {lower} to {upper})", **ends)
        if self.quarter is not None:
            yield gettext("bookings won in"), self.quarter
        for executive, deal, role, gain in self.visits.iloc[:, :4].itertuples(index=False):
            yield str(executive), f"{deal}, {label('role', role)}: {self.amount(gain)}"
        if self.draws:
            yield gettext("regret"), self.amount(self.regret)
        yield gettext("slots left"), str(self.free_slots)
        yield gettext("past visits learned from"), str(self.visits_learned_from)

    def amount(self, value: float) -> str:
        """A gain with its unit: ``1,240,000 CNY``, ``0.42 wins``."""
        if self.unit is None:
            return gettext("{value} wins", value=f"{value:.2f}")
        return f"{amount_text(value)} {self.unit}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The inputs of one plan."""

    outlook: Outlook
    sets: tuple[RoleSet, ...]
    roster: Roster
    access: Access
    groups: ExecutiveGroups
    settings: VisitSettings
    risk: float | None
    time_limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A solved problem, and the executive who makes each visit, ``who`` (deal, role)."""

    groups: ExecutiveGroups
    problem: Problem
    solution: Solution
    who: Array


#: Effort of each further search (the best plan of each draw, one slot more), as a share of that of the plan.
FURTHER = 1 / 6


def assess_plan(
    case: Case,
    picked: Candidates,
    assignment: Assignment,
    scenarios: Array,
    best: BestByDraw,
    success: Success,
    index: pd.Index,
) -> Plan:
    """The plan with its assessment; ``index`` is that of the deal table."""
    problem, solution = assignment.problem, assignment.solution
    visited = solution.visitor != NO_VISIT
    total, by_visit = _gain_draws(case, visited)
    baselines = _baselines(case, problem)
    achieved = scenarios_of(scenarios[: len(best.worth)], case.sets, visited)
    table = _visits(case, picked, assignment.who, by_visit, best.share, index)
    more = _one_more_slot(case, problem, scenarios, solution)
    return Plan(
        visits=table,
        unit=picked.unit,
        gain=_estimate(total),
        tail_gain=None if case.risk is None else tail_mean(total, case.risk),
        # The best plan of each draw is found to a small tolerance.
        regret=float(np.maximum(best.worth - achieved, 0).mean()) if len(best.worth) else np.nan,
        draws=len(best.worth),
        gap=solution.gap,
        free_slots=int(problem.slots.sum() - visited.sum()),
        one_more_slot=more,
        common_sense=_compared(case, baselines, total),
        common_sense_visits=_listed(baselines, picked),
        success=_success_table(success),
        visits_learned_from=success.counted,
        effect=_effect_estimate(success),
        compared_roles=0 if success.effect is None else round(success.effect.compared),
        too_few=success.effect is not None and success.effect.average[1] ** 2 > 0.5 * success.effect.prior_sd**2,
        notes=(*picked.notes, *case.access.notes, *worthless_fixed(table, case.roster, more), *_log_notes(success)),
        win_prob_gain=_win_prob_gain(case, picked, visited),
    )


def scenarios_of(scenarios: Array, sets: tuple[RoleSet, ...], visited: Array) -> Array:
    """(scenario,) gain of the visits (deal, role) in each."""
    at = {chosen: place for place, chosen in enumerate(sets)}
    rows = np.flatnonzero(visited.any(axis=1))
    chosen = [at[tuple(np.flatnonzero(visited[row]).tolist())] for row in rows]
    return np.asarray(scenarios[:, rows, chosen].sum(axis=1, dtype=np.float64))


def _gain_draws(case: Case, visited: Array) -> tuple[Array, dict[tuple[int, int], Array]]:
    """(draw,) gain of a plan, and the share of each of its visits (deal, role)."""
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


def _win_prob_gain(case: Case, picked: Candidates, visited: Array) -> dict[str, Array]:
    """(draw,) gain in the win probability of each deal visited."""
    gains: dict[str, Array] = {}
    rows = np.flatnonzero(visited.any(axis=1))
    place = {chosen: at for at, chosen in enumerate(case.sets)}
    for some in blocks(len(rows)):
        of_block = case.outlook.win_prob_gains(rows[some], case.sets)
        for at, row in enumerate(rows[some]):
            chosen = place[tuple(np.flatnonzero(visited[row]).tolist())]
            gains[str(picked.deals["deal_id"].iloc[row])] = of_block[chosen, at].astype(np.float64)
    return gains


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
    """A row for each visit: executives in the file's order, the visits of each by gain."""
    visits = sorted(by_visit, key=lambda visit: (who[visit], -by_visit[visit].mean()))
    records = []
    for deal, role in visits:
        gain = _estimate(by_visit[deal, role])
        name = case.roster.executives[who[deal, role]].name
        deal_id = picked.deals["deal_id"].iloc[deal]
        records.append((name, deal_id, ROLES[role], gain.mean, gain.lower, gain.upper, float(in_best[deal, role])))
    table = pd.DataFrame(records, columns=list(COLUMNS))
    return table.set_index(index[picked.place[[deal for deal, _ in visits]]])


def _one_more_slot(case: Case, problem: Problem, scenarios: Array, solution: Solution) -> pd.DataFrame:
    """The gain of one slot more for each executive; those of one group share it. NaN where effort ran out."""
    names = [executive.name for executive in case.roster.executives]
    if case.risk is not None:
        worth = one_visit_more(problem, scenarios, solution.visitor, case.risk)
        return pd.DataFrame({"executive": names, "expected_gain": worth[case.groups.of]})
    more, effort = np.full(len(problem.slots), np.nan), case.time_limit * FURTHER
    for group in range(min(len(problem.slots), int(effort * PROGRAMS))):
        larger = _with_one_more(problem, group, effort)
        if larger is not None and larger.gap == 0:
            more[group] = max(larger.objective - solution.objective, 0.0)
    return pd.DataFrame({"executive": names, "expected_gain": more[case.groups.of]})


def _with_one_more(problem: Problem, group: int, seconds: float) -> Solution | None:
    one = (np.arange(len(problem.slots)) == group).astype(int)
    larger = replace(problem, slots=problem.slots + one, largest=problem.largest + one)
    try:
        return solve(larger, time_limit=seconds)
    except PlanError:
        return None


def _baselines(case: Case, problem: Problem) -> dict[str, Array]:
    """(deal, role) the group that visits, in each baseline plan."""
    win_prob, lift = case.outlook.win_prob_lifts()
    return baseline_plans(problem, case.outlook.worth, win_prob, lift, case.settings.most_per_deal)


def _compared(case: Case, baselines: Mapping[str, Array], total: Array) -> pd.DataFrame:
    records = []
    for name, visitor in baselines.items():
        draws, _ = _gain_draws(case, visitor != NO_VISIT)
        gain, ahead = _estimate(draws), _estimate(total - draws)
        records.append((name, gain.mean, gain.lower, gain.upper, ahead.mean, ahead.lower, ahead.upper))
    columns = ["plan", "expected_gain", "lower", "upper", "difference", "difference_lower", "difference_upper"]
    return pd.DataFrame(records, columns=columns)


def _listed(baselines: Mapping[str, Array], picked: Candidates) -> pd.DataFrame:
    """A row for each visit of each baseline plan."""
    ids = picked.deals["deal_id"].to_numpy()
    rows = [
        (name, ids[deal], ROLES[role])
        for name, visitor in baselines.items()
        for deal, role in np.argwhere(visitor != NO_VISIT)
    ]
    return pd.DataFrame(rows, columns=["plan", "deal_id", "role"])


def _success_table(success: Success) -> pd.DataFrame:
    lower, upper = success.interval
    return pd.DataFrame(
        {
            "role": np.repeat(ROLES, len(STATES)),
            "coverage": STATES * len(ROLES),
            "mean": success.mean.ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
        }
    )


def _effect_estimate(success: Success) -> Estimate | None:
    if success.effect is None:
        return None
    lower, upper = success.effect.interval
    return Estimate(mean=success.effect.average[0], lower=lower, upper=upper)


def _log_notes(success: Success) -> list[str]:
    if not success.unjudged:
        return []
    return [gettext("Past visits not counted, the tier before or after is blank: {count}.", count=success.unjudged)]
