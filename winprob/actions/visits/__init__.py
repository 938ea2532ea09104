"""Where do the executives go? The plan of visits that adds most expected bookings, and how sure of it we are."""

from winprob.actions.visits.executives import read_executives
from winprob.actions.visits.planning import allocate, plan_visits
from winprob.actions.visits.records import Plan
from winprob.actions.visits.sentences import amount, judge_plan

__all__ = [
    "Plan",
    "allocate",
    "amount",
    "judge_plan",
    "plan_visits",
    "read_executives",
]
