"""The model of the weekly routine: the one in use, the first one of a new registry, or the prior."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import winprob
from winprob.data.schema import column_or_missing, is_closed, mask_of
from winprob.i18n import gettext
from winprob.report.retraining import candidate_files
from winprob.retrain import is_registry
from winprob.routine.week import too_few


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInUse:
    """A model, where it comes from in words, and what is missing where it is only the prior."""

    posterior: winprob.Posterior
    registry: winprob.Registry | None
    source: str
    missing: str = ""


def model_in_use(model: Path | None, registry: Path | None) -> ModelInUse | None:
    """The model of a file or the current one of a registry; None where the registry has no model at all yet.

    Raises
    ------
    PosteriorError, RegistryError
        It is damaged, or the registry has models of which none is current.
    """
    if registry is not None and is_registry(registry) and winprob.Registry(registry).entries():
        models = winprob.Registry(registry)
        current = models.current()
        name = current.name if current else ""
        source = gettext("{name} of {registry}", name=name, registry=registry)
        return ModelInUse(posterior=models.load(), registry=models, source=source)
    if model is not None and model.is_file():
        return ModelInUse(posterior=winprob.Posterior.load(model), registry=None, source=str(model))
    return None


def first_model(
    registry: Path | None,
    history: Path,
    export: pd.DataFrame,
    *,
    day: dt.date,
    mapping: Mapping[str, object],
    settings: winprob.Settings,
    seed: int,
    progress: Callable[[str, float], None],
) -> ModelInUse:
    """Learn the first model from the history, or the export's closed deals; the prior where both have too few.

    The model becomes the current one of the registry. Where there is one already, the routine never comes here.

    Raises
    ------
    WinprobError
        As ``run_retraining`` and ``Registry.add``.
    """
    past = (
        history
        if not too_few(winprob.training_rows(history, as_of=day, calendar=settings.calendar), settings)
        else None
    )
    known = past if past is not None else _known_by(export, day)
    missing = too_few(known, settings) if isinstance(known, pd.DataFrame) else ""
    if registry is None and not missing:
        missing = gettext("only the prior is used: no registry is named in which a model could be kept")
    if missing or registry is None:
        return _prior(missing, settings, seed)
    retraining = winprob.run_retraining(known, None, seed=seed, settings=settings, mapping=mapping, progress=progress)
    if retraining.candidate is None:
        return _prior(
            gettext("only the prior is used: the first model did not converge (winprob train)"), settings, seed
        )
    models = winprob.Registry(registry)
    reason = gettext("the first model, learned by winprob week")
    files = candidate_files(retraining, retraining.candidate, winprob.render_retraining(retraining), mapping)
    entry = models.add(files, reason=reason)
    models.promote(entry.number, reason)
    if past is None:
        source = gettext(
            "{name} of {registry}, learned today from the closed deals of the export, read after their close: train it "
            "again on the history once that is long enough (winprob retrain)",
            name=entry.name,
            registry=registry,
        )
    else:
        source = gettext("{name} of {registry}, learned today from the history", name=entry.name, registry=registry)
    return ModelInUse(posterior=models.load(), registry=models, source=source)


def _known_by(export: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The export without deals that closed after ``day``."""
    return export[~(is_closed(export) & mask_of(column_or_missing(export, "closed_on") > pd.Timestamp(day)))]


def _prior(missing: str, settings: winprob.Settings, seed: int) -> ModelInUse:
    return ModelInUse(
        posterior=winprob.fit_prior(seed=seed, settings=settings),
        registry=None,
        source=gettext("the prior, which has seen no deal"),
        missing=missing,
    )
