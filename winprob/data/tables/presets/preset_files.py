"""Which presets are there, and what do they say? Ours, or a team's own edited copy."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from winprob.data.schema import COLUMNS
from winprob.data.tables.files import read_bytes
from winprob.errors import MappingError
from winprob.i18n import gettext
from winprob.methodology import OUTCOMES, ROLES

PRESETS = ("salesforce", "dynamics", "hubspot")
_KEYS = ("name", "ids", "columns", "flags", "outcome", "derived", "people", "changes")
_IDS = ("", "salesforce", "guid")
_LOGS = ("fields", "states", "entered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An outcome, and what the flags must say for it."""

    value: str
    when: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A preset file, understood."""

    name: str
    ids: str
    columns: Mapping[str, Mapping[str, Any]]
    flags: Mapping[str, list[str]]
    rules: tuple[Rule, ...]
    derived: tuple[str, ...]
    people: Mapping[str, Any]
    changes: Mapping[str, Mapping[str, Any]]


def preset_text(name: str) -> str:
    """A preset's file as it stands: one of ours by name, or any TOML file by path.

    Raises
    ------
    MappingError
        There is no preset of that name, or the file is not UTF-8.
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
        raise MappingError(gettext("{name} is no valid TOML in UTF-8: {fault}.", name=name, fault=fault)) from None


def read_preset(name: str) -> Preset:
    """A preset, understood.

    Raises
    ------
    MappingError
        There is no such preset, or its file is wrong: every offence at once.
    InputError
        The file cannot be read.
    """
    try:
        table = tomllib.loads(preset_text(name))
    except tomllib.TOMLDecodeError as fault:
        raise MappingError(gettext("{name} is no valid TOML in UTF-8: {fault}.", name=name, fault=fault)) from None
    faults = list(_faults(table))
    if faults:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        raise MappingError(
            gettext("preset {name}, {count} to mend:\n{faults}", name=name, count=len(faults), faults=lines)
        )
    return Preset(
        name=str(table.get("name", name)),
        ids=table.get("ids", ""),
        columns=table["columns"],
        flags=table.get("flags", {}),
        rules=tuple(Rule(value=rule["value"], when=rule["when"]) for rule in table.get("outcome", [])),
        derived=tuple(table.get("derived", {}).get("columns", [])),
        people=table.get("people", {}),
        changes=table.get("changes", {}),
    )


def _faults(table: Mapping[str, Any]) -> Iterator[str]:
    yield from _strangers(table, _KEYS, "")
    if table.get("ids", "") not in _IDS:
        yield gettext("'{key}' must be one of {accepted}", key="ids", accepted=", ".join(filter(None, _IDS)))
    columns = table.get("columns")
    if not isinstance(columns, Mapping) or "deal_id" not in columns:
        yield gettext("[columns] has no deal_id")
        return
    yield from _strangers(columns, COLUMNS, "columns.")
    for target, given in columns.items():
        if not isinstance(given, Mapping) or not _is_list(given.get("column")):
            yield gettext('columns.{key} must be a table with column = ["header", ...]', key=target)
    yield from _strangers(table.get("changes", {}), _LOGS, "changes.")
    yield from _strangers(table.get("people", {}).get("roles", {}), ROLES, "people.roles.")
    yield from _rule_faults(table)


def _rule_faults(table: Mapping[str, Any]) -> Iterator[str]:
    for number, rule in enumerate(table.get("outcome", []), 1):
        if rule.get("value") not in OUTCOMES or not isinstance(rule.get("when"), Mapping):
            accepted = ", ".join(OUTCOMES)
            yield gettext(
                "outcome rule {number} needs a value ({accepted}) and a when", number=number, accepted=accepted
            )
            continue
        yield from _strangers(rule["when"], table.get("flags", {}), f"outcome {number}, when.")


def _strangers(got: Mapping[str, Any], accepted: Any, where: str) -> Iterator[str]:
    for key in got:
        if key not in accepted:
            yield gettext(
                "unknown key '{key}'; accepted: {accepted}", key=f"{where}{key}", accepted=", ".join(accepted)
            )


def _is_list(given: object) -> bool:
    return isinstance(given, list) and bool(given) and all(isinstance(name, str) for name in given)
