"""Canonical values in the method's order, and when two spellings are the same. Labels and aliases: vocabulary.toml."""

import re
import unicodedata

STAGES = ("difficulty", "exploration", "approval", "evaluation", "decision")
ROLES = ("approver", "decision_maker", "evaluator", "influencer", "procurement")
DECISION_METHODS = ("scoring", "recommendation", "executive")
COACH_STATES = ("none", "unvalidated", "validated")
SUPPORT_TIERS = (1, 2, 3, 4)
COVERAGES = ("unknown", "identified", "contacted", "engaged")
OUTCOMES = ("won", "lost", "no_decision", "open")
REP_CATEGORIES = ("omitted", "pipeline", "best_case", "most_likely", "commit", "closed")

_SEPARATORS = re.compile(r"[\s_]+")


def normal(value: object) -> str:
    """``value`` in the form in which spellings are compared: full-width forms folded, no case, white space, underscore.

    A whole number is the same as text, integer or float: ``3``, ``3.0`` and ``"３"`` are equal.
    """
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", as_word(value)).casefold())


def as_word(value: object) -> str:
    """``value`` as a text; a float that is a whole number without its ``.0``."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def is_blank(value: object) -> bool:
    """Whether a cell is empty: ``None``, NaN, pandas' NA and NaT, or a text of white space."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # by name: this floor does not import pandas
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, float) and value != value
