"""Plays of a subject, and the channels that are likely to know a fact."""

from collections.abc import Collection, Iterable

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.loading import load
from winprob.methodology.records import Methodology, Play
from winprob.toml import unknown_key


def plays(
    subject: str, part: str | None = None, *, of: str | None = None, using: Methodology | None = None
) -> tuple[Play, ...]:
    """The items of a subject in the method's order.

    Parameters
    ----------
    subject
        A file of ``subjects/``: ``stages``, ``signs``, ``intelligence``, ``channels``, ``questions``, ``coach``,
        ``support``, ``trust``, ``relationship``, ``needs``, ``visits``, ``commitments``, ``executives``, ``losses``,
        ``next_steps``, ``chain``.
    part, of
        Keep only this section, and only what belongs to this item.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        There is no such subject.
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
