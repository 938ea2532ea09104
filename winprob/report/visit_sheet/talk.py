"""What to say and what to ask in the visit, in the method's words?"""

import pandas as pd

from winprob.actions.questions import rank_unknowns
from winprob.i18n import gettext
from winprob.methodology import Play, channels_for, column_label, plays
from winprob.report.grids import Column, Grid
from winprob.report.numbers import text_of
from winprob.report.sheet import Point, Section
from winprob.report.visit_sheet.phrases import (
    how_of,
    listed,
    named,
    phrases,
    point,
    role_name,
    sentence,
    title_of,
    told,
)
from winprob.report.visit_sheet.visit import Visit

#: More questions than these do not fit a visit.
_QUESTIONS = 3


def preparation(visit: Visit) -> Section:
    """The method's five preparations but the purpose, which has its own section."""
    step, facts = visit.step, visit.facts
    return Section(
        title=gettext("Preparation"),
        points=(
            point(
                title_of("visits", "needs_expected"),
                sentence(listed(phrases(_of_part(step.explore.plays, "need")))),
                gettext("Motives: {motives}.", motives=listed(phrases(_of_part(step.explore.plays, "motive")))),
            ),
            point(gettext("Find out"), sentence(listed(phrases(step.learn.plays)))),
            point(title_of("visits", "competitors"), sentence(_rival(facts)), how_of("visits", "competitors")),
            point(title_of("visits", "differentiators"), sentence(step.differ.why.phrase.text())),
            point(title_of("visits", "guiding_path"), told(step.guide.why), *_ways(step.guide.plays)),
        ),
    )


def _of_part(chosen: tuple[Play, ...], part: str) -> list[Play]:
    return [play for play in chosen if play.part == part]


def _rival(facts: pd.Series) -> str:
    rival = facts.get("competitor")
    return gettext("none recorded") if pd.isna(rival) else text_of(rival)


def _ways(chosen: tuple[Play, ...]) -> list[str]:
    return [gettext("By this way: {way}.", way=play.phrase.text()) for play in chosen]


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
    """The first kind in full, the others by what they are proved with."""
    return [told(play) if at == 0 else _shortly(play) for at, play in enumerate(chosen)]


def _shortly(play: Play) -> str:
    return gettext("{what}: {value}", what=play.phrase.text(), value=play.how.text()) if play.how else ""


def _steps(chosen: tuple[Play, ...]) -> list[str]:
    return [_numbered("relationship", play) for play in chosen]


def _numbered(subject: str, play: Play) -> str:
    """A step with its place among the steps."""
    every = plays(subject, "step")
    at = [other.id for other in every].index(play.id) + 1
    return gettext("Step {at} of {count}: {step}", at=at, count=len(every), step=told(play))


def _executive(visit: Visit) -> list[Point]:
    step = visit.step
    said = []
    if step.executive:
        steps = (_numbered("executives", play) for play in step.executive.plays)
        said.append(point(gettext("As an executive"), sentence(step.executive.why.phrase.text()), *steps))
    if step.bridge:
        gaps = map(_shortly, step.bridge.plays)
        said.append(point(gettext("Gaps"), sentence(step.bridge.why.phrase.text()), *gaps))
    return said


def questions(visit: Visit) -> Section:
    """What is worth most to find out, and who is likely to know."""
    ranked = rank_unknowns(visit.posterior, visit.deal)
    ranked = ranked[ranked["expected_shift"] > 0].head(_QUESTIONS)
    title = gettext("Questions worth most")
    if ranked.empty:
        return Section(
            title=title, words=(gettext("Every fact that the model looks at is known: confirm the oldest."),)
        )
    return Section(title=title, points=tuple(_question(row, visit.facts.get("coach")) for _, row in ranked.iterrows()))


def _question(row: pd.Series, coach: object) -> Point:
    return point(
        column_label(str(row["fact"])),
        str(row["question"]),
        gettext(
            "(Moves the forecast by about {points} points; who may know: {channel}.)",
            points=f"{100 * row['expected_shift']:.0f}",
            channel=_channel(str(row["fact"]), coach),
        ),
    )


def _channel(fact: str, coach: object) -> str:
    """Who is most likely to know; a coach only where there is one, and never about the coach."""
    asked = [play for play in channels_for(fact) if play.id != "coach" or (fact != "coach" and _there_is(coach))]
    return asked[0].phrase.text()


def _there_is(coach: object) -> bool:
    return coach in ("unvalidated", "validated")


def commitment(visit: Visit) -> Section:
    """The commitment to ask for, by its four elements, and the least that will do."""
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
                gettext("The least that will do"),
                sentence(step.least.why.phrase.text()),
                *(sentence(play.phrase.text()) for play in step.ask.plays),
            ),
        ),
        grid=Grid(
            columns=[Column(title=gettext("Element")), Column(title=gettext("In this visit"))],
            rows=[[play.phrase.text(), answers.get(play.id, _TO_FILL)] for play in elements],
        ),
    )


#: A line for the pen.
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
