"""Learned effects of every fact, level and numeric column: log-odds relative to the average training deal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.methodology import ROLES, SUPPORT_TIERS, label
from winprob.model.draws import summarise
from winprob.model.explanation import term_title
from winprob.model.features import BLANK, COACH_LEVELS, METHOD_LEVELS, TRANSFORMS, Numeric, bin_moments
from winprob.model.posterior import Posterior
from winprob.model.role_evidence import role_readings
from winprob.model.win.blocks import TERMS, Term
from winprob.model.win.parameters import informed
from winprob.model.win.terms import ROLE_TERMS

#: Levels of a role's support: the tiers, lowest first, and a role that is not reported.
TIERS = tuple(label("support", tier, "en").lower() for tier in SUPPORT_TIERS)
UNKNOWN, WEIGHT, NO_VALUE, OTHER_VALUE = "unknown", "weight", "(blank)", "(other)"
#: Support is shown as reported under this coach, the decision method unknown.
_COACH, _METHOD = COACH_LEVELS.index("unvalidated"), METHOD_LEVELS.index("unknown")
#: Points at which a straight line is shown, in standard deviations, and weights of mean 0 and variance 1.
_POINTS, _POINT_SHARE = (-2, -1, 0, 1, 2), np.array([1, 4, 6, 4, 1]) / 16
#: Terms named by the sentences.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The effect of one level of a term.

    Attributes
    ----------
    draws : (draw,) log-odds relative to the average training deal; of a weight or scale, its own value
    ends : the range of a bin in the units of its column, NaN where it is open and for what is not a number
    share : of the training weight that has this level; 0 where that is unknown, and for a weight
    relative : whether it is relative to the average deal; a weight or a scale is not
    """

    term: str
    level: str
    draws: Array = field(repr=False)
    ends: tuple[float, float] = (np.nan, np.nan)
    share: float = 0.0
    relative: bool = True


def effects(posterior: Posterior) -> pd.DataFrame:
    """Every learned effect, term by term in the order of the model, levels in their natural order.

    Effects are log-odds before attenuation, relative to the average training deal (without deals, to the middle of
    the prior), computed draw by draw. The difference of two levels of a term is the difference of the log-odds of two
    deals that differ in nothing else; coach and decision method also change how much support counts.

    A role's support is shown as reported under an unvalidated coach with the decision method unknown. Its rows
    ``weight`` are log-odds per standard deviation of true support, not relative to any deal. Where teams have weights
    of their own, all but theirs are of the common ones.

    Returns
    -------
    DataFrame with columns ``term, level, from, to, mean, lower, upper`` (90 %, equal-tailed). ``from, to`` are the
    range of a numeric bin in the column's own units: a value belongs to it if above ``from`` and at most ``to``; both
    are equal for a single value, one is missing for an open bin, both for what is not a number.
    """
    records = [
        (one.term, one.level, *one.ends, *(float(end) for end in summarise(one.draws)))
        for one in effect_draws(posterior)
    ]
    return pd.DataFrame(records, columns=["term", "level", "from", "to", "mean", "lower", "upper"])


def effect_draws(posterior: Posterior) -> list[Effect]:
    """The draws behind ``effects``, a record for each of its rows."""
    return [one for term in TERMS for one in _of_term(term, posterior)]


def _of_term(term: Term, posterior: Posterior) -> Iterator[Effect]:
    draws = posterior.flat
    if term.part == "support":
        yield from _roles(posterior)
    elif term.shown_by == "fields":
        yield from _fields(draws[term.coefficient], posterior)
    elif term.shown_by == "curves":
        yield from _relative(posterior, binned(posterior.scaling.curves, draws[term.coefficient]))
    elif term.shown_by == "lines":
        yield from _relative(posterior, _lines(draws[term.coefficient], posterior))
    elif term.part == "effect":
        (dim,) = term.parameters[term.coefficient]
        shares = posterior.scaling.layout.shares.get(term.reads, posterior.scaling.layout.quarter_share)
        levels = zip(posterior.coords[dim], draws[term.coefficient].T, shares, strict=True)
        yield from _relative(
            posterior,
            (Effect(term=term.name, level=level, draws=own, share=float(share)) for level, own, share in levels),
        )
    elif term.name in posterior.terms:
        # Single columns cannot be interpreted; their common scale or weight can.
        for name, dims in term.parameters.items():
            if dims in ((), ("companion",)):
                own = draws[name].reshape(len(draws[name]), -1)[:, 0]
                yield Effect(term=term.name, level=name.rpartition("_")[2], draws=own, relative=False)


def _relative(posterior: Posterior, rows: Iterator[Effect]) -> Iterator[Effect]:
    """The rows less the average of their term over the training deals, draw by draw."""
    average = averages(posterior)
    for row in rows:
        yield replace(row, draws=row.draws.astype(np.float64) - average.get(row.term, 0.0))


def averages(posterior: Posterior) -> Mapping[str, Array]:
    """(draw,) the average of every term over the training deals; empty without any."""
    return dict(zip(posterior.terms, posterior.flat["term_mean"].T, strict=True))


def _roles(posterior: Posterior) -> Iterator[Effect]:
    scaling, draws = posterior.scaling, posterior.flat
    reliability = draws["reliability"][:, _COACH]
    for role in range(len(ROLES)):
        name, weight = ROLE_TERMS[role], draws["role_weight"][:, role]
        counts = np.array(scaling.tier_counts[role])
        middle, _ = bin_moments(counts)
        silent = sum(scaling.unreported_share[role])
        # Each tier's count is smoothed by one in the model; without deals nothing is reported or not.
        reported = np.maximum(counts - 1, 0) / max(float((counts - 1).sum()), 1e-9)
        shares = [*(reported * (1 - silent)), silent]
        means = [*(reliability * gap for gap in middle), draws["unknown_support"][:, role]]
        rows = zip((*TIERS, UNKNOWN), means, shares, strict=True)
        yield from _relative(
            posterior,
            (
                Effect(term=name, level=level, draws=weight[:, _METHOD] * mean, share=float(share))
                for level, mean, share in rows
            ),
        )
        yield Effect(term=name, level=WEIGHT, draws=weight[:, _METHOD], relative=False)
        own = {method: weight[:, at] for at, method in enumerate(METHOD_LEVELS[:_METHOD])}
        # In each team, the decision method unknown.
        factors = draws["team_factor"][:, :, role].T
        teams = zip(posterior.coords["team"], factors, strict=True)
        own |= {f"{scaling.team}={team}": weight[:, _METHOD] * factor for team, factor in teams}
        for level, one in own.items():
            yield Effect(term=name, level=f"{WEIGHT} ({level})", draws=one, relative=False)


def _fields(offsets: Array, posterior: Posterior) -> Iterator[Effect]:
    """The levels of each varying column, its blank last."""
    start, shares = 0, posterior.scaling.level_share
    for column in posterior.scaling.fields:
        places = {level: start + at for at, level in enumerate(column.levels)}
        start += len(places)
        rows = sorted(places.items(), key=lambda pair: pair[0] == BLANK)
        yield from _relative(
            posterior,
            (
                Effect(term=column.name, level=level or NO_VALUE, draws=offsets[:, at], share=float(shares[at]))
                for level, at in rows
            ),
        )


def binned(columns: Sequence[Numeric], bins: Array) -> Iterator[Effect]:
    """The bins of each numeric column, its single values, and its blank.

    Parameters
    ----------
    bins : (draw, bin) effects of all columns end to end: for each its bins from the lowest, its heaps, the blank
    """
    start = 0
    for column in columns:
        ends = _ends(column)
        part = slice(start, start + len(ends))
        start = part.stop
        own = column.bins.share if column.bins else ()
        for (level, low, high), draws, share in zip(_named(ends), bins[:, part].T, own, strict=True):
            yield Effect(term=column.name, level=level, draws=draws, ends=(low, high), share=float(share))


def _ends(column: Numeric) -> list[tuple[float, float]]:
    """The range of each level, open at infinity; of the blank NaN."""
    stored = (column.bins.edges, column.bins.heaps) if column.bins else ((), ())
    edges, heaps = (_own_units(column.transform, values) for values in stored)
    inner = [-np.inf, *edges, np.inf]
    return [*pairwise(inner), *((value, value) for value in heaps), (np.nan, np.nan)]


def _own_units(transform: str, values: Sequence[float]) -> list[float]:
    """Back from the transformed scale; to ten digits, so that 100 does not come back as 100.00000000000001."""
    return [float(f"{value:.10g}") for value in TRANSFORMS[transform].back(np.array(values, dtype=float))]


def _named(ends: Sequence[tuple[float, float]]) -> Iterator[tuple[str, float, float]]:
    """Name and ends of each level; an open end is missing. As few digits as keep the ends apart, at least four."""
    finite = {end for pair in ends for end in pair if np.isfinite(end)}
    digits = next((some for some in range(4, 10) if len({f"{end:.{some}g}" for end in finite}) == len(finite)), 10)
    for low, high in ends:
        first, last = (plain_number(end, digits) for end in (low, high))
        if np.isnan(low):
            name = NO_VALUE
        elif low == high:
            name = first
        elif np.isinf(low):
            name = f"<= {last}" if np.isfinite(high) else OTHER_VALUE
        else:
            name = f"> {first}" if np.isinf(high) else f"{first}..{last}"
        yield name, low if np.isfinite(low) else np.nan, high if np.isfinite(high) else np.nan


def plain_number(value: float, digits: int = 4) -> str:
    """``1,234,568`` or ``0.1235``: at least ``digits`` significant ones."""
    return f"{value:,.0f}" if 10 ** (digits - 1) <= abs(value) < np.inf else f"{value:,.{digits}g}"


def _lines(weights: Array, posterior: Posterior) -> Iterator[Effect]:
    """Straight lines, at points around the mean of each column, and the shift of a blank."""
    for at, column in enumerate(posterior.scaling.lines):
        slope, blank = weights[:, 2 * at], weights[:, 2 * at + 1]
        values = _own_units(column.transform, [column.mean + point * column.sd for point in _POINTS])
        for point, value, share in zip(_POINTS, values, _POINT_SHARE, strict=True):
            level = plain_number(value)
            yield Effect(term=column.name, level=level, draws=point * slope, ends=(value, value), share=float(share))
        yield Effect(term=column.name, level=NO_VALUE, draws=blank)


# --- which terms matter -----------------------------------------------------------------------------------------------


def spreads(rows: Sequence[Effect]) -> dict[str, float]:
    """The standard deviation of each term's mean effect over the training deals, largest first.

    Levels count as often as they occur in training; terms without any share of it are left out. For a role the
    decision method is taken as unknown and the coach as unvalidated.
    """
    sizes = {}
    for term in dict.fromkeys(row.term for row in rows):
        share, mean = np.array([(row.share, row.draws.mean()) for row in rows if row.term == term]).T
        if share.sum() > 0:
            middle = np.average(mean, weights=share)
            sizes[term] = float(np.sqrt(np.average((mean - middle) ** 2, weights=share)))
    return dict(sorted(sizes.items(), key=lambda pair: -pair[1]))


def effect_sentences(posterior: Posterior, terms: Sequence[str] = ()) -> list[str]:
    """Which terms move the odds most, and how many levels differ from the average deal, one sentence per line.

    Parameters
    ----------
    terms : only these; by default all
    """
    rows = [row for row in effect_draws(posterior) if not terms or row.term in terms]
    sizes = spreads(rows)
    if posterior.provenance.prior_only or not sizes:
        return [gettext("This model has seen no deal: every effect here is the prior's, relative to its middle.")]
    factors = gettext("; ").join(
        gettext("{what} (x{factor:.2f})", what=term_title(term), factor=np.exp(size))
        for term, size in list(sizes.items())[:_NAMED]
    )
    return [
        gettext(
            "What moves the odds most over the training deals, as a typical factor (one standard deviation): {terms}.",
            terms=factors,
        ),
        _clear_sentence(rows),
        *_prior_sentences(posterior, rows),
        gettext("An effect is an association in past deals; it does not prove that changing the fact wins a deal."),
    ]


def _prior_sentences(posterior: Posterior, rows: Sequence[Effect]) -> Iterator[str]:
    """Of what no training deal has, the effects are the prior's."""
    shown = {row.term for row in rows}
    known = {term.name for term in informed(TERMS, posterior.scaling.layout)}
    without = [term for term in TERMS if term.name not in known]
    facts = [term.name for term in without if term.name in shown]
    roles = [name for name, count in zip(ROLE_TERMS, role_readings(posterior), strict=True) if not count]
    names = [term_title(name) for name in (*facts, *(name for name in roles if name in shown))]
    if names:
        yield gettext(
            "No training deal has these, and their effects are the prior's: {facts}.", facts=gettext(", ").join(names)
        )


def _clear_sentence(rows: Sequence[Effect]) -> str:
    intervals = [_interval(row.draws) for row in rows if row.relative]
    clear = sum(lower > 0 or upper < 0 for lower, upper in intervals)
    return gettext(
        "{clear} of {levels} levels differ clearly from the average deal: their 90% interval does not contain 0.",
        clear=clear,
        levels=len(intervals),
    )


def _interval(draws: Array) -> tuple[float, float]:
    _, lower, upper = summarise(draws)
    return float(lower), float(upper)
