"""Lookups: labels of canonical values, the value that a text means, and the plays of a subject."""

from collections.abc import Collection, Iterable, Mapping

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.loading import load
from winprob.methodology.records import Methodology, Play, Word
from winprob.methodology.vocabulary import as_word, is_blank, normal
from winprob.toml import unknown_key


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


def plays(
    subject: str, part: str | None = None, *, of: str | None = None, using: Methodology | None = None
) -> tuple[Play, ...]:
    """The items of a subject in the method's order.

    Parameters
    ----------
    subject
        A file of ``subjects/``: ``stages``, ``signs``, ``intelligence``, ``channels``, ``questions``, ``coach``,
        ``support``, ``trust``, ``relationship``, ``needs``, ``visits``, ``commitments``, ``executives``, ``losses``,
        ``next_steps``, ``chain``, ``flags``, ``contacts``, ``worksheets``.
    part, of
        Keep only this section, and only what belongs to this item.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        The subject does not exist.
    """
    known = (using or load()).plays
    check_ids([subject], known, gettext("subject"))
    return tuple(
        play for play in known[subject] if (part is None or play.part == part) and (of is None or play.of == of)
    )


def channels_for(fact: str, *, using: Methodology | None = None) -> tuple[Play, ...]:
    """The channels likely to know a fact, given by its id in ``intelligence`` or by its column of the deal table.

    Raises
    ------
    SettingsError
        No fact has this id or column.
    """
    facts = plays("intelligence", "fact", using=using)
    kinds = {key: play.of for play in facts for key in (play.id, *play.columns)}
    check_ids([fact], kinds, gettext("fact"))
    return tuple(channel for channel in plays("channels", using=using) if kinds[fact] in channel.knows)


def check_ids(ids: Iterable[str], accepted: Collection[str], what: str) -> None:
    """Raise for ids that do not exist, all at once, each with the id that was probably meant.

    Raises
    ------
    SettingsError
        At least one of ``ids`` is not in ``accepted``.
    """
    unknown = [name for name in dict.fromkeys(ids) if name not in accepted]
    if unknown:
        raise SettingsError("; ".join(unknown_key(f"{what} {name!r}", name, accepted) for name in unknown))
