"""Executives and their limits: who may visit whom, read from one TOML file in which a typo is an error."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.methodology import ROLES, canonical
from winprob.toml import Name, Wanted, build, read_toml, record

Role = Literal["approver", "decision_maker", "evaluator", "influencer", "procurement"]

#: Roles that an executive meets where the file does not name any, by the method.
DEFAULT_ROLES: tuple[Role, ...] = ("approver", "decision_maker")
#: The lowest level of an executive whom a role receives.
LEVEL_OF_ROLE = {"approver": 3, "decision_maker": 2, "evaluator": 1, "influencer": 1, "procurement": 1}


def _names_wanted() -> str:
    return gettext("a list of texts (leave it out for no limit)")


def _name_wanted() -> str:
    return gettext("a name or a code")


def _slots_wanted() -> str:
    return gettext("a whole number, 0 to 1000")


def _visits_wanted() -> str:
    return gettext("a list of tables with deal_id and role")


def _excluded_wanted() -> str:
    return gettext("a table with deals and accounts")


def _executives_wanted() -> str:
    return gettext("one table [[executives]] for each, with name and slots")


#: A limit. An empty list would exclude everything, so it is an error.
Names = Annotated[tuple[Name, ...], Field(min_length=1), Wanted(_names_wanted)]


@record
class Visit:
    """A role of a deal that is to be visited."""

    deal_id: Name
    role: Role


@record
class Excluded:
    """Deals and accounts that an executive must not visit."""

    deals: Names = ()
    accounts: Names = ()


@record
class Executive:
    """One executive: a name or code, and the limits of the period planned.

    Attributes
    ----------
    slots : visits there is time for
    roles : the roles that the executive meets; where a ``level`` is given, only those not above it
    level : seniority, from 1 (received by evaluators, influencers, procurement) to 3 (received by approvers)
    regions, accounts, segments : where the executive may go; empty = anywhere. A deal must meet all that are given
    fixed : visits already agreed; they count among the slots
    exclude : where the executive must not go
    """

    name: Annotated[Name, Wanted(_name_wanted)]
    slots: Annotated[int, Field(ge=0, le=1000), Wanted(_slots_wanted)]
    roles: Annotated[tuple[Role, ...], Field(min_length=1), Wanted(_names_wanted)] = DEFAULT_ROLES
    level: Literal[1, 2, 3] | None = None
    regions: Names = ()
    accounts: Names = ()
    segments: Names = ()
    fixed: Annotated[tuple[Visit, ...], Wanted(_visits_wanted)] = ()
    exclude: Annotated[Excluded, Wanted(_excluded_wanted)] = field(default_factory=Excluded)

    @property
    def meets(self) -> tuple[str, ...]:
        """The roles that receive this executive."""
        return tuple(role for role in self.roles if self.level is None or LEVEL_OF_ROLE[role] <= self.level)

    @property
    def excluded_deals(self) -> tuple[str, ...]:
        return self.exclude.deals

    @property
    def excluded_accounts(self) -> tuple[str, ...]:
        return self.exclude.accounts


@record
class Roster:
    """All executives, and the rule they share: whether an account is visited by one of them only."""

    executives: Annotated[tuple[Executive, ...], Field(min_length=1), Wanted(_executives_wanted)]
    one_executive_per_account: bool = False


def read_executives(path: Path | str) -> Roster:
    """The executives of a TOML file.

    Raises
    ------
    PlanError
        The file cannot be read, is not TOML, or anything in it is wrong: every offence at once.
    """
    what = gettext("executives file {path}", path=path)
    return roster_from(read_toml(path, what, PlanError), what)


def roster_from(table: Mapping[str, Any], what: str | None = None) -> Roster:
    """The executives in plain tables, as TOML gives them.

    Parameters
    ----------
    what : the source of the tables as a message names it

    Raises
    ------
    PlanError
        Anything is wrong: every offence at once.
    """
    given = dict(table)
    faults = []
    if isinstance(entries := table.get("executives"), list):
        given["executives"] = [_canonical_roles(entry) for entry in entries]
        faults = [*_repeated_names(entries)]
    return build(Roster, given, what or gettext("executives"), PlanError, also=faults)


def _canonical_roles(entry: Any) -> Any:
    """``entry`` with roles in canonical words and order, and no visit fixed twice."""
    if not isinstance(entry, Mapping):
        return entry
    given = dict(entry)
    if isinstance(roles := entry.get("roles"), list):
        words = [_canonical(role) for role in roles]
        given["roles"] = sorted(_once(words), key=lambda role: ROLES.index(role) if role in ROLES else len(ROLES))
    if isinstance(visits := entry.get("fixed"), list):
        fixed = [{**visit, **_role_of(visit)} if isinstance(visit, Mapping) else visit for visit in visits]
        given["fixed"] = _once(fixed)
    return given


def _once(items: list[Any]) -> list[Any]:
    return [item for at, item in enumerate(items) if item not in items[:at]]


def _role_of(visit: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": _canonical(visit["role"])} if "role" in visit else {}


def _canonical(role: Any) -> Any:
    return (canonical("role", role) if isinstance(role, str) else None) or role


def _repeated_names(entries: list[Any]) -> list[str]:
    given = [entry.get("name") for entry in entries if isinstance(entry, Mapping)]
    counts = Counter(name.strip() for name in given if isinstance(name, str) and name.strip())
    return [
        gettext("executive {name!r} is listed {count} times; wanted once", name=name, count=count)
        for name, count in sorted(counts.items())
        if count > 1
    ]
