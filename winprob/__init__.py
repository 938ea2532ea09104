"""Calibrated win probabilities for large B2B deals, read through the customer's decision chain.

Every public name is loaded when it is first used, so that ``import winprob`` costs next to nothing and only
``fit`` ever loads PyMC. Functions take tables of pandas, polars or Arrow and return their kind, see ``frames``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winprob.actions.flags import find_flags
    from winprob.actions.levers import post_mortem, rank_levers, rank_roles, what_if
    from winprob.actions.questions import plan_questions, rank_unknowns
    from winprob.actions.visits import allocate, plan_visits, read_executives
    from winprob.actions.worksheets import derive_facts
    from winprob.data.history.audit.check import check_history
    from winprob.data.history.folder import read_history
    from winprob.data.history.replay import replay_changes
    from winprob.data.history.trail import deal_ends, review_table
    from winprob.data.history.training import training_rows
    from winprob.data.history.writing import write_snapshot
    from winprob.data.tables import check_file, read_changes, read_deals, read_rates, read_visits, write_table
    from winprob.data.tables.answers import read_answers
    from winprob.data.tables.databases.queries import database
    from winprob.errors import WinprobError
    from winprob.evaluation import backtest, run_backtest
    from winprob.model.effects import effects
    from winprob.model.estimator import WinProbClassifier
    from winprob.model.explanation import explain
    from winprob.model.inference import fit, fit_prior
    from winprob.model.inference.pymc_model import build_model
    from winprob.model.posterior import Posterior
    from winprob.model.prediction import draw_win_prob, predict
    from winprob.model.summary import prior_sheet, summarise_posterior
    from winprob.model.timing import draw_open_prob_at, draw_win_prob_by, slip_prob, win_prob_by
    from winprob.quarter.bridge import bridge_forecasts
    from winprob.quarter.forecast import forecast_quarter
    from winprob.quarter.forecast_log import append_forecast, read_forecasts
    from winprob.quarter.track_record import calibrate_deals, score_forecasts
    from winprob.report.card import render_card
    from winprob.report.quarterly import render_review
    from winprob.report.retraining import render_retraining
    from winprob.report.visit_sheet import render_brief
    from winprob.report.worksheets import write_worksheets
    from winprob.retrain import Registry
    from winprob.retrain.candidate import CurrentModel, Retraining, run_retraining
    from winprob.retrain.monitoring import monitor_model
    from winprob.retrain.replay import Replay, replay_forecasts
    from winprob.settings import Settings, read_settings
    from winprob.simulation import simulate

__all__ = [
    "CurrentModel",
    "Posterior",
    "Registry",
    "Replay",
    "Retraining",
    "Settings",
    "WinProbClassifier",
    "WinprobError",
    "allocate",
    "append_forecast",
    "backtest",
    "bridge_forecasts",
    "build_model",
    "calibrate_deals",
    "check_file",
    "draw_open_prob_at",
    "check_history",
    "database",
    "deal_ends",
    "derive_facts",
    "draw_win_prob",
    "draw_win_prob_by",
    "effects",
    "explain",
    "find_flags",
    "fit",
    "fit_prior",
    "forecast_quarter",
    "monitor_model",
    "plan_questions",
    "plan_visits",
    "post_mortem",
    "predict",
    "prior_sheet",
    "rank_levers",
    "rank_roles",
    "rank_unknowns",
    "read_answers",
    "read_changes",
    "read_deals",
    "read_executives",
    "read_forecasts",
    "read_history",
    "read_rates",
    "read_settings",
    "read_visits",
    "render_brief",
    "render_card",
    "render_retraining",
    "render_review",
    "replay_changes",
    "replay_forecasts",
    "review_table",
    "run_backtest",
    "run_retraining",
    "score_forecasts",
    "simulate",
    "slip_prob",
    "summarise_posterior",
    "training_rows",
    "what_if",
    "win_prob_by",
    "write_snapshot",
    "write_table",
    "write_worksheets",
]

_HOME = {
    "CurrentModel": "retrain.candidate",
    "Posterior": "model.posterior",
    "Registry": "retrain",
    "Replay": "retrain.replay",
    "Retraining": "retrain.candidate",
    "Settings": "settings",
    "WinProbClassifier": "model.estimator",
    "WinprobError": "errors",
    "allocate": "actions.visits",
    "append_forecast": "quarter",
    "backtest": "evaluation",
    "bridge_forecasts": "quarter",
    "build_model": "model.inference.pymc_model",
    "calibrate_deals": "quarter",
    "check_file": "data.tables",
    "draw_open_prob_at": "model.timing",
    "check_history": "data.history",
    "database": "data.tables.databases.queries",
    "deal_ends": "data.history",
    "derive_facts": "actions.worksheets",
    "draw_win_prob": "model.prediction",
    "draw_win_prob_by": "model.timing",
    "effects": "model.effects",
    "explain": "model.explanation",
    "find_flags": "actions.flags",
    "fit": "model.inference",
    "fit_prior": "model.inference",
    "forecast_quarter": "quarter",
    "monitor_model": "retrain.monitoring",
    "plan_questions": "actions.questions",
    "plan_visits": "actions.visits",
    "post_mortem": "actions.levers",
    "predict": "model.prediction",
    "prior_sheet": "model.summary",
    "rank_levers": "actions.levers",
    "rank_roles": "actions.levers",
    "rank_unknowns": "actions.questions",
    "read_answers": "data.tables.answers",
    "read_changes": "data.tables",
    "read_deals": "data.tables",
    "read_executives": "actions.visits.executives",
    "read_forecasts": "quarter",
    "read_history": "data.history",
    "read_rates": "data.tables",
    "read_settings": "settings",
    "read_visits": "data.tables",
    "render_brief": "report.visit_sheet",
    "render_card": "report.card",
    "render_retraining": "report.retraining",
    "render_review": "report.quarterly",
    "replay_changes": "data.history",
    "replay_forecasts": "retrain.replay",
    "review_table": "data.history",
    "run_backtest": "evaluation",
    "run_retraining": "retrain.candidate",
    "score_forecasts": "quarter",
    "simulate": "simulation",
    "slip_prob": "model.timing",
    "summarise_posterior": "model.summary",
    "training_rows": "data.history",
    "what_if": "actions.levers",
    "win_prob_by": "model.timing",
    "write_snapshot": "data.history",
    "write_table": "data.tables",
    "write_worksheets": "report.worksheets",
}


def __getattr__(name: str) -> Any:
    if name == "plot":
        return import_module("winprob.plot")
    if name not in _HOME:
        raise AttributeError(f"module 'winprob' has no attribute {name!r}")
    public = getattr(import_module(f"winprob.{_HOME[name]}"), name)
    if isinstance(public, type):
        return public
    from winprob.frames import over_any_frame

    return over_any_frame(public)


def __dir__() -> list[str]:
    return sorted(__all__)
