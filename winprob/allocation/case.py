"""What one plan is made from, and what is made of it."""

from dataclasses import dataclass

from winprob.allocation.eligibility import Access
from winprob.allocation.gains import Outlook, RoleSet
from winprob.allocation.kinds import Kinds
from winprob.allocation.problem import Problem, Solution
from winprob.arrays import Array
from winprob.executives import Roster
from winprob.settings import VisitSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that one plan is made from."""

    outlook: Outlook
    sets: tuple[RoleSet, ...]
    roster: Roster
    access: Access
    kinds: Kinds
    settings: VisitSettings
    risk: float | None
    time_limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan with the problem it solves, and ``who`` (deal, role) the executive who visits."""

    kinds: Kinds
    problem: Problem
    solution: Solution
    who: Array
