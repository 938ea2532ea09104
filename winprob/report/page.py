"""How does it all make a page? One HTML text that asks nothing of anyone: no script, font or picture from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from winprob.catalog import say
from winprob.posterior import Posterior
from winprob.report.breakdown import SHOWN, break_down
from winprob.report.charts import draw_chances, draw_role_weights
from winprob.report.grids import deals_grid, findings_grid
from winprob.report.numbers import compact_money, one_decimal
from winprob.report.outlook import Outlook, currencies, foresee
from winprob.report.review import join_chances
from winprob.report.templates import render
from winprob.report.words import banners, data_lines, definitions, headline, verdict
from winprob.schema import latest_places

#: So many deals fit a chart that can be read.
CHARTED = 40


def render_page(
    posterior: Posterior,
    deals: pd.DataFrame,
    chances: pd.DataFrame,
    explanations: Mapping[str, pd.DataFrame],
    *,
    parameters: pd.DataFrame,
    findings: pd.DataFrame,
    simulated: bool,
) -> str:
    """The review page, in the language now spoken.

    Parameters
    ----------
    deals : open deals in canonical columns
    chances : ``predict(posterior, deals)``, row for row
    explanations : ``explain(...)`` of the deals to break down, by deal_id
    parameters : ``summarise_posterior(posterior)``
    findings : ``severity, column, rows, first_deal, message`` of the data check
    simulated : whether the deals are made up, which the page then says first

    Returns
    -------
    str
        A whole HTML document that loads nothing: it opens from a mail attachment.
    """
    review = join_chances(deals, chances)
    outlook = foresee(posterior, deals.iloc[latest_places(deals)])
    return render(
        "page.html.j2",
        **_header(posterior, review, simulated=simulated),
        **_verdict(outlook, review),
        **_charts(posterior, review, parameters),
        **_deals(review, explanations),
        **_notes(findings),
    )


def _header(posterior: Posterior, review: pd.DataFrame, *, simulated: bool) -> dict[str, Any]:
    return {
        "title": say("Open deals: what to expect"),
        "lead": say(
            "This page gives every open deal a chance of being won, learned from your closed deals, and says how sure "
            "that chance is. Each number is explained at the end, under “How to read this page”."
        ),
        "banners": banners(posterior.provenance, simulated=simulated),
        "data_title": say("What it stands on"),
        "data_lines": data_lines(posterior.provenance, review),
    }


def _verdict(outlook: Outlook, review: pd.DataFrame) -> dict[str, Any]:
    first, *rest = verdict(outlook, review)
    return {
        "verdict_title": say("What to expect"),
        "headline": headline(outlook) if outlook.deals else first,
        "figures": _figures(outlook, int(review["wide"].sum())) if outlook.deals else [],
        "verdict": [first, *rest] if outlook.deals else [],
    }


def _figures(outlook: Outlook, wide: int) -> list[tuple[str, str, str]]:
    """The few numbers to remember: name, number, range."""
    wins = say("{lower} to {upper} in 9 of 10 futures", lower=outlook.lower, upper=outlook.upper)
    figures = [(say("Expected wins"), one_decimal(outlook.expected), wins)]
    if outlook.bookings:
        low, middle, high = (
            compact_money(amount, outlook.bookings.currency)
            for amount in (outlook.bookings.p10, outlook.bookings.p50, outlook.bookings.p90)
        )
        ends = say("P10 {low}, P90 {high}", low=low, high=high)
        figures.append((say("Bookings, P50"), middle, ends))
    of_all = say("of {deals} open deals", deals=outlook.deals)
    figures.append((say("Intervals wider than 40 points"), str(wide), of_all))
    return figures


def _charts(posterior: Posterior, review: pd.DataFrame, parameters: pd.DataFrame) -> dict[str, Any]:
    return {
        "chances_title": say("The open deals, best chance first"),
        "chances_chart": draw_chances(_charted(review)) if len(review) else None,
        "chances_note": _chart_note(review),
        "roles_title": say("Whose support counts"),
        "roles_chart": draw_role_weights(posterior, parameters),
    }


def _charted(review: pd.DataFrame) -> pd.DataFrame:
    if len(review) <= CHARTED:
        return review
    chosen = review.assign(width=review["upper"] - review["lower"]).nlargest(CHARTED, _ranked_by(review)).index
    return review.loc[review.index.isin(chosen)]


def _ranked_by(review: pd.DataFrame) -> str:
    """Amounts in one currency rank deals; else the width of the interval does."""
    one_currency = len(currencies(review)) == 1 and review["amount"].notna().sum() >= CHARTED
    return "amount" if one_currency else "width"


def _chart_note(review: pd.DataFrame) -> str:
    if not len(review):
        return say("No open deals.")
    if len(review) <= CHARTED:
        return ""
    values = {"shown": CHARTED, "deals": len(review)}
    if _ranked_by(review) == "amount":
        return say("The chart shows the {shown} largest of {deals} deals by amount; the table below has all.", **values)
    return say("The chart shows the {shown} least certain of {deals} deals; the table below has all.", **values)


def _deals(review: pd.DataFrame, explanations: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    breakdowns = break_down(review, explanations)
    return {
        "breakdown_title": say("The least certain deals, and why"),
        "breakdown_lead": say(
            "Each starts from the base rate. The {count} largest terms are told one by one: solid bars raise the "
            "chance, hollow bars lower it, against the average closed deal.",
            count=SHOWN,
        ),
        "breakdowns": breakdowns,
        "bars_title": say("chance of winning"),
        "terms_title": say("what sets the deal apart"),
        "no_breakdown": say("No deal is explained here."),
        "deals_title": say("All open deals"),
        "deals_caption": say("Best chance first. Every column is explained under “How to read this page”."),
        "deals": deals_grid(review),
        "no_deals": say("No open deals."),
    }


def _notes(findings: pd.DataFrame) -> dict[str, Any]:
    return {
        "findings_title": say("What the data check found"),
        "findings": findings_grid(findings),
        "no_findings": say("Nothing to report: the data check found no fault."),
        "reading_title": say("How to read this page"),
        "definitions": definitions(),
        "scroll_hint": say("scrolls sideways"),
    }
