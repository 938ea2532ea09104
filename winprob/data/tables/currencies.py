"""The currency of each amount: from the currency column, else from the sign or code beside the amount.

A sign that several currencies share is settled by the currency column, by the other amounts or by the file's language;
else it is an error that asks, as is an amount whose sign contradicts the currency column. Where all amounts have the
same shared sign they are of one unnamed currency: a warning.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.data.schema import Mask, as_text, mask_of
from winprob.data.tables.deal_notes import Place, Reading, called
from winprob.data.tables.mapping import Source
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.money import codes, meant_by, sign_of
from winprob.data.tables.values.parsed import is_texts, matches, plain, spread_mask
from winprob.i18n import gettext

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Currencies by row; rows whose sign contradicts the currency column, or leaves it open; amounts without one."""

    currency: pd.Series
    contradictory: Mask
    open: Mask
    without: Mask


def currency_word(text: str, lookup: Mapping[str, str]) -> str | None:
    """A currency's code from a cell of the currency column, or of the amounts; "" for none, None for a doubtful one.

    Parameters
    ----------
    lookup : codes by the signs and words that a mapping names
    """
    word = plain(text)
    sign = sign_of(word)
    if sign and sign in lookup:
        return lookup[sign]
    meant = meant_by(word) or meant_by(sign)
    if len(meant) == 1:
        return next(iter(meant))
    return None if meant or not re.search(r"[0-9]", word) else ""


def fill_currency(
    sheet: Sheet, sources: Iterable[Source], known: frozenset[str], columns: dict[str, pd.Series], reading: Reading
) -> None:
    """Fill ``currency`` from the signs beside the amounts."""
    by_target = {source.target: source for source in sources}
    if "amount" not in by_target:
        return
    cells = sheet.cells[by_target["amount"].column]
    source = by_target.get("currency")
    lookup = dict(source.lookup) if source else {}
    headers = list(map(str, sheet.cells.columns))
    priced = with_currencies(cells, columns.get("currency"), lookup, headers, known)
    if priced is None:
        return
    columns["currency"] = priced.currency.rename("currency")
    what = called("amount", by_target["amount"].column)
    place = Place(reading=reading, sheet=sheet, column="currency", what=what, cells=cells)
    place.note(
        priced.contradictory,
        lambda **spot: gettext(
            "{what} has a currency that contradicts the currency column in {rows} rows, first row {row}, deal {deal}, "
            "has {got}: correct one of them",
            **spot,
        ),
    )
    place.note(
        priced.without,
        lambda **spot: gettext(
            "{what} has no currency in {rows} rows, unlike the others, first row {row}, deal {deal}, has {got}: these "
            "amounts are not counted in a forecast",
            **spot,
        ),
        "warning",
    )
    if priced.open.any():
        _note_open(place, priced, by_target["amount"].column)


def _note_open(place: Place, priced: Priced, column: str) -> None:
    """Ask what a shared sign means; one sign on all amounts leaves one unnamed currency, which adds up: a warning."""
    signs = {sign_of(plain(str(cell))) for cell in place.cells[priced.open].unique()}
    sign = min(signs)
    one_currency = len(signs) == 1 and not priced.currency.notna().any()
    place.note(
        priced.open,
        lambda **spot: gettext(
            "{what} has the sign {sign}, which may be {codes}, in {rows} rows, first row {row}, deal {deal}, "
            "has {got}: add a currency column, or map the sign in mapping.toml: "
            "[columns] currency = {{ column = {column}, "
            'values = {{ {code} = ["{sign}"] }} }}',
            sign=sign,
            codes=", ".join(sorted(meant_by(sign))),
            code="USD" if "USD" in meant_by(sign) else min(meant_by(sign)),
            column=f'"{column}"',
            **spot,
        ),
        "warning" if one_currency else "error",
    )


def certain_currencies(cells: pd.DataFrame, sources: Iterable[Source]) -> frozenset[str]:
    """The currencies that the amounts and the currency column name without a doubt."""
    lookup = next((source.lookup for source in sources if source.target == "currency"), {})
    found: set[str | None] = set()
    for source in sources:
        if source.target in ("amount", "currency") and is_texts(cells[source.column]):
            words = as_text(cells[source.column])
            distinct = words[matches(words, r".*[^0-9.,+\-\s]")].unique()
            # A file that writes HK$ for one currency means another by $: beside an amount only a code is certain.
            named = source.target == "currency"
            found |= {currency_word(str(word), lookup) if named else sign_of(plain(word)).upper() for word in distinct}
    return frozenset(code for code in found if code in codes())


def with_currencies(
    amounts: pd.Series,
    given: pd.Series | None,
    lookup: Mapping[str, str],
    headers: list[str],
    known: frozenset[str] = frozenset(),
) -> Priced | None:
    """The currency of each amount; None where no amount has a sign.

    Parameters
    ----------
    amounts : cells of the amounts
    given : codes of the currency column, if there is one
    lookup : codes by the signs that a mapping names
    headers : of the file, whose language settles a ¥
    known : currencies that the file names elsewhere
    """
    if not is_texts(amounts):
        return None
    text = as_text(amounts)
    with_sign = text.where(matches(text, r".*[^0-9.,+\-\s]"))
    if with_sign.isna().all():
        return None
    places, distinct = pd.factorize(with_sign)
    signs = [sign_of(plain(word)) for word in distinct]
    if not any(signs):
        return None
    meant = [_meant(sign, lookup) for sign in signs]
    currency = pd.Series(np.nan, index=amounts.index, dtype="str") if given is None else given.copy()
    certain = {
        *known,
        *currency.dropna().unique(),
        *(sign.upper() for sign in signs if sign.upper() in codes()),
    }
    language = _language(headers, distinct)
    settled = [_settled(of_sign, certain, language) for of_sign in meant]
    fill = pd.Series(np.array([*settled, np.nan], dtype=object)[places], index=amounts.index)
    signed = spread_mask(places, np.array([bool(of_sign) for of_sign in meant], dtype=bool))
    blank = mask_of(currency.isna())
    pairs = pd.DataFrame({"code": places, "given": currency.fillna("")})[signed & ~blank].drop_duplicates()
    clash = {(code, name) for code, name in pairs.itertuples(index=False) if name not in meant[code]}
    contradictory: Mask = np.zeros(len(places), dtype=bool)
    if clash:
        contradictory = np.array([pair in clash for pair in zip(places, currency.fillna(""), strict=True)], dtype=bool)
    currency = currency.mask(blank & signed, fill).astype("str")
    undecided = signed & mask_of(currency.isna())
    return Priced(
        currency=currency,
        contradictory=contradictory,
        open=undecided,
        without=mask_of(text.notna() & currency.isna()) & ~undecided & bool(currency.notna().any()),
    )


def amount_form(amounts: pd.Series, headers: list[str]) -> tuple[object, ...]:
    """What must be alike in all blocks of a file for `with_currencies` of each to be that of the whole."""
    if not is_texts(amounts):
        return ()
    text = as_text(amounts)
    distinct = pd.Index(text[matches(text, r".*[^0-9.,+\-\s]")].unique())
    signed = any(sign_of(plain(word)) for word in distinct)
    return (signed, _language(headers, distinct) if signed else "")


def _meant(sign: str, lookup: Mapping[str, str]) -> frozenset[str]:
    if sign in lookup:
        return frozenset({lookup[sign]})
    return meant_by(sign) if sign else frozenset()


def _settled(meant: frozenset[str], certain: set[str], language: str) -> object:
    """The one currency that a sign means in this file; missing where that is open."""
    for known in (meant, meant & certain):
        if len(known) == 1:
            return next(iter(known))
    return language if language in meant and not meant & certain else np.nan


def _language(headers: list[str], words: pd.Index) -> str:
    """The currency of a ¥ by the language of the file's headers and amounts."""
    text = " ".join([*headers, *map(str, words[:1000])])
    if _KANA.search(text):
        return "JPY"
    return "CNY" if _CHINESE.search(text) else ""
