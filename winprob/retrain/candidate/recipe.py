"""The recipe of a model: settings, mapping, covariates and definitions. The same as the current model's, or changed?"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from winprob.errors import SettingsError
from winprob.retrain.candidate.definitions import Definitions, digest_of
from winprob.settings import Settings, settings_from

#: The settings on which what a model learns depends. The others choose what is shown, or how a model is judged.
LEARNED_BY = ("sampler", "gates", "priors", "covariates", "timing")
#: The parts that are not settings, as ``changed_parts`` names them.
MAPPING, COVARIATES, DEFINITIONS = "mapping", "mapping covariates", "definitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is made from deals: digests of its parts, by name."""

    parts: Mapping[str, str]

    def record(self) -> dict[str, str]:
        """Plain values, for ``gate.json``."""
        return dict(self.parts)


def recipe_of(
    settings: Settings, mapping: Mapping[str, Any] | None, deals: pd.DataFrame, definitions: Definitions
) -> Recipe:
    """The recipe of a model that is fitted to these deals.

    Parameters
    ----------
    mapping : the content of the mapping file, None without one
    deals : their ``attrs`` name the covariates
    """
    tables = asdict(settings)
    covariates = deals.attrs.get("covariates", {})
    return Recipe(
        parts={
            **{name: digest_of(tables[name]) for name in LEARNED_BY},
            MAPPING: digest_of(mapping or {}),
            COVARIATES: digest_of(covariates),
            **{f"{DEFINITIONS}: {concept}": one.digest for concept, one in definitions.by_concept.items()},
        }
    )


def recipe_from(record: Mapping[str, Any] | None, settings: Settings) -> Recipe:
    """The recipe on record; where there is none, what the model's own settings give."""
    if record is not None:
        return Recipe(parts={str(name): str(digest) for name, digest in record.items()})
    tables = asdict(settings)
    return Recipe(parts={name: digest_of(tables[name]) for name in LEARNED_BY})


def changed_parts(old: Recipe, new: Recipe) -> tuple[str, ...]:
    """Names of the parts that differ, or that the old recipe does not have on record; empty for the same recipe."""
    return tuple(name for name, digest in new.parts.items() if old.parts.get(name) != digest)


# --- settings that a new version of winprob has added or given another default ---------------------------------------

#: Settings added since the first registries, with the value at which a fit of a history, and of an export, is as
#: before.
#: A setting that a former file lacks and that is not here has changed what a model learns.
_AS_BEFORE: Mapping[str, tuple[Any, Any]] = {
    "covariates.days_elapsed": (True, False),
    "covariates.team": ("", ""),
    "priors.team_spread": (0.4, 0.4),
}
#: Defaults that were another value before.
_FORMER_DEFAULTS: Mapping[str, Any] = {"priors.stage_step": 1.0}
#: The same of settings that change what a fit costs, not what it learns.
_FORMER_COSTS: Mapping[str, Any] = {"sampler.tune": 300}
#: Settings that one kind of fit does not use: true for a history, false for an export.
_UNUSED: Mapping[str, bool] = {"priors.stage_step": True, "priors.stage_step_of_readings": False}
#: Settings that took the place of another one of their table: without them that one held.
_HELD_BY: Mapping[str, str] = {"stage_step_of_readings": "stage_step"}
_OF_USER, _OF_VERSION = "user", "version"


def settings_changes(
    stored: Mapping[str, Any] | None, new: Settings, *, of_history: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tables of ``LEARNED_BY`` that fit as before though their text differs, and settings changed by a new version.

    Parameters
    ----------
    stored : the content of the ``settings.toml`` of a model; None without one
    of_history : whether the deals are those of a history

    Returns
    -------
    Names of tables in which nothing that a model learns from has changed; settings such as ``timing.season`` that have
    another value, or are new, because winprob is newer: nobody set them
    """
    tables, usual = asdict(new), asdict(Settings())
    same, version = [], []
    for name in LEARNED_BY if stored else ():
        former = stored.get(name) if stored else None
        if not isinstance(former, Mapping):
            continue
        kinds = {
            key: _change(f"{name}.{key}", former, value, usual[name][key], of_history)
            for key, value in tables[name].items()
        }
        kinds |= {key: _OF_VERSION for key in former if key not in kinds}
        version += [f"{name}.{key}" for key, kind in kinds.items() if kind == _OF_VERSION]
        same += [] if any(kinds.values()) else [name]
    return tuple(same), tuple(version)


def _change(path: str, former: Mapping[str, Any], value: Any, usual: Any, of_history: bool) -> str | None:
    """Who has changed a setting: its user or the new version; None where a fit is as before."""
    table, _, key = path.partition(".")
    at_default = digest_of(value) == digest_of(usual)
    if _UNUSED.get(path) == of_history:
        return None
    held_by = key if key in former else _HELD_BY.get(key, key)
    if held_by not in former:
        if path in _AS_BEFORE and value == _AS_BEFORE[path][0 if of_history else 1]:
            return None
        return _OF_VERSION if at_default else _OF_USER
    try:
        then = asdict(settings_from({table: {held_by: former[held_by]}}))[table][held_by]
    except SettingsError:
        return _OF_USER
    if digest_of(then) == digest_of(value) or (at_default and then == _FORMER_COSTS.get(path)):
        return None
    newer = held_by != key or then == _FORMER_DEFAULTS.get(path)
    return _OF_VERSION if at_default and newer else _OF_USER


# --- files of the recipe ---------------------------------------------------------------------------------------------


def to_toml(table: Mapping[str, Any]) -> str:
    """Nested plain tables as TOML: what it cannot hold, None, is left out."""
    return "\n".join(_lines(table, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    if path:
        yield f"\n[{'.'.join(map(_key, path))}]"
    inner = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    for name, value in table.items():
        if name not in inner and value is not None:
            yield f"{_key(name)} = {_value(value)}"
    for name, value in inner.items():
        yield from _lines(value, (*path, name))


def _key(name: object) -> str:
    return json.dumps(str(name), ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        entries = (f"{_key(name)} = {_value(each)}" for name, each in value.items() if each is not None)
        return "{ " + ", ".join(entries) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else f"{'-' if value < 0 else ''}inf"
    # The escapes of JSON are among those of TOML, but for DEL, which must be escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
