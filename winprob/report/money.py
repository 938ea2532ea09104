"""One money format for a page: one currency sign and one unit, with three significant digits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from babel.numbers import format_currency, get_currency_symbol

from winprob.i18n import gettext, language
from winprob.report.numbers import BLANK, tied

#: Units from the largest one, each used from ten times itself on, or from itself on where it is the page's main unit.
_UNITS = {"en": ((1e9, "B"), (1e6, "M"), (1e3, "K")), "zh": ((1e8, "亿"), (1e4, "万"))}
_LOCALES = {"en": "en", "zh": "zh_CN"}
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
        text = format_currency(
            number, self.currency, format=pattern, locale=_LOCALES[language()], currency_digits=False
        )
        return text + self.suffix if number else text

    def _sign(self, amount: float, size: str) -> str:
        if size == BLANK:
            return size
        if size == self._written(0.0, 0):
            return "±" + size
        return ("+" if amount > 0 else "−") + size

    def name(self) -> str:
        """The currency as the page names it: its code, and the sign where that is another one."""
        sign = get_currency_symbol(self.currency, locale=_LOCALES[language()]) if self.currency else ""
        return (
            self.currency
            if sign in ("", self.currency)
            else gettext("{what} ({state})", what=self.currency, state=sign)
        )
