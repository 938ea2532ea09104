"""Where do the executives go? The plan of visits that adds most expected bookings, and how sure of it we are."""

from winprob.allocation.planning import allocate, plan_visits
from winprob.allocation.records import Plan

__all__ = ["Plan", "allocate", "plan_visits"]
