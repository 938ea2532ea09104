"""Learning the scaling from the training deals."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from winprob.arrays import Array
from winprob.data import schema
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.model.features.columns import BLANK, fiscal_quarter, level_codes, levels, pseudonymise, transformed
from winprob.model.features.curves import learn_bins
from winprob.model.features.description import Features, describe
from winprob.model.features.former import former_fields, with_former
from winprob.model.features.interactions import InteractionBasis, learn_interactions
from winprob.model.features.levels import METHOD_LEVELS, WORDS
from winprob.model.features.readings import count_tiers, learn_report_bias, read_support
from winprob.model.features.scaling import Field, Numeric, Scaling, empty_scaling, field_of_level
from winprob.settings import NumericCovariate, Settings


def learn_scaling(deals: pd.DataFrame, settings: Settings, *, salt: str = "") -> Scaling:
    """What turns words into numbers, from the training deals (valid, closed); with a salt, names as pseudonyms."""
    given, deals = deals, pseudonymise(schema.without_late_forecasts(deals), salt)
    weight = deal_weights(deals, copies_count_once=settings.covariates.copies_count_once)
    varying, numeric = covariates(deals, settings)
    team = settings.covariates.team
    named = [*(Field(name=name, levels=(), team=name == team) for name in varying), *former_fields(deals)]
    deals = with_former(deals, named)
    fields = tuple(replace(field, levels=_levels(deals, field)) for field in named)
    month = settings.calendar.fiscal_year_start_month
    first, share = _quarter_shares(fiscal_quarter(deals, month), weight)
    tier_counts = count_tiers(deals, weight)
    scaling = replace(
        empty_scaling(settings),
        tier_counts=tier_counts,
        report_bias=_learn_bias(deals, tier_counts, weight) if settings.covariates.report_bias else (),
        fields=fields,
        pairs=_learn_interactions(deals, fields, settings),
        numeric=tuple(_learn_numeric(deals, column, weight) for column in numeric),
        first_quarter=first,
        quarter_share=share,
        salt=salt,
    )
    return replace(scaling, **_shares(describe(given, scaling), weight, scaling))


def _levels(deals: pd.DataFrame, field: Field) -> tuple[str, ...]:
    """The levels of a field, in order; of a former definition its blank, a reading of today, is none."""
    return tuple(sorted(set(levels(deals, field.name)) - ({BLANK} if field.column else set())))


def _learn_bias(
    deals: pd.DataFrame, tier_counts: Sequence[Sequence[float]], weight: Array
) -> tuple[tuple[str, float], ...]:
    readers, reading, _ = read_support(deals, tier_counts)
    biases = learn_report_bias(deals, readers, reading, weight)
    reporting = deals[(readers > 0).any(axis=1)]
    if not biases:
        return ()
    size = reporting["deal_id"].groupby(schema.as_text(reporting["seller"])).nunique()
    # A seller of few deals is read like the average one.
    return tuple((seller, bias) for seller, bias in biases if size[seller] >= schema.FEWEST_DEALS)


def uses_seller_forecast(deals: pd.DataFrame, settings: Settings) -> bool:
    """Whether the seller's own number is asked for as a covariate, by the settings or the deals' mapping."""
    return settings.covariates.seller_forecast or bool(deals.attrs.get("covariates", {}).get("seller_forecast"))


def covariates(deals: pd.DataFrame, settings: Settings) -> tuple[list[str], list[NumericCovariate]]:
    """Which varying and numeric columns to learn from: those the mapping named, then those of the settings.

    A mapping leaves its covariates in ``deals.attrs``, and a history those of ``ELAPSED``, which other tables get from
    their dates (``days_elapsed``). Last comes the seller's own number, where it is asked for. A column that is absent
    or wholly blank is left out, and no column is used twice. A numeric column that fewer than ``FEWEST_DEALS`` deals
    have is left out too.

    Raises
    ------
    DealTableError
        No deal has a team, where their column is named.
    """
    named = deals.attrs.get("covariates", {})
    own = settings.covariates
    varying = dict.fromkeys([*named.get("varying", ()), *own.varying, *([own.team] if own.team else [])])
    numeric = {
        c["column"]: NumericCovariate(
            column=c["column"], transform=c["transform"] or "identity", monotone=c.get("monotone", "no")
        )
        for c in named.get("numeric", ())
    }
    for column in settings.covariates.numeric:
        numeric.setdefault(column.column, column)
    dated = days_elapsed(deals)
    numeric |= {name: NumericCovariate(column=name) for name in dated}
    if not settings.covariates.days_elapsed:
        numeric = {name: column for name, column in numeric.items() if name not in schema.ELAPSED}
    if uses_seller_forecast(deals, settings):
        varying["rep_category"] = None
        numeric.setdefault("rep_probability", NumericCovariate(column="rep_probability", transform="logit"))
    columns = {**dated, **{name: deals[name] for name in (*varying, *numeric) if name in deals}}
    present = {name: column for name, column in columns.items() if column.notna().any()}
    if own.team and own.team not in present:
        raise DealTableError(
            gettext(
                "column {column!r}, that of the teams, has no value in the deals: name another in [covariates] team, "
                "or leave it empty for role weights common to all",
                column=own.team,
            )
        )
    stored = {name for name, column in present.items() if schema.enough_deals(deals, column.notna().to_numpy())}
    return [name for name in varying if name in present], [c for name, c in numeric.items() if name in stored]


def days_elapsed(deals: pd.DataFrame) -> dict[str, pd.Series]:
    """By name: the days of ``ELAPSED`` by dates that most closed deals had before their close and kept at it.

    A seller's date that is near announces a close, and where wins are quick also a win.
    The time to close knows the date; a chance that did not could not be weighed by a wait beyond it.
    """
    read, ended = schema.column_or_missing(deals, "as_of"), schema.column_or_missing(deals, "closed_on")
    closed = schema.is_closed(deals)
    early = closed & (read < ended).to_numpy()
    columns = {name: schema.elapsed(deals, name) for name in schema.ELAPSED if name not in deals}
    if (schema.column_or_missing(deals, "expected_close_on") == ended)[early].mean() > _REWRITTEN:
        columns.pop("days_to_expected_close", None)
    return {name: days for name, days in columns.items() if (days.notna() & early).sum() > closed.sum() / 2}


def _shares(features: Features, weight: Array, scaling: Scaling) -> dict[str, Any]:
    """What the training deals have in common: the average deal, as shares of states, levels and unreported roles."""
    share = weight / weight.sum()
    words = [np.bincount(getattr(features, word.code), share, minlength=len(word.levels)) for word in WORDS]
    levels = len(scaling.layout.field_of_level)
    has = features.level >= 0
    level = np.bincount(features.level[has], weights=share[np.nonzero(has)[0]], minlength=levels)
    silent = (features.readers == 0).T * share
    unreported = [np.bincount(features.method, weights=row, minlength=len(METHOD_LEVELS)) for row in silent]
    return {
        "state_share": tuple(np.concatenate(words).tolist()),
        "level_share": tuple(level.tolist()),
        "unreported_share": tuple(tuple(row.tolist()) for row in unreported),
    }


def _learn_interactions(deals: pd.DataFrame, fields: Sequence[Field], settings: Settings) -> InteractionBasis | None:
    """Combinations of the columns that a mapping named; the standing ones (seller, region, ...) stay out of it."""
    named = deals.attrs.get("covariates", {}).get("varying", ())
    taking_part = [at for at, field in enumerate(fields) if field.name in named]
    if len(taking_part) < 2 or not settings.covariates.pair_components:
        return None
    if settings.covariates.companion and len(deals) > _PAIRS:
        return None
    level, _ = level_codes(deals, fields)
    basis = learn_interactions(level, field_of_level(fields), taking_part, settings.covariates.pair_components)
    return basis if basis.loading.shape[2] else None


#: Closed deals whose expected day is the day of closing, above which their dates were rewritten at the close.
_REWRITTEN = 0.25
#: With more deals than this, trees find combinations that products of two levels do not have.
_PAIRS = 1000
_DIRECTIONS = {"no": 0, "increasing": 1, "decreasing": -1}


def _learn_numeric(deals: pd.DataFrame, column: NumericCovariate, weight: Array) -> Numeric:
    values = transformed(deals, column.column, column.transform)
    known = ~np.isnan(values)
    mean = float(np.average(values[known], weights=weight[known]))
    sd = float(np.sqrt(np.average((values[known] - mean) ** 2, weights=weight[known])))
    bins = learn_bins(values, weight, column.transform, direction=_DIRECTIONS[column.monotone])
    return Numeric(name=column.column, transform=column.transform, mean=mean, sd=sd or 1.0, bins=bins)


def _quarter_shares(quarter: Array, weight: Array) -> tuple[int | None, tuple[float, ...]]:
    known = ~np.isnan(quarter)
    if not known.any():
        return None, ()
    first = int(quarter[known].min())
    share = np.bincount((quarter[known] - first).astype(int), weights=weight[known])
    return first, tuple((share / share.sum()).tolist())


#: A likeness that independent columns would bring about less often than this is taken for a copy.
_CHANCE = 0.05


def deal_weights(deals: pd.DataFrame, *, copies_count_once: bool = True) -> Array:
    """(row,) weight of each row: the number of deals over the number of rows, so that readings add no certainty.

    Not 1/n for each of the n readings of one deal: how often a deal is read depends on how long it stays open, and so
    on how it ends. The readings of slow deals would count for less, and where the won ones are slow every chance would
    come out too low (decision 014).

    Rows alike in everything but their id, where chance would not make them so, are one record exported several
    times: they share one deal's weight.
    """
    weight = np.full(len(deals), deals["deal_id"].nunique() / max(len(deals), 1))
    return weight / _copies(deals) if copies_count_once else weight


def alike_groups(deals: pd.DataFrame) -> Array:
    """(deal,) a number for all readings of a deal, and for all deals with a reading that is a copy of another's."""
    deal = pd.factorize(deals["deal_id"])[0]
    if deals.empty:
        return deal
    count, which = _likeness(deals)
    fact = np.where(count > 1, which, which.max() + 1 + np.arange(len(deals)))
    # Deals and facts are the two sides of a graph: its connected parts are the groups.
    size = deal.max() + 1
    edges = coo_array((np.ones(len(deal)), (deal, size + fact)), shape=(size + fact.max() + 1,) * 2)
    return np.asarray(connected_components(edges, directed=False)[1][deal])


def _copies(deals: pd.DataFrame) -> Array:
    """(deal,) how many rows are this one, itself included."""
    return _likeness(deals)[0]


def _likeness(deals: pd.DataFrame) -> tuple[Array, Array]:
    """(deal,) how many rows are copies of this one, itself included, and which set of equal rows it is in."""
    columns = schema.fact_columns(deals)
    if not columns or deals.empty:
        return np.ones(len(deals)), np.arange(len(deals))
    codes = np.stack([pd.factorize(deals[name])[0] for name in columns], axis=1)
    _, which, count = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    likeness = np.zeros(len(deals))
    for column in codes.T:
        likeness += np.log(np.bincount(column + 1)[column + 1] / len(deals))
    which = which.ravel()
    copied = (len(deals) * np.exp(likeness) < _CHANCE) & ~_differ_in_outcome(codes, columns)
    return np.where(copied, count[which], 1), which


def _differ_in_outcome(codes: Array, columns: Sequence[str]) -> Array:
    """(deal,) whether rows equal to it in all else ended differently: then they are not one record."""
    if "outcome" not in columns:
        return np.zeros(len(codes), dtype=bool)
    at = list(columns).index("outcome")
    alike = np.unique(np.delete(codes, at, axis=1), axis=0, return_inverse=True)[1].ravel()
    lowest, highest = np.full(alike.max() + 1, len(codes)), np.full(alike.max() + 1, -2)
    np.minimum.at(lowest, alike, codes[:, at])
    np.maximum.at(highest, alike, codes[:, at])
    return np.asarray((lowest != highest)[alike])
