"""How days, numbers and money are written in a country or by a program, and whether a column of them leaves a doubt."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

_EN = "January February March April May June July August September October November December".split()
_DE = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()
_FR = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
_ES = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A spelling of days; ``order`` is the order of day and month where only other cells can settle it."""

    write: Callable[[dt.date], str]
    order: str = ""
    letters: str = "plain"


def _epoch(day: dt.date) -> str:
    return str(int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp() * 1000))


DAYS: Mapping[str, Days] = {
    "iso": Days(write=lambda d: d.isoformat()),
    "iso-slash": Days(write=lambda d: f"{d.year}/{d.month}/{d.day}"),
    "iso-time": Days(write=lambda d: f"{d.isoformat()}T10:20:00"),
    "iso-blank-time": Days(write=lambda d: f"{d.isoformat()} 10:20:00.000"),
    "compact": Days(write=lambda d: f"{d:%Y%m%d}"),
    "chinese": Days(write=lambda d: f"{d.year}年{d.month}月{d.day}日", letters="simplified"),
    "dmy": Days(write=lambda d: f"{d.day:02d}/{d.month:02d}/{d.year}", order="dmy"),
    "mdy": Days(write=lambda d: f"{d.month:02d}/{d.day:02d}/{d.year}", order="mdy"),
    "dmy-dash": Days(write=lambda d: f"{d.day:02d}-{d.month:02d}-{d.year}", order="dmy"),
    "dmy-short": Days(write=lambda d: f"{d.day:02d}/{d.month:02d}/{d:%y}", order="dmy"),
    "mdy-short": Days(write=lambda d: f"{d.month}/{d.day}/{d:%y}", order="mdy"),
    "mdy-ampm": Days(write=lambda d: f"{d.month}/{d.day}/{d.year} 2:05 PM", order="mdy"),
    "mdy-comma-ampm": Days(write=lambda d: f"{d.month}/{d.day}/{d.year}, 9:14 AM", order="mdy"),
    "dmy-clock": Days(write=lambda d: f"{d.day:02d}/{d.month:02d}/{d.year} 14:05", order="dmy"),
    "dotted": Days(write=lambda d: f"{d.day:02d}.{d.month:02d}.{d.year}"),
    "dotted-short": Days(write=lambda d: f"{d.day:02d}.{d.month:02d}.{d:%y}"),
    "en": Days(write=lambda d: f"{d.day} {_EN[d.month - 1][:3]} {d.year}"),
    "en-us": Days(write=lambda d: f"{_EN[d.month - 1]} {d.day}, {d.year}"),
    "en-short": Days(write=lambda d: f"{d.day:02d}-{_EN[d.month - 1][:3]}-{d:%y}"),
    "de": Days(write=lambda d: f"{d.day}. {_DE[d.month - 1]} {d.year}", letters="western"),
    "fr": Days(write=lambda d: f"{d.day} {_FR[d.month - 1]} {d.year}", letters="western"),
    "es": Days(write=lambda d: f"{d.day} de {_ES[d.month - 1]} de {d.year}"),
    "epoch": Days(write=_epoch),
    "serial": Days(write=lambda d: str((d - dt.date(1899, 12, 30)).days)),
}


def days_in_doubt(days: Iterable[dt.date], order: str) -> bool:
    """Whether no cell settles which of 03/04 is the month, and it matters."""
    days = list(days)
    settled = any(day.day > 12 for day in days)
    return bool(order) and not settled and any(day.day != day.month for day in days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A spelling of numbers: marks of groups and of decimals; ``cents`` writes two decimals always."""

    group: str
    point: str
    cents: bool

    def write(self, number: Decimal) -> str:
        whole = number == number.to_integral_value()
        text = f"{number:,.2f}" if self.cents or not whole else f"{number:,.0f}"
        return text.replace(",", "\0").replace(".", self.point).replace("\0", self.group)


NUMBERS: Mapping[str, Numbers] = {
    "plain": Numbers(group="", point=".", cents=False),
    "plain-cents": Numbers(group="", point=".", cents=True),
    "english": Numbers(group=",", point=".", cents=False),
    "english-cents": Numbers(group=",", point=".", cents=True),
    "german": Numbers(group=".", point=",", cents=False),
    "german-cents": Numbers(group=".", point=",", cents=True),
    "comma": Numbers(group="", point=",", cents=False),
    "comma-cents": Numbers(group="", point=",", cents=True),
    "french": Numbers(group="\u00a0", point=",", cents=False),
    "thin": Numbers(group="\u202f", point=",", cents=True),
    "swiss": Numbers(group="'", point=".", cents=True),
}
_EITHER = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_NO_MARK = re.compile(r"\d*")


def numbers_in_doubt(bare: Iterable[str]) -> bool:
    """Whether 1.234 is among the cells, and no other cell settles what its mark means."""
    cells = [cell for cell in bare if not _NO_MARK.fullmatch(cell)]
    either = [cell for cell in cells if _EITHER.fullmatch(cell)]
    return bool(either) and len(either) == len(cells)


#: Signs that mean one currency, and signs that several share.
SIGNS: Mapping[str, str] = {
    "EUR": "€", "GBP": "£", "INR": "₹", "BRL": "R$", "HKD": "HK$", "USD": "$", "CNY": "¥", "JPY": "¥", "MXN": "$",
}  # fmt: skip
SHARED = ("$", "¥")
#: Where the currency is written: not with the amount, or as a code or sign before or behind it.
MONEY = ("none", "code-before", "code-behind", "sign-before", "sign-behind")


def write_money(number: str, currency: str | None, style: str, *, chinese: bool = False) -> tuple[str, str]:
    """The cell of an amount, and the mark of its currency in it; in a Chinese file a bare ¥ is the yuan."""
    if style == "none" or currency is None:
        return number, ""
    signs = {**SIGNS, "JPY": "JP¥"} if chinese else SIGNS
    mark = currency if style.startswith("code") else signs.get(currency, currency)
    if style == "sign-before":
        return (f"{mark}{number}" if mark != currency else f"{mark} {number}"), mark
    return (f"{mark} {number}" if style == "code-before" else f"{number} {mark}"), mark
