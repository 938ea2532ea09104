"""How much of the wanted intelligence on a deal do we have?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from winprob.i18n import gettext
from winprob.methodology.labels import is_unknown
from winprob.methodology.playbook import check_ids, plays
from winprob.methodology.records import Methodology, Play


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCompleteness:
    """The facts known and missing of one kind of intelligence, and the share known in [0, 1]."""

    kind: str
    known: tuple[str, ...]
    missing: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Completeness by kind, in the method's order, and the share of all wanted facts that is known, in [0, 1]."""

    kinds: tuple[KindCompleteness, ...]
    share: float


def intelligence_completeness(
    known: Iterable[str] = (), *, deal: Mapping[Any, object] | None = None, using: Methodology | None = None
) -> Completeness:
    """Known against wanted facts, by kind.

    Parameters
    ----------
    known
        Ids of facts of subject ``intelligence`` that we know.
    deal
        A row of the deal table: a fact whose columns are all filled there is known too. Blank and unknown are not
        filled; a coach of ``none`` is.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        Some ids are not facts; all are named, with near matches.
    """
    facts = plays("intelligence", "fact", using=using)
    have = set(known)
    check_ids(sorted(have), [fact.id for fact in facts], gettext("fact"))
    have |= {fact.id for fact in facts if _is_in(fact, deal or {})}
    kinds = tuple(_kind(kind, facts, have) for kind in dict.fromkeys(fact.of for fact in facts))
    return Completeness(kinds=kinds, share=len(have) / len(facts))


def _is_in(fact: Play, deal: Mapping[Any, object]) -> bool:
    return bool(fact.columns) and not any(is_unknown(deal.get(column)) for column in fact.columns)


def _kind(kind: str, facts: tuple[Play, ...], have: set[str]) -> KindCompleteness:
    wanted = [fact.id for fact in facts if fact.of == kind]
    known = tuple(fact for fact in wanted if fact in have)
    missing = tuple(fact for fact in wanted if fact not in have)
    return KindCompleteness(kind=kind, known=known, missing=missing, share=len(known) / len(wanted))
