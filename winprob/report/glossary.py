"""Glossary: the origin of the numbers, warnings, and definitions of the terms on the pages."""

from winprob.i18n import gettext
from winprob.model.posterior import Provenance
from winprob.report.numbers import percent

#: Number of training deals below which the page warns.
FEW_DEALS = 80


def learned(source: Provenance) -> str:
    """The training data in one or two sentences."""
    if source.prior_only:
        return gettext("Not trained on any closed deal.")
    sentence = gettext(
        "Trained on {deals} closed deals, {share} of them won.",
        deals=source.deals,
        share=percent(source.won / source.counted),
    )
    if source.first_day is None:
        return sentence
    period = gettext("Their facts were recorded from {first} to {last}.", first=source.first_day, last=source.last_day)
    return gettext("{first} {second}", first=sentence, second=period)


def banners(source: Provenance, *, simulated: bool) -> list[str]:
    """Warnings to read before any number."""
    notes = []
    if simulated:
        notes.append(
            gettext("Simulated data: deals, accounts and sellers are fictitious. Do not base decisions on this page.")
        )
    if source.prior_only:
        notes.append(
            gettext(
                "Prior only: this model was not trained on any closed deal. It reflects what the method expects of any "
                "team, not your team's results. Use the ranking of the deals, not the percentages."
            )
        )
    elif source.deals < FEW_DEALS:
        notes.append(
            gettext(
                "Few data: the model was trained on only {deals} closed deals, fewer than {few}. The prior still has "
                "much influence: read the intervals, not the single numbers, and train again after each quarter.",
                deals=source.deals,
                few=FEW_DEALS,
            )
        )
    return notes


def chance_definitions() -> list[tuple[str, str]]:
    """Win probability, its interval, unknown facts and the prior."""
    return [
        (
            gettext("Win probability"),
            gettext(
                "The probability that the deal is won eventually. 60% means: of 10 deals like this one, about 6 are "
                "won. A lost deal and a deal without a decision both count as not won."
            ),
        ),
        (
            gettext("90% interval"),
            gettext(
                "The uncertainty about the win probability, not about the outcome: given the model and the data, the "
                "true win probability is in it with 90% probability. A deal at 80% (75–85%) can still be lost; a "
                "narrow interval only means that the win probability is well known."
            ),
        ),
        (
            gettext("Wider than 40 points"),
            gettext("For example 30–75%. Such a deal may be good or bad; find out more before you invest in it."),
        ),
        (
            gettext("Unknown facts"),
            gettext(
                "How many of nine facts are not recorded: buying stage, decision method, coach, coverage of the "
                "approver, and the support of five roles. Unknown is not neutral: neutral is a reading, unknown is the "
                "absence of one. It widens the interval and pulls the win probability towards 50%."
            ),
        ),
        (
            gettext("Share of prior"),
            gettext(
                "The share of the prior uncertainty that remains. 100%: the number comes from the prior alone. 20%: "
                "the closed deals removed four fifths of the uncertainty."
            ),
        ),
        (
            gettext("Prior"),
            gettext("What the method assumes before any closed deal is seen: more support never lowers the odds."),
        ),
    ]


def factor_definitions() -> list[tuple[str, str]]:
    """Base rate, odds, factors and the bars of a breakdown."""
    return [
        (
            gettext("Base rate"),
            gettext("The share of won deals among the training deals. Every breakdown starts there."),
        ),
        (
            gettext("Odds and factor on the odds"),
            gettext(
                "Odds are the probability of winning divided by that of not winning: 50% is odds of 1 to 1, 75% is 3 "
                "to 1. A factor of ×3 raises 50% to 75%; ×1 changes nothing; below ×1 lowers the win probability. It "
                "is also called an odds ratio."
            ),
        ),
        (
            gettext("One standard deviation of support"),
            gettext(
                "The typical difference between two deals in a role's true support, about one tier: for example from "
                "neutral to supportive. A reported tier is a noisy reading; a validated coach makes it more accurate."
            ),
        ),
        (
            gettext("Bars of a breakdown"),
            gettext(
                "Each bar shifts the win probability from the end of the bar above: solid to the right raises it, "
                "hollow to the left lowers it. They end within a few points of the win probability, which averages "
                "over the uncertainty."
            ),
        ),
        (
            gettext("Learned, not proven"),
            gettext("What the model learned is an association in past deals. It does not prove what causes a win."),
        ),
    ]
