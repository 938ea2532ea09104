"""What does the methodology say about this deal, as of a date?

``learn_scaling`` reads from the training deals what turns words into numbers (tier frequencies, levels, means);
``describe`` turns any valid deal table into arrays with it. *Unknown* has a code of its own everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.catalog import say
from winprob.errors import DealTableError
from winprob.methodology.vocabulary import ROLES, STAGES, SUPPORT_TIERS
from winprob.pairs import PairBasis, learn_pairs, pair_features
from winprob.parameters import COACH_LEVELS, COVERAGE_LEVELS, METHOD_LEVELS, STAGE_STATES, Layout
from winprob.readings import count_tiers, read_support
from winprob.schema.dtypes import as_text
from winprob.settings import NumericCovariate, Settings
from winprob.weights import deal_weights

Array = npt.NDArray[Any]

NO_DATE = -1
BLANK = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A varying covariate and the levels seen in training; a blank is the level ``""``."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A numeric covariate and how it was standardised on the training rows."""

    name: str
    transform: str
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What turns words into numbers, learned from training deals; part of a fitted model.

    Attributes
    ----------
    tier_counts : (role, tier) weighted reports in training, each smoothed by one
    first_quarter : fiscal quarter (``4 * year + quarter``) of the first training reading, None without dates
    quarter_share : share of the training weight in each quarter from the first to the last
    state_share, level_share, unreported_share : what the training deals have in common, see ``Layout``
    """

    tier_counts: tuple[tuple[float, ...], ...]
    fields: tuple[Field, ...]
    numeric: tuple[Numeric, ...]
    pairs: PairBasis | None
    first_quarter: int | None
    quarter_share: tuple[float, ...]
    state_share: tuple[float, ...]
    level_share: tuple[float, ...]
    unreported_share: tuple[tuple[float, ...], ...]
    fiscal_year_start_month: int

    @property
    def layout(self) -> Layout:
        """The unknowns a model on this scaling has. Each numeric column has a slope and a shift for blanks."""
        return Layout(
            field_of_level=_field_of_level(self.fields),
            quarter_share=np.array(self.quarter_share),
            state_share=np.array(self.state_share),
            level_share=np.array(self.level_share),
            unreported_share=np.array(self.unreported_share),
            fields=len(self.fields),
            features=2 * len(self.numeric),
            components=self.pairs.loading.shape[2] if self.pairs else 0,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON; all but the arrays of ``pairs``."""
        return asdict(replace(self, pairs=None))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], pairs: PairBasis | None) -> Scaling:
        """The scaling that ``to_dict`` wrote."""
        return cls(
            tier_counts=tuple(tuple(row) for row in plain["tier_counts"]),
            fields=tuple(Field(name=f["name"], levels=tuple(f["levels"])) for f in plain["fields"]),
            numeric=tuple(Numeric(**column) for column in plain["numeric"]),
            pairs=pairs,
            first_quarter=plain["first_quarter"],
            quarter_share=tuple(plain["quarter_share"]),
            state_share=tuple(plain["state_share"]),
            level_share=tuple(plain["level_share"]),
            unreported_share=tuple(tuple(row) for row in plain["unreported_share"]),
            fiscal_year_start_month=plain["fiscal_year_start_month"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Deals as arrays, in the order of the table.

    Attributes
    ----------
    stage, coach, method, coverage : (deal,) codes, the last one *unknown*; coverage is the approver's
    readers : (deal, role) how many people's readings a support stands on, 0 = not reported
    reading, reading_variance : (deal, role) mean of a standard normal in the reported tiers, and what they hide
    level : (deal, field) codes into all known levels end to end, then into ``unseen``
    numeric : (deal, feature) of each column the standardised value, then 1 where it is blank
    pairs : (deal, component) where the deal's combinations of two facts lie
    quarter : (deal,) quarters since the first training quarter, ``NO_DATE`` without a date
    unseen : (field, level) pairs that training never saw
    """

    stage: Array
    coach: Array
    method: Array
    coverage: Array
    readers: Array
    reading: Array
    reading_variance: Array
    level: Array
    numeric: Array
    pairs: Array
    quarter: Array
    unseen: tuple[tuple[int, str], ...]
    ROW_ARRAYS: ClassVar[tuple[str, ...]] = (
        "stage",
        "coach",
        "method",
        "coverage",
        "readers",
        "reading",
        "reading_variance",
        "level",
        "numeric",
        "pairs",
        "quarter",
    )

    def __len__(self) -> int:
        return len(self.stage)

    def take(self, rows: Array | slice) -> Features:
        """The same description of some of the deals."""
        arrays = {name: getattr(self, name)[rows] for name in self.ROW_ARRAYS}
        return Features(**arrays, unseen=self.unseen)

    @property
    def unknowns(self) -> Array:
        """(deal,) how many of nine facts are unknown: stage, coach, method, approver coverage, five supports."""
        words = [
            self.stage == len(STAGE_STATES) - 1,
            self.coach == len(COACH_LEVELS) - 1,
            self.method == len(METHOD_LEVELS) - 1,
            self.coverage == len(COVERAGE_LEVELS) - 1,
        ]
        return np.asarray(np.sum(words, axis=0) + (self.readers == 0).sum(axis=1))


def effect_places(features: Features, layout: Layout) -> Array:
    """(deal, slot) where each deal's effects lie in the one vector that holds them end to end: stage, coverage, coach,
    method, levels, quarters, and a zero for what has no date.
    """
    lengths = [len(STAGE_STATES), len(COVERAGE_LEVELS), len(COACH_LEVELS), len(METHOD_LEVELS)]
    stage, coverage, coach, method, offset = np.cumsum([0, *lengths])
    drift = offset + len(layout.field_of_level)
    nothing = drift + len(layout.quarter_share)
    quarter = np.where(features.quarter == NO_DATE, nothing, drift + features.quarter)
    words = (stage + features.stage, coverage + features.coverage, coach + features.coach, method + features.method)
    return np.column_stack([*words, quarter, offset + features.level])


def learn_scaling(deals: pd.DataFrame, settings: Settings) -> Scaling:
    """What turns words into numbers, from the training deals (valid, closed)."""
    weight = deal_weights(deals, copies_count_once=settings.covariates.copies_count_once)
    varying, numeric = covariates(deals, settings)
    fields = tuple(Field(name=name, levels=tuple(sorted(set(_levels(deals, name))))) for name in varying)
    month = settings.calendar.fiscal_year_start_month
    first, share = _quarter_shares(_fiscal_quarter(deals, month), weight)
    scaling = replace(
        empty_scaling(settings),
        tier_counts=count_tiers(deals, weight),
        fields=fields,
        pairs=_learn_pairs(deals, fields, settings),
        numeric=tuple(_learn_numeric(deals, column, weight) for column in numeric),
        first_quarter=first,
        quarter_share=share,
    )
    return replace(scaling, **_shares(describe(deals, scaling), weight, scaling))


def empty_scaling(settings: Settings) -> Scaling:
    """The scaling of a model that has seen no deal: every tier as frequent, amounts of a typical large deal."""
    return Scaling(
        tier_counts=((1.0,) * len(SUPPORT_TIERS),) * len(ROLES),
        fields=tuple(Field(name=name, levels=()) for name in settings.covariates.varying),
        numeric=(),
        pairs=None,
        first_quarter=None,
        quarter_share=(),
        state_share=(0.0,) * sum(map(len, _STATES)),
        level_share=(),
        unreported_share=((0.0,) * len(METHOD_LEVELS),) * len(ROLES),
        fiscal_year_start_month=settings.calendar.fiscal_year_start_month,
    )


#: The words whose states ``state_share`` lays end to end.
_STATES = (STAGE_STATES, COVERAGE_LEVELS, COACH_LEVELS, METHOD_LEVELS)


def _shares(features: Features, weight: Array, scaling: Scaling) -> dict[str, Any]:
    """What the training deals have in common: the average deal, as shares of states, levels and unreported roles."""
    share = weight / weight.sum()
    codes = (features.stage, features.coverage, features.coach, features.method)
    states = [np.bincount(c, weights=share, minlength=len(s)) for c, s in zip(codes, _STATES, strict=True)]
    levels = len(scaling.layout.field_of_level)
    level = np.bincount(features.level.ravel(), weights=np.repeat(share, features.level.shape[1]), minlength=levels)
    silent = (features.readers == 0).T * share
    unreported = [np.bincount(features.method, weights=row, minlength=len(METHOD_LEVELS)) for row in silent]
    return {
        "state_share": tuple(np.concatenate(states).tolist()),
        "level_share": tuple(level.tolist()),
        "unreported_share": tuple(tuple(row.tolist()) for row in unreported),
    }


def describe(deals: pd.DataFrame, scaling: Scaling) -> Features:
    """Deals (valid, any outcome) as arrays."""
    readers, reading, variance = read_support(deals, scaling.tier_counts)
    level, unseen = _level_codes(deals, scaling.fields)
    return Features(
        stage=_codes(deals, "stage", STAGES),
        coach=_codes(deals, "coach", COACH_LEVELS[:-1]),
        method=_codes(deals, "decision_method", METHOD_LEVELS[:-1]),
        coverage=_codes(deals, "approver_coverage", COVERAGE_LEVELS[:-1]),
        readers=readers,
        reading=reading,
        reading_variance=variance,
        level=level,
        numeric=_numeric_values(deals, scaling.numeric),
        pairs=_pair_values(level, scaling),
        quarter=_quarter_codes(deals, scaling),
        unseen=unseen,
    )


def covariates(deals: pd.DataFrame, settings: Settings) -> tuple[list[str], list[NumericCovariate]]:
    """Which varying and numeric columns to learn from: those the mapping named, then those of the settings.

    A mapping leaves its covariates in ``deals.attrs``. A column that is absent or wholly blank is left out, and no
    column is used twice.
    """
    named = deals.attrs.get("covariates", {})
    varying = dict.fromkeys([*named.get("varying", ()), *settings.covariates.varying])
    numeric = {
        c["column"]: NumericCovariate(column=c["column"], transform=c["transform"] or "identity")
        for c in named.get("numeric", ())
    }
    for column in settings.covariates.numeric:
        numeric.setdefault(column.column, column)
    present = {name for name in (*varying, *numeric) if name in deals and deals[name].notna().any()}
    return [name for name in varying if name in present], [c for name, c in numeric.items() if name in present]


def _codes(deals: pd.DataFrame, column: str, values: Sequence[str]) -> Array:
    """(deal,) position in ``values``; what is blank or not among them is unknown, the code after the last."""
    if column not in deals:
        return np.full(len(deals), len(values), dtype=np.int64)
    codes = pd.Index(values).get_indexer(pd.Index(deals[column])).astype(np.int64)
    return np.where(codes < 0, len(values), codes)


def _levels(deals: pd.DataFrame, name: str) -> pd.Series:
    if name not in deals:
        return pd.Series(BLANK, index=deals.index, dtype="str")
    return as_text(deals[name]).fillna(BLANK)


def _level_codes(deals: pd.DataFrame, fields: Sequence[Field]) -> tuple[Array, tuple[tuple[int, str], ...]]:
    codes = np.empty((len(deals), len(fields)), dtype=np.int64)
    start, known = 0, sum(len(field.levels) for field in fields)
    unseen: list[tuple[int, str]] = []
    for at, field in enumerate(fields):
        code, levels = pd.factorize(_levels(deals, field.name))
        place = {level: start + i for i, level in enumerate(field.levels)}
        for level in sorted(set(levels) - set(place)):
            place[level] = known + len(unseen)
            unseen.append((at, level))
        codes[:, at] = np.array([place[level] for level in levels], dtype=np.int64)[code]
        start += len(field.levels)
    return codes, tuple(unseen)


def _field_of_level(fields: Sequence[Field]) -> Array:
    return np.repeat(np.arange(len(fields)), [len(field.levels) for field in fields]).astype(np.int64)


def _learn_pairs(deals: pd.DataFrame, fields: Sequence[Field], settings: Settings) -> PairBasis | None:
    """Combinations of the columns that a mapping named; the standing ones (seller, region, ...) stay out of it."""
    named = deals.attrs.get("covariates", {}).get("varying", ())
    taking_part = [at for at, field in enumerate(fields) if field.name in named]
    if len(taking_part) < 2 or not settings.covariates.pair_components:
        return None
    level, _ = _level_codes(deals, fields)
    basis = learn_pairs(level, _field_of_level(fields), taking_part, settings.covariates.pair_components)
    return basis if basis.loading.shape[2] else None


def _pair_values(level: Array, scaling: Scaling) -> Array:
    if scaling.pairs is None:
        return np.zeros((len(level), 0), dtype=np.float32)
    return pair_features(scaling.pairs, level, level < sum(len(field.levels) for field in scaling.fields))


def _learn_numeric(deals: pd.DataFrame, column: NumericCovariate, weight: Array) -> Numeric:
    values = _transformed(deals, column.column, column.transform)
    known = ~np.isnan(values)
    mean = float(np.average(values[known], weights=weight[known]))
    sd = float(np.sqrt(np.average((values[known] - mean) ** 2, weights=weight[known])))
    return Numeric(name=column.column, transform=column.transform, mean=mean, sd=sd or 1.0)


def _numeric_values(deals: pd.DataFrame, columns: Sequence[Numeric]) -> Array:
    features = np.zeros((len(deals), 2 * len(columns)), dtype=np.float32)
    for at, column in enumerate(columns):
        standard = (_transformed(deals, column.name, column.transform) - column.mean) / column.sd
        features[:, 2 * at] = np.nan_to_num(standard, nan=0.0)
        features[:, 2 * at + 1] = np.isnan(standard)
    return features


def _transformed(deals: pd.DataFrame, name: str, transform: str) -> Array:
    """(deal,) the column after its transform, NaN where blank.

    Raises
    ------
    DealTableError
        The column holds text, an infinite value, or one that has no logarithm.
    """
    if name not in deals:
        return np.full(len(deals), np.nan)
    values = pd.to_numeric(deals[name], errors="coerce").to_numpy(dtype=float)
    lowest = -1.0 if transform == "log1p" else -np.inf
    wrong = (np.isnan(values) & deals[name].notna().to_numpy()) | np.isposinf(values) | (values <= lowest)
    if wrong.any():
        raise DealTableError(
            say(
                "covariate {column!r} is no finite number{above} in {rows} rows, first deal {deal!r} has {got!r}",
                column=name,
                above=say(" above -1 (log1p)") if transform == "log1p" else "",
                rows=int(wrong.sum()),
                deal=deals["deal_id"][wrong].iloc[0],
                got=deals[name][wrong].iloc[0],
            )
        )
    return np.log1p(values) if transform == "log1p" else values


def _fiscal_quarter(deals: pd.DataFrame, start_month: int) -> Array:
    """(deal,) ``4 * year + quarter`` of the reading (``as_of``, else ``opened_on``), fiscal; NaN without a date."""
    day = pd.Series(pd.NaT, index=deals.index, dtype="datetime64[us]")
    for column in ("as_of", "opened_on"):
        if column in deals:
            day = day.fillna(deals[column].astype("datetime64[us]"))
    month = (day.dt.year * 12 + day.dt.month - start_month).to_numpy(dtype=float)
    return np.asarray(np.floor(month / 3))


def _quarter_shares(quarter: Array, weight: Array) -> tuple[int | None, tuple[float, ...]]:
    known = ~np.isnan(quarter)
    if not known.any():
        return None, ()
    first = int(quarter[known].min())
    share = np.bincount((quarter[known] - first).astype(int), weights=weight[known])
    return first, tuple((share / share.sum()).tolist())


def _quarter_codes(deals: pd.DataFrame, scaling: Scaling) -> Array:
    if scaling.first_quarter is None:
        return np.full(len(deals), NO_DATE, dtype=np.int64)
    since = _fiscal_quarter(deals, scaling.fiscal_year_start_month) - scaling.first_quarter
    # A reading older than all training is taken at the walk's start: nothing is known of the quarters before it.
    return np.where(np.isnan(since), NO_DATE, np.maximum(np.nan_to_num(since), 0)).astype(np.int64)
