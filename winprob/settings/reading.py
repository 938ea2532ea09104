"""How do settings come from a file? One TOML in which a typo is an error."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.settings.checks import wrong
from winprob.settings.model import NumericCovariate
from winprob.settings.whole import Settings


def read_settings(path: Path | str) -> Settings:
    """Settings from a TOML file; what it does not name keeps its default.

    Raises
    ------
    SettingsError
        The file cannot be read, is not TOML, names an unknown setting, or holds a value out of range.
    """
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingsError(
            gettext("settings file {path} cannot be read: {reason}", path=path, reason=error.strerror)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(gettext("settings file {path} is not TOML: {reason}", path=path, reason=error)) from error
    return settings_from(table)


def settings_from(table: Mapping[str, Any]) -> Settings:
    """Settings from nested plain tables, as TOML or JSON give them."""
    return cast(Settings, _build(Settings, table, "", Settings()))


def _build(kind: type, table: Mapping[str, Any], where: str, default: Any = None) -> Any:
    known = {f.name: f for f in fields(kind)}
    table = _renamed(table, where)
    strangers = [name for name in table if name not in known]
    if strangers:
        raise SettingsError("; ".join(_stranger(where + name, name, list(known)) for name in strangers))
    if default is None:
        return kind(**{name: _value("", value, where + name) for name, value in table.items()})
    return replace(
        default, **{name: _value(getattr(default, name), value, where + name) for name, value in table.items()}
    )


#: Settings that have a new name, by their path; the old one is accepted for one version more.
RENAMED = {"priors.strength": "effect_scale", "visits.strength": "prior_sample_size"}


def _renamed(table: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    return {RENAMED.get(where + name, name): value for name, value in table.items()}


#: Lists of texts that are empty by default.
_TEXT_LISTS = ("calendar.names", "calendar.starts")


def _value(default: Any, value: Any, where: str) -> Any:
    if is_dataclass(default):
        if not isinstance(value, Mapping):
            raise wrong(where, value, gettext("a table"))
        return _build(type(default), value, where + ".", default)
    if where == "covariates.numeric":
        return tuple(_numeric(item) for item in _sequence(value, where))
    if where in _TEXT_LISTS:
        return tuple(_scalar("", item, where) for item in _sequence(value, where))
    if isinstance(default, tuple):
        return _tuple(default, _sequence(value, where), where)
    return _scalar(default, value, where)


def _tuple(default: tuple[Any, ...], value: list[Any], where: str) -> tuple[Any, ...]:
    if default and isinstance(default[0], str):
        return tuple(_scalar("", item, where) for item in value)
    if len(value) != len(default):
        raise wrong(where, value, gettext("{count} numbers", count=len(default)))
    return tuple(_scalar(0.0, item, where) for item in value)


def _scalar(default: Any, value: Any, where: str) -> Any:
    if isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is type(default):
        return value
    raise wrong(
        where, value, {int: gettext("a whole number"), float: gettext("a number")}.get(type(default), gettext("a text"))
    )


def _numeric(item: Any) -> NumericCovariate:
    if isinstance(item, str):
        return NumericCovariate(column=item)
    if isinstance(item, Mapping) and set(item) != {"transform"}:
        return cast(NumericCovariate, _build(NumericCovariate, item, "covariates.numeric."))
    raise wrong("covariates.numeric", item, gettext("a column or a table with column and transform"))


def _sequence(value: Any, where: str) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    raise wrong(where, value, gettext("a list"))


def _stranger(path: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1) or known
    return gettext("setting {path!r} is not known; did you mean {near}?", path=path, near=", ".join(near))
