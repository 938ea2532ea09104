"""When will a deal close? Won by a day, still open on a day, slipped."""

from winprob.model.timing.outlook import Outlook, Outlooks, draw_open_prob_at, draw_win_prob_by, outlooks, same_day
from winprob.model.timing.win_by import add_timing, slip_prob, win_prob_by

__all__ = [
    "Outlook",
    "Outlooks",
    "add_timing",
    "draw_open_prob_at",
    "draw_win_prob_by",
    "outlooks",
    "same_day",
    "slip_prob",
    "win_prob_by",
]
