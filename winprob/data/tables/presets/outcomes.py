"""How did a deal end? Told by flags such as IsClosed and IsWon; the first rule that holds decides."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import Mask, as_text, mask_of
from winprob.data.tables.presets.preset_files import Rule
from winprob.methodology import normal

_TRUE = frozenset({"true", "1", "yes", "y", "t", "x", "是", "ja", "wahr", "inactive"})
_FALSE = frozenset({"false", "0", "no", "n", "f", "否", "nein", "falsch", "active"})


def derive_outcome(flags: Mapping[str, pd.Series], rules: Iterable[Rule], index: pd.Index) -> pd.Series:
    """The outcome of each row, missing where no rule holds. A flag without a column is blank everywhere."""
    words = {name: _words(cells) for name, cells in flags.items()}
    outcome = np.full(len(index), np.nan, dtype=object)
    undecided = np.ones(len(index), dtype=bool)
    for rule in rules:
        holds = undecided.copy()
        for flag, wanted in rule.when.items():
            holds &= _says(words.get(flag), wanted, len(index))
        outcome[holds] = rule.value
        undecided &= ~holds
    return pd.Series(outcome, index=index, dtype="str")


def is_true(cells: pd.Series) -> Mask:
    """Where a cell says yes, in whichever spelling."""
    return _says(_words(cells), True, len(cells))


def _words(cells: pd.Series) -> pd.Series:
    return as_text(cells).map(normal, na_action="ignore").astype("str")


def _says(words: pd.Series | None, wanted: Any, rows: int) -> Mask:
    if words is None:
        return np.full(rows, wanted == "")
    if wanted in ("", "*"):
        return mask_of(words.isna() if wanted == "" else words.notna())
    if isinstance(wanted, bool):
        return mask_of(words.isin(_TRUE if wanted else _FALSE))
    return mask_of(words.isin([normal(word) for word in (wanted if isinstance(wanted, list) else [wanted])]))
