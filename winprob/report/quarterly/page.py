"""Render the quarterly review: all sections on one self-contained page, the number first."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from winprob.actions.flags import find_flags, flag_sentences
from winprob.actions.visits import Plan
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.quarter import Bridge, Forecast
from winprob.report.card import card_sections
from winprob.report.charts import draw_role_weights
from winprob.report.quarterly import appendix, follow_up, headline, risk
from winprob.report.quarterly.deals import deal_rows
from winprob.report.quarterly.inputs import ReviewInputs, join_facts, names_by_id
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
        findings=findings,
        scores=scores,
        record=record,
        monitoring=monitoring,
        settings=settings or posterior.settings.review,
        simulated=simulated,
    )
    values = {"words": _words(inputs), "scroll_hint": gettext("scrolls sideways"), "filter_word": gettext("Filter")}
    parts = {**_first(inputs), **_middle(inputs), **_last(inputs)}
    return render("review.html.j2", styles=("style.css", "review.css"), script="review.js", **values, **parts)


def _first(inputs: ReviewInputs) -> dict[str, Any]:
    bridge = inputs.bridge
    return {
        "title": headline.title(inputs),
        "facts": headline.facts(inputs),
        "warnings": headline.warnings(inputs),
        "headline": headline.sentence(inputs),
        "figures": headline.figures(inputs),
        "distribution": headline.chart(inputs),
        "lines": headline.lines_grid(inputs),
        "left_out": headline.left_out(inputs),
        "bridge": bridge and headline.bridge_grid(bridge, inputs.names),
        "bridge_chart": bridge and headline.bridge_chart(bridge),
        "risk": risk.sentences(inputs),
        "swings": risk.swings_grid(inputs),
        "swings_chart": risk.chart(inputs),
        "shares": risk.shares_grid(inputs),
        "breakdowns": risk.breakdowns(inputs),
    }


def _middle(inputs: ReviewInputs) -> dict[str, Any]:
    return {
        "deals": deal_rows(inputs),
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
        "roles_chart": draw_role_weights(inputs.posterior),
        "card": card_sections(inputs.posterior, inputs.record),
    }


def _words(inputs: ReviewInputs) -> dict[str, str]:
    """Headings and notes of the template."""
    return {**_titles(inputs), **_columns(), **_tables(inputs)}


def _titles(inputs: ReviewInputs) -> dict[str, str]:
    return {
        "bridge": gettext("What changed since the last review"),
        "no_bridge": gettext("No earlier export was given, so changes cannot be shown. Add one with --before."),
        "risk": gettext("What must be true, and what would break it"),
        "deals": gettext("Key deals"),
        "deals_note": _deals_note(inputs),
        "breakdowns": gettext("Breakdown of the riskiest deals' win probabilities"),
        "breakdowns_note": gettext(
            "Each starts from the base rate and shows the {count} largest terms: solid bars raise the win probability, "
            "hollow bars lower it, relative to the average closed deal.",
            count=risk.SHOWN,
        ),
        "bars": gettext("win probability"),
        "terms": gettext("difference from the average closed deal"),
        "no_deals": gettext("No open deals."),
        "visits": gettext("Requests to executives"),
        "exceptions": gettext("Exceptions"),
        "no_exceptions": gettext("None: no deal breaks a rule that could be checked."),
        "track": gettext("Track record"),
        "appendix": gettext("Appendix"),
        "all_deals": gettext("All open deals"),
        "reconciliation": gettext("Currencies and rates"),
        "definitions": gettext("How to read this page"),
        "card": gettext("Model card"),
    }


def _deals_note(inputs: ReviewInputs) -> str:
    shown, count = len(inputs.shown), len(inputs.deals)
    if shown == count:
        return gettext("All {count} open deals, sorted by expected bookings.", count=count)
    share = float(inputs.shown["expected_bookings"].sum() / max(float(inputs.deals["expected_bookings"].sum()), 1e-12))
    return gettext(
        "The {shown} of {count} open deals with the highest expected bookings, {share} of the sum; the appendix lists "
        "every deal.",
        shown=shown,
        count=count,
        share=f"{share:.0%}",
    )


def _columns() -> dict[str, str]:
    return {
        "deal": gettext("Deal"),
        "amount": gettext("Amount"),
        "closes": gettext("Closes"),
        "overdue": gettext("overdue"),
        "stage": gettext("Stage"),
        "category": gettext("Category"),
        "chance": gettext("Win probability"),
        "trend": gettext("Trend, points"),
        "by_end": gettext("Won by quarter end"),
        "expected": gettext("Expected bookings"),
        "bar": gettext("Dot: win probability. Line: its 90% interval, on a scale from 0 to 100%."),
        "why": gettext("Why this probability"),
        "gaps": gettext("What is missing"),
        "uncovered": gettext("Not in contact:"),
        "coach": gettext("Coach:"),
        "flags": gettext("Red flags:"),
        "semicolon": gettext("; "),
        "unknown": gettext("Unknown:"),
        "next": gettext("Next lever and owner"),
    }


def _tables(inputs: ReviewInputs) -> dict[str, str]:
    return {
        "lines": gettext("The quarter by line. Means add up to the total; percentiles do not."),
        "bridge_table": gettext("The same in numbers; the steps sum to the change exactly."),
        "swings": gettext("Deals with the largest share of the variance"),
        "shares": gettext("Sources of the variance of the total"),
        "visits_table": gettext("Visits, largest gain first; a gain is an increase in expected bookings"),
        "exceptions_table": gettext("Deals to discuss in the review"),
        "faults": gettext("Findings of the data check"),
        "no_faults": gettext("No data check was run.")
        if inputs.findings is None
        else gettext("The data check found no fault."),
        "all_deals_table": gettext("Every open deal, sorted by expected bookings"),
    }
