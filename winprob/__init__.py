"""Calibrated win probabilities for large B2B deals, read through the customer's decision chain.

Every public name is loaded when it is first used, so that ``import winprob`` costs next to nothing and only
``fit`` ever loads PyMC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winprob.allocation import allocate, plan_visits
    from winprob.data.history import (
        check_history,
        deal_ends,
        read_history,
        replay_changes,
        review_table,
        training_rows,
        write_snapshot,
    )
    from winprob.data.tables import check_file, read_changes, read_deals, read_rates, read_visits, write_table
    from winprob.errors import WinprobError
    from winprob.evaluation import backtest, run_backtest
    from winprob.executives import read_executives
    from winprob.information import plan_questions, rank_unknowns
    from winprob.model.explanation import explain
    from winprob.model.inference import fit, fit_prior
    from winprob.model.posterior import Posterior
    from winprob.model.prediction import draw_win_prob, predict
    from winprob.model.summary import prior_sheet, summarise_posterior
    from winprob.model.timing import draw_open_prob_at, draw_win_prob_by, slip_prob, win_prob_by
    from winprob.portfolio import (
        append_forecast,
        bridge_forecasts,
        calibrate_deals,
        forecast_quarter,
        read_forecasts,
        score_forecasts,
    )
    from winprob.report.brief import render_brief
    from winprob.report.card import render_card
    from winprob.report.quarter import render_review
    from winprob.sensitivity import post_mortem, rank_roles, what_if
    from winprob.settings import Settings, read_settings
    from winprob.simulation import simulate

__all__ = [
    "Posterior",
    "Settings",
    "WinprobError",
    "allocate",
    "append_forecast",
    "backtest",
    "bridge_forecasts",
    "calibrate_deals",
    "check_file",
    "draw_open_prob_at",
    "check_history",
    "deal_ends",
    "draw_win_prob",
    "draw_win_prob_by",
    "explain",
    "fit",
    "fit_prior",
    "forecast_quarter",
    "plan_questions",
    "plan_visits",
    "post_mortem",
    "predict",
    "prior_sheet",
    "rank_roles",
    "rank_unknowns",
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
    "render_review",
    "replay_changes",
    "review_table",
    "run_backtest",
    "score_forecasts",
    "simulate",
    "slip_prob",
    "summarise_posterior",
    "training_rows",
    "what_if",
    "win_prob_by",
    "write_snapshot",
    "write_table",
]

_HOME = {
    "Posterior": "model.posterior",
    "Settings": "settings",
    "WinprobError": "errors",
    "allocate": "allocation",
    "append_forecast": "portfolio",
    "backtest": "evaluation",
    "bridge_forecasts": "portfolio",
    "calibrate_deals": "portfolio",
    "check_file": "data.tables",
    "draw_open_prob_at": "model.timing",
    "check_history": "data.history",
    "deal_ends": "data.history",
    "draw_win_prob": "model.prediction",
    "draw_win_prob_by": "model.timing",
    "explain": "model.explanation",
    "fit": "model.inference",
    "fit_prior": "model.inference",
    "forecast_quarter": "portfolio",
    "plan_questions": "information",
    "plan_visits": "allocation",
    "post_mortem": "sensitivity",
    "predict": "model.prediction",
    "prior_sheet": "model.summary",
    "rank_roles": "sensitivity",
    "rank_unknowns": "information",
    "read_changes": "data.tables",
    "read_deals": "data.tables",
    "read_executives": "executives",
    "read_forecasts": "portfolio",
    "read_history": "data.history",
    "read_rates": "data.tables",
    "read_settings": "settings",
    "read_visits": "data.tables",
    "render_brief": "report.brief",
    "render_card": "report.card",
    "render_review": "report.quarter",
    "replay_changes": "data.history",
    "review_table": "data.history",
    "run_backtest": "evaluation",
    "score_forecasts": "portfolio",
    "simulate": "simulation",
    "slip_prob": "model.timing",
    "summarise_posterior": "model.summary",
    "training_rows": "data.history",
    "what_if": "sensitivity",
    "win_prob_by": "model.timing",
    "write_snapshot": "data.history",
    "write_table": "data.tables",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'winprob' has no attribute {name!r}")
    return getattr(import_module(f"winprob.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
