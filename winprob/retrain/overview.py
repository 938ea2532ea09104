"""Tables of a registry: every model with its data, state and verdict, and what happened to one."""

import pandas as pd

from winprob.errors import WinprobError
from winprob.i18n import gettext
from winprob.model.posterior import Provenance
from winprob.retrain.entry import Entry, needs_reason, verdict_text
from winprob.retrain.registry import Registry
from winprob.retrain.registry_log import LogLine

MODEL_COLUMNS = ["number", "name", "made_on", "deals", "win_rate", "status", "verdict"]
MOVE_COLUMNS = ["when", "who", "verb", "from", "to", "reason"]


def models_table(registry: Registry) -> pd.DataFrame:
    """Every model of a registry, oldest first.

    Returns
    -------
    DataFrame with columns ``number, name, made_on`` (the day it was added, UTC), ``deals, win_rate`` (of its training
    data; missing without any, and where the model's file is damaged), ``status`` (``current``, ``was current``,
    ``held`` or ``candidate``), ``verdict`` (of the gate, in the current language)

    Raises
    ------
    RegistryError
        The folder is not a registry or was altered.
    """
    current, lines = registry.current(), registry.log()
    past = {line.target for line in lines if line.verb in ("promote", "revert")}
    records = [_record(entry, current, past) for entry in registry.entries()]
    table = pd.DataFrame(records, columns=MODEL_COLUMNS)
    return table.astype({"number": "int64", "deals": "Int64", "win_rate": "float64"})


def _record(entry: Entry, current: Entry | None, past: set[str | None]) -> tuple[object, ...]:
    source = provenance_of(entry)
    counted = source.counted if source else 0.0
    return (
        entry.number,
        entry.name,
        entry.added_on[:10],
        source.deals if source else None,
        source.won / counted if source and counted else None,
        _status(entry, current, past),
        _verdict(entry),
    )


def provenance_of(entry: Entry) -> Provenance | None:
    """What a model was trained on, None where its file cannot be used; ``verify`` reports why."""
    try:
        return entry.load().provenance
    except WinprobError:
        return None


def _status(entry: Entry, current: Entry | None, past: set[str | None]) -> str:
    if current is not None and entry.name == current.name:
        return "current"
    if entry.name in past:
        return "was current"
    try:
        return "held" if needs_reason(entry) else "candidate"
    except WinprobError:
        return "held" if entry.held else "candidate"


def _verdict(entry: Entry) -> str:
    try:
        return verdict_text(entry)
    except WinprobError:
        return gettext("altered")


def moves_table(registry: Registry, entry: Entry) -> pd.DataFrame:
    """What happened to a model: every line of the log that names it.

    Returns
    -------
    DataFrame with columns ``when, who, verb, from, to, reason``
    """
    own = [line for line in registry.log() if entry.name in (line.source, line.target)]
    return pd.DataFrame([_move(line) for line in own], columns=MOVE_COLUMNS)


def _move(line: LogLine) -> tuple[str | None, ...]:
    return line.when, line.who, line.verb, line.source, line.target, line.reason
