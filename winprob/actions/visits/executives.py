"""Who may visit whom? Executives with their slots and limits, read from one TOML file in which a typo is an error."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.methodology import ROLES, canonical

#: What an executive meets where the file does not say: whom the method has an executive meet.
DEFAULT_ROLES = ("approver", "decision_maker")
#: A role's standing: an executive of a lower level is not received there.
LEVEL_OF_ROLE = {"approver": 3, "decision_maker": 2, "evaluator": 1, "influencer": 1, "procurement": 1}
LEVELS = (1, 2, 3)

_TOP = ("executives", "one_executive_per_account")
_LISTS = ("regions", "accounts", "segments")
_KEYS = ("name", "slots", "level", "roles", *_LISTS, "fixed", "exclude")
_FIXED = ("deal_id", "role")
_EXCLUDE = ("deals", "accounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A role of a deal that is to be visited."""

    deal_id: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Executive:
    """One executive: a name or code, and what holds for the period planned.

    Attributes
    ----------
    slots : visits there is time for
    roles : whom the executive meets; of these, only roles not above ``level`` where one is given
    level : standing, 1 (meets evaluators and the like) to 3 (is received by an approver)
    regions, accounts, segments : where the executive may go; empty = anywhere. A deal must meet all that are given
    fixed : visits agreed already; they count among the slots
    excluded_deals, excluded_accounts : where the executive must not go
    """

    name: str
    slots: int
    roles: tuple[str, ...] = DEFAULT_ROLES
    level: int | None = None
    regions: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    fixed: tuple[Visit, ...] = ()
    excluded_deals: tuple[str, ...] = ()
    excluded_accounts: tuple[str, ...] = ()

    @property
    def meets(self) -> tuple[str, ...]:
        """The roles that receive this executive."""
        return tuple(role for role in self.roles if self.level is None or LEVEL_OF_ROLE[role] <= self.level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All executives, and the rule they share: whether an account sees one of them only."""

    executives: tuple[Executive, ...]
    one_executive_per_account: bool = False


def read_executives(path: Path | str) -> Roster:
    """The executives of a TOML file.

    Raises
    ------
    PlanError
        The file cannot be read, is not TOML, or anything in it is wrong: every offence at once.
    """
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise PlanError(
            gettext("executives file {path} cannot be read: {reason}", path=path, reason=error.strerror)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(gettext("executives file {path} is not TOML: {reason}", path=path, reason=error)) from error
    return roster_from(table)


def roster_from(table: Mapping[str, Any]) -> Roster:
    """The executives in plain tables, as TOML gives them.

    Raises
    ------
    PlanError
        Anything is wrong: every offence at once.
    """
    faults = _Faults()
    faults.strangers("", table, _TOP)
    entries = _entries(table.get("executives"), faults)
    executives = tuple(_executive(entry, at, faults) for at, entry in enumerate(entries, 1))
    names = Counter(executive.name for executive in executives if executive.name)
    for name in sorted(name for name, count in names.items() if count > 1):
        faults.add(gettext("executive {name!r} stands there {count} times; wanted once", name=name, count=names[name]))
    single = faults.flag(table, "one_executive_per_account")
    faults.refuse()
    return Roster(executives=executives, one_executive_per_account=single)


def nearest(name: str, known: Sequence[str], *, most: int = 5) -> str:
    """The known name that was most likely meant, else a few of them."""
    near = get_close_matches(name, known, n=1)
    if near:
        return gettext("did you mean {near!r}?", near=near[0])
    shown = ", ".join(map(repr, known[:most])) + (", ..." if len(known) > most else "")
    return gettext("accepted: {accepted}", accepted=shown or "-")


@dataclass(slots=True)
class _Faults:
    """What is wrong, gathered while reading."""

    messages: list[str] = field(default_factory=list)

    def add(self, message: str) -> None:
        self.messages.append(message)

    def wrong(self, where: str, got: object, wanted: str) -> None:
        self.add(gettext("{where} is {got!r}, wanted {wanted}", where=where, got=got, wanted=wanted))

    def strangers(self, where: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
        for name in table:
            if name not in known:
                near = nearest(name, known, most=len(known))
                self.add(gettext("{where}{name!r} is not known; {near}", where=where, name=name, near=near))

    def flag(self, table: Mapping[str, Any], name: str) -> bool:
        value = table.get(name, False)
        if not isinstance(value, bool):
            self.wrong(name, value, gettext("true or false"))
        return value is True

    def texts(self, table: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
        """A list of names; one that is there and empty would let nobody go anywhere."""
        if name not in table:
            return ()
        value = table[name]
        if isinstance(value, list) and value and all(isinstance(item, str) and item.strip() for item in value):
            return tuple(dict.fromkeys(item.strip() for item in value))
        self.wrong(where + name, value, gettext("a list of texts (leave it out for no limit)"))
        return ()

    def role(self, value: object, where: str) -> str | None:
        found = canonical("role", value) if isinstance(value, str) else None
        if found is None:
            near = nearest(str(value), ROLES, most=len(ROLES))
            self.add(gettext("{where}: role {got!r} is not known; {near}", where=where, got=value, near=near))
        return found

    def refuse(self) -> None:
        if len(self.messages) == 1:
            raise PlanError(gettext("executives: {fault}\nMend the executives file.", fault=self.messages[0]))
        if self.messages:
            listed = "\n".join(f"  - {message}" for message in self.messages)
            raise PlanError(
                gettext(
                    "executives, {count} faults:\n{faults}\nMend the executives file.",
                    count=len(self.messages),
                    faults=listed,
                )
            )


def _entries(value: object, faults: _Faults) -> list[Mapping[str, Any]]:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return value
    faults.wrong("executives", value, gettext("one table [[executives]] for each, with name and slots"))
    return []


def _executive(entry: Mapping[str, Any], at: int, faults: _Faults) -> Executive:
    name = entry.get("name")
    where = gettext("executive {name!r}: ", name=name) if isinstance(name, str) else gettext("executive {at}: ", at=at)
    faults.strangers(where, entry, _KEYS)
    limits = {key: faults.texts(entry, key, where) for key in _LISTS}
    exclude = _exclude(entry.get("exclude", {}), where, faults)
    return Executive(
        name=_name(name, where, faults),
        slots=_slots(entry.get("slots"), where, faults),
        roles=_roles(entry, where, faults),
        level=_level(entry.get("level"), where, faults),
        fixed=_fixed(entry.get("fixed", []), where, faults),
        excluded_deals=exclude["deals"],
        excluded_accounts=exclude["accounts"],
        **limits,
    )


def _name(value: object, where: str, faults: _Faults) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    faults.wrong(where + "name", value, gettext("a name or a code"))
    return ""


def _slots(value: object, where: str, faults: _Faults) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000:
        return value
    faults.wrong(where + "slots", value, gettext("a whole number, 0 to 1000"))
    return 0


def _level(value: object, where: str, faults: _Faults) -> int | None:
    if value is None or (value in LEVELS and type(value) is int):
        return value if type(value) is int else None
    faults.wrong(where + "level", value, "1, 2, 3")
    return None


def _roles(entry: Mapping[str, Any], where: str, faults: _Faults) -> tuple[str, ...]:
    if "roles" not in entry:
        return DEFAULT_ROLES
    names = faults.texts(entry, "roles", where)
    found = [faults.role(name, where + "roles") for name in names]
    return tuple(role for role in ROLES if role in found)


def _fixed(value: object, where: str, faults: _Faults) -> tuple[Visit, ...]:
    wanted = gettext("a list of tables with deal_id and role")
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        faults.wrong(where + "fixed", value, wanted)
        return ()
    visits: list[Visit] = []
    for item in value:
        faults.strangers(where + "fixed.", item, _FIXED)
        deal = item.get("deal_id")
        role = faults.role(item.get("role"), where + "fixed")
        if not isinstance(deal, str) or not deal.strip():
            faults.wrong(where + "fixed.deal_id", deal, gettext("a deal's id"))
        elif role:
            visits.append(Visit(deal_id=deal.strip(), role=role))
    return tuple(dict.fromkeys(visits))


def _exclude(value: object, where: str, faults: _Faults) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        faults.wrong(where + "exclude", value, gettext("a table with deals and accounts"))
        value = {}
    faults.strangers(where + "exclude.", value, _EXCLUDE)
    return {key: faults.texts(value, key, where + "exclude.") for key in _EXCLUDE}
