"""Labels of canonical values in both languages, and the canonical value that a text means."""

from collections.abc import Mapping

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.loading import load
from winprob.methodology.records import Methodology, Word
from winprob.methodology.vocabulary import as_word, is_blank, normal


def label(word: str, value: object, lang: str | None = None, *, using: Methodology | None = None) -> str:
    """The label of a canonical value.

    Parameters
    ----------
    word
        ``stage``, ``role``, ``decision_method``, ``coach``, ``support``, ``coverage``, ``outcome``,
        ``rep_category`` or ``column``.
    value
        Canonical; a support tier as a number or a text. A blank gets the label of unknown.
    lang
        ``"en"`` or ``"zh"``; by default the current language.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        ``word`` is not a word, or ``value`` is not one of its values.
    """
    methodology = using or load()
    entries = _of(methodology.words, word)
    if is_blank(value):
        return methodology.words["unknown"]["blank"].label.text(lang)
    return _entry(entries, word, value).label.text(lang)


def column_label(column: str, lang: str | None = None, *, using: Methodology | None = None) -> str:
    """The label of a column of the deal or people table."""
    return label("column", column, lang, using=using)


def canonical(word: str, text: object, *, using: Methodology | None = None) -> str | None:
    """The value of ``word`` that ``text`` means, as a text (a support tier is ``"3"``), or None if it means none.

    Case, white space, underscores and full-width forms do not count; all else must match. A coach of ``none`` and a
    coverage of ``unknown`` are values: call this before `is_unknown`.
    """
    return None if is_blank(text) else _of((using or load()).aliases, word).get(normal(text))


def canonical_column(header: object, *, using: Methodology | None = None) -> str | None:
    """The canonical column that a header means, or None."""
    return canonical("column", header, using=using)


def is_unknown(text: object, *, using: Methodology | None = None) -> bool:
    """Whether a cell is blank or one of the words for unknown.

    For columns of canonical values only: as a region, ``NA`` is North America.
    """
    return is_blank(text) or normal(text) in (using or load()).aliases["unknown"]


def _of[T](by_word: Mapping[str, T], word: str) -> T:
    if word not in by_word:
        raise SettingsError(gettext("word {word!r} is not one of {accepted}", word=word, accepted=", ".join(by_word)))
    return by_word[word]


def _entry(entries: Mapping[str, Word], word: str, value: object) -> Word:
    key = as_word(value)
    if key not in entries:
        raise SettingsError(
            gettext("{word} {value!r} is not one of {accepted}", word=word, value=value, accepted=", ".join(entries))
        )
    return entries[key]
