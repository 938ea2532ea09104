"""Numbers in words: groups of digits, decimal marks, units such as 万 and million, percentages; without a currency.

``1.234`` is a thousand or about one. What a column's other cells give away about it is collected as `Marks`; a `Reader`
applies what was settled, and leaves what is still open unread rather than guess.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
import pandas as pd

from winprob.data.schema import as_text, mask_of
from winprob.data.tables.values.money import sign_of, without_currency
from winprob.data.tables.values.parsed import is_texts, matches, plain

#: What a column's numbers are. A decimal of three places is unusual in money, and usual in a rate or a share.
Kind = Literal["number", "money", "rate", "share"]

PLAIN = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
EITHER = r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}"
_UNITS = {
    "": 0, "千": 3, "k": 3, "tsd": 3, "万": 4, "w": 4, "十万": 5, "百万": 6, "m": 6, "mn": 6, "mm": 6, "mio": 6,
    "million": 6, "millionen": 6, "millions": 6, "millones": 6, "千万": 7, "亿": 8, "十亿": 9, "b": 9, "bn": 9,
    "mrd": 9, "billion": 9, "百亿": 10, "千亿": 11, "万亿": 12,
}  # fmt: skip
_WORD = re.compile(r"([+-]?)([0-9][0-9., '\u2019]*|\.[0-9]+)\s*([a-zA-Z十百千万亿]*)\.?\s*(%?)")
_CHAIN = re.compile(r"([0-9.,]+亿)([0-9.,]+万)")
_SPACED = re.compile(r"[0-9]{1,3}(?:([ '\u2019])[0-9]{3})(?:\1[0-9]{3})*([.,][0-9]+)?")
#: By thousands, or as in India: 12,34,567. A group does not begin with a zero.
_COMMA_GROUPS = re.compile(r"[1-9](?:[0-9]{0,2}(?:,[0-9]{3})+|[0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:\.[0-9]*)?")
_DOT_GROUPS = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]*)?")
_EITHER = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_COMMA_DECIMAL = re.compile(r"[0-9]+,[0-9]+")
_POINT_DECIMAL = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
_INFINITE = re.compile(r"([+-]?)(?:inf|infinity|∞)", re.IGNORECASE)
_GROUP, _DECIMAL = "group", "decimal"
#: What the comma and what the point is; None where it is open.
_Pair = tuple[str | None, str | None]
_OPEN: _Pair = (None, None)
#: Cells that most often show already what the rest would.
_FEW = 1000
_CHINESE_UNIT = re.compile(r"[十百千万亿]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Whether some cell of a column shows that the comma, or the point, is its decimal mark."""

    comma: bool = False
    point: bool = False

    def __add__(self, other: "Marks") -> "Marks":
        return Marks(comma=self.comma or other.comma, point=self.point or other.point)

    @property
    def decimal_comma(self) -> bool | None:
        """Whether the comma is the decimal mark; None where nothing, or a contradiction, was found."""
        return self.comma if self.comma != self.point else None


def marks_of(cells: pd.Series) -> Marks:
    """The decimal marks that a column's cells give away."""
    if not is_texts(cells):
        return Marks()
    text = as_text(cells)
    found = Marks(point=_has_point(text.head(_FEW)) or _has_point(text))
    rest = text[mask_of(text.notna()) & ~matches(text, f"(?:{PLAIN})$")]
    for word in rest.unique():
        if found.comma and found.point:
            break
        found += _shown_by(plain(str(word)))
    return found


def _has_point(text: pd.Series) -> bool:
    """Whether some plain number has a point that cannot mark thousands."""
    decimal = matches(text, rf"(?:{PLAIN})$") & matches(text, r"[^.]*\.")
    return bool(decimal.any() and (decimal & ~matches(text, f"{EITHER}$")).any())


def _shown_by(word: str) -> Marks:
    match = _WORD.fullmatch(_unsigned(word))
    if match is None:
        return Marks()
    body = match[2].strip()
    if _EITHER.fullmatch(body):
        return Marks(point=True) if _CHINESE_UNIT.search(match[3]) else Marks()
    if spaced := _SPACED.fullmatch(body):
        return Marks(comma=(spaced[2] or "")[:1] == ",", point=(spaced[2] or "")[:1] == ".")
    if _COMMA_GROUPS.fullmatch(body):
        return Marks(point=True)
    if _POINT_DECIMAL.fullmatch(body):
        return Marks(point="." in body)
    return Marks(comma=bool(_DOT_GROUPS.fullmatch(body) or _COMMA_DECIMAL.fullmatch(body)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How the numbers of one column are read.

    Attributes
    ----------
    any_cell : what the comma and the point are in a cell such as 1,234: "decimal", "group", or None where it is open
    money : the same in a cell with a currency
    percent : whether a percentage is accepted
    """

    any_cell: _Pair
    money: _Pair
    percent: bool = True

    def read(self, word: str) -> float | None:
        """The number that ``word`` means, or None; infinities are read, for the caller to refuse."""
        word = plain(word)
        if match := _INFINITE.fullmatch(word):
            return -np.inf if match[1] == "-" else np.inf
        if chain := _CHAIN.fullmatch(without_currency(word)):
            parts = [self.read(part) for part in chain.groups()]
            return None if None in parts else float(sum(part for part in parts if part is not None))
        match = _WORD.fullmatch(_unsigned(word))
        if match is None or match[3].casefold() not in _UNITS or (match[4] and not self.percent):
            return None
        marks = self.money if sign_of(word) else self.any_cell
        if _CHINESE_UNIT.search(match[3]):
            marks = (_GROUP, _DECIMAL)
        digits = _digits(match[2].strip(), *marks)
        if digits is None:
            return None
        return float(Decimal(match[1] + digits).scaleb(_UNITS[match[3].casefold()] - (2 if match[4] else 0)))

    def doubts(self, word: str) -> bool:
        """Whether ``word`` is a number that reads in two ways."""
        match = _WORD.fullmatch(_unsigned(plain(word)))
        return bool(match and _EITHER.fullmatch(match[2].strip()))


def reader(own: Marks, others: Marks, kind: Kind, setting: bool | None) -> Reader:
    """The reader of a column by its own marks, else by the user's setting, else by the file's other columns."""
    found = own.decimal_comma
    contradiction = (own.comma and own.point) or (found is not None and setting is not None and found != setting)
    settled = found if found is not None else setting
    if contradiction:
        return Reader(any_cell=_OPEN, money=_OPEN, percent=kind != "money")
    if settled is not None:
        return Reader(any_cell=_pair(settled), money=_pair(settled), percent=kind != "money")
    others_comma = others.decimal_comma
    # Money has no three decimals: a mark that is the decimal mark elsewhere is in doubt here.
    money = (None, _GROUP) if others_comma else (_GROUP, None)
    return Reader(any_cell=_by_kind(kind, others_comma, money), money=money, percent=kind != "money")


def _by_kind(kind: Kind, others_comma: bool | None, money: _Pair) -> _Pair:
    """What the marks are in a column whose own cells do not show it."""
    if kind == "money":
        return money
    if kind == "share":
        return _DECIMAL, _DECIMAL
    if others_comma is not None:
        return _pair(others_comma)
    return (None, _DECIMAL) if kind == "rate" else _OPEN


def _pair(decimal_comma: bool) -> _Pair:
    return (_DECIMAL, _GROUP) if decimal_comma else (_GROUP, _DECIMAL)


def _unsigned(word: str) -> str:
    """``word`` without its currency; accountants' brackets as a minus before it."""
    if word.startswith("(") and word.endswith(")"):
        word = f"-{word[1:-1].strip()}"
    sign, body = (word[:1], word[1:].strip()) if word[:1] in ("+", "-") else ("", word)
    body = without_currency(body)
    if body.startswith("(") and body.endswith(")") and not sign:
        sign, body = "-", body[1:-1].strip()
    return body if not sign else "" if body[:1] in ("+", "-") else sign + body


def _digits(body: str, comma: str | None, point: str | None) -> str | None:
    """``body`` without group marks and with a point for decimals; ``None`` where it is none, or in doubt."""
    if _EITHER.fullmatch(body):
        mark = "," if "," in body else "."
        meaning = comma if mark == "," else point
        return None if meaning is None else body.replace(mark, "." if meaning == _DECIMAL else "")
    if spaced := _SPACED.fullmatch(body):
        return body.replace(spaced[1], "").replace(",", ".")
    if _COMMA_GROUPS.fullmatch(body):
        return body.replace(",", "")
    if _POINT_DECIMAL.fullmatch(body):
        return body
    if _DOT_GROUPS.fullmatch(body) or _COMMA_DECIMAL.fullmatch(body):
        return body.replace(".", "").replace(",", ".")
    return None
