"""Columns of the deal table as codes or numbers; *unknown* has a code of its own everywhere."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pandas as pd
import pyarrow as pa

from winprob.arrays import Array
from winprob.data.schema import ELAPSED, as_text, elapsed
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.model.features.curves import TRANSFORMS
from winprob.model.features.scaling import Field, Numeric, Scaling

NO_DATE = -1
BLANK = ""
#: The code of a deal that has no level of a field: today's readings, of a former definition.
NO_LEVEL = -1


#: Columns with the names of people and customers.
NAMES = ("seller", "account")


def pseudonymise(deals: pd.DataFrame, salt: str) -> pd.DataFrame:
    """The deals with pseudonyms for the names of sellers and accounts; unchanged without a salt.

    A pseudonym is a keyed hash of the name: the same name has the same one wherever the salt is the same. Whoever has
    the salt can compute the pseudonym of a name that they guess.
    """
    named = [name for name in NAMES if salt and name in deals]
    return deals.assign(**{name: _pseudonyms(as_text(deals[name]), name, salt) for name in named})


def _pseudonyms(names: pd.Series, column: str, salt: str) -> pd.Series:
    def pseudonym(name: str) -> str:
        return f"{column}-{blake2b(name.encode(), key=salt.encode(), digest_size=6).hexdigest()}"

    known = {name: pseudonym(name) for name in names.dropna().unique()}
    return names.map(known).astype("str")


def codes(deals: pd.DataFrame, column: str, values: Sequence[str]) -> Array:
    """(deal,) position in ``values``; what is blank or not among them is unknown, the code after the last."""
    if column not in deals:
        return np.full(len(deals), len(values), dtype=np.int64)
    place = {value: at for at, value in enumerate(values)}
    return np.array([place.get(value, len(values)) for value in deals[column].tolist()], dtype=np.int64)


def levels(deals: pd.DataFrame, name: str) -> pd.Series:
    if name not in deals:
        return pd.Series(BLANK, index=deals.index, dtype="str")
    return as_text(deals[name]).fillna(BLANK)


def level_codes(deals: pd.DataFrame, fields: Sequence[Field]) -> tuple[Array, tuple[tuple[int, str], ...]]:
    codes = np.empty((len(deals), len(fields)), dtype=np.int64)
    start, known = 0, sum(len(field.levels) for field in fields)
    unseen: list[tuple[int, str]] = []
    for at, field in enumerate(fields):
        code, names = _distinct_levels(deals, field.name)
        place = {level: start + i for i, level in enumerate(field.levels)}
        if field.column:
            place[BLANK] = NO_LEVEL
        for level in sorted(set(names) - set(place)):
            place[level] = known + len(unseen)
            unseen.append((at, level))
        codes[:, at] = np.array([place[level] for level in names], dtype=np.int64)[code]
        start += len(field.levels)
    return codes, tuple(unseen)


def team_codes(
    level: Array, unseen: Sequence[tuple[int, str]], fields: Sequence[Field]
) -> tuple[Array, tuple[str, ...]]:
    """(deal, team column) the team as a code into its column's levels, then into those never seen; and these."""
    own = [at for at, field in enumerate(fields) if field.team]
    if not own:
        return np.zeros((len(level), 0), dtype=np.int64), ()
    start, known = (sum(len(field.levels) for field in some) for some in (fields[: own[0]], fields))
    new = [place for place, (field, _) in enumerate(unseen) if field == own[0]]
    code, first = level[:, own], known + (new[0] if new else 0)
    teams = len(fields[own[0]].levels)
    return np.where(code < known, code - start, teams + code - first), tuple(unseen[place][1] for place in new)


def _distinct_levels(deals: pd.DataFrame, name: str) -> tuple[Array, list[str]]:
    """(deal,) places in the distinct levels of a column, and these; Arrow finds them with less to do than pandas."""
    if name not in deals:
        return np.zeros(len(deals), dtype=np.int64), [BLANK]
    text = pa.array(as_text(deals[name]).array)
    found = (text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text).dictionary_encode()
    names = found.dictionary.to_pylist()
    code = found.indices.fill_null(len(names)).to_numpy().astype(np.int64)
    return code, [*names, BLANK] if found.null_count else names


def numeric_values(deals: pd.DataFrame, columns: Sequence[Numeric]) -> Array:
    """(deal, column) transformed values, NaN where blank."""
    values = [transformed(deals, column.name, column.transform) for column in columns]
    return np.stack(values, axis=1) if values else np.zeros((len(deals), 0))


def line_values(numbers: Array, columns: Sequence[Numeric]) -> Array:
    """(deal, feature) of each column that has no bins the standardised value, then 1 where it is blank."""
    features = np.zeros((len(numbers), 2 * sum(column.bins is None for column in columns)), dtype=np.float32)
    lines = [(at, column) for at, column in enumerate(columns) if column.bins is None]
    for place, (at, column) in enumerate(lines):
        standard = (numbers[:, at] - column.mean) / column.sd
        features[:, 2 * place] = np.nan_to_num(standard, nan=0.0)
        features[:, 2 * place + 1] = np.isnan(standard)
    return features


def bin_codes(numbers: Array, columns: Sequence[Numeric]) -> Array:
    """(deal, column) codes into the levels of all columns with bins end to end."""
    codes, start = [], 0
    for at, column in enumerate(columns):
        if column.bins is not None:
            codes.append(start + column.bins.codes(numbers[:, at]))
            start += len(column.bins.share)
    return np.stack(codes, axis=1).astype(np.int64) if codes else np.zeros((len(numbers), 0), dtype=np.int64)


def transformed(deals: pd.DataFrame, name: str, transform: str) -> Array:
    """(deal,) the column after its transform, NaN where blank; elapsed days are computed from dates without a column.

    Raises
    ------
    DealTableError
        The column holds text, an infinite value, or one outside the domain of the transform.
    """
    column = elapsed(deals, name) if name in ELAPSED else deals.get(name)
    if column is None:
        return np.full(len(deals), np.nan)
    values = column.to_numpy() if column.dtype == np.float64 else pd.to_numeric(column, errors="coerce").to_numpy(float)
    lowest = -1.0 if transform == "log1p" else -np.inf
    wrong = (np.isnan(values) & column.notna().to_numpy()) | np.isposinf(values) | (values <= lowest)
    if transform == "logit":
        wrong |= (values < 0) | (values > 1)
    if wrong.any():
        raise DealTableError(
            gettext(
                "covariate {column!r} is not a finite number{above} in {rows} rows, first deal {deal!r} has {got!r}",
                column=name,
                above=_domain(transform),
                rows=int(wrong.sum()),
                deal=deals["deal_id"][wrong].iloc[0],
                got=column[wrong].iloc[0],
            )
        )
    return np.asarray(TRANSFORMS[transform].there(values))


def _domain(transform: str) -> str:
    if transform == "logit":
        return gettext(" from 0 to 1 (logit)")
    return gettext(" above -1 (log1p)") if transform == "log1p" else ""


def fiscal_quarter(deals: pd.DataFrame, start_month: int) -> Array:
    """(deal,) ``4 * year + quarter`` of the reading (``as_of``, else ``opened_on``), fiscal; NaN without a date."""
    month = np.full(len(deals), np.datetime64("NaT", "M"))
    for column in ("as_of", "opened_on"):
        if column in deals:
            of_column = deals[column].to_numpy(dtype="datetime64[M]")
            month = np.where(np.isnat(month), of_column, month)
    # NumPy counts months from January 1970.
    number = np.where(np.isnat(month), np.nan, month.astype(np.int64) + 12 * 1970 + 1.0)
    return np.asarray(np.floor((number - start_month) / 3))


def quarter_codes(deals: pd.DataFrame, scaling: Scaling) -> Array:
    if scaling.first_quarter is None:
        return np.full(len(deals), NO_DATE, dtype=np.int64)
    since = fiscal_quarter(deals, scaling.fiscal_year_start_month) - scaling.first_quarter
    # A reading older than all training gets the first quarter: earlier quarters have no estimate.
    return np.where(np.isnan(since), NO_DATE, np.maximum(np.nan_to_num(since), 0)).astype(np.int64)
