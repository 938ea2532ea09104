"""Executive visits: the plan of visits that adds most expected bookings, and its uncertainty."""

from winprob.actions.visits.assessment import Plan
from winprob.actions.visits.executives import read_executives
from winprob.actions.visits.planning import allocate, plan_visits
from winprob.actions.visits.sentences import amount, lever_sentences, plan_sentences

__all__ = ["Plan", "allocate", "amount", "lever_sentences", "plan_sentences", "plan_visits", "read_executives"]
