"""Whose support raises the odds most? Levers by deal and portfolio, what-if, and what a lost deal lacked."""

from winprob.sensitivity.evidence import e_values, risk_ratios
from winprob.sensitivity.loss_patterns import LossPattern, loss_patterns
from winprob.sensitivity.portfolio import GROUPINGS
from winprob.sensitivity.post_mortem import post_mortem, post_mortem_sentences
from winprob.sensitivity.ranking import rank_roles
from winprob.sensitivity.sentences import bound_sentence, deal_sentences, group_sentences, table_sentences
from winprob.sensitivity.what_if import what_if, what_if_sentences

__all__ = [
    "GROUPINGS",
    "LossPattern",
    "bound_sentence",
    "deal_sentences",
    "e_values",
    "group_sentences",
    "loss_patterns",
    "post_mortem",
    "post_mortem_sentences",
    "rank_roles",
    "risk_ratios",
    "table_sentences",
    "what_if",
    "what_if_sentences",
]
