"""Signs and codes of currencies beside an amount: which currencies ``US$``, ``kr`` or ``EUR`` may mean.

Codes, names and signs are those of the Unicode CLDR (by Babel), with the signs that it lacks below. A sign that several
currencies share means one of them only where the file settles it.
"""

import re
from functools import cache, lru_cache

#: Signs of one currency, or of several (then never guessed). CLDR's own signs are added.
_SIGNS: dict[str, str] = {
    "RMB": "CNY", "人民币": "CNY", "元": "CNY", "CN¥": "CNY", "JP¥": "JPY", "日元": "JPY", "円": "JPY", "US$": "USD",
    "U$": "USD", "USD$": "USD", "$US": "USD", "美元": "USD", "美金": "USD", "€": "EUR", "欧元": "EUR", "£": "GBP",
    "英镑": "GBP", "HK$": "HKD", "港币": "HKD", "港元": "HKD", "NT$": "TWD", "新台币": "TWD", "台币": "TWD",
    "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "NZ$": "NZD", "S$": "SGD", "SG$": "SGD", "MX$": "MXN",
    "Mex$": "MXN", "R$": "BRL", "CHF": "CHF", "SFr.": "CHF", "Fr.": "CHF", "zł": "PLN", "Kč": "CZK", "Ft": "HUF",
    "lei": "RON", "₽": "RUB", "руб.": "RUB", "₺": "TRY", "TL": "TRY", "₴": "UAH", "₦": "NGN", "฿": "THB", "RM": "MYR",
    "R": "ZAR", "Rp": "IDR", "S/": "PEN",
    "$": "USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP UYU", "¥": "CNY JPY", "kr": "SEK NOK DKK ISK",
    "kr.": "DKK SEK NOK ISK", "Rs": "INR PKR LKR NPR MUR", "Rs.": "INR PKR LKR NPR MUR",
}  # fmt: skip
_LOCALES = ("en", "zh", "de", "fr", "es")


@cache
def codes() -> frozenset[str]:
    """Every ISO 4217 code of a currency."""
    from babel.numbers import list_currencies

    return frozenset(list_currencies()) - {"XXX", "XTS"}


@cache
def signs() -> dict[str, frozenset[str]]:
    """The currencies that a sign may mean, by the sign in lower case."""
    from babel.numbers import get_currency_symbol

    found = {sign.casefold(): frozenset(meant.split()) for sign, meant in _SIGNS.items()}
    for code in codes():
        symbol = get_currency_symbol(code, "en").replace("\u202f", " ").casefold()
        if symbol != code.casefold():
            found.setdefault(symbol, frozenset({code}))
    return found


@cache
def _names() -> dict[str, str]:
    """Codes by the names of currencies in several languages, where a name has one."""
    from babel.numbers import get_currency_name

    found: dict[str, set[str]] = {}
    for locale in _LOCALES:
        for code in codes():
            found.setdefault(get_currency_name(code, locale=locale).casefold(), set()).add(code)
    return {name: meant.pop() for name, meant in found.items() if len(meant) == 1}


@cache
def _pattern() -> tuple[re.Pattern[str], re.Pattern[str]]:
    letters = r"[a-z]"
    known = sorted({*signs(), *(code.casefold() for code in codes())}, key=len, reverse=True)
    either = "|".join(map(re.escape, known))
    before = re.compile(rf"({either})(?!{letters})\s*(?=[-+(.0-9])", re.IGNORECASE)
    return before, re.compile(
        rf"(?<=[0-9.)%十百千万亿kmbn])\s*(?<!{letters}{letters}{letters})({either})$", re.IGNORECASE
    )


@lru_cache(4096)
def _split(word: str) -> tuple[str, tuple[str, ...]]:
    before, after = _pattern()
    found: list[str] = []
    if match := before.match(word):
        found.append(match[1])
        word = word[match.end() :].strip()
    if match := after.search(word):
        found.append(match[1])
        word = word[: match.start()].strip()
    return word, tuple(found)


def without_currency(word: str) -> str:
    """``word`` without the sign or code of a currency before or after its digits."""
    return word if word.replace(".", "").replace(",", "").isdecimal() else _split(word)[0]


def sign_of(word: str) -> str:
    """The sign or code of a currency in an amount, "" without one; the code where there are both ($ 100 USD)."""
    if word.isdecimal():
        return ""
    body = word.strip("()").lstrip("+-").strip()
    found = _split(body)[1]
    return min(found, key=lambda sign: len(meant_by(sign)), default="")


def meant_by(sign: str) -> frozenset[str]:
    """The currencies that a sign, a code or a name may mean; none where it is not known."""
    text = sign.strip()
    if text.upper() in codes():
        return frozenset({text.upper()})
    known = signs().get(text.casefold())
    if known is not None:
        return known
    # As lists of currencies write them: "USD - U.S. Dollar", "US Dollar (USD)".
    inside = [code for code in re.findall(r"\b[A-Z]{3}\b", text) if code in codes()]
    if len(set(inside)) == 1:
        return frozenset(inside)
    named = _names().get(text.casefold())
    return frozenset({named}) if named else frozenset()
