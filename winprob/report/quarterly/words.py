"""Headings, column titles and notes of the review's template."""

from winprob.i18n import gettext
from winprob.report.quarterly import follow_up, risk
from winprob.report.quarterly.inputs import ReviewInputs


def words(inputs: ReviewInputs) -> dict[str, str]:
    """Headings and notes of the template."""
    return {**_titles(inputs), **_columns(), **_tables(inputs)}


def _titles(inputs: ReviewInputs) -> dict[str, str]:
    return {
        "contents": gettext("Contents"),
        "top": gettext("The quarter at a glance"),
        "flags": gettext("Three red flags"),
        "no_flags": gettext("None on the deals that matter."),
        "by_group": gettext("Closed, commit and expected bookings by group; rows sum to the total"),
        "gap_table": gettext("Deals that would move P50 most"),
        "decisions": gettext("Decisions"),
        "decisions_table": gettext("Decisions of earlier reviews, and empty lines for today's"),
        "what": gettext("Decision"),
        "who": gettext("By whom"),
        "by_when": gettext("By when"),
        "became": gettext("What became of it"),
        "number": gettext("The number"),
        "bridge": gettext("What changed since the last review"),
        "no_bridge": gettext("There is no earlier review to compare with."),
        "bar_title": gettext("P50 after each step"),
        "swings_bar": gettext(
            "P50 if not won (hollow) and if won (full); lines: P50 ± {share}", share=f"{inputs.wrong_by:.0%}"
        ),
        "about": gettext("How this page was made"),
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
        "deal_flags": gettext("Red flags:"),
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
        "no_faults": follow_up.check_sentence(inputs),
        "card_left_out": gettext("The model card is on the web page, and winprob card writes it."),
        "all_deals_table": gettext("Every open deal, sorted by expected bookings"),
    }
