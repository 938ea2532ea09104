"""How does it all make one page? Sections in the order in which a review asks, the number first, all in one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.model.summary import summarise_posterior
from winprob.report.breakdown import SHOWN
from winprob.report.card import card_sections
from winprob.report.charts import draw_role_weights
from winprob.report.quarterly import appendix, asks, changes, exceptions, header, headline, risk, track
from winprob.report.quarterly.deals import deal_rows
from winprob.report.quarterly.inputs import Case, join_facts
from winprob.report.templates import render
from winprob.settings import ReviewSettings

if TYPE_CHECKING:
    from winprob.actions.visits import Plan
    from winprob.quarter import Bridge, Forecast

_FINDINGS = ("severity", "column", "rows", "first_deal", "message")


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
    settings: ReviewSettings | None = None,
    simulated: bool = False,
) -> str:
    """The page of a quarterly review, in the language now spoken.

    Parameters
    ----------
    deals : the deals that were forecast, in canonical columns
    bridge : from the last review's forecast to this one
    before : ``deal_id, mean``, the win probabilities of the last review, for each deal's trend
    plan : visits of executives
    findings : of the data check
    scores : past forecasts beside what came
    record : of a backtest, as ``winprob backtest --record`` keeps it
    settings : what is called an exception; by default the model's own settings
    simulated : whether the deals are made up, which the page then says first

    Returns
    -------
    str
        A whole HTML document that loads nothing: it opens from a mail attachment, and reads in full without script.
    """
    case = Case(
        posterior=posterior,
        forecast=forecast,
        deals=join_facts(forecast, deals, before),
        compared=before is not None,
        bridge=bridge,
        plan=plan,
        findings=pd.DataFrame(columns=list(_FINDINGS)) if findings is None else findings,
        scores=scores,
        record=record,
        settings=settings or posterior.settings.review,
        simulated=simulated,
    )
    values = {"words": _words(case), "scroll_hint": gettext("scrolls sideways"), "filter_word": gettext("Filter")}
    parts = {**_first(case), **_middle(case), **_last(case)}
    return render("review.html.j2", styles=("style.css", "review.css"), script="review.js", **values, **parts)


def _first(case: Case) -> dict[str, Any]:
    bridge = case.bridge
    return {
        "title": header.title(case),
        "facts": header.facts(case),
        "warnings": header.warnings(case),
        "headline": headline.sentence(case),
        "figures": headline.figures(case),
        "distribution": headline.chart(case),
        "lines": headline.lines_grid(case),
        "left_out": headline.left_out(case),
        "bridge": bridge and changes.bridge_grid(bridge),
        "bridge_chart": bridge and changes.bridge_chart(bridge),
        "risk": risk.sentences(case),
        "swings": risk.swings_grid(case),
        "swings_chart": risk.chart(case),
        "shares": risk.shares_grid(case),
        "breakdowns": risk.breakdowns(case),
    }


def _middle(case: Case) -> dict[str, Any]:
    return {
        "deals": deal_rows(case),
        "asks_said": asks.sentences(case),
        "asks": asks.asks_grid(case),
        "exceptions": exceptions.exceptions_grid(case),
        "not_checked": exceptions.not_checked(case),
        "faults": exceptions.faults_grid(case),
    }


def _last(case: Case) -> dict[str, Any]:
    return {
        "track": track.sections(case),
        "all_deals": appendix.all_deals(case),
        "reconciliation": appendix.reconciliation(case),
        "definitions": appendix.definitions(case),
        "roles_chart": draw_role_weights(case.posterior, summarise_posterior(case.posterior)),
        "card": card_sections(case.posterior, case.record),
    }


def _words(case: Case) -> dict[str, str]:
    """Headings and notes."""
    return {**_titles(case), **_columns(), **_tables(case)}


def _titles(case: Case) -> dict[str, str]:
    return {
        "bridge": gettext("What changed since the last review"),
        "no_bridge": gettext("No earlier export was given, so no change can be told. Give it with --before."),
        "risk": gettext("What must be true, and what would break it"),
        "deals": gettext("The deals that count"),
        "deals_note": _deals_note(case),
        "breakdowns": gettext("How the chances of the riskiest deals come about"),
        "breakdowns_note": gettext(
            "Each starts from the base rate. The {count} largest terms are told one by one: solid bars raise the "
            "chance, hollow bars lower it, against the average closed deal.",
            count=SHOWN,
        ),
        "bars": gettext("chance of winning"),
        "terms": gettext("what sets the deal apart"),
        "no_deals": gettext("No open deals."),
        "asks": gettext("Asks to the executives"),
        "exceptions": gettext("Exceptions"),
        "no_exceptions": gettext("None: no deal breaks a rule that could be checked."),
        "track": gettext("How good have we been"),
        "appendix": gettext("Appendix"),
        "all_deals": gettext("All open deals"),
        "reconciliation": gettext("Currencies and rates"),
        "definitions": gettext("How to read this page"),
        "card": gettext("Model card"),
    }


def _deals_note(case: Case) -> str:
    shown, count = len(case.told), len(case.deals)
    if shown == count:
        return gettext("All {count} open deals, most expected bookings first.", count=count)
    share = float(case.told["expected_bookings"].sum() / max(float(case.deals["expected_bookings"].sum()), 1e-12))
    return gettext(
        "The {shown} of {count} open deals with most expected bookings, {share} of all; the appendix has every deal.",
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
        "why": gettext("Why this chance"),
        "gaps": gettext("What is missing"),
        "uncovered": gettext("Not in contact:"),
        "coach": gettext("Coach:"),
        "unknown": gettext("Not known:"),
        "next": gettext("Next lever, and who acts"),
    }


def _tables(case: Case) -> dict[str, str]:
    return {
        "lines": gettext("The quarter by line. Means add up to the total; percentiles do not."),
        "bridge_table": gettext("The same as numbers; the steps add up to the change exactly."),
        "swings": gettext("The deals with the largest share of the doubt"),
        "shares": gettext("Where the doubt about the total comes from"),
        "asks_table": gettext("Visits, the largest gain first; gains are added expected bookings"),
        "exceptions_table": gettext("What a review should ask about"),
        "faults": gettext("What the data check found"),
        "no_faults": gettext("The data check found no fault."),
        "all_deals_table": gettext("Every open deal in play, most expected bookings first"),
    }
