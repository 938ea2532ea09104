"""When are two ids one deal? Salesforce writes them with 15 or 18 characters, Dynamics with or without braces.

The last three of 18 characters say which of the first 15 are capitals. Case tells ids apart: folding it would make one
deal of two.
"""

import re

import pandas as pd

from winprob.data.schema import as_text
from winprob.data.tables.presets.preset_files import Preset

_SHORT = re.compile(r"[A-Za-z0-9]{15}")
_LONG = re.compile(r"[A-Za-z0-9]{18}")
_GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def suffix(short: str) -> str:
    """The three characters that make an id of 15 one of 18."""
    fives = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(_ALPHABET[sum(1 << at for at, letter in enumerate(five) if "A" <= letter <= "Z")] for five in fives)


def same_ids(values: pd.Series, kind: str) -> pd.Series:
    """``values`` as text in which one deal has one id; what does not look like the CRM's id stays as it is."""
    text = as_text(values)
    if kind == "salesforce":
        return text.map(_long, na_action="ignore").astype("str")
    if kind == "salesforce-other":
        return text.map(lambda word: _long(word) if word.startswith("00") else word, na_action="ignore").astype("str")
    if kind == "guid":
        return text.map(_plain_guid, na_action="ignore").astype("str")
    return text


def other_ids(preset: Preset) -> str:
    """The kind of id that accounts and sellers have, whose column may hold names as well."""
    return "salesforce-other" if preset.ids == "salesforce" else preset.ids


def lost_case(values: pd.Series) -> pd.Series:
    """Where a Salesforce id of 18 does not fit its own last three characters: most often its case was lost."""
    text = as_text(values)
    return text.map(lambda word: bool(_LONG.fullmatch(word)) and suffix(word[:15]) != word[15:].upper()).eq(True)


def _long(word: str) -> str:
    if _SHORT.fullmatch(word):
        return word + suffix(word)
    return word[:15] + word[15:].upper() if _LONG.fullmatch(word) else word


def _plain_guid(word: str) -> str:
    match = _GUID.fullmatch(word)
    return match[1].lower() if match else word
