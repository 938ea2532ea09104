"""Parse days and numbers as written in Chinese, English and German exports.

Each parser reads a column's distinct values once. Whether ``03/04/2026`` is in March or April, and whether ``1.234`` is
about one or above a thousand, is inferred for the whole column from its unambiguous cells; where there are none, the
cell is refused rather than guessed.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import Mask, as_days, as_numbers, as_text, mask_of
from winprob.methodology import is_unknown

_DASHES = frozenset({"-", "--", "–", "—", "/", "\\", "nan", "nat", "none", "null", "n/a", "#n/a"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A parsed column: its values, and the mask of the cells that could not be parsed."""

    read: pd.Series
    refused: Mask


def is_blank_word(text: str) -> bool:
    """Whether the text of a cell of days or numbers means a missing value."""
    return text.casefold() in _DASHES or is_unknown(text)


# ---- days ----------------------------------------------------------------------------------------------------------

_YEAR_FIRST = re.compile(r"(\d{4})\s*(?:-|/|\.|年)\s*(\d{1,2})\s*(?:-|/|\.|月)\s*(\d{1,2})\s*[日号]?")
_COMPACT = re.compile(r"((?:19|20|21|22)\d\d)(\d\d)(\d\d)")
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_YEAR_LAST = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})")
_DAY_NAME = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[\s-]+([A-Za-z]{3,9})\.?,?[\s-]+(\d{4})")
_NAME_DAY = re.compile(r"([A-Za-z]{3,9})\.?[\s-]+(\d{1,2})(?:st|nd|rd|th)?,?[\s-]+(\d{4})")
_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?")
_TIME = re.compile(
    r"(?:[T\s]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[AaPp]\.?[Mm]\.?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?)$"
)
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()}
_MONTHS["sept"] = 9
#: Day 0 of Excel's calendar, for serials after February 1900.
_EXCEL_START = date(1899, 12, 30)


def parse_days(cells: pd.Series, *, day_first: bool | None = None) -> Parsed:
    """Read a column of days.

    Parameters
    ----------
    cells : Series
        Text, or days already.
    day_first : bool or None
        The order in ``03/04/2026``; ``None`` infers it from the column's other cells.

    Returns
    -------
    Parsed
        ``datetime64`` values; times of day are dropped.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return Parsed(read=as_days(cells), refused=np.zeros(len(cells), dtype=bool))
    text = as_text(cells)
    codes, distinct = pd.factorize(text)
    words = [_plain(word) for word in distinct]
    first = _day_comes_first(words) if day_first is None else day_first
    days = [_day(word, first) for word in words]
    refused = np.array(
        [day is None and not is_blank_word(word) for day, word in zip(days, words, strict=True)], dtype=bool
    )
    values = np.array([np.datetime64(day or "NaT", "us") for day in days], dtype="datetime64[us]")
    return Parsed(read=_spread(codes, values, cells, np.datetime64("NaT", "us")), refused=_spread_mask(codes, refused))


def _plain(word: str) -> str:
    """Full-width digits and signs as the plain ones."""
    return word if word.isascii() else unicodedata.normalize("NFKC", word).strip()


def _day_comes_first(words: list[str]) -> bool | None:
    """Whether 03/04 means the third of April, inferred from cells such as 13/04 and 03/14; ``None`` if unknown."""
    matches = [match for word in words if (match := _YEAR_LAST.fullmatch(_TIME.sub("", word)))]
    day_first = any(int(match[1]) > 12 for match in matches)
    month_first = any(int(match[3]) > 12 for match in matches)
    return day_first if day_first != month_first else None


def _day(word: str, day_first: bool | None) -> date | None:
    word = _TIME.sub("", word).strip()
    try:
        if match := _YEAR_FIRST.fullmatch(word) or _COMPACT.fullmatch(word):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := _DOTTED.fullmatch(word):
            return date(int(match[3]), int(match[2]), int(match[1]))
        if match := _YEAR_LAST.fullmatch(word):
            return _year_last(int(match[1]), int(match[3]), int(match[4]), day_first)
        if match := _DAY_NAME.fullmatch(word):
            return date(int(match[3]), _MONTHS[match[2].casefold()], int(match[1]))
        if match := _NAME_DAY.fullmatch(word):
            return date(int(match[3]), _MONTHS[match[1].casefold()], int(match[2]))
        if match := _SERIAL.fullmatch(word):
            return _EXCEL_START + timedelta(days=int(match[1]))
    except (ValueError, KeyError):
        return None
    return None


def _year_last(first: int, second: int, year: int, day_first: bool | None) -> date | None:
    if first == second or second > 12:
        return date(year, first, second)
    if first > 12:
        return date(year, second, first)
    if day_first is None:
        return None
    return date(year, second, first) if day_first else date(year, first, second)


# ---- numbers -------------------------------------------------------------------------------------------------------

_PLAIN = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_UNITS = {
    "": 0, "千": 3, "k": 3, "万": 4, "w": 4, "十万": 5, "百万": 6, "m": 6, "mn": 6, "mm": 6, "million": 6, "千万": 7,
    "亿": 8, "十亿": 9, "b": 9, "bn": 9, "billion": 9, "百亿": 10, "千亿": 11, "万亿": 12,
}  # fmt: skip
_CURRENCY = re.compile(
    r"^(?:RMB|CNY|USD|EUR|GBP|JPY|HKD|US\$|HK\$|NT\$|人民币|[¥$€£₩₹])|(?:RMB|CNY|USD|EUR|GBP|JPY|HKD|[¥$€£₩₹])$", re.I
)
_NUMBER = re.compile(r"([+-]?)([\d.,' \u00a0\u202f]*\d[\d.,' \u00a0\u202f]*?)\s*([a-zA-Z十百千万亿]*)\s*(%?)")
_CHAIN = re.compile(r"([\d.,]+亿)([\d.,]+万)")
_COMMA_GROUPS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_DOT_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d*)?")
_EITHER_COMMA = re.compile(r"[1-9]\d{0,2},\d{3}")
_EITHER_DOT = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
_COMMA_DECIMAL = re.compile(r"\d+,\d+")
_INFINITE = re.compile(r"([+-]?)(?:inf|infinity|∞)", re.I)


def parse_numbers(cells: pd.Series) -> Parsed:
    """Read a column of numbers: ``1,200万``, ``¥3.5亿``, ``1.234,56 €``, ``62%``, ``(300)``.

    Returns
    -------
    Parsed
        ``float64`` values; a percentage becomes a share. An infinite value is kept for the validation to refuse.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return Parsed(read=as_numbers(cells), refused=np.zeros(len(cells), dtype=bool))
    text = as_text(cells)
    plain = mask_of(text.notna()) & mask_of(text.str.fullmatch(_PLAIN))
    values = pd.to_numeric(text.where(plain), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    rest = text.mask(plain)
    comma_decimal = _decimal_comma(rest, text)
    if comma_decimal is not False:
        either = mask_of(text.str.fullmatch(_EITHER_DOT.pattern))
        rest = rest.where(~either, text)
    codes, distinct = pd.factorize(rest)
    numbers = [_number(_plain(word), comma_decimal) for word in distinct]
    refused = np.array(
        [number is None and not is_blank_word(word) for number, word in zip(numbers, distinct, strict=True)], dtype=bool
    )
    read = np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)
    slow = codes >= 0
    values[slow] = read[codes[slow]]
    return Parsed(read=pd.Series(values, index=cells.index, name=cells.name), refused=_spread_mask(codes, refused))


def _decimal_comma(rest: pd.Series, text: pd.Series) -> bool | None:
    """Whether a comma is this column's decimal point; ``None`` when its cells contradict one another."""
    bodies = [match[2].strip() for word in rest.dropna().unique() if (match := _match(_plain(word)))]
    comma = any(_is_european(body) for body in bodies)
    if not comma:
        return False
    point = any(_COMMA_GROUPS.fullmatch(body) and not _EITHER_COMMA.fullmatch(body) for body in bodies)
    fine = text.str.fullmatch(r"[+-]?\d*\.\d*") & ~text.str.fullmatch(_EITHER_DOT.pattern)
    return None if point or mask_of(fine).any() else True


def _is_european(body: str) -> bool:
    if _COMMA_GROUPS.fullmatch(body):
        return False
    return bool(_COMMA_DECIMAL.fullmatch(body)) or (
        bool(_DOT_GROUPS.fullmatch(body)) and not _EITHER_DOT.fullmatch(body)
    )


def _match(word: str) -> re.Match[str] | None:
    word = word.replace("−", "-")  # as typesetters write it
    if word.startswith("(") and word.endswith(")"):
        word = f"-{word[1:-1]}"
    sign, body = (word[:1], word[1:]) if word[:1] in "+-" else ("", word)
    body = _CURRENCY.sub("", body.strip()).strip().removesuffix("元").strip()
    body = _CURRENCY.sub("", body).strip()
    if sign and body[:1] in ("+", "-"):
        return None
    return _NUMBER.fullmatch(sign + body)


def _number(word: str, comma_decimal: bool | None) -> float | None:
    if match := _INFINITE.fullmatch(word):
        return -np.inf if match[1] == "-" else np.inf
    if chain := _CHAIN.fullmatch(_CURRENCY.sub("", word).removesuffix("元")):
        parts = [_number(part, comma_decimal) for part in chain.groups()]
        return None if None in parts else float(sum(part for part in parts if part is not None))
    match = _match(word)
    if match is None or match[3].casefold() not in _UNITS:
        return None
    digits = _digits(re.sub(r"[' \u00a0\u202f](?=\d{3}(?!\d))", "", match[2].strip()), comma_decimal)
    if digits is None:
        return None
    power = _UNITS[match[3].casefold()] - (2 if match[4] else 0)
    return float(Decimal(match[1] + digits).scaleb(power))


def _digits(body: str, comma_decimal: bool | None) -> str | None:
    """``body`` without group marks and with a point for decimals; ``None`` where it is ambiguous."""
    if comma_decimal is None and (_EITHER_COMMA.fullmatch(body) or _EITHER_DOT.fullmatch(body)):
        return None
    if comma_decimal and (_EITHER_COMMA.fullmatch(body) or _EITHER_DOT.fullmatch(body)):
        return body.replace(".", "").replace(",", ".")
    if _COMMA_GROUPS.fullmatch(body):
        return body.replace(",", "")
    if re.fullmatch(r"\d+\.?\d*|\.\d+", body):
        return body
    if _DOT_GROUPS.fullmatch(body) or _COMMA_DECIMAL.fullmatch(body):
        return body.replace(".", "").replace(",", ".")
    return None


# ---- any cell ------------------------------------------------------------------------------------------------------


def by_value(cells: pd.Series, read: Callable[[str], str | None]) -> tuple[pd.Series, Mask]:
    """``read`` applied once to each distinct text; where it gives ``None``, the cell is missing and in the mask."""
    text = as_text(cells)
    codes, distinct = pd.factorize(text)
    words = [read(word) for word in distinct]
    refused = np.array([word is None for word in words], dtype=bool)
    values = np.array([word or np.nan for word in words], dtype=object)
    return _spread(codes, values, cells, np.nan).astype("str"), _spread_mask(codes, refused)


def _spread(
    codes: npt.NDArray[np.intp], distinct: npt.NDArray[np.generic], cells: pd.Series, missing: object
) -> pd.Series:
    values = np.append(distinct, np.array([missing], dtype=distinct.dtype))
    return pd.Series(values[codes], index=cells.index, name=cells.name)


def _spread_mask(codes: npt.NDArray[np.intp], distinct: Mask) -> Mask:
    return np.append(distinct, False)[codes]
