"""How is a number written? Whole percent, intervals and money, in the language now spoken."""

import math
from collections.abc import Sequence

import pandas as pd
from babel.numbers import format_compact_currency, format_currency, format_decimal

from winprob.i18n import gettext, language
from winprob.methodology import is_unknown, label

#: A cell of which nothing is known.
BLANK = "–"
_LOCALES = {"en": "en", "zh": "zh_CN"}


def percent(share: float) -> str:
    """A whole percent; never a certainty that the model does not claim."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def span(lower: float, upper: float) -> str:
    """An interval of shares: ``41–80%``."""
    return f"{percent(lower).rstrip('%')}–{percent(upper)}"


def compact_money(amount: float, currency: str) -> str:
    """``¥1.2亿`` or ``CN¥123.5M``."""
    return format_compact_currency(amount, currency, locale=_locale(), fraction_digits=1)


def signed_money(amount: float, currency: str) -> str:
    """A change of money with its sign: ``+CN¥1.2M``, ``−CN¥0.3M``."""
    sign = "+" if amount > 0 else "−" if amount < 0 else "±"
    return sign + compact_money(abs(amount), currency)


def points(change: float) -> str:
    """A change of a share in whole points, with its sign: ``+5``, ``−7``."""
    whole_points = round(100 * change)
    return f"{'+' if whole_points > 0 else '−' if whole_points < 0 else '±'}{abs(whole_points)}"


def tied(parts: Sequence[float], total: float) -> list[int]:
    """``parts`` in whole units that add up to the rounded ``total``: the largest remainders are rounded up."""
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
    """A name as it stands; a blank as a dash."""
    return BLANK if _missing(value) else str(value)


def word_of(word: str, value: object) -> str:
    """The label of a canonical value; the word for unknown when it is blank."""
    return gettext("unknown") if _missing(value) or is_unknown(value) else label(word, value)


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _locale() -> str:
    return _LOCALES[language()]
