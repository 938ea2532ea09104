"""Render the quarterly review: one screen to meet by, then all sections, on one self-contained page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from winprob.actions.flags import find_flags, flag_sentences
from winprob.actions.visits import Plan
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.quarter import Bridge, Forecast, quarter_trend
from winprob.report.card import card_sections
from winprob.report.charts import FONTS, draw_role_weights
from winprob.report.numbers import Money
from winprob.report.quarterly import appendix, bridge, charts, deals, decisions, first, follow_up, headline, risk, words
from winprob.report.quarterly.inputs import ReviewInputs, join_facts, last_known, names_by_id
from winprob.report.templates import render
from winprob.retrain.monitoring import Monitoring
from winprob.settings import ReviewSettings


def render_review(
    posterior: Posterior,
    deals: pd.DataFrame,
    forecast: Forecast,
    *,
    bridge: Bridge | None = None,
    before: pd.DataFrame | None = None,
    plan: Plan | None = None,
    findings: pd.DataFrame | None = None,
    scores: pd.DataFrame | None = None,
    record: Mapping[str, Any] | None = None,
    monitoring: Monitoring | None = None,
    trend: pd.DataFrame | None = None,
    decisions: pd.DataFrame | None = None,
    rates: pd.DataFrame | None = None,
    settings: ReviewSettings | None = None,
    simulated: bool = False,
) -> str:
    """Render the page of a quarterly review in the current language.

    Parameters
    ----------
    deals : the deals that were forecast, in canonical columns
    bridge : from the last review's forecast to this one
    before : ``deal_id, mean``, the win probabilities of the last review, for each deal's trend
    plan : visits of executives
    findings : of the data check
    scores : past forecasts and realised bookings, as ``score_forecasts`` returns them
    record : of a backtest, as ``winprob backtest --record`` writes it
    monitoring : as ``monitor_model`` returns it: adds a line to the track record
    trend : of the quarter so far, as ``quarter_trend`` returns it
    decisions : of earlier reviews, as ``read_decisions`` returns them: the page shows what became of each
    rates : exchange rates of the forecast: with them, what the plan does to a target in one of several currencies
    settings : thresholds of exceptions; by default the model's own settings
    simulated : whether the deals are simulated, which the page then states first

    Returns
    -------
    str
        A complete HTML document without external resources: it opens from a mail attachment and is complete without
        scripts.
    """
    joined = join_facts(forecast, deals, before)
    inputs = ReviewInputs(
        posterior=posterior,
        forecast=forecast,
        deals=joined,
        flags=find_flags(joined, as_of=forecast.as_of, settings=posterior.settings.flags),
        names=names_by_id(deals),
        compared=before is not None,
        bridge=bridge,
        plan=plan,
        plan_effect=follow_up.effect_on_target(posterior, deals, forecast, plan, rates),
        findings=findings,
        scores=scores,
        record=record,
        monitoring=monitoring,
        trend=quarter_trend(forecast) if trend is None else trend,
        decisions=decisions,
        table=last_known(deals),
        money=Money.of(max(abs(forecast.p50), forecast.target or 0.0), forecast.currency),
        settings=settings or posterior.settings.review,
        simulated=simulated,
    )
    values = {
        "words": words.words(inputs),
        "scroll_hint": gettext("scrolls sideways"),
        "filter_word": gettext("Filter"),
    }
    chart = {"chart_fonts": FONTS, "chart_size": 11.5}
    parts = {**_first(inputs), **_number(inputs), **_middle(inputs), **_last(inputs)}
    return render("review.html.j2", styles=("style.css", "review.css"), script="review.js", **values, **chart, **parts)


def _first(inputs: ReviewInputs) -> dict[str, Any]:
    return {
        "title": headline.title(inputs),
        "meta": headline.meta(inputs),
        "warnings": headline.warnings(inputs),
        "headline": headline.sentence(inputs),
        "figures": first.figures(inputs),
        "trend": charts.draw_trend(inputs.trend, inputs.forecast.quarter, inputs.money),
        "dots": headline.dots(inputs),
        "groups": first.groups_grid(inputs),
        "worst_flags": first.worst_flags(inputs),
        "gap_title": first.gap_title(inputs),
        "gap_sentence": first.gap_sentence(inputs),
        "gap": first.gap_grid(inputs),
        "decisions": decisions.decisions(inputs),
        "more_decisions": decisions.more_decisions(inputs),
        "empty_lines": decisions.EMPTY_LINES,
    }


def _number(inputs: ReviewInputs) -> dict[str, Any]:
    found = inputs.bridge
    return {
        "histogram": headline.histogram(inputs),
        "lines": headline.lines_grid(inputs),
        "left_out": headline.left_out(inputs),
        "bridge": found and bridge.bridge_grid(found, inputs.names, inputs.money),
        "bridge_bars": found and bridge.bars(found),
        "risk": risk.sentences(inputs),
        "swings": risk.swings_grid(inputs),
        "swings_bars": risk.swings_bars(inputs),
        "shares": risk.shares_grid(inputs),
        "breakdowns": risk.breakdowns(inputs),
    }


def _middle(inputs: ReviewInputs) -> dict[str, Any]:
    return {
        "deals": deals.deal_rows(inputs),
        "flags_verdict": flag_sentences(inputs.deals, inputs.flags)[0],
        "visit_sentences": follow_up.visit_sentences(inputs),
        "visits": follow_up.visits_grid(inputs),
        "exceptions": follow_up.exceptions_grid(inputs),
        "not_checked": follow_up.not_checked(inputs),
        "faults": follow_up.faults_grid(inputs),
    }


def _last(inputs: ReviewInputs) -> dict[str, Any]:
    return {
        "track": appendix.track_record(inputs),
        "all_deals": appendix.all_deals(inputs),
        "reconciliation": appendix.reconciliation(inputs),
        "definitions": appendix.definitions(inputs),
        "facts": headline.facts(inputs),
        "roles_chart": draw_role_weights(inputs.posterior),
        "card": card_sections(inputs.posterior, inputs.record),
    }
