"""The table of concepts: every item of the method is in it, and its text is shown where the table has it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from functools import cache
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from winprob import Posterior, rank_unknowns, render_brief, write_worksheets
from winprob.actions.flags import flag_title
from winprob.actions.flags.finding import RULES
from winprob.actions.levers.loss_patterns import loss_patterns
from winprob.i18n import use_language
from winprob.methodology import DECISION_METHODS, ROLES, STAGES, Play, label, load, next_step, plays
from winprob.methodology.situation import FACTS, rubric

ROOT = Path(__file__).parents[2]
CONCEPTS: list[dict[str, Any]] = tomllib.loads((ROOT / "docs" / "concepts.toml").read_text("utf-8"))["concepts"]
LANGUAGES = ("en", "zh")
#: Concepts that the method counts; each has a row of its own in the table.
COUNTED = {
    "five stages": ("stages.state", 5),
    "signs": ("signs", 45),
    "role of the coach": ("coach.purpose", 4),
    "selection": ("coach.selection", 5),
    "building": ("coach.development", 5),
    "validation": ("coach.validation", 5),
    "six contents": ("intelligence.kind", 6),
    "six channels": ("channels", 6),
    "layers": ("support.layer", 4),
    "dimensions": ("support.dimension", 5),
    "personal trust": ("trust.personal", 3),
    "organisational trust": ("trust.organisational", 3),
    "relationship": ("relationship", 5),
    "needs": ("needs.need", 4),
    "motives": ("needs.motive", 6),
    "preparation": ("visits.preparation", 5),
    "ways": ("visits.guiding_way", 4),
    "steps of reshaping": ("visits.guiding_step", 5),
    "elements": ("commitments.element", 4),
    "signs of commitment": ("commitments.sign", 3),
    "techniques": ("commitments.technique", 5),
    "executive steps": ("executives.step", 7),
    "gaps": ("executives.gap", 5),
    "libraries": ("executives.library", 3),
    "team": ("executives.team", 2),
    "losses": ("losses.loss", 2),
    "mistakes": ("losses.without", 5),
}


def items_of(pointer: str) -> tuple[Play, ...]:
    subject, _, part = pointer.partition(".")
    return plays(subject, part or None)


def texts_of(concept: dict[str, Any], lang: str) -> list[str]:
    words = [label(word, value, lang) for word in concept.get("words", ()) for value in load().words[word]]
    return words + [play.phrase.text(lang) for pointer in concept["items"] for play in items_of(pointer)]


# --- what each place shows -------------------------------------------------------------------------------------------

#: Deals of every stage and method, to meet what depends on them.
DEALS = pd.DataFrame(
    [
        {"deal_id": f"D{at}", "stage": STAGES[at], "decision_method": DECISION_METHODS[at % 3], "coach": coach}
        | {f"{role}_coverage": coverage for role in ROLES}
        | {f"{role}_support": float(min(at + 1, 4)) for role in ROLES}
        for at, (coach, coverage) in enumerate(
            [
                ("none", "unknown"),
                ("unvalidated", "identified"),
                ("validated", "contacted"),
                ("none", "engaged"),
                ("none", "unknown"),
            ]
        )
    ]
)


def worksheet(folder: Path, posterior: Posterior) -> str:
    write_worksheets(DEALS, folder / "w.html")
    return unescape((folder / "w.html").read_text("utf-8"))


def brief(folder: Path, posterior: Posterior) -> str:
    """The sheets of two deals, and all advice that a sheet gives in any situation."""
    sheets = [render_brief(posterior, DEALS, deal, role="approver") for deal in ("D1", "D3")]
    return "\n".join([*(sheet.replace("\\", "") for sheet in sheets), *sorted(every_advice())])


def every_advice() -> set[str]:
    return {play.phrase.text() for play in advice_of_all_situations()}


@cache
def advice_of_all_situations() -> frozenset[Play]:
    """The reasons and plays of ``next_step``, which the sheet shows, over all situations that its rules distinguish."""
    met: dict[tuple[str, str], Play] = {}
    known = {**FACTS, "weakest": (*rubric(load().plays), "unknown")}
    for values in product(*known.values()):
        situation = dict(zip(known, values, strict=True))
        given = {fact: None if value == "unknown" else value for fact, value in situation.items()}
        step = next_step(**given)  # type: ignore[arg-type]
        for field in dataclasses.fields(step):
            if advice := getattr(step, field.name):
                met |= {(play.en, play.zh): play for play in (advice.why, *advice.plays)}
    return frozenset(met.values())


def flags(folder: Path, posterior: Posterior) -> str:
    return "\n".join(map(flag_title, RULES))


def intel(folder: Path, posterior: Posterior) -> str:
    ranked = rank_unknowns(posterior, pd.DataFrame({"deal_id": ["D1"], "outcome": ["open"]}))
    validated = rank_unknowns(posterior, pd.DataFrame({"deal_id": ["D1"], "outcome": ["open"], "coach": ["validated"]}))
    return "\n".join([*ranked["question"], *ranked["channel"], *validated["channel"]])


def postmortem(folder: Path, posterior: Posterior) -> str:
    effort = {f"{role}_coverage": "engaged" for role in ROLES[2:]}
    lost = pd.Series({"decision_method": "executive", "approver_support": 1.0, **effort})
    return "\n".join(pattern.sentence for pattern in loss_patterns(lost))


PLACES: dict[str, Callable[[Path, Posterior], str]] = {
    each.__name__: each for each in (worksheet, brief, flags, intel, postmortem)
}


@pytest.fixture(scope="module", params=LANGUAGES)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, believed: Posterior) -> Any:
    folder = tmp_path_factory.mktemp("places")
    with use_language(request.param):
        return request.param, {name: read(folder, believed) for name, read in PLACES.items()}


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concept", CONCEPTS, ids=[concept["en"] for concept in CONCEPTS])
def test_a_user_meets_each_item_where_the_table_has_it(concept: dict[str, Any], shown: Any) -> None:
    lang, texts = shown
    wanted = texts_of(concept, lang)
    assert wanted
    assert set(concept["places"]) <= PLACES.keys()
    everywhere = "\n".join(texts[place] for place in concept["places"])
    assert [text for text in wanted if text not in everywhere] == []
    for place in concept["places"]:
        assert any(text in texts[place] for text in wanted), place


def test_every_item_of_the_method_is_in_the_table() -> None:
    listed = {
        (pointer.partition(".")[0], play.id)
        for concept in CONCEPTS
        for pointer in concept["items"]
        for play in items_of(pointer)
    }
    every = {(subject, play.id) for subject, items in load().plays.items() for play in items}
    assert every - listed == set()


@pytest.mark.parametrize("name", COUNTED)
def test_the_concepts_have_the_methods_counts(name: str) -> None:
    pointer, count = COUNTED[name]
    assert len(items_of(pointer)) == count


def test_the_stage_of_decision_has_the_concern_of_the_course_and_no_other() -> None:
    # The course: in settling the supplier the customer cares about risk.
    (cares,) = plays("stages", "cares", of="decision")
    assert (cares.origin, cares.en, cares.zh) == ("method", "The risk of the purchase", "购买的风险")
