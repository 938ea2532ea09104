"""Whose support raises the odds most? Levers by deal and portfolio, what-if, and what a lost deal lacked."""

from winprob.actions.levers.evidence import e_values, risk_ratios
from winprob.actions.levers.facts import FACTS, LEVERS, rank_levers
from winprob.actions.levers.loss_patterns import LossPattern, deciders, loss_patterns
from winprob.actions.levers.portfolio import GROUPINGS
from winprob.actions.levers.post_mortem import post_mortem, post_mortem_sentences, term_differences
from winprob.actions.levers.ranking import rank_roles
from winprob.actions.levers.sentences import (
    bound_sentence,
    deal_sentences,
    group_sentences,
    lever_label,
    table_sentences,
)
from winprob.actions.levers.what_if import what_if, what_if_sentences

__all__ = [
    "FACTS",
    "GROUPINGS",
    "LEVERS",
    "LossPattern",
    "bound_sentence",
    "deal_sentences",
    "deciders",
    "e_values",
    "group_sentences",
    "lever_label",
    "loss_patterns",
    "post_mortem",
    "post_mortem_sentences",
    "rank_levers",
    "rank_roles",
    "risk_ratios",
    "table_sentences",
    "term_differences",
    "what_if",
    "what_if_sentences",
]
