"""When will a deal close? Won by a day, still open on a day, slipped."""

from winprob.timing.draws import draw_open_prob_at, draw_win_prob_by
from winprob.timing.summaries import add_timing, slip_prob, win_prob_by

__all__ = ["add_timing", "draw_open_prob_at", "draw_win_prob_by", "slip_prob", "win_prob_by"]
