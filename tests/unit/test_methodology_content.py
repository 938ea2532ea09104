"""The plays hold what the method counts, in both languages, and say what is the method's and what is ours."""

from __future__ import annotations

from collections import Counter

import pytest

from winprob.data import schema
from winprob.errors import SettingsError
from winprob.methodology import Phrase, Play, channels_for, load, plays
from winprob.methodology.vocabulary import STAGES

EVERY = [(subject, play) for subject, items in load().plays.items() for play in items]

COUNTS = {
    "stages": {"state": 5, "cares": 5, "do": 5},
    "channels": {"": 6},
    "coach": {"purpose": 4, "selection": 5, "development": 5, "validation": 5},
    "support": {"layer": 4, "dimension": 5},
    "trust": {"personal": 3, "organisational": 3},
    "relationship": {"step": 5},
    "needs": {"need": 4, "motive": 6},
    "visits": {"preparation": 5, "need_and_request": 1, "need_content": 4, "guiding_way": 4, "guiding_step": 5},
    "commitments": {"element": 4, "sign": 3, "technique": 5},
    "executives": {"step": 7, "gap": 5, "library": 3, "team": 2},
    "losses": {"loss": 2, "without": 5},
}
#: Sections that the method names item by item; of all others it gives a heading or a count.
NAMED = {
    *(("stages", part) for part in ("state", "cares", "do")),
    ("channels", ""),
    ("intelligence", "kind"),
    ("support", "layer"),
    *(("trust", part) for part in ("personal", "organisational")),
    ("relationship", "step"),
    ("visits", "preparation"),
    *(("executives", part) for part in ("step", "gap", "library", "team")),
    *(("losses", part) for part in ("loss", "without")),
}
MIXED = {("intelligence", "fact"), ("support", "dimension")}


def phrases(play: Play) -> tuple[Phrase, ...]:
    return (play.phrase, *((play.how,) if play.how else ()), *play.anchors)


def has_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_every_item_is_written_in_both_languages() -> None:
    texts = [(subject, play.id, phrase) for subject, play in EVERY for phrase in phrases(play)]
    assert [text for text in texts if text[-1].text("en") != text[-1].en.strip()] == []
    assert [text for text in texts if not has_chinese(text[-1].text("zh"))] == []
    assert [text for text in texts if has_chinese(text[-1].en)] == []


def test_no_text_is_used_twice_in_a_subject() -> None:
    for lang in ("en", "zh"):
        counts = Counter((subject, play.phrase.text(lang)) for subject, play in EVERY)
        assert [text for text, count in counts.items() if count > 1] == []


def test_counts_are_the_methods() -> None:
    assert {subject: dict(Counter(play.part for play in plays(subject))) for subject in COUNTS} == COUNTS


def test_origins() -> None:
    pure = [(subject, play) for subject, play in EVERY if (subject, play.part) not in MIXED]
    expected = {(subject, play.id): "method" if (subject, play.part) in NAMED else "ours" for subject, play in pure}
    assert {(subject, play.id): play.origin for subject, play in pure} == expected
    dimensions = {play.id: play.origin for play in plays("support", "dimension")}
    assert [name for name, origin in dimensions.items() if origin == "method"] == ["influence", "solution_recognition"]


def test_every_stage_has_three_signs_of_each_kind() -> None:
    counts = Counter((play.of, play.part) for play in plays("signs"))
    assert counts == {(stage, kind): 3 for stage in STAGES for kind in ("says", "does", "asks")}


def test_every_stage_says_where_the_customer_is_what_they_care_about_and_what_we_do() -> None:
    assert [(play.of, play.part) for play in plays("stages")] == [
        (stage, part) for stage in STAGES for part in ("state", "cares", "do")
    ]


def test_ratings_have_four_distinct_anchors() -> None:
    counts = {
        play.id: (len({anchor.en for anchor in play.anchors}), len({anchor.zh for anchor in play.anchors}))
        for play in plays("support")
    }
    assert {item: count for item, count in counts.items() if count != (4, 4)} == {}


def test_intelligence_has_six_kinds_each_with_facts_and_a_channel() -> None:
    kinds = [play.id for play in plays("intelligence", "kind")]
    assert len(kinds) == 6
    for kind in kinds:
        assert len(plays("intelligence", "fact", of=kind)) >= 4
        assert any(kind in channel.knows for channel in plays("channels"))
    assert {kind for channel in plays("channels") for kind in channel.knows} == set(kinds)


def test_every_column_a_play_names_is_in_the_deal_table() -> None:
    assert {column for _, play in EVERY for column in play.columns} <= set(schema.COLUMNS)


def test_every_fact_of_the_deal_table_has_a_question_and_channels() -> None:
    asked = {play.id for play in plays("questions")}
    assert asked >= {*schema.SUPPORTS, *schema.COVERAGE_COLUMNS, "decision_method", "coach", "stage"}
    assert [play.id for play in plays("questions") if play.columns != (play.id,)] == []
    assert [play.id for play in plays("questions") if not channels_for(play.id)] == []


def test_channels_for_takes_a_fact_or_its_column() -> None:
    assert channels_for("approver_support") == channels_for("support.support_approver")
    assert "coach" in [channel.id for channel in channels_for("decision_method")]


def test_a_subject_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="'sings' is not known; did you mean 'signs'"):
        plays("sings")
    with pytest.raises(SettingsError, match="aproach"):
        channels_for("aproach")
