"""Plan of the visit: purpose, preparation, next step, questions, the commitment to ask for, and the evidence."""

import pandas as pd

from winprob.actions.questions import rank_unknowns
from winprob.i18n import gettext
from winprob.methodology import Play, channels_for, column_label, plays
from winprob.model.features import METHOD_LEVELS
from winprob.model.role_evidence import LEARNED, NOT_IN_DEALS, weight_grades, weight_prior_share
from winprob.report.numbers import percent, text_of
from winprob.report.sheet import Column, Grid, Point, Section
from winprob.report.visit_sheet import phrases as text
from winprob.report.visit_sheet.phrases import listed, named, phrases, play_text, point, points_of, role_name, sentence
from winprob.report.visit_sheet.visit import Estimate, Visit

#: Probability above which one role is called the best lever; otherwise it is a tie.
_LEADS = 0.5


def purpose(visit: Visit) -> Section:
    """The role to visit, the goal, and the lift of its support."""
    step = visit.step
    return Section(
        title=text.title_of("visits", "purpose"),
        points=(
            point(gettext("Visit"), sentence(_whom(visit)), _choice(visit)),
            point(gettext("Goal"), sentence(step.goal.why.phrase.text())),
            point(gettext("Why this role"), sentence(step.weight.why.phrase.text()), _lift(visit)),
        ),
    )


def _whom(visit: Visit) -> str:
    who, status = role_name(visit.role), text.support_and_coverage(visit.facts, visit.role)
    people = visit.people.get(visit.role, ())
    if not people:
        return gettext("the {role} ({status})", role=who, status=status)
    return gettext("{people}, the {role} ({status})", people=named(people), role=who, status=status)


def _choice(visit: Visit) -> str:
    """Whether the role is the best lever, one of a tie, or chosen by the user."""
    first, second = (row for _, row in visit.levers.head(2).iterrows())
    if not first["win_prob_lift"] > 0:
        return gettext("No role's support can rise further: this visit maintains it.")
    if visit.chosen and visit.role != first["role"]:
        return gettext(
            "You chose this role; the {role} has the largest lift, {points} points.",
            role=role_name(first["role"]),
            points=points_of(_lift_of(first)),
        )
    if first["prob_best"] > _LEADS:
        return gettext("The best of the five levers with a probability of {share}.", share=percent(first["prob_best"]))
    return gettext(
        "A tie: no role is the best lever with a probability above one half ({first} {share}, {second} {other}). Visit "
        "whichever of these two you can reach.",
        first=role_name(first["role"]),
        share=percent(first["prob_best"]),
        second=role_name(second["role"]),
        other=percent(second["prob_best"]),
    )


def _lift(visit: Visit) -> str:
    lever = visit.lever
    if not lever["win_prob_lift"] > 0:
        return gettext("Its support cannot rise further: no lift remains.")
    return gettext(
        "In past deals one more tier of true support is associated with {points} points of win probability.",
        points=points_of(_lift_of(lever)),
    )


def _lift_of(lever: pd.Series) -> Estimate:
    return Estimate(mean=lever["win_prob_lift"], lower=lever["lower"], upper=lever["upper"])


def evidence(visit: Visit) -> Section:
    """How much data is behind the lift, and what it does not prove."""
    return Section(title=gettext("Evidence and caution"), words=(text.together(_grade(visit), _caution()),))


def _grade(visit: Visit) -> str:
    source = visit.posterior.provenance
    if source.prior_only:
        return gettext(
            "Prior only: this model was not trained on any closed deal; the lift is what the method expects."
        )
    method = visit.facts.get("decision_method")
    labels = {"role": visit.role, "decision_method": METHOD_LEVELS[-1] if pd.isna(method) else str(method)}
    at = [list(visit.posterior.coords[dim]).index(label) for dim, label in labels.items()]
    grade = weight_grades(visit.posterior)[at[0], at[1]]
    share = float(weight_prior_share(visit.posterior, "role_weight")[at[0], at[1]])
    if grade == NOT_IN_DEALS:
        return gettext(
            "Not in your deals, all prior: none of the {deals} closed deals has a reading of this role's support.",
            deals=source.deals,
        )
    if grade != LEARNED:
        return gettext(
            "Mostly prior: {deals} closed deals carry little information on this role's weight ({share} of the prior "
            "uncertainty remains).",
            deals=source.deals,
            share=percent(share),
        )
    return gettext(
        "Learned from {deals} closed deals; {share} of the prior uncertainty of this role's weight remains.",
        deals=source.deals,
        share=percent(share),
    )


def _caution() -> str:
    return gettext(
        "A lift is an association in past deals; it does not prove that raising this support wins the deal. Judge the "
        "visit by what the person does next."
    )


#: Questions on a sheet.
_QUESTIONS = 3


def preparation(visit: Visit) -> Section:
    """The method's preparations except the purpose, which has its own section."""
    step, facts = visit.step, visit.facts
    return Section(
        title=gettext("Preparation"),
        points=(
            point(
                text.title_of("visits", "needs_expected"),
                sentence(listed(phrases(_of_part(step.explore.plays, "need")))),
                gettext("Motives: {motives}.", motives=listed(phrases(_of_part(step.explore.plays, "motive")))),
            ),
            point(gettext("Find out"), sentence(listed(phrases(step.learn.plays)))),
            point(
                text.title_of("visits", "competitors"), sentence(_rival(facts)), text.how_of("visits", "competitors")
            ),
            point(text.title_of("visits", "differentiators"), sentence(step.differ.why.phrase.text())),
            point(text.title_of("visits", "guiding_path"), play_text(step.guide.why), *_ways(step.guide.plays)),
        ),
    )


def _of_part(chosen: tuple[Play, ...], part: str) -> list[Play]:
    return [play for play in chosen if play.part == part]


def _rival(facts: pd.Series) -> str:
    rival = facts.get("competitor")
    return gettext("none recorded") if pd.isna(rival) else text_of(rival)


def _ways(chosen: tuple[Play, ...]) -> list[str]:
    return [gettext("Approach: {way}.", way=play.phrase.text()) for play in chosen]


def next_step_with(visit: Visit) -> Section:
    """Relationship, trust and, with executives, the step and the gaps."""
    step = visit.step
    return Section(
        title=gettext("Next step with this person"),
        points=(
            point(
                gettext("Relationship"), sentence(step.relationship.why.phrase.text()), *_steps(step.relationship.plays)
            ),
            point(gettext("Trust to build"), sentence(step.trust.why.phrase.text()), *_kinds(step.trust.plays)),
            *_executive(visit),
        ),
    )


def _kinds(chosen: tuple[Play, ...]) -> list[str]:
    """The first kind in full, the others with their proof only."""
    return [play_text(play) if at == 0 else _shortly(play) for at, play in enumerate(chosen)]


def _shortly(play: Play) -> str:
    return gettext("{what}: {value}", what=play.phrase.text(), value=play.how.text()) if play.how else ""


def _steps(chosen: tuple[Play, ...]) -> list[str]:
    return [_numbered("relationship", play) for play in chosen]


def _numbered(subject: str, play: Play) -> str:
    """A step with its number among all steps."""
    every = plays(subject, "step")
    at = [other.id for other in every].index(play.id) + 1
    return gettext("Step {at} of {count}: {step}", at=at, count=len(every), step=play_text(play))


def _executive(visit: Visit) -> list[Point]:
    step = visit.step
    points = []
    if step.executive:
        steps = (_numbered("executives", play) for play in step.executive.plays)
        points.append(point(gettext("As an executive"), sentence(step.executive.why.phrase.text()), *steps))
    if step.bridge:
        gaps = map(_shortly, step.bridge.plays)
        points.append(point(gettext("Gaps"), sentence(step.bridge.why.phrase.text()), *gaps))
    return points


def questions(visit: Visit) -> Section:
    """The most valuable questions, and the likely source of an answer."""
    ranked = rank_unknowns(visit.posterior, visit.deal)
    ranked = ranked[ranked["expected_shift"] > 0].head(_QUESTIONS)
    title = gettext("Most valuable questions")
    if ranked.empty:
        return Section(title=title, words=(gettext("Every fact in the model is known: confirm the oldest one."),))
    return Section(title=title, points=tuple(_question(row, visit.facts.get("coach")) for _, row in ranked.iterrows()))


def _question(row: pd.Series, coach: object) -> Point:
    return point(
        column_label(str(row["fact"])),
        str(row["question"]),
        gettext(
            "(Expected change of the win probability: about {points} points; likely source: {channel}.)",
            points=f"{100 * row['expected_shift']:.0f}",
            channel=_channel(str(row["fact"]), coach),
        ),
    )


def _channel(fact: str, coach: object) -> str:
    """The likeliest source; a coach only where there is one, and never about the coach."""
    channels = [play for play in channels_for(fact) if play.id != "coach" or (fact != "coach" and _there_is(coach))]
    return channels[0].phrase.text()


def _there_is(coach: object) -> bool:
    return coach in ("unvalidated", "validated")


def commitment(visit: Visit) -> Section:
    """The commitment to ask for, by its four elements, and the minimum."""
    step = visit.step
    answers = {
        "who": _who(visit),
        "what": step.ask.why.phrase.text(),
        "when": _when(visit.facts),
        "proof": _proof(visit),
    }
    elements = plays("commitments", "element")
    return Section(
        title=gettext("Commitment to ask for"),
        points=(
            point(
                gettext("Minimum commitment"),
                sentence(step.least.why.phrase.text()),
                *(sentence(play.phrase.text()) for play in step.ask.plays),
            ),
        ),
        grid=Grid(
            columns=[Column(title=gettext("Element")), Column(title=gettext("In this visit"))],
            rows=[[play.phrase.text(), answers.get(play.id, _TO_FILL)] for play in elements],
        ),
    )


#: A line to fill in by hand.
_TO_FILL = "……"


def _who(visit: Visit) -> str:
    people = visit.people.get(visit.role, ())
    role = role_name(visit.role)
    return (
        gettext("{people} ({role})", people=named(people[:1]), role=role)
        if people
        else gettext("{role}: ……", role=role)
    )


def _when(facts: pd.Series) -> str:
    close = facts.get("expected_close_on")
    if pd.isna(close):
        return gettext("by …… (within two weeks of the visit)")
    return gettext(
        "by …… (within two weeks of the visit; the close is expected on {day})", day=close.date().isoformat()
    )


def _proof(visit: Visit) -> str:
    how = visit.step.ask.why.how
    return how.text() if how else _TO_FILL
