"""When are two spellings the same word, and when is a cell blank?"""

import re
import unicodedata

_SEPARATORS = re.compile(r"[\s_]+")


def normal(value: object) -> str:
    """``value`` as it is compared: full-width forms folded, case, white space and underscores dropped.

    A whole number reads the same as text, integer or float: ``3``, ``3.0`` and ``"３"`` are one.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", str(value)).casefold())


def is_blank(value: object) -> bool:
    """Whether a cell holds nothing: ``None``, NaN, pandas' NA and NaT, or a text of white space."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # by name: this floor knows no pandas
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, float) and value != value
