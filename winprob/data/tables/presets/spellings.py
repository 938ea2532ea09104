"""Spellings of a CRM: headers, record ids and the flags from which the outcome is derived.

Case, blanks and underscores of a header do not count: StageName, stage_name, Stage Name. Salesforce writes an id with
15 or 18 characters, Dynamics 365 with or without braces. The last three of 18 characters encode which of the first 15
are capitals; case distinguishes ids, so it is never ignored.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import COLUMNS, ID, Mask, as_text, mask_of
from winprob.data.tables.presets.preset_files import PRESETS, Preset, Rule, read_preset
from winprob.data.tables.sheets.files import parse_sheet, read_bytes
from winprob.methodology import canonical_column, normal

_SHORT = re.compile(r"[A-Za-z0-9]{15}")
_LONG = re.compile(r"[A-Za-z0-9]{18}")
_GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")
_PIPELINE = re.compile(r"\s*[(\uff08][^()\uff08\uff09]*[)\uff09]$")
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d "
#: Columns on the stage of today, whichever it is.
_NO_STAGE = frozenset({"currentstage", "stage", "dealstage"})
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_TRUE = frozenset({"true", "1", "yes", "y", "t", "x", "是", "ja", "wahr", "inactive"})
_FALSE = frozenset({"false", "0", "no", "n", "f", "否", "nein", "falsch", "active"})

# ---- headers --------------------------------------------------------------------------------------------------------


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether ``name`` is one of ``patterns``, in which * matches anything."""
    return any(fnmatchcase(normal(name), normal(pattern)) for pattern in patterns)


def find_header(wanted: Iterable[str], headers: Iterable[str]) -> str | None:
    """The first of the ``wanted`` names among ``headers``, as the file spells it; None where there is none."""
    by_name: dict[str, str] = {}
    for header in headers:
        by_name.setdefault(normal(header), header)
    return next((by_name[normal(name)] for name in wanted if normal(name) in by_name), None)


def stage_columns(spec: Mapping[str, Any], headers: Iterable[str]) -> dict[str, str]:
    """The stage of each column with the days on which one was entered, by a prefix of its name or by its label.

    ``hs_v2_date_entered_contractsent``, ``Date entered "Contract Sent (Sales Pipeline)"``, in any quotes or none.
    """
    stages: dict[str, str] = {}
    for header in map(str, headers):
        prefix = next((each for each in spec.get("prefixes", []) if header.casefold().startswith(each)), None)
        label = next(
            (each for each in spec.get("labels", []) if header.casefold().startswith(f"{each.casefold()} ")), None
        )
        if start := prefix or label:
            stages[header] = header[len(start) :].strip().strip(_QUOTES).strip()
    return {header: stage for header, stage in stages.items() if stage and normal(stage) not in _NO_STAGE}


def without_pipeline(stage: str) -> str:
    """A stage without the pipeline that HubSpot writes in parentheses after it."""
    return _PIPELINE.sub("", stage) or stage


def known_header(preset: Preset) -> Callable[[str], bool]:
    """Whether a header is one that the preset looks for, in whichever of the CRM's tables."""
    names = {normal(name) for name in _names(preset)}
    return lambda header: normal(header) in names


def _names(preset: Preset) -> Iterator[str]:
    for given in preset.columns.values():
        yield from given["column"]
    for names in preset.flags.values():
        yield from names
    yield from _texts(preset.people)
    for log in preset.changes.values():
        yield from _texts(log)


def _texts(table: Any) -> Iterator[str]:
    return (name for names in table.values() if isinstance(names, list) for name in names)


# ---- record ids -----------------------------------------------------------------------------------------------------


def suffix(short: str) -> str:
    """The three check characters that extend an id of 15 characters to 18."""
    fives = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(_ALPHABET[sum(1 << at for at, letter in enumerate(five) if "A" <= letter <= "Z")] for five in fives)


def same_ids(values: pd.Series, kind: str) -> pd.Series:
    """``values`` as text with one spelling of each id; a cell that is not an id of the CRM is unchanged."""
    text = as_text(values)
    if kind == "salesforce":
        return text.map(_long, na_action="ignore").astype("str")
    if kind == "salesforce-other":
        return text.map(lambda word: _long(word) if word.startswith("00") else word, na_action="ignore").astype("str")
    if kind == "guid":
        return text.map(_plain_guid, na_action="ignore").astype("str")
    return text


def other_ids(preset: Preset) -> str:
    """The kind of id of accounts and sellers, whose columns may hold names as well."""
    return "salesforce-other" if preset.ids == "salesforce" else preset.ids


def lost_case(values: pd.Series) -> pd.Series:
    """(row,) whether a Salesforce id of 18 characters contradicts its check characters: its case was lost."""
    text = as_text(values)
    return text.map(
        lambda word: bool(_LONG.fullmatch(word)) and suffix(word[:15]) != word[15:].upper(), na_action="ignore"
    ).eq(True)


def _long(word: str) -> str:
    if _SHORT.fullmatch(word):
        return word + suffix(word)
    return word[:15] + word[15:].upper() if _LONG.fullmatch(word) else word


def _plain_guid(word: str) -> str:
    match = _GUID.fullmatch(word)
    return match[1].lower() if match else word


# ---- the outcome ----------------------------------------------------------------------------------------------------


def derive_outcome(flags: Mapping[str, pd.Series], rules: Iterable[Rule], index: pd.Index) -> pd.Series:
    """(row,) the outcome by the first rule that holds, missing where none does; a flag without a column is blank."""
    words = {name: _normalised(cells) for name, cells in flags.items()}
    outcome = np.full(len(index), np.nan, dtype=object)
    undecided = np.ones(len(index), dtype=bool)
    for rule in rules:
        holds = undecided.copy()
        for flag, wanted in rule.when.items():
            holds &= _flag_is(words.get(flag), wanted, len(index))
        outcome[holds] = rule.value
        undecided &= ~holds
    return pd.Series(outcome, index=index, dtype="str")


def is_true(cells: pd.Series) -> Mask:
    """(row,) whether a cell means yes, in any spelling."""
    return _flag_is(_normalised(cells), True, len(cells))


def _normalised(cells: pd.Series) -> pd.Series:
    return as_text(cells).map(normal, na_action="ignore").astype("str")


def _flag_is(words: pd.Series | None, wanted: Any, rows: int) -> Mask:
    """(row,) whether a flag is what a rule wants: true, false, one of some words, "" for blank or * for any value."""
    if words is None:
        return np.full(rows, wanted == "")
    if wanted in ("", "*"):
        return mask_of(words.isna() if wanted == "" else words.notna())
    if isinstance(wanted, bool):
        return mask_of(words.isin(_TRUE if wanted else _FALSE))
    return mask_of(words.isin([normal(word) for word in (wanted if isinstance(wanted, list) else [wanted])]))


# ---- which CRM an export comes from --------------------------------------------------------------------------------


def detect_preset(path: str | Path, *, encoding: str | None = None) -> str | None:
    """The preset that knows most headers of an export; None where the canonical names and their aliases know as many.

    A preset that finds no id does not count.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    presets = {name: read_preset(name) for name in PRESETS}
    known = {name: known_header(preset) for name, preset in presets.items()}

    def is_known(header: str) -> bool:
        return _is_canonical(header) or any(knows(header) for knows in known.values())

    sheet = parse_sheet(read_bytes(path), str(path), encoding=encoding, known=is_known)
    headers = list(map(str, sheet.cells.columns))
    # Of two presets that find as many columns, the one that knows more of the headers.
    scores = {
        name: (_columns_found(preset, headers), sum(map(known[name], headers)))
        for name, preset in presets.items()
        if find_header(preset.columns[ID]["column"], headers) is not None
    }
    own = len({canonical_column(header) for header in headers if _is_canonical(header)})
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best][0] <= own:
        return None
    return best


def _columns_found(preset: Preset, headers: list[str]) -> int:
    return sum(find_header(given["column"], headers) is not None for given in preset.columns.values())


def _is_canonical(header: str) -> bool:
    return canonical_column(header) in COLUMNS
