"""One row per deal from an export with a row per product line, split or contact, as ``[rows]`` of a mapping asks.

Without ``[rows]`` a deal that repeats is an error; its message names the columns in which the rows differ, and the
likely cause.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.data.schema import ID, NAMES, Finding, Mask, cell_text, column_or_missing, fact_columns, mask_of, whole
from winprob.data.tables.deal_notes import Reading
from winprob.data.tables.mapping import ROW_KINDS, RowsPer
from winprob.data.tables.sheets.sheet import Sheet
from winprob.i18n import gettext

#: What a deal's rows may differ in, by kind, besides the amount.
_MAY_DIFFER = {"product line": ("product",), "split": ("seller", "seller_name"), "contact": ()}
#: Parts of a header from which the kind is guessed.
_SIGNS = {
    "product line": ("product", "line item", "lineitem", "sku", "quantity", "unit price", "产品", "明细", "数量"),
    "split": ("split", "分成", "业绩比例"),
    "contact": ("contact", "role", "e-mail", "email", "person", "联系人", "角色"),
}
_SHOWN = 6
#: Repeated rows that are compared to name the cause.
_COMPARED = 2_000


def settle_rows(reading: Reading, sheet: Sheet, per: RowsPer | None) -> None:
    """Merge the rows of a deal as ``per`` asks, or add the likely cause of the repetition to the findings."""
    deals = reading.deals
    keys = [ID, "as_of"] if "as_of" in deals else [ID]
    repeated = mask_of(deals.duplicated(keys, keep=False) & deals[ID].notna())
    if not repeated.any():
        return
    if per is None:
        reading.findings.append(whole("error", ID, _cause(deals.loc[repeated, keys], sheet)))
        return
    several = deals[repeated]
    faults = list(_disagreements(several, keys, per))
    reading.findings += faults
    if not faults:
        merged = _merged(several, keys, per)
        reading.findings.append(_note(several, merged, per))
        kept = pd.concat([deals[~repeated], merged]).sort_index()
        kept.attrs = dict(deals.attrs)
        reading.deals = kept.astype(deals.dtypes.to_dict())


# ---- the likely cause ----------------------------------------------------------------------------------------------


def _cause(keys: pd.DataFrame, sheet: Sheet) -> str:
    names = _differing(keys.head(_COMPARED), sheet)
    if not names:
        return gettext(
            "the rows of a repeated deal are alike in every column: the export repeats them. Remove the copies"
        )
    kind = next((kind for kind, signs in _SIGNS.items() if any(_has(name, signs) for name in names)), None)
    differ = ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
    return gettext(
        "the rows of a repeated deal differ in {columns}: likely one row per {kind}. For one row per deal, write in "
        'mapping.toml: [rows] per = "{first}", amounts = "add" (or "once", where every row repeats the whole amount)',
        columns=differ,
        kind=kind or gettext("product line, split or contact"),
        first=kind or ROW_KINDS[0],
    )


def _differing(keys: pd.DataFrame, sheet: Sheet) -> list[str]:
    """The sheet's columns in which the rows of a deal differ."""
    cells = sheet.cells.loc[keys.index]
    group = keys.groupby(list(keys), dropna=False, sort=False).ngroup()
    kinds = cells.astype(object).groupby(group).nunique(dropna=False)
    return [str(name) for name in cells.columns if (kinds[name] > 1).any()]


def _has(name: str, signs: tuple[str, ...]) -> bool:
    return any(sign in name.casefold().replace("_", " ") for sign in signs)


# ---- merging -------------------------------------------------------------------------------------------------------


def _disagreements(several: pd.DataFrame, keys: list[str], per: RowsPer) -> Iterator[Finding]:
    """Errors on facts in which the rows of a deal differ; a blank agrees with any value."""
    free = {*keys, *_MAY_DIFFER[per.per], *(("amount",) if per.amounts == "add" else ())}
    groups = several.groupby(keys, dropna=False, sort=False)
    for name in (name for name in fact_columns(several) if name not in free):
        differ = mask_of(groups[name].transform("nunique") > 1)
        if differ.any():
            yield _disagreement(several, name, differ)


def _disagreement(several: pd.DataFrame, name: str, differ: Mask) -> Finding:
    first = str(several[ID].iloc[int(np.flatnonzero(differ)[0])])
    values = several.loc[mask_of(several[ID] == first), name].dropna().unique()
    message = gettext(
        "'{column}' differs between the rows of {count} deals, first deal {deal} has {values}: the rows of one deal "
        "must agree in it. Fix the export",
        column=name,
        count=several.loc[differ, ID].nunique(),
        deal=repr(first),
        values=", ".join(_text(value) for value in values[:_SHOWN]),
    )
    return Finding(severity="error", column=name, rows=int(differ.sum()), first_deal=first, message=message)


def _text(value: object) -> str:
    return repr(value) if isinstance(value, str) else cell_text(value)


def _merged(several: pd.DataFrame, keys: list[str], per: RowsPer) -> pd.DataFrame:
    """One row per deal, in the place of its first row; what may differ is that of the row with the largest amount."""
    several = several.assign(__row=several.index)
    order = several.sort_values("amount", ascending=False, kind="stable") if "amount" in several else several
    groups = several.groupby(keys, dropna=False, sort=False)
    merged = groups.first()
    free = [name for name in (*_MAY_DIFFER[per.per], *NAMES) if name in several and name not in keys]
    if free:
        merged[free] = order.groupby(keys, dropna=False, sort=False)[free].first().reindex(merged.index)
    if "amount" in several and per.amounts == "add":
        merged["amount"] = groups["amount"].sum(min_count=1)
    merged = merged.reset_index().set_index("__row").rename_axis(index=None)
    return merged[[name for name in several.columns if name != "__row"]]


def _note(several: pd.DataFrame, merged: pd.DataFrame, per: RowsPer) -> Finding:
    message = gettext(
        "{rows} rows are read as {deals} deals, one row per {kind}: ",
        rows=len(several),
        deals=len(merged),
        kind=per.per,
    )
    before, after = _by_currency(several), _by_currency(merged)
    if not before.any():
        message += gettext("without an amount")
    elif per.amounts == "add":
        message += gettext("their amounts are added, {amount} in all", amount=_money(before))
    else:
        left = _money(before - after)
        message += gettext("each deal's amount counts once, {amount} of repetitions is left out", amount=left)
    if free := [name for name in _MAY_DIFFER[per.per] if name in several]:
        message += gettext("; {columns} is that of the row with the largest amount", columns=", ".join(free))
    return Finding(severity="note", column=ID, rows=len(several), first_deal=str(several[ID].iloc[0]), message=message)


def _by_currency(deals: pd.DataFrame) -> pd.Series:
    """(currency,) sum of the amounts; currencies are never added up."""
    amount = column_or_missing(deals, "amount").astype("float64")
    return amount.groupby(column_or_missing(deals, "currency").fillna("").astype(str)).sum()


def _money(amounts: pd.Series) -> str:
    return ", ".join(f"{amount:,.2f} {currency}".strip() for currency, amount in amounts.items())
