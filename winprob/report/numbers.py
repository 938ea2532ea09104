"""How numbers, names and missing facts are written: whole percent, intervals and money, in the current language."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from babel.numbers import format_compact_currency, format_currency, format_decimal

from winprob.i18n import gettext, language
from winprob.methodology import ROLES, is_unknown, label

#: An empty cell.
BLANK = "–"
_LOCALES = {"en": "en", "zh": "zh_CN"}


def percent(share: float) -> str:
    """A whole percent; 0% and 100% only where exact."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def span(lower: float, upper: float) -> str:
    """An interval of shares: ``41–80%``."""
    return f"{percent(lower).rstrip('%')}–{percent(upper)}"


def compact_money(amount: float, currency: str) -> str:
    """``¥1.2亿`` or ``CN¥123.5M``; small amounts to the cent."""
    return format_compact_currency(round(amount, 2) + 0.0, currency, locale=_locale(), fraction_digits=1)


def signed_money(amount: float, currency: str) -> str:
    """A change of money with its sign: ``+CN¥1.2M``, ``−CN¥0.3M``."""
    size = compact_money(abs(amount), currency)
    sign = "±" if size == compact_money(0, currency) else "+" if amount > 0 else "−"
    return sign + size


def points(change: float) -> str:
    """A change of a share in whole points, with its sign: ``+5``, ``−7``."""
    whole_points = round(100 * change)
    return f"{'+' if whole_points > 0 else '−' if whole_points < 0 else '±'}{abs(whole_points)}"


def tied(parts: Sequence[float], total: float) -> list[int]:
    """``parts`` rounded to whole units that sum to the rounded ``total`` (largest remainder method)."""
    floors = [math.floor(part) for part in parts]
    missing = round(total) - sum(floors)
    order = sorted(range(len(parts)), key=lambda at: floors[at] - parts[at])
    lifted = set(order[: max(missing, 0)])
    return [floor + (at in lifted) for at, floor in enumerate(floors)]


def full_money(amount: float, currency: str) -> str:
    """``CNY 1,234,567``, whole units."""
    return format_currency(amount, currency, format="¤¤ #,##0", locale=_locale(), currency_digits=False)


def whole(number: float) -> str:
    """``1,234,567``."""
    return format_decimal(number, format="#,##0", locale=_locale())


def text_of(value: object) -> str:
    """A name unchanged; a blank as a dash."""
    return BLANK if _missing(value) else str(value)


def word_of(word: str, value: object) -> str:
    """The label of a canonical value; "unknown" for a blank."""
    return gettext("unknown") if _missing(value) or is_unknown(value) else label(word, value)


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _locale() -> str:
    return _LOCALES[language()]


#: The nine facts of the method, in the order of display.
FACTS = ("stage", "decision_method", "coach", "approver_coverage", *(f"{role}_support" for role in ROLES))
_KNOWN_BLANK = {"approver_coverage": "unknown"}


#: Columns of ids, and of the names shown in their place.
_NAMES = {"deal_id": "deal_name", "account": "account_name", "seller": "seller_name"}


def shown(deal: Mapping[Any, Any] | pd.Series, column: str) -> str:
    """The name of a deal, its account or its seller; without a name the id, without an id a dash."""
    name = deal.get(_NAMES[column])
    return text_of(deal.get(column)) if _missing(name) else str(name)


def named_with_id(deal: Mapping[Any, Any] | pd.Series) -> str:
    """Name of a deal with its id after it, where they differ."""
    name, number = shown(deal, "deal_id"), str(deal["deal_id"])
    return name if name == number else gettext("{name} ({number})", name=name, number=number)


def name_of(deal: Mapping[Any, Any] | pd.Series) -> str:
    """Name of a deal and, where known, of its account."""
    account = shown(deal, "account")
    return shown(deal, "deal_id") if account == BLANK else f"{shown(deal, 'deal_id')} · {account}"


def missing_facts(review: pd.DataFrame) -> pd.DataFrame:
    """(deal, fact) whether the fact is unknown; columns as in ``FACTS``."""
    return pd.DataFrame({fact: _lacking(review, fact) for fact in FACTS}, index=review.index, dtype=bool)


def _lacking(review: pd.DataFrame, fact: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    absent = np.ones(len(review), dtype=bool)
    for column in (fact, fact.replace("_support", "_readings")):
        if column in review:
            absent &= (review[column].isna() | (review[column] == _KNOWN_BLANK.get(fact))).to_numpy(dtype=bool)
    return absent
