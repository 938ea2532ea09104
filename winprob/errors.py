"""Exceptions of the library.

::

    WinprobError            base of every error that a user can fix; the CLI prints it and exits with 1
    ├── InputError          a file cannot be read: missing, a folder, empty, damaged, too large
    ├── MappingError        the mapping file is wrong, or does not fit the export
    ├── DealTableError      the deals themselves are wrong; lists every finding
    ├── HistoryError        a folder is not a history, or a snapshot conflicts with those in it
    ├── SettingsError       a setting is unknown, of the wrong type, or out of range
    ├── PlanError           executives, visit log or rules are wrong, or conflict
    ├── ForecastError       a quarter cannot be forecast from these deals, day, target and rates
    ├── PosteriorError      a model file is damaged, of another kind, or of a newer format
    ├── RegistryError       a folder is not a registry of models, is altered, or a model in it may not become current
    ├── UndatedError        a question with a date to a model without a time-to-close part
    ├── NotConvergedError   the draws did not pass the convergence gates; nothing was saved
    ├── MissingExtraError   an optional package is not installed; names the extra
    ├── EngineError         an engine (Spark, Dask) is missing, cannot be started, or gave up
    └── OutputError         a result cannot be written
"""

from typing import Any


class WinprobError(Exception):
    """Base of every error that a user can fix. Its text is the whole message: what, where, what to do."""


class InputError(WinprobError):
    """A file cannot be read at all."""


class MappingError(WinprobError):
    """The mapping file is wrong, or does not fit the export."""


class DealTableError(WinprobError):
    """The deals are wrong. The message lists every offence at once."""


class HistoryError(WinprobError):
    """A folder is not a history of snapshots, lacks the requested day, or holds another export for that day."""


class SettingsError(WinprobError):
    """A setting is unknown, of the wrong type, or out of range."""


class PlanError(WinprobError):
    """Executives, visit log or rules are wrong, or conflict with each other. All offences at once."""


class ForecastError(WinprobError):
    """A quarter cannot be forecast from these deals, on this day, with this target, at these rates. All at once."""


class PosteriorError(WinprobError):
    """A model file is damaged, is not a model, or was written in another format."""


class RegistryError(WinprobError):
    """A folder is not a registry of models, was altered, or a model in it is missing or may not become current."""


class UndatedError(WinprobError):
    """The model was fitted without dates, and is asked for a probability by a day."""


class NotConvergedError(WinprobError):
    """Sampling failed its convergence gates. The message names the columns at fault. Nothing was saved.

    ``unfinished`` holds the draws, from which ``fit(..., unfinished=...)`` goes on; None where more draws do not help.
    """

    def __init__(self, message: str, *, unfinished: Any = None) -> None:
        super().__init__(message)
        self.unfinished = unfinished


class MissingExtraError(WinprobError):
    """An optional package that the request needs is not installed. The message names the extra to install."""


class EngineError(WinprobError):
    """Spark or Dask is missing, cannot be started or reached, or gave up. The message names the remedy."""


class OutputError(WinprobError):
    """A result cannot be written to the requested place."""
