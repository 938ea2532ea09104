"""How numbers, names, missing facts and money are written, in the current language; the one money format of a page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from babel.numbers import format_compact_currency, format_currency, format_decimal, get_currency_symbol

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


#: Units from the largest one, each used from ten times itself on, or from itself on where it is the page's main unit.
_UNITS = {"en": ((1e9, "B"), (1e6, "M"), (1e3, "K")), "zh": ((1e8, "亿"), (1e4, "万"))}
#: Billions, and 亿, are used from this multiple on: below it the smaller unit is easier to compare.
_LARGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """How a page writes money: ``CN¥34.4M``, ``¥3,439万``.

    Attributes
    ----------
    unit : what a written one is worth
    places : most decimal places, those of `exact`
    """

    currency: str
    unit: float
    suffix: str
    places: int

    @staticmethod
    def of(scale: float, currency: str) -> "Money":
        """The format of a page whose main amount is ``scale``, in the current language."""
        largest, *smaller = _UNITS[language()]
        for unit, suffix in ([largest] if abs(scale) >= _LARGE * largest[0] else []) + smaller:
            if abs(scale) >= unit:
                places = 0 if abs(scale) >= 1000 * unit else 2
                return Money(currency=currency, unit=unit, suffix=suffix, places=places)
        return Money(currency=currency, unit=1.0, suffix="", places=0 if abs(scale) >= 1000 else 2)

    def text(self, amount: float) -> str:
        """An amount with three significant digits, at most ``places`` decimals; blank where unknown."""
        if math.isnan(amount):
            return BLANK
        size = abs(amount) / self.unit
        digits = 2 - math.floor(math.log10(size)) if size > 0 else 0
        return self._written(amount, min(max(digits, 0), self.places))

    def exact(self, amount: float) -> str:
        """An amount with all the page's decimals: parts rounded by `tie` sum to what is written."""
        return BLANK if math.isnan(amount) else self._written(amount, self.places)

    def signed(self, amount: float) -> str:
        """A change with its sign: ``+CN¥1.20M``, ``−CN¥0.30M``."""
        return self._sign(amount, self.text(abs(amount)))

    def signed_exact(self, amount: float) -> str:
        """A change with its sign and all decimals."""
        return self._sign(amount, self.exact(abs(amount)))

    def tie(self, parts: Sequence[float], total: float) -> list[float]:
        """``parts`` rounded to the page's last decimal, so that they sum to the rounded ``total``."""
        step = self.unit / 10**self.places
        return [part * step for part in tied([part / step for part in parts], total / step)]

    def rounded(self, amount: float) -> float:
        """An amount rounded to the page's last decimal."""
        step = self.unit / 10**self.places
        return float(round(amount / step) * step)

    def _written(self, amount: float, places: int) -> str:
        number = round(amount / self.unit, places) + 0.0
        if not number:
            places = 0
        pattern = "¤#,##0" + ("." + "0" * places if places else "")
        text = format_currency(number, self.currency, format=pattern, locale=_locale(), currency_digits=False)
        return text + self.suffix if number else text

    def _sign(self, amount: float, size: str) -> str:
        if size == BLANK:
            return size
        if size == self._written(0.0, 0):
            return "±" + size
        return ("+" if amount > 0 else "−") + size

    def name(self) -> str:
        """The currency as the page names it: its code, and the sign where that is another one."""
        sign = get_currency_symbol(self.currency, locale=_locale()) if self.currency else ""
        return (
            self.currency
            if sign in ("", self.currency)
            else gettext("{what} ({state})", what=self.currency, state=sign)
        )


def days_left(facts: Mapping[Any, Any] | pd.Series) -> int | None:
    """Days from the reading to the expected close; None where one of them is unknown."""
    read, close = facts.get("as_of"), facts.get("expected_close_on")
    return None if pd.isna(read) or pd.isna(close) else int((close - read).days)
