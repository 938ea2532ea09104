"""Plan of the visit: purpose, preparation, questions, and the evidence."""

import pandas as pd

from winprob.actions.contacts import holders
from winprob.actions.levers import lever_label
from winprob.actions.questions import name_sources, rank_unknowns
from winprob.i18n import gettext
from winprob.methodology import Play, column_label, plays
from winprob.model.features import METHOD_LEVELS
from winprob.model.role_evidence import LEARNED, NOT_IN_DEALS, weight_grades, weight_prior_share
from winprob.report.numbers import percent
from winprob.report.sheet import Column, Grid, Point, Section
from winprob.report.visit_sheet import phrases as text
from winprob.report.visit_sheet.first import first_step
from winprob.report.visit_sheet.visit import Estimate, Visit

#: Probability above which one role is called the best lever; otherwise it is a tie.
_LEADS = 0.5


def purpose(visit: Visit) -> Section:
    """The first step, the role to visit, the goal, and the lift of its support."""
    step = visit.step
    return Section(
        title=text.title_of("visits", "purpose"),
        points=(
            first_step(visit),
            text.point(gettext("Visit"), text.sentence(_whom(visit)), _choice(visit)),
            text.point(gettext("Goal"), text.sentence(step.goal.why.phrase.text())),
            text.point(gettext("Why this role"), text.sentence(step.weight.why.phrase.text()), _lift(visit)),
        ),
        grid=_levers(visit),
    )


#: Levers on a sheet.
_LEVERS = 4


def _levers(visit: Visit) -> Grid | None:
    """The largest levers: roles, coach, contact with the approver, knowing the method; None where nothing can rise."""
    rising = visit.all_levers[visit.all_levers["win_prob_lift"].notna()].head(_LEVERS)
    if rising.empty:
        return None
    titles = [gettext("Lever"), gettext("Points of win probability"), gettext("Best of all")]
    return Grid(
        columns=[Column(title=title, number=at > 0) for at, title in enumerate(titles)],
        rows=[
            [lever_label(str(row["role"])), text.points_of(_lift_of(row)), percent(row["prob_best"])]
            for _, row in rising.iterrows()
        ],
    )


def _whom(visit: Visit) -> str:
    who, status = text.role_name(visit.role), text.support_and_coverage(visit.facts, visit.role)
    people = holders(visit.contacts, visit.role) if visit.named else ()
    if not people:
        return gettext("the {role} ({status})", role=who, status=status)
    return gettext("{people}, the {role} ({status})", people=text.named(people), role=who, status=status)


def _choice(visit: Visit) -> str:
    """Whether the role is the best lever, one of a tie, or chosen by the user."""
    first, second = (row for _, row in visit.levers.head(2).iterrows())
    if not first["win_prob_lift"] > 0:
        return gettext("No role's support can rise further: this visit maintains it.")
    if visit.chosen and visit.role != first["role"]:
        return gettext(
            "You chose this role; the {role} has the largest lift, {points} points.",
            role=text.role_name(first["role"]),
            points=text.points_of(_lift_of(first)),
        )
    if first["prob_best"] > _LEADS:
        return gettext("The best of the five roles with a probability of {share}.", share=percent(first["prob_best"]))
    return gettext(
        "A tie: no role is the best lever with a probability above one half ({first} {share}, {second} {other}). See "
        "both, not only the one who is easier to reach.",
        first=text.role_name(first["role"]),
        share=percent(first["prob_best"]),
        second=text.role_name(second["role"]),
        other=percent(second["prob_best"]),
    )


def _lift(visit: Visit) -> str:
    lever = visit.lever
    if not lever["win_prob_lift"] > 0:
        return gettext("Its support cannot rise further: no lift remains.")
    return gettext(
        "In past deals one more tier of true support is associated with {points} points of win probability.",
        points=text.points_of(_lift_of(lever)),
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
    """What to prepare for this person: needs, differences, guiding path, relationship, trust, executive's step."""
    step = visit.step
    return Section(
        title=gettext("Preparation"),
        points=(
            text.point(
                text.title_of("visits", "needs_expected"),
                text.sentence(text.listed(text.phrases(_of_part(step.explore.plays, "need")))),
                gettext(
                    "Motives: {motives}.", motives=text.listed(text.phrases(_of_part(step.explore.plays, "motive")))
                ),
                gettext("Find out: {what}.", what=text.listed(text.phrases(step.learn.plays))),
            ),
            text.point(text.title_of("visits", "differentiators"), text.sentence(step.differ.why.phrase.text())),
            text.point(
                text.title_of("visits", "guiding_path"), text.play_text(step.guide.why), *_ways(step.guide.plays)
            ),
            text.point(
                gettext("Relationship"),
                text.sentence(step.relationship.why.phrase.text()),
                *_steps(step.relationship.plays),
            ),
            text.point(
                gettext("Trust to build"), text.sentence(step.trust.why.phrase.text()), *_kinds(step.trust.plays)
            ),
            *_executive(visit),
        ),
    )


def _of_part(chosen: tuple[Play, ...], part: str) -> list[Play]:
    return [play for play in chosen if play.part == part]


def _ways(chosen: tuple[Play, ...]) -> list[str]:
    return [gettext("Approach: {way}.", way=play.phrase.text()) for play in chosen]


def _kinds(chosen: tuple[Play, ...]) -> list[str]:
    """The first kind in full, the others with their proof only."""
    return [text.play_text(play) if at == 0 else _shortly(play) for at, play in enumerate(chosen)]


def _shortly(play: Play) -> str:
    return gettext("{what}: {value}", what=play.phrase.text(), value=play.how.text()) if play.how else ""


def _steps(chosen: tuple[Play, ...]) -> list[str]:
    return [_numbered("relationship", play) for play in chosen]


def _numbered(subject: str, play: Play) -> str:
    """A step with its number among all steps."""
    every = plays(subject, "step")
    at = [other.id for other in every].index(play.id) + 1
    return gettext("Step {at} of {count}: {step}", at=at, count=len(every), step=text.play_text(play))


#: Gaps on a sheet: those to bridge first.
_GAPS = 2


def _executive(visit: Visit) -> list[Point]:
    step = visit.step
    points = []
    if step.executive:
        steps = (_numbered("executives", play) for play in step.executive.plays)
        points.append(text.point(gettext("As an executive"), text.sentence(step.executive.why.phrase.text()), *steps))
    if step.bridge:
        gaps = map(_shortly, step.bridge.plays[:_GAPS])
        points.append(text.point(gettext("Gaps"), text.sentence(step.bridge.why.phrase.text()), *gaps))
    return points


def questions(visit: Visit) -> Section:
    """The most valuable questions, and whom to ask."""
    ranked = name_sources(rank_unknowns(visit.posterior, visit.deal), visit.deal, visit.people)
    ranked = ranked[ranked["expected_shift"] > 0].drop_duplicates("question").head(_QUESTIONS)
    title = gettext("Most valuable questions")
    if ranked.empty:
        return Section(title=title, words=(gettext("Every fact in the model is known: confirm the oldest one."),))
    return Section(title=title, points=tuple(_question(row) for _, row in ranked.iterrows()))


def _question(row: pd.Series) -> Point:
    """A question with its value in points and whom to ask."""
    fact = str(row["fact"])
    return text.point(
        column_label(fact),
        str(row["question"]),
        gettext(
            "Ask {who}. ({points} points of win probability on average.)",
            who=row["ask"],
            points=f"±{100 * row['expected_shift']:.0f}",
        ),
    )
