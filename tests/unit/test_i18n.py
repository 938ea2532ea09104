"""Every sentence the source says has its Chinese, with the same fields, once; and zh.po holds nothing else."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

from winprob.i18n import gettext, language, use_language

HOUSE = Path(__file__).parents[2] / "winprob"
PO = HOUSE / "locale" / "zh.po"


def literals(node: ast.expr) -> Iterator[str]:
    """The strings ``node`` may be: itself, or either arm of a conditional."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def calls() -> Iterator[tuple[str, str, set[str | None]]]:
    """Place (``file:line``), sentence and named values of every ``gettext``; a ``None`` in the names is ``**``."""
    for path in sorted(HOUSE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and getattr(node.func, "id", None) == "gettext":
                for sentence in literals(node.args[0]):
                    place = f"{path.relative_to(HOUSE.parent)}:{node.lineno}"
                    yield place, sentence, {keyword.arg for keyword in node.keywords}


def said() -> dict[str, str]:
    """Where each sentence is said."""
    return {sentence: place for place, sentence, _ in calls()}


def translated() -> dict[str, str]:
    with PO.open("rb") as file:
        catalog = read_po(file, locale="zh", abort_invalid=True)
    return {str(message.id): str(message.string) for message in catalog if message.id}


def msgids() -> list[str]:
    """Every msgid in the file as it stands: the reader above keeps one of two alike."""
    found: list[str] = []
    in_msgid = False
    for line in PO.read_text(encoding="utf-8").splitlines():
        if line.startswith("msgid "):
            in_msgid = True
            found.append(ast.literal_eval(line.removeprefix("msgid ")))
        elif in_msgid and line.startswith('"'):
            found[-1] += ast.literal_eval(line)
        else:
            in_msgid = False
    return found


def fields(text: str) -> set[str]:
    """Names of the values ``text`` asks for: ``{deal.name}`` and ``{deal[0]}`` ask for ``deal``."""
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in Formatter().parse(text) if name is not None}


def report(lines: list[str]) -> None:
    if lines:
        pytest.fail("\n".join([f"{len(lines)} of them:", *lines]), pytrace=False)


def test_every_sentence_has_its_chinese() -> None:
    chinese = translated()
    report([f"{place}: {sentence!r}" for sentence, place in said().items() if not chinese.get(sentence)])


def test_nothing_is_translated_that_is_never_said() -> None:
    sentences = said()
    report([repr(sentence) for sentence in translated() if sentence not in sentences])


def test_no_sentence_is_translated_twice() -> None:
    report([repr(sentence) for sentence, count in Counter(msgids()).items() if count > 1])


def test_both_languages_have_the_same_fields() -> None:
    pairs = translated().items()
    report([f"{en!r}\n    {zh!r}" for en, zh in pairs if zh and fields(en) != fields(zh)])


def test_every_field_is_given_its_value() -> None:
    lacking = [
        (place, sentence, fields(sentence) - values) for place, sentence, values in calls() if None not in values
    ]
    report([f"{place}: {sentence!r} lacks {sorted(missing)}" for place, sentence, missing in lacking if missing])


def test_doubled_braces_are_said_with_values_only() -> None:
    """Without values a sentence is said as it stands, doubled braces and all."""
    report([f"{place}: {sentence!r}" for place, sentence, values in calls() if not values and "{{" in sentence])


def test_language_holds_inside_the_block_only() -> None:
    with use_language("zh"):
        assert language() == "zh"
        assert gettext("never translated {count}", count=3) == "never translated 3"
    assert language() == "en"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="'fr' is not one of en, zh"), use_language("fr"):
        pass
