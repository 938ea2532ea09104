"""What is to be decided? Deals, sets of visits and what they add, kinds of executives and their slots."""

from dataclasses import dataclass

import numpy as np

from winprob.actions.visits.eligibility import Access
from winprob.actions.visits.executive_groups import Kinds
from winprob.actions.visits.executives import Roster
from winprob.actions.visits.gains import Outlook, RoleSet, membership
from winprob.arrays import Array
from winprob.settings import VisitSettings

NOBODY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be decided.

    Attributes
    ----------
    sets : the sets of roles that may be visited in one deal
    gain : (deal, set) what each adds
    eligible : (kind, deal, role) who may visit whom
    slots : (kind,)
    account : (deal,) codes where one kind at most may go to each account, None where that is no rule
    fixed : (kind, deal, role) visits that must be in the plan; nobody else is eligible for them
    largest : (kind,) the most slots that one executive of the kind has
    """

    sets: tuple[RoleSet, ...]
    gain: Array
    eligible: Array
    slots: Array
    account: Array | None
    fixed: Array
    largest: Array

    @property
    def possible(self) -> Array:
        """(deal, set) whether a deal may be given the set: somebody for each role, no fixed visit left out."""
        member = membership(self.sets)
        able = ~(member[None] & ~self.eligible.any(axis=0)[:, None]).any(axis=2)
        kept = ~(~member[None] & self.fixed.any(axis=0)[:, None]).any(axis=2)
        return np.asarray(able & kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A plan.

    Attributes
    ----------
    visitor : (deal, role) the kind that visits, ``NOBODY`` where none does
    objective : what it is worth by the problem's gains, or its tail mean
    gap : how far, at most, the best plan may lie above, as a share
    """

    visitor: Array
    objective: float
    gap: float


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
