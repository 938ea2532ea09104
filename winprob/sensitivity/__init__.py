"""Whose support raises the odds most? Levers by deal and portfolio, what-if, and what a lost deal lacked."""

from winprob.sensitivity.ranking import rank_roles

__all__ = ["rank_roles"]
