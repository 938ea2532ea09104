"""Two models of a registry next to each other: settings, mapping and definitions that differ, data, role weights."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from winprob.errors import RegistryError
from winprob.i18n import gettext
from winprob.methodology import ROLES
from winprob.model.effects import WEIGHT, effects
from winprob.model.posterior import Posterior
from winprob.model.win.terms import ROLE_TERMS
from winprob.retrain.entry import Entry
from winprob.toml import parse_toml

COLUMNS = ["part", "key", "first", "second"]
_FILES = {"settings": "settings.toml", "mapping": "mapping.toml", "definitions": "definitions.json"}
_COUNTS = ("deals", "rows", "closed", "won", "first_day", "last_day")


def compare_models(first: Entry, second: Entry) -> pd.DataFrame:
    """What differs between two models, and their role weights.

    Returns
    -------
    DataFrame with columns ``part`` (``settings``, ``mapping``, ``definitions``: keys in one only or with another value;
    ``data``: counts of the training data; ``role_weight``: log-odds per standard deviation of true support, mean and
    90 % interval), ``key, first, second``, both as text, missing where a model lacks the key

    Raises
    ------
    RegistryError
        A file was altered or cannot be read.
    PosteriorError
        A model's file is not one that this version reads.
    """
    records = [*_differing_files(first, second), *_of_models(first.load(), second.load())]
    return pd.DataFrame(records, columns=COLUMNS, dtype=object)


def _differing_files(first: Entry, second: Entry) -> Iterator[tuple[str, str, str | None, str | None]]:
    for part, name in _FILES.items():
        one, other = (_flat(_content(entry, name)) for entry in (first, second))
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                yield part, key, one.get(key), other.get(key)


def _content(entry: Entry, name: str) -> Mapping[str, Any]:
    """A file of a model as a table; empty where it has none."""
    data = entry.read(name)
    if data is None:
        return {}
    if name.endswith(".toml"):
        return parse_toml(data, str(entry.path / name), RegistryError)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RegistryError(gettext("{path} is not a JSON object.", path=entry.path / name))
    return content


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Every value by its path, ``priors.intercept``, as JSON."""
    flat: dict[str, str] = {}
    for key, value in table.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{path}.")
        else:
            flat[path] = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return flat


def _of_models(first: Posterior, second: Posterior) -> Iterator[tuple[str, str, str | None, str | None]]:
    counts = [asdict(posterior.provenance) for posterior in (first, second)]
    for name in _COUNTS:
        yield "data", name, _count(counts[0][name]), _count(counts[1][name])
    weights = [_role_weights(posterior) for posterior in (first, second)]
    for role in weights[0]:
        yield "role_weight", role, weights[0][role], weights[1][role]


def _count(value: object) -> str | None:
    if value is None:
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def _role_weights(posterior: Posterior) -> dict[str, str]:
    """Mean and interval of each role's weight under an unknown decision method, by role."""
    table = effects(posterior).set_index("term")
    own = table.loc[table["level"] == WEIGHT, ["mean", "lower", "upper"]]
    texts = [f"{mean:.2f} ({lower:.2f}..{upper:.2f})" for mean, lower, upper in own.loc[list(ROLE_TERMS)].to_numpy()]
    return dict(zip(ROLES, texts, strict=True))
