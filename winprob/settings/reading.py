"""All settings in one record, and how they are read from TOML or from the plain tables of a model file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.settings import decisions, model
from winprob.toml import build, read_toml, record

#: Settings that have a new name, by table and old name. The old name is accepted in one version.
RENAMED = {("priors", "strength"): "effect_scale", ("visits", "strength"): "prior_sample_size"}


@record
class Settings:
    """All settings."""

    sampler: model.SamplerSettings = field(default_factory=model.SamplerSettings)
    gates: model.GateSettings = field(default_factory=model.GateSettings)
    priors: model.PriorSettings = field(default_factory=model.PriorSettings)
    covariates: model.CovariateSettings = field(default_factory=model.CovariateSettings)
    calendar: decisions.CalendarSettings = field(default_factory=decisions.CalendarSettings)
    evaluation: decisions.EvaluationSettings = field(default_factory=decisions.EvaluationSettings)
    flags: decisions.FlagSettings = field(default_factory=decisions.FlagSettings)
    levers: decisions.LeverSettings = field(default_factory=decisions.LeverSettings)
    visits: decisions.VisitSettings = field(default_factory=decisions.VisitSettings)
    timing: model.TimingSettings = field(default_factory=model.TimingSettings)
    review: decisions.ReviewSettings = field(default_factory=decisions.ReviewSettings)
    quarter: decisions.QuarterSettings = field(default_factory=decisions.QuarterSettings)
    monitor: decisions.MonitorSettings = field(default_factory=decisions.MonitorSettings)
    refit: model.RefitSettings = field(default_factory=model.RefitSettings)
    retraining: decisions.RetrainingSettings = field(default_factory=decisions.RetrainingSettings)

    def for_refits(self) -> Settings:
        """The same settings, with the sampler and gates of ``refit``."""
        return replace(self, sampler=self.refit.sampler, gates=self.refit.gates)


def read_settings(path: Path | str) -> Settings:
    """Settings from a TOML file; a setting that it does not name keeps its default.

    A setting under an old name is accepted, with a warning in the log ``winprob``.

    Raises
    ------
    SettingsError
        The file cannot be read, is not TOML, names an unknown setting, or holds a value of the wrong type or out of
        range: every offence at once.
    """
    what = gettext("settings file {path}", path=path)
    table = read_toml(path, what, SettingsError)
    settings = settings_from(table, what)
    for (group, old), new in _renamed_in(table):
        logging.getLogger("winprob").warning(
            gettext(
                "setting {old!r} is now {new!r}; the old name is accepted in version 0.2 only",
                old=f"{group}.{old}",
                new=f"{group}.{new}",
            )
        )
    return settings


def settings_from(table: Mapping[str, Any], what: str | None = None) -> Settings:
    """Settings from nested plain tables, as TOML or JSON give them.

    Parameters
    ----------
    what : the source of the tables as a message names it

    Raises
    ------
    SettingsError
        An unknown setting, or a value of the wrong type or out of range: every offence at once.
    """
    faults = [
        gettext("{old!r} is the old name of {new!r}: give one of the two", old=f"{group}.{old}", new=f"{group}.{new}")
        for (group, old), new in _renamed_in(table)
        if new in table[group]
    ]
    # Over all defaults, because those of ``refit`` differ from the defaults of its parts.
    complete = _over(asdict(Settings()), _current(table))
    return build(Settings, complete, what or gettext("settings"), SettingsError, also=faults)


def _renamed_in(table: Mapping[str, Any]) -> list[tuple[tuple[str, str], str]]:
    return [
        (place, new)
        for place, new in RENAMED.items()
        if isinstance(table.get(place[0]), Mapping) and place[1] in table[place[0]]
    ]


def _current(table: Mapping[str, Any]) -> dict[str, Any]:
    """``table`` under the current names, with each numeric covariate as a table."""
    current = {name: dict(value) if isinstance(value, Mapping) else value for name, value in table.items()}
    for (group, old), new in _renamed_in(table):
        current[group].setdefault(new, current[group].pop(old))
    covariates = current.get("covariates")
    if isinstance(covariates, Mapping) and isinstance(covariates.get("numeric"), list | tuple):
        numeric = [{"column": item} if isinstance(item, str) else item for item in covariates["numeric"]]
        current["covariates"] = {**covariates, "numeric": numeric}
    return current


def _over(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """``defaults`` with the values of ``table`` in their place, table by table."""
    return {**defaults, **{name: _over_value(defaults.get(name), value) for name, value in table.items()}}


def _over_value(default: Any, value: Any) -> Any:
    return _over(default, value) if isinstance(default, Mapping) and isinstance(value, Mapping) else value
