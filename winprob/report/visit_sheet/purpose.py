"""Why this visit, to whom, and how sure are we that this is the one to make?"""

import pandas as pd

from winprob.i18n import gettext
from winprob.model.features import METHOD_LEVELS
from winprob.model.prediction import prior_share
from winprob.report.numbers import percent
from winprob.report.sheet import Section
from winprob.report.visit_sheet.contrasts import Estimate
from winprob.report.visit_sheet.phrases import (
    named,
    point,
    points_of,
    role_name,
    sentence,
    standing,
    title_of,
    together,
)
from winprob.report.visit_sheet.visit import Visit

#: From here on one role is called the best lever; below it is a tie.
_LEADS = 0.5
#: A role's weight of which more than this share of the doubt is prior is called mostly prior.
_MOSTLY = 0.8


def purpose(visit: Visit) -> Section:
    """The role to visit, the goal, and what its support would go with."""
    step = visit.step
    return Section(
        title=title_of("visits", "purpose"),
        points=(
            point(gettext("Visit"), sentence(_whom(visit)), _choice(visit)),
            point(gettext("Goal"), sentence(step.goal.why.phrase.text())),
            point(gettext("Why this role"), sentence(step.weight.why.phrase.text()), _lift(visit)),
        ),
    )


def _whom(visit: Visit) -> str:
    who, stands = role_name(visit.role), standing(visit.facts, visit.role)
    people = visit.people.get(visit.role, ())
    if not people:
        return gettext("the {role} ({stands})", role=who, stands=stands)
    return gettext("{people}, the {role} ({stands})", people=named(people), role=who, stands=stands)


def _choice(visit: Visit) -> str:
    """Whether this is the best lever, a tie, or the user's own choice."""
    first, second = (row for _, row in visit.levers.head(2).iterrows())
    if not first["win_prob_lift"] > 0:
        return gettext("No role can rise now: this visit keeps the support there is.")
    if visit.chosen and visit.role != first["role"]:
        return gettext(
            "You named this role; the largest lift here is that of the {role}, {points} points.",
            role=role_name(first["role"]),
            points=points_of(_lift_of(first)),
        )
    if first["prob_best"] > _LEADS:
        return gettext("The best lever of the five with a probability of {share}.", share=percent(first["prob_best"]))
    return gettext(
        "A tie: no role is the best lever with more than half of the probability ({first} {share}, {second} {other}). "
        "Of these two see the one you can reach.",
        first=role_name(first["role"]),
        share=percent(first["prob_best"]),
        second=role_name(second["role"]),
        other=percent(second["prob_best"]),
    )


def _lift(visit: Visit) -> str:
    lever = visit.lever
    if not lever["win_prob_lift"] > 0:
        return gettext("Its support cannot rise now: no lift is left.")
    return gettext(
        "In past deals one tier more of true support goes with {points} points of win probability.",
        points=points_of(_lift_of(lever)),
    )


def _lift_of(lever: pd.Series) -> Estimate:
    return Estimate(mean=lever["win_prob_lift"], lower=lever["lower"], upper=lever["upper"])


def evidence(visit: Visit) -> Section:
    """What the lift stands on, and what it does not say."""
    return Section(title=gettext("Evidence and caution"), words=(together(_grade(visit), _caution()),))


def _grade(visit: Visit) -> str:
    source = visit.posterior.provenance
    if source.prior_only:
        return gettext("All prior: this model has seen no closed deal; the lift is what the method expects.")
    method = visit.facts.get("decision_method")
    labels = {"role": visit.role, "decision_method": METHOD_LEVELS[-1] if pd.isna(method) else str(method)}
    at = [list(visit.posterior.coords[dim]).index(label) for dim, label in labels.items()]
    believed = visit.posterior.prior["role_weight"][:, at[0], at[1]]
    share = float(prior_share(visit.posterior.sel("role_weight", **labels).var(), believed.var()))
    if share > _MOSTLY:
        return gettext(
            "Mostly prior: {deals} closed deals have hardly tested how much this role counts ({share} of the doubt is "
            "left).",
            deals=source.deals,
            share=percent(share),
        )
    return gettext(
        "Learned from {deals} closed deals; {share} of the doubt about how much this role counts is left.",
        deals=source.deals,
        share=percent(share),
    )


def _caution() -> str:
    return gettext(
        "A lift is an association in past deals; it does not prove that raising this support wins. Judge the visit by "
        "what the person does next."
    )
