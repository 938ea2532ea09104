"""The linear predictor in NumPy: what each term adds to a deal's log-odds in every draw, without PyMC.

Arrays are (level, draw): a deal picks a few rows of them and adds them up. That is a sparse matrix, with an entry for
each fact of a deal, times a dense one; the sums stay in the processor's first-level cache, eight times as fast as a
gather for each fact.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from winprob.arrays import Array, add_rows
from winprob.methodology import ROLES
from winprob.model.features import Features, Scaling
from winprob.model.win.blocks import TERMS, Kind, Term, end_to_end

ROLE_TERMS = tuple(f"{role}_support" for role in ROLES)

_INTERCEPT, _NOTHING, _COMPANION = "intercept", "", "companion"
#: Terms of one code, then of several, then columns: sums of float32 depend on the order, which no new row changes.
_SUMMED = tuple(
    sorted(
        (term for term in TERMS if term.part in ("effect", "column") and not term.dense),
        key=lambda term: (term.part == "column", term.shown_by is not None),
    )
)
_DENSE = tuple(term for term in TERMS if term.part == "column" and term.dense)
_SHOWN = tuple(term for term in TERMS if term.part in ("effect", "column"))
#: Draws at a time where there are many deals, and how many are few.
_DRAWS, _FEW = 256, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Parameters laid out for prediction, float32, the draws last.

    Attributes
    ----------
    table : (row, draw) all coefficients that a deal adds up but support and dense columns, end to end, a zero last
    rows : the rows of each term in it. The rows of levels hold the known levels of all fields, then a fresh draw for
        each unseen level; those of quarters the training quarters, then the later ones that are needed
    dense : (column, draw) weights of the terms with many columns, by term
    intercept : (draw,)
    role_weight : (role, method, draw)
    team_factor : (role, team, draw) what a team's role weights are of these; known teams, then a fresh draw for each
        unseen one, and none where no column of teams is declared
    reliability : (coach, draw)
    unknown_support : (role, draw)
    """

    table: Array
    rows: Mapping[str, slice]
    dense: Mapping[str, Array]
    intercept: Array
    role_weight: Array
    team_factor: Array
    reliability: Array
    unknown_support: Array

    def of(self, term: Term) -> Array:
        """(row, draw) the coefficients of one term."""
        return self.dense[term.name] if term.dense else self.table[self.rows[term.name]]


def coefficients(draws: Mapping[str, Array], features: Features, *, seed: int) -> Coefficients:
    """Lay out parameters (each (draw, *dims)) for these deals.

    Levels and quarters that training never saw are drawn from their population. The draw depends on the level's name
    and ``seed`` alone, so two deals of one new seller share it, and other deals in the table change nothing.
    """
    last = {name: _draws_last(values) for name, values in draws.items()}
    parts = {_INTERCEPT: last["intercept"][None]}
    parts |= {term.name: _with_unseen(term, last, features, seed) for term in _SUMMED}
    parts[_NOTHING] = np.zeros_like(parts[_INTERCEPT])
    return Coefficients(
        table=np.concatenate(list(parts.values())),
        rows=end_to_end({name: len(part) for name, part in parts.items()}),
        dense={term.name: last[term.coefficient] for term in _DENSE},
        intercept=last["intercept"],
        role_weight=last["role_weight"],
        team_factor=_team_factors(last, features, seed),
        reliability=last["reliability"],
        unknown_support=last["unknown_support"],
    )


def iter_terms(coefs: Coefficients, features: Features, scaling: Scaling) -> Iterator[tuple[str, Array]]:
    """Every term of the predictor but the intercept and the roles, each (deal, draw)."""
    for term in _SHOWN:
        own, reads = coefs.of(term), getattr(features, term.reads)
        if not len(own):
            continue
        columns = reads.reshape(len(reads), -1)
        shown = [column.name for column in getattr(scaling, term.shown_by)] if term.shown_by else [term.name]
        width = columns.shape[1] // max(len(shown), 1)
        for at, name in enumerate(shown):
            part = slice(at * width, (at + 1) * width)
            yield name, columns[:, part] @ own[part] if term.part == "column" else _picked(own, columns[:, at])


def _picked(effects: Array, codes: Array) -> Array:
    """(deal, draw) each deal's effect, 0 for a negative code."""
    picked = effects[codes]
    picked[codes < 0] = 0
    return picked


def weight_of_role(coefs: Coefficients, features: Features, role: int) -> Array:
    """(deal, draw) weight of a role's support, under each deal's decision method and in its team."""
    weight: Array = coefs.role_weight[role][features.method]
    if features.team.shape[1]:
        weight *= coefs.team_factor[role][features.team_code]
    return weight


def support_terms(coefs: Coefficients, features: Features) -> tuple[list[Array], Array]:
    """What each role's support adds, a (deal, draw) for each role, and the variance it leaves, (deal, draw)."""
    reports = _reports(features)
    means, variances = _support(coefs, reports, slice(None))
    each = [means[row] * reading[:, None] for row, reading in zip(reports.row.T, reports.reading.T, strict=True)]
    return each, _add_up(variances, reports.row)


def attenuation(variance: Array) -> Array:
    """The factor by which the variance of latent support shrinks the log-odds (probit approximation, MacKay 1992)."""
    shrink = np.asarray(np.float32(np.pi / 8) * variance)
    shrink += 1
    np.sqrt(shrink, out=shrink)
    return np.reciprocal(shrink, out=shrink)


def logits(coefs: Coefficients, features: Features) -> Array:
    """Log-odds of winning, (deal, draw)."""
    log_odds = np.empty((len(features), len(coefs.intercept)), dtype=np.float32)
    for part, predictor, shrink in _in_parts(coefs, features):
        np.multiply(predictor, shrink, out=log_odds[:, part])
    return _with_waiting(log_odds, features)


def logits_and_attenuation(coefs: Coefficients, features: Features) -> tuple[Array, Array]:
    """Log-odds of winning and the factor by which ``attenuation`` has shrunk them, each (deal, draw)."""
    log_odds = np.empty((len(features), len(coefs.intercept)), dtype=np.float32)
    shrinks = np.empty_like(log_odds)
    for part, predictor, shrink in _in_parts(coefs, features):
        np.multiply(predictor, shrink, out=log_odds[:, part])
        shrinks[:, part] = shrink
    return _with_waiting(log_odds, features), shrinks


def _with_waiting(log_odds: Array, features: Features) -> Array:
    if features.waiting.any():
        log_odds += features.waiting[:, None]
    return log_odds


def _in_parts(coefs: Coefficients, features: Features) -> Iterator[tuple[slice, Array, Array]]:
    """The predictor and its attenuation, each (deal, draw), for some of the draws at a time: what is added up for many
    deals then stays in the processor's second-level cache. A part of a few deals has all draws.
    """
    draws, facts, reports = len(coefs.intercept), _facts(coefs, features), _reports(features)
    width = _DRAWS if len(features) > _FEW else max(draws, 1)
    for start in range(0, draws, width):
        part = slice(start, min(start + width, draws))
        predictor = _add_up(coefs.table[:, part], *facts)
        for term in _DENSE:
            if len(coefs.dense[term.name]):
                predictor += add_rows(coefs.dense[term.name][:, part], getattr(features, term.reads))
        means, variances = _support(coefs, reports, part)
        predictor += _add_up(means, reports.row, reports.reading)
        yield part, predictor, attenuation(_add_up(variances, reports.row))


def _add_up(table: Array, rows: Array, amounts: Array | None = None) -> Array:
    """(deal, draw) sum of a deal's ``rows`` (deal, slot) of a table (row, draw), each times its ``amounts``."""
    return add_rows(table, np.ones(rows.shape, dtype=np.float32) if amounts is None else amounts, rows)


def _facts(coefs: Coefficients, features: Features) -> tuple[Array, Array]:
    """The rows of ``table`` that add up to a deal's predictor, and a factor for each, both (deal, slot)."""
    deals = len(features)
    rows, amounts = [np.full((deals, 1), coefs.rows[_INTERCEPT].start)], [np.ones((deals, 1), dtype=np.float32)]
    for term in _SUMMED:
        own, reads = coefs.rows[term.name], getattr(features, term.reads)
        if term.part == "column":
            rows.append(np.broadcast_to(np.arange(own.start, own.stop), reads.shape))
            amounts.append(reads)
        else:
            codes = reads.reshape(deals, -1)
            rows.append(np.where(codes < 0, coefs.rows[_NOTHING].start, own.start + codes))
            amounts.append(np.ones(codes.shape, dtype=np.float32))
    return np.concatenate(rows, axis=1), np.concatenate(amounts, axis=1)


class _Reports(NamedTuple):
    """The few distinct reports on a role, which occur in many deals, so that each is computed once.

    Attributes
    ----------
    coach, readers, variance : (report,) the coach, and how many readings there are and what they hide
    role, method, team, report : (row,) of each distinct role, method, team and report
    row : (deal, role) the row of a deal's report on a role
    reading : (deal, role) its reading, 1 where there is none
    """

    coach: Array
    readers: Array
    variance: Array
    role: Array
    method: Array
    team: Array
    report: Array
    row: Array
    reading: Array


def _reports(features: Features) -> _Reports:
    shape = features.readers.shape
    role = np.broadcast_to(np.arange(shape[1]), shape).ravel()
    of_deal = (features.coach, features.method, features.team_code)
    coach, method, team = (np.repeat(codes, shape[1]) for codes in of_deal)
    readers, variance = features.readers.ravel(), features.reading_variance.ravel()
    one, report = _distinct(coach, *(np.unique(values, return_inverse=True)[1] for values in (readers, variance)))
    first, row = _distinct(role, method, team, report)
    return _Reports(
        coach=coach[one],
        readers=readers[one, None].astype(np.float32),
        variance=variance[one, None].astype(np.float32),
        role=role[first],
        method=method[first],
        team=team[first],
        report=report[first],
        row=row.reshape(shape),
        reading=np.where(features.readers == 0, 1, features.unbiased).astype(np.float32),
    )


def _distinct(*codes: Array) -> tuple[Array, Array]:
    """The first place of each distinct combination of codes, and the combination at each place."""
    key = codes[0]
    for code in codes[1:]:
        key = key * (code.max(initial=0) + 1) + code
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first, which


def _support(coefs: Coefficients, reports: _Reports, part: slice) -> tuple[Array, Array]:
    """Weighted mean of a role's latent support for a reading of 1, and its weighted variance, each (row, draw), see
    ``graph``. Without a reading the mean is that of unknown support.
    """
    rho, readers = coefs.reliability[reports.coach, part], reports.readers
    spread = 1 + (readers - 1) * rho**2
    gain = rho * readers / spread
    variance = (1 - rho**2) / spread + gain**2 * reports.variance
    weight = coefs.role_weight[reports.role, reports.method, part]
    if coefs.team_factor.shape[1]:
        weight *= coefs.team_factor[reports.role, reports.team, part]
    silent = np.flatnonzero(readers[reports.report, 0] == 0)
    means, variances = gain[reports.report], variance[reports.report]
    means[silent] = coefs.unknown_support[reports.role[silent], part]
    means *= weight
    variances *= weight**2
    return means, variances


def _draws_last(values: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(values, 0, -1), dtype=np.float32)


def _with_unseen(term: Term, last: Mapping[str, Array], features: Features, seed: int) -> Array:
    """(level, draw) the term's coefficients, then fresh draws for what these deals have and training had not."""
    known = last[term.coefficient]
    if term.kind is Kind.POOLED:
        return _stacked(known, _unseen_levels(last[list(term.parameters)[1]], features, seed))
    if term.kind is Kind.WALK and len(known) and len(features):
        return _stacked(known, _later_quarters(known, last[list(term.parameters)[1]], features, seed))
    if term.name == _COMPANION:
        return _by_booster(known, features.companion.shape[1])
    return known


def _by_booster(weight: Array, boosters: int) -> Array:
    """(booster, draw) the companion's weight (1, draw) in the draws of each booster, which take turns; 0 in others."""
    turn = np.arange(weight.shape[-1]) % max(boosters, 1)
    return np.asarray(weight * (turn == np.arange(boosters)[:, None]), dtype=np.float32)


def _stacked(known: Array, fresh: Sequence[Array]) -> Array:
    return np.concatenate([known, np.array(fresh, dtype=np.float32).reshape(-1, known.shape[-1])])


def _unseen_levels(scale: Array, features: Features, seed: int) -> list[Array]:
    return [scale[field] * _fresh(seed, f"{field}={level}", scale.shape[-1]) for field, level in features.unseen]


def _team_factors(last: Mapping[str, Array], features: Features, seed: int) -> Array:
    """(role, team, draw) factors of the weights of known teams, then of those that these deals have anew."""
    known = np.swapaxes(last["team_factor"], 0, 1)
    if not features.unseen_teams:
        return known
    spread, draws = last["team_spread"][0], known.shape[-1]
    fresh = [
        [np.exp(spread * _fresh(seed, f"{role} of {team}", draws)) for team in features.unseen_teams] for role in ROLES
    ]
    return np.concatenate([known, np.array(fresh, dtype=np.float32)], axis=1)


def _later_quarters(known: Array, scale: Array, features: Features, seed: int) -> list[Array]:
    later = range(max(int(features.quarter.max()) - len(known) + 1, 0))
    steps = [scale * _fresh(seed, f"quarter+{k}", known.shape[-1]) for k in later]
    return list(known[-1] + np.cumsum(np.array(steps).reshape(-1, known.shape[-1]), axis=0))


def _fresh(seed: int, name: str, draws: int) -> Array:
    """Standard normal draws that depend on the seed and a name alone."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return rng.standard_normal(draws, dtype=np.float32)
