"""How well is each role of the decision chain covered?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.vocabulary import COVERAGES, ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleContact:
    """What is known of our contact with one person in a role.

    Attributes
    ----------
    role
        One of `vocabulary.ROLES`.
    identified
        We know by name who it is; a talk implies it.
    talks
        How often we have spoken with them.
    in_depth
        At least once about their own needs; implies a talk.
    """

    role: str
    identified: bool = False
    talks: int = 0
    in_depth: bool = False


def role_coverage(contacts: Iterable[RoleContact]) -> dict[str, str]:
    """The coverage of all five roles: the best covered person counts, and a role with nobody is unknown.

    An in-depth talk makes ``engaged``, any talk ``contacted``, a known name ``identified``.

    Raises
    ------
    SettingsError
        Roles that do not exist, or a negative number of talks: all at once.
    """
    known = tuple(contacts)
    faults = [*_faults(known)]
    if faults:
        raise SettingsError("; ".join(faults))
    return {role: _best(contact for contact in known if contact.role == role) for role in ROLES}


def _best(contacts: Iterable[RoleContact]) -> str:
    return max((_coverage(contact) for contact in contacts), key=COVERAGES.index, default="unknown")


def _coverage(contact: RoleContact) -> str:
    if contact.in_depth:
        return "engaged"
    if contact.talks:
        return "contacted"
    return "identified" if contact.identified else "unknown"


def _faults(contacts: tuple[RoleContact, ...]) -> Iterator[str]:
    for contact in contacts:
        if contact.role not in ROLES:
            yield gettext("role {role!r} is not one of {accepted}", role=contact.role, accepted=", ".join(ROLES))
        if contact.talks < 0:
            yield gettext("{role}: {count} talks, wanted 0 or more", role=contact.role, count=contact.talks)
