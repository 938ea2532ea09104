"""The recipe of a model: settings, mapping, covariates and definitions. The same as the current model's, or changed?"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from winprob.retrain.definitions import Definitions, digest_of
from winprob.settings import Settings

#: The settings on which what a model learns depends. The others choose what is shown, or how a model is judged.
LEARNED_BY = ("sampler", "gates", "priors", "covariates", "timing")
#: The parts that are not settings, as ``changed_parts`` names them.
MAPPING, COVARIATES, DEFINITIONS = "mapping", "covariates of the mapping", "definitions"


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
