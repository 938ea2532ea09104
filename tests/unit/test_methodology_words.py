"""Every canonical value has labels in both languages, and every spelling means one thing."""

from __future__ import annotations

from collections import Counter

import pytest

from winprob.data import schema
from winprob.errors import SettingsError
from winprob.i18n import use_language
from winprob.methodology import (
    canonical,
    canonical_column,
    column_label,
    is_unknown,
    label,
    load,
    normal,
    plays,
    vocabulary,
)

VALUES = {
    "stage": vocabulary.STAGES,
    "role": vocabulary.ROLES,
    "decision_method": vocabulary.DECISION_METHODS,
    "coach": vocabulary.COACH_STATES,
    "support": tuple(str(tier) for tier in vocabulary.SUPPORT_TIERS),
    "coverage": vocabulary.COVERAGES,
    "outcome": vocabulary.OUTCOMES,
    "rep_category": vocabulary.REP_CATEGORIES,
}
RUBRIC = tuple(play.id for play in plays("support"))
NOTES = ("known_by", "last_contact", "reports_to")
COLUMNS = {*schema.COLUMNS, "person", "role", "support", "influence", "coverage", *NOTES, *RUBRIC}


def has_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_words_hold_exactly_the_canonical_values_in_order() -> None:
    words = load().words
    assert set(words) == {*VALUES, "column", "unknown"}
    assert {word: tuple(words[word]) for word in VALUES} == VALUES
    assert set(words["column"]) == COLUMNS


def test_every_value_is_labelled_in_both_languages() -> None:
    words = {word: load().words[word] for word in (*VALUES, "column")}
    values = [(word, value) for word, entries in words.items() for value in entries]
    assert [name for name in values if not has_chinese(label(*name, "zh"))] == []
    assert [name for name in values if not label(*name, "en").isascii()] == []
    for lang in ("en", "zh"):
        labels = Counter((word, label(word, value, lang)) for word, value in values)
        assert [name for name, count in labels.items() if count > 1] == []


def test_value_labels_and_aliases_all_mean_the_value() -> None:
    for word, entries in load().words.items():
        for value, entry in entries.items():
            for text in (value, entry.label.en, entry.label.zh, *entry.aliases):
                assert canonical(word, text) == value


def test_no_alias_is_written_twice() -> None:
    for word, entries in load().words.items():
        for entry in entries.values():
            spellings = [normal(alias) for alias in entry.aliases]
            assert len(spellings) == len(set(spellings)), (word, entry.value)


def test_label_follows_the_language_spoken_and_takes_tiers_as_numbers() -> None:
    assert label("support", 4) == label("support", "4") == label("support", 4.0) == "Champion"
    with use_language("zh"):
        assert label("stage", "approval") == "内部立项"
        assert label("stage", None) == label("support", float("nan")) == "未知"
        assert column_label("deal_id") == "商机编号"


def test_label_refuses_what_is_no_word_or_value() -> None:
    with pytest.raises(SettingsError, match="stgae"):
        label("stgae", "decision")
    with pytest.raises(SettingsError, match="negotiation"):
        label("stage", "negotiation")


SPELLINGS = [
    ("rep_category", "Forecast", "commit"),
    ("rep_category", "BestCase", "best_case"),
    ("rep_category", "BEST_CASE", "best_case"),
    ("rep_category", "MostLikely", "most_likely"),
    ("outcome", " Closed Won ", "won"),
    ("outcome", "丢单", "lost"),
    ("outcome", "流标", "no_decision"),
    ("support", "Enemy", "1"),
    ("support", "Non-Supporter", "1"),
    ("support", "力挺", "4"),
    ("support", 3.0, "3"),
    ("support", "３", "3"),
    ("coverage", "No Contact", "identified"),
    ("coverage", "Brief", "contacted"),
    ("coverage", "Multiple", "contacted"),
    ("coverage", "In Depth", "engaged"),
    ("coverage", "未知", "unknown"),
    ("coach", "None", "none"),
    ("coach", "无", "none"),
    ("decision_method", "评估人推荐制，高层拍板", "recommendation"),
    ("decision_method", "ＳＣＯＲＩＮＧ", "scoring"),
]


def test_crm_spellings_are_understood() -> None:
    assert [(word, text, canonical(word, text)) for word, text, _ in SPELLINGS] == SPELLINGS


GUESSES = [
    ("role", "Economic Buyer"),
    ("role", "Executive Sponsor"),
    ("role", "Other"),
    ("support", "Mentor"),
    ("support", "5"),
    ("support", "-"),
    ("stage", "Negotiation/Review"),
    ("coach", "yes"),
    ("stage", ""),
]


def test_what_would_be_a_guess_is_no_alias() -> None:
    assert [(word, text) for word, text in GUESSES if canonical(word, text) is not None] == []


def test_headers() -> None:
    assert canonical_column("决策审批者支持度") == "approver_support"
    assert canonical_column("ForecastCategoryName") == "rep_category"
    assert canonical_column("Expected Close Date") == "expected_close_on"
    for ambiguous in ("CloseDate", "StageName", "Probability", "Id"):
        assert canonical_column(ambiguous) is None


def test_unknown_is_not_none() -> None:
    assert all(is_unknown(text) for text in (None, "", "  ", float("nan"), "N/A", "未知", "不详", "Unknown", "？"))
    assert not any(is_unknown(text) for text in ("none", "无", "没有", "-", 0, "0", 2))
