"""The recipe of a model: settings, mapping, covariates and definitions. The same as the current model's, or changed?"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from winprob.retrain.candidate.definitions import Definitions, digest_of
from winprob.settings import Settings

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
