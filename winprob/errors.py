"""What can go wrong.

::

    WinprobError            anything a user can mend; the CLI prints it and exits with 1
    ├── InputError          a file cannot be read: missing, a folder, empty, garbled, too large
    ├── MappingError        the mapping file is wrong, or does not fit the export
    ├── DealTableError      the deals themselves are wrong; carries every finding
    ├── HistoryError        a folder is no history, or a snapshot does not go with those that are there
    ├── SettingsError       a setting is unknown or out of range
    ├── PlanError           executives, visit log and rules are wrong, or do not go together
    ├── ForecastError       a quarter cannot be forecast from these deals, day, target and rates
    ├── PosteriorError      a model file is damaged, of another kind, or of a newer format
    ├── UndatedError        a model that learned nothing of time is asked about a day
    ├── NotConvergedError   the draws cannot be believed; nothing was saved
    └── OutputError         a result cannot be written
"""


class WinprobError(Exception):
    """Base of every error a user can mend. Its text is the whole message: what, where, what to do."""


class InputError(WinprobError):
    """A file cannot be read at all."""


class MappingError(WinprobError):
    """The mapping file is wrong in itself, or does not fit the export."""


class DealTableError(WinprobError):
    """The deals are wrong. The message lists every offence at once."""


class HistoryError(WinprobError):
    """A folder is no history of snapshots, lacks the day asked for, or holds another export for that day."""


class SettingsError(WinprobError):
    """A setting is unknown, of the wrong type, or out of range."""


class PlanError(WinprobError):
    """Executives, visit log and rules are wrong in themselves, or do not go together. All offences at once."""


class ForecastError(WinprobError):
    """A quarter cannot be forecast: from these deals, on this day, with this target, at these rates. All at once."""


class PosteriorError(WinprobError):
    """A model file is damaged, is not a model, or was written in another format."""


class UndatedError(WinprobError):
    """The model has learned nothing of time, and is asked what will be by a day."""


class NotConvergedError(WinprobError):
    """Sampling failed its gates twice. Nothing was saved."""


class OutputError(WinprobError):
    """A result cannot be written where it was asked for."""
