"""What do we say around the numbers? Where they come from, warnings, and how to read every one of them."""

from winprob.i18n import gettext
from winprob.model.posterior import Provenance
from winprob.report.numbers import percent

#: Below this many deals others refuse to answer; we answer, and say what follows.
FEW_DEALS = 80


def learned(source: Provenance) -> str:
    """What the model learned from."""
    if source.prior_only:
        return gettext("Learned from no closed deal.")
    sentence = gettext(
        "Learned from {deals} closed deals, of which {won} ({share}) were won.",
        deals=f"{source.counted:.0f}",
        won=f"{source.won:.0f}",
        share=percent(source.won / source.counted),
    )
    if source.first_day is None:
        return sentence
    period = gettext("Their facts were read from {first} to {last}.", first=source.first_day, last=source.last_day)
    return gettext("{first} {second}", first=sentence, second=period)


def banners(source: Provenance, *, simulated: bool) -> list[str]:
    """What must be known before any number is read."""
    said = []
    if simulated:
        said.append(gettext("Simulated data: deals, accounts and sellers are made up. Decide nothing from this page."))
    if source.prior_only:
        said.append(
            gettext(
                "Prior only: this model has seen no closed deal. It says what the method expects of any team, not what "
                "yours does. Read the order of the deals, not the percentages."
            )
        )
    elif source.deals < FEW_DEALS:
        said.append(
            gettext(
                "Few data: only {deals} closed deals were learned from, fewer than {few}. Much still rests on prior "
                "belief: read the intervals, not the single numbers, and train again after each quarter.",
                deals=source.deals,
                few=FEW_DEALS,
            )
        )
    return said


def chance_definitions() -> list[tuple[str, str]]:
    """What a chance is, its interval, and what is not known."""
    return [
        (
            gettext("Chance"),
            gettext(
                "The probability that the deal is won eventually. 60% means: of 10 deals that look like this one, "
                "about 6 are won. A lost deal and a deal without a decision both count as not won."
            ),
        ),
        (
            gettext("90% interval"),
            gettext(
                "Our doubt about the chance, not about the outcome: we hold it 90% probable that the true chance lies "
                "in it. A deal with a chance of 80% (75–85%) can still be lost; we are only sure that it is a good one."
            ),
        ),
        (
            gettext("Wider than 40 points"),
            gettext("For example 30–75%. Such a deal may be good or bad; find out more before you spend on it."),
        ),
        (
            gettext("Unknown facts"),
            gettext(
                "How many of nine facts nobody has recorded: buying stage, decision method, coach, coverage of the "
                "approver, and the support of five roles. Unknown is not neutral: neutral is a reading, unknown is no "
                "reading. It widens the interval and pulls the chance towards even."
            ),
        ),
        (
            gettext("Share of prior"),
            gettext(
                "How much of the doubt before any data is still there. 100%: the number is all prior belief. 20%: the "
                "closed deals removed four fifths of the doubt."
            ),
        ),
        (
            gettext("Prior belief"),
            gettext("What the method holds likely before it sees a closed deal: more support never lowers the odds."),
        ),
    ]


def factor_definitions() -> list[tuple[str, str]]:
    """What base rate, odds, factors and the bars of a breakdown are."""
    return [
        (
            gettext("Base rate"),
            gettext("The share of deals won among those that the model learned from. Every breakdown starts there."),
        ),
        (
            gettext("Odds and factor on the odds"),
            gettext(
                "Odds are won against not won: a chance of 50% is odds of 1 to 1, 75% is 3 to 1. A factor of ×3 lifts "
                "50% to 75%; ×1 changes nothing; below ×1 lowers the chance. It is also called odds ratio."
            ),
        ),
        (
            gettext("One standard deviation of support"),
            gettext(
                "The usual difference between two deals in what a role truly thinks of us, about one tier: from "
                "neutral to supportive, say. What is reported is a noisy reading; a validated coach makes it better."
            ),
        ),
        (
            gettext("Bars of a breakdown"),
            gettext(
                "Each bar shifts the chance from where the one above ended: solid to the right raises it, hollow to "
                "the left lowers it. They end within a few points of the chance, which averages over the doubt."
            ),
        ),
        (
            gettext("Learned, not proven"),
            gettext("What the model learned is an association in past deals. It does not prove what causes a win."),
        ),
    ]
