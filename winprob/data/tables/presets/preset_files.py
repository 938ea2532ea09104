"""Preset files: how the exports of one CRM are read; ours, or a team's own edited copy."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from winprob.data.schema import COLUMNS, ID, NAMES
from winprob.data.tables.mapping import no_zone
from winprob.data.tables.sheets.files import read_bytes
from winprob.data.tables.values.instants import is_zone
from winprob.errors import MappingError
from winprob.i18n import gettext
from winprob.methodology import ROLES
from winprob.toml import Wanted, build, parse_toml, record, show_value, unknown_key

PRESETS = ("salesforce", "dynamics", "hubspot", "pipedrive", "zoho", "odoo", "chinese")


@record
class Rule:
    """An outcome, and the values of the flags for which it holds."""

    value: Literal["won", "lost", "no_decision", "open"]
    when: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A preset file, read.

    Attributes
    ----------
    ids : how ids are spelled: ``salesforce``, ``guid`` or any other way
    columns : for each column of the deal table the headers to look for, and its values as in a mapping file
    flags, rules : the headers that the outcome is derived from, and the rules, of which the first that fits decides
    derived : columns derived from the outcome, which a covariate must not be
    people, changes : the headers of the table of people, and of each kind of change log
    null : words that this CRM writes for a missing value, in any column
    zone : the time zone of times without an offset; None where it is that of the person who exports
    """

    name: str
    ids: str
    columns: Mapping[str, Mapping[str, Any]]
    flags: Mapping[str, list[str]]
    rules: tuple[Rule, ...]
    derived: tuple[str, ...]
    people: Mapping[str, Any]
    changes: Mapping[str, Mapping[str, Any]]
    null: tuple[str, ...] = ()
    zone: str | None = None


# ---- the file's form -----------------------------------------------------------------------------------------------


def _column_wanted() -> str:
    return gettext('a table with column = ["header", ...]')


def _headers_wanted() -> str:
    return gettext("a list of headers")


def _words_wanted() -> str:
    return gettext("a list of texts")


@record
class _Column:
    column: Annotated[tuple[str, ...], Field(min_length=1), Wanted(_headers_wanted)]
    values: Mapping[str, Annotated[tuple[str, ...], Wanted(_words_wanted)]] = field(default_factory=dict)
    other: str | None = None
    percent: bool = False


@record
class _Derived:
    columns: tuple[str, ...] = ()


_Headers = Annotated[tuple[str, ...], Wanted(_headers_wanted)]


@record
class _People:
    deal_id: _Headers = ()
    person: _Headers = ()
    role: _Headers = ()
    known_on: _Headers = ()
    deleted: _Headers = ()
    sellers: _Headers = ()
    coverage: Literal["unknown", "identified", "contacted", "engaged"] = "identified"
    roles: Mapping[str, _Headers] = field(default_factory=dict)
    ask: Mapping[str, str] = field(default_factory=dict)


@record
class _FieldHistory:
    deal_id: _Headers = ()
    changed_on: _Headers = ()
    field: _Headers = ()
    old: _Headers = ()
    new: _Headers = ()
    deleted: _Headers = ()
    order: _Headers = ()
    ignore: _Headers = ()


@record
class _StateHistory:
    deal_id: _Headers = ()
    changed_on: _Headers = ()
    until: _Headers = ()
    deleted: _Headers = ()
    order: _Headers = ()
    previous: Mapping[str, _Headers] = field(default_factory=dict)


@record
class _StageDates:
    deal_id: _Headers = ()
    field: str = "stage"
    prefixes: _Headers = ()
    labels: _Headers = ()


@record
class _Changes:
    fields: _FieldHistory | None = None
    states: _StateHistory | None = None
    entered: _StageDates | None = None


@record
class _File:
    name: str = ""
    ids: Literal["", "salesforce", "guid"] = ""
    columns: Mapping[str, Annotated[_Column, Wanted(_column_wanted)]]
    flags: Mapping[str, list[str]] = field(default_factory=dict)
    outcome: tuple[Rule, ...] = ()
    derived: _Derived = field(default_factory=_Derived)
    people: _People = field(default_factory=_People)
    changes: _Changes = field(default_factory=_Changes)
    null: tuple[str, ...] = ()
    zone: str | None = None


def preset_text(name: str) -> str:
    """The text of a preset's file: one of ours by name, or any TOML file by path.

    Raises
    ------
    MappingError
        The preset does not exist, or the file is not UTF-8.
    InputError
        The file cannot be read.
    """
    if name in PRESETS:
        return files("winprob.data.tables.presets").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    if Path(name).suffix.lower() != ".toml":
        accepted = ", ".join(PRESETS)
        raise MappingError(
            gettext(
                "there is no preset {name}; accepted: {accepted}, or a TOML file", name=repr(name), accepted=accepted
            )
        )
    try:
        return read_bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise MappingError(gettext("{what} is not TOML: {reason}", what=name, reason=fault)) from None


def read_preset(name: str) -> Preset:
    """A preset, read and checked.

    Raises
    ------
    MappingError
        The preset does not exist, or its file is wrong: every offence at once.
    InputError
        The file cannot be read.
    """
    what = gettext("preset {name}", name=name)
    table = parse_toml(preset_text(name).encode(), what, MappingError)
    file = build(_File, table, what, MappingError, also=[*_unknown_names(table)])
    return Preset(
        name=file.name or name,
        ids=file.ids,
        columns=table["columns"],
        flags=file.flags,
        rules=file.outcome,
        derived=file.derived.columns,
        people=table.get("people", {}),
        changes=table.get("changes", {}),
        null=file.null,
        zone=file.zone,
    )


def _unknown_names(table: Mapping[str, Any]) -> Iterator[str]:
    """Columns, roles, flags and a zone that do not exist, and conditions that no cell can fulfil."""
    columns, people, flags = (_table(table.get(key)) for key in ("columns", "people", "flags"))
    if ID not in columns:
        yield gettext("[columns] has no deal_id")
    yield from _unknown(columns, "columns", (*COLUMNS, *NAMES))
    yield from _unknown(people.get("roles", {}), "people.roles", ROLES)
    if isinstance(zone := table.get("zone"), str) and not is_zone(zone):
        yield no_zone(zone)
    rules = table.get("outcome", [])
    for number, rule in enumerate(rules if isinstance(rules, list) else [], 1):
        when = _table(_table(rule).get("when"))
        yield from _unknown(when, f"outcome.{number}.when", flags)
        for flag, wanted in when.items():
            words = wanted if isinstance(wanted, list) else [wanted]
            if not isinstance(wanted, bool) and not all(isinstance(word, str) for word in words):
                yield gettext(
                    "{path} is {got}, wanted {wanted}",
                    path=repr(f"outcome.{number}.when.{flag}"),
                    got=show_value(wanted),
                    wanted=gettext("true, false, a text or a list of texts"),
                )


def _table(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {}


def _unknown(given: Any, path: str, accepted: Collection[str]) -> Iterator[str]:
    return (unknown_key(repr(f"{path}.{name}"), name, accepted) for name in _table(given) if name not in accepted)
