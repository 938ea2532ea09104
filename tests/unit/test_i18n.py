"""Every sentence in the source has one Chinese translation with the same fields, and zh.po has no other entries."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from winprob.i18n import gettext, language, read_translations, use_language

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "winprob"
PO = SOURCE / "locale" / "zh.po"


def calls() -> Iterator[tuple[str, str, set[str | None]]]:
    """Place (``file:line``), sentence and named values of every ``gettext``; a ``None`` in the names is ``**``."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and getattr(node.func, "id", None) == "gettext":
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                for literal in ast.walk(node.args[0]):
                    if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                        yield place, literal.value, {keyword.arg for keyword in node.keywords}


def sentences() -> dict[str, str]:
    """Where each sentence is, as Babel extracts them."""
    found = extract_from_dir(SOURCE, method_map=[("**.py", "python")], keywords={"gettext": None})
    return {str(message): f"winprob/{name}:{line}" for name, line, message, _, _ in found}


def catalog(path: Path = PO) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="zh", abort_invalid=True)


def translated(path: Path = PO) -> dict[str, str]:
    return {str(message.id): str(message.string) for message in catalog(path) if message.id}


def msgids() -> list[str]:
    """Every msgid in the file, repeated ones too, of which the reader above keeps one."""
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


def test_babel_extracts_every_sentence() -> None:
    """A conditional, or a call nested in another call's arguments, is hidden from Babel: move it out."""
    extracted = sentences()
    report([f"{place}: {sentence!r}" for place, sentence, _ in calls() if sentence not in extracted])


def test_every_sentence_has_a_translation() -> None:
    chinese = translated()
    report([f"{place}: {sentence!r}" for sentence, place in sentences().items() if not chinese.get(sentence)])


def test_every_translation_has_its_sentence_in_the_source() -> None:
    extracted = sentences()
    obsolete = [str(message.id) for message in catalog().obsolete.values()]
    report(
        [repr(sentence) for sentence in [*translated(), *obsolete] if sentence not in extracted or sentence in obsolete]
    )


def test_no_translation_is_fuzzy() -> None:
    """A fuzzy translation belongs to an earlier wording: review it, then remove the mark and the earlier msgid."""
    report([repr(message.id) for message in catalog() if message.id and message.fuzzy])


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


def test_doubled_braces_need_values() -> None:
    """Without values a sentence is not formatted: doubled braces would remain."""
    report([f"{place}: {sentence!r}" for place, sentence, values in calls() if not values and "{{" in sentence])


def test_language_holds_inside_the_block_only() -> None:
    with use_language("zh"):
        assert language() == "zh"
        assert gettext("never translated {count}", count=3) == "never translated 3"
    assert language() == "en"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="'fr' is not one of en, zh"), use_language("fr"):
        pass


def update(path: Path) -> None:
    """What ``./dev words`` does to zh.po, done to ``path``."""
    script = '. ./dev >/dev/null; venv=$1; failed=0; update_catalog "$2"; exit "$failed"'
    arguments = ["sh", "-c", script, "./dev", "help", sys.prefix, str(path)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs sh")
def test_updating_changes_no_translation(tmp_path: Path) -> None:
    copy = shutil.copy(PO, tmp_path / "zh.po")
    update(copy)
    assert translated(copy) == translated()
    assert not any(message.fuzzy for message in catalog(copy) if message.id)
    first = copy.read_bytes()
    assert first.startswith(
        b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: zh\\n"\n\nmsgid '
    )
    update(copy)
    assert copy.read_bytes() == first


@pytest.mark.skipif(os.name != "posix", reason="needs sh")
def test_a_changed_sentence_makes_its_translation_fuzzy(tmp_path: Path) -> None:
    now, before = "Ready to use: no errors, {warnings} warnings.", "Ready for use: no errors, {warnings} warnings."
    copy = tmp_path / "zh.po"
    copy.write_text(
        PO.read_text(encoding="utf-8").replace(now, before) + '\nmsgid "removed"\nmsgstr "已删除"\n', "utf-8"
    )
    update(copy)
    assert [message.id for message in catalog(copy) if message.id and message.fuzzy] == [now]
    assert f'#, fuzzy\n#| msgid "{before}"\nmsgid "{now}"\n' in copy.read_text(encoding="utf-8")
    assert "removed" not in translated(copy)
    with copy.open("rb") as file:
        usable = read_translations(file)
    assert usable.keys() == translated().keys() - {now}
