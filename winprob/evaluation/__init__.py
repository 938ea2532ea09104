"""Evaluation: scores, calibration, cross-validated backtests, model checks, and the influence of the prior."""

from winprob.evaluation.backtesting import Backtest, backtest, run_backtest
from winprob.evaluation.calibration import coverage_90, group_calibration, reliability_curve
from winprob.evaluation.folds import program_digest
from winprob.evaluation.scores import log_losses, paired_difference, score

__all__ = [
    "Backtest",
    "backtest",
    "coverage_90",
    "group_calibration",
    "log_losses",
    "paired_difference",
    "program_digest",
    "reliability_curve",
    "run_backtest",
    "score",
]
