"""What do we say around the numbers? Where they come from, warnings, verdict, and how to read every one of them."""

from __future__ import annotations

import pandas as pd

from winprob.catalog import say
from winprob.methodology import column_label
from winprob.posterior import Provenance
from winprob.report.numbers import compact_money, one_decimal, percent
from winprob.report.outlook import Bookings, Outlook, currencies
from winprob.report.review import FACTS, missing_facts

#: Below this many deals others refuse to answer; we answer, and say what follows.
FEW_DEALS = 80
_NAMED_FACTS = 3


def data_lines(source: Provenance, deals: pd.DataFrame) -> list[str]:
    """What the page stands on."""
    return [learned(source), _open(deals), _made(source)]


def learned(source: Provenance) -> str:
    """What the model learned from."""
    if source.prior_only:
        return say("Learned from no closed deal.")
    sentence = say(
        "Learned from {deals} closed deals, of which {won} ({share}) were won.",
        deals=f"{source.counted:.0f}",
        won=f"{source.won:.0f}",
        share=percent(source.won / source.counted),
    )
    if source.first_day is None:
        return sentence
    period = say("Their facts were read from {first} to {last}.", first=source.first_day, last=source.last_day)
    return say("{first} {second}", first=sentence, second=period)


def _open(deals: pd.DataFrame) -> str:
    days = deals["as_of"].dropna() if "as_of" in deals else pd.Series(dtype="datetime64[us]")
    if len(days):
        return say("Open deals: {count}, as of {day}.", count=len(deals), day=days.max().date().isoformat())
    return say("Open deals: {count}.", count=len(deals))


def _made(source: Provenance) -> str:
    versions = ", ".join(f"{name} {source.versions[name]}" for name in ("winprob", "nutpie") if name in source.versions)
    return say(
        "Made with {versions}; seed {seed}: the same data and seed give the same numbers.",
        versions=versions,
        seed=source.seed,
    )


def banners(source: Provenance, *, simulated: bool) -> list[str]:
    """What must be known before any number is read."""
    said = []
    if simulated:
        said.append(say("Simulated data: deals, accounts and sellers are made up. Decide nothing from this page."))
    if source.prior_only:
        said.append(
            say(
                "Prior only: this model has seen no closed deal. It says what the method expects of any team, not what "
                "yours does. Read the order of the deals, not the percentages."
            )
        )
    elif source.deals < FEW_DEALS:
        said.append(
            say(
                "Few data: only {deals} closed deals were learned from, fewer than {few}. Much still rests on prior "
                "belief: read the intervals, not the single numbers, and train again after each quarter.",
                deals=source.deals,
                few=FEW_DEALS,
            )
        )
    return said


def verdict(outlook: Outlook, review: pd.DataFrame) -> list[str]:
    """What to expect of the open deals, in sentences."""
    if not outlook.deals:
        return [say("There are no open deals in this table, so there is nothing to foresee.")]
    return [_wins(outlook), _split(outlook), *_money(outlook, review), _wide(review)]


def headline(outlook: Outlook) -> str:
    return say(
        "Of {deals} open deals expect about {expected} to be won; 9 times in 10 it will be {lower} to {upper}.",
        deals=outlook.deals,
        expected=f"{outlook.expected:.0f}",
        lower=outlook.lower,
        upper=outlook.upper,
    )


def _wins(outlook: Outlook) -> str:
    return say(
        "The chances of the {deals} open deals add up to {expected} wins. In 9 of 10 simulated futures between {lower} "
        "and {upper} of them are won: this range holds both our doubt about the chances and the luck of each deal. Won "
        "means won eventually, not by the end of this quarter.",
        deals=outlook.deals,
        expected=one_decimal(outlook.expected),
        lower=outlook.lower,
        upper=outlook.upper,
    )


def _split(outlook: Outlook) -> str:
    return say(
        "Doubt about the chances alone would leave {lower} to {upper} wins; more closed deals to learn from narrow "
        "that part. The rest is luck, and no model removes it.",
        lower=one_decimal(outlook.expected_lower),
        upper=one_decimal(outlook.expected_upper),
    )


def _money(outlook: Outlook, review: pd.DataFrame) -> list[str]:
    if outlook.bookings:
        return [_bookings(outlook.bookings)]
    if len(found := currencies(review)) > 1:
        return [
            say(
                "Bookings are left out: the amounts are in {count} currencies ({names}), and they do not add up.",
                count=len(found),
                names=", ".join(found),
            )
        ]
    return [say("Bookings are left out: the open deals have no amount with a currency.")]


def _bookings(bookings: Bookings) -> str:
    code = bookings.currency
    sentence = say(
        "Bookings from these deals: {p50} is as likely to be exceeded as not (P50). One time in 10 they fall below "
        "{p10} (P10), one time in 10 they exceed {p90} (P90).",
        p10=compact_money(bookings.p10, code),
        p50=compact_money(bookings.p50, code),
        p90=compact_money(bookings.p90, code),
    )
    if not bookings.left_out:
        return sentence
    missing = say("{count} deals without an amount are not in this sum.", count=bookings.left_out)
    return say("{first} {second}", first=sentence, second=missing)


def _wide(review: pd.DataFrame) -> str:
    wide, rest = review[review["wide"]], review[~review["wide"]]
    if wide.empty:
        return say("No open deal has an interval wider than 40 points.")
    head = say(
        "{wide} of {deals} deals have an interval wider than 40 points: of these we cannot say whether they are good "
        "or bad.",
        wide=len(wide),
        deals=len(review),
    )
    return say("{first} {second}", first=head, second=_why_wide(wide, rest))


def _why_wide(wide: pd.DataFrame, rest: pd.DataFrame) -> str:
    own, others = float(wide["unknowns"].mean()), float(rest["unknowns"].mean()) if len(rest) else 0.0
    counts = missing_facts(wide)[list(FACTS)].sum().sort_values(ascending=False, kind="stable")
    named = [
        say("{fact} ({count} deals)", fact=column_label(str(fact)), count=count)
        for fact, count in counts.head(_NAMED_FACTS).items()
        if count
    ]
    if not named:
        return say("All their facts are known; what the facts are worth is not yet, for want of closed deals.")
    values = {"own": one_decimal(own), "others": one_decimal(others), "facts": say(", ").join(named)}
    if rest.empty:
        return say("On average {own} of their nine facts are unknown, most often: {facts}.", **values)
    if own - others < 0.5:
        return say(
            "Missing facts are not the main reason (on average {own} of nine are unknown, {others} in the other "
            "deals); how much each fact counts is still uncertain, and that shows most near even odds. Most often "
            "unknown: {facts}.",
            **values,
        )
    return say(
        "Missing facts are one reason: on average {own} of nine are unknown, {others} in the other deals. Most often "
        "unknown: {facts}. Finding these out narrows the intervals.",
        **values,
    )


def definitions() -> list[tuple[str, str]]:
    """Every number on the page, in plain words."""
    return [*chance_definitions(), *_about_totals(), *_about_factors()]


def chance_definitions() -> list[tuple[str, str]]:
    """What a chance is, its interval, and what is not known."""
    return [
        (
            say("Chance"),
            say(
                "The probability that the deal is won eventually. 60% means: of 10 deals that look like this one, "
                "about 6 are won. A lost deal and a deal without a decision both count as not won."
            ),
        ),
        (
            say("90% interval"),
            say(
                "Our doubt about the chance, not about the outcome: we hold it 90% probable that the true chance lies "
                "in it. A deal with a chance of 80% (75–85%) can still be lost; we are only sure that it is a good one."
            ),
        ),
        (
            say("Wider than 40 points"),
            say("For example 30–75%. Such a deal may be good or bad; find out more before you spend on it."),
        ),
        (
            say("Unknown facts"),
            say(
                "How many of nine facts nobody has recorded: buying stage, decision method, coach, coverage of the "
                "approver, and the support of five roles. Unknown is not neutral: neutral is a reading, unknown is no "
                "reading. It widens the interval and pulls the chance towards even."
            ),
        ),
        (
            say("Share of prior"),
            say(
                "How much of the doubt before any data is still there. 100%: the number is all prior belief. 20%: the "
                "closed deals removed four fifths of the doubt."
            ),
        ),
        (
            say("Prior belief"),
            say("What the method holds likely before it sees a closed deal: more support never lowers the odds."),
        ),
    ]


def _about_totals() -> list[tuple[str, str]]:
    return [
        (
            say("Expected wins"),
            say("The sum of all chances: ten deals of 30% each make 3 expected wins."),
        ),
        (
            say("Range of wins"),
            say(
                "The futures of all deals are simulated together, thousands of times; 9 of 10 lie in this range. The "
                "deals share the same doubt, so they tend to be right or wrong together."
            ),
        ),
        (
            say("P10, P50, P90"),
            say("Of 100 simulated futures 10 lie below P10, 50 below P50, 90 below P90."),
        ),
    ]


def _about_factors() -> list[tuple[str, str]]:
    return [
        (
            say("Base rate"),
            say("The share of deals won among those that the model learned from. Every breakdown starts there."),
        ),
        (
            say("Odds and factor on the odds"),
            say(
                "Odds are won against not won: a chance of 50% is odds of 1 to 1, 75% is 3 to 1. A factor of ×3 lifts "
                "50% to 75%; ×1 changes nothing; below ×1 lowers the chance. It is also called odds ratio."
            ),
        ),
        (
            say("One standard deviation of support"),
            say(
                "The usual difference between two deals in what a role truly thinks of us, about one tier: from "
                "neutral to supportive, say. What is reported is a noisy reading; a validated coach makes it better."
            ),
        ),
        (
            say("Bars of a breakdown"),
            say(
                "Each bar shifts the chance from where the one above ended: solid to the right raises it, hollow to "
                "the left lowers it. They end within a few points of the chance, which averages over the doubt."
            ),
        ),
        (
            say("Learned, not proven"),
            say("What the model learned is an association in past deals. It does not prove what causes a win."),
        ),
    ]
