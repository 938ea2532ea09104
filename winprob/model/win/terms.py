"""What does each fact add to a deal's log-odds, draw by draw? The model's predictor in NumPy, without PyMC.

Arrays lie as (level, draw): a deal picks a few rows out of them and adds them up. That is a sparse matrix, with as many
entries a deal as it has facts, times a dense one; the sums stay in the processor's first-level cache, eight times as
fast as a gather for each fact.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from scipy.sparse import csr_array

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features, Scaling

#: The parts of ``Coefficients.effects``, in order.
_PARTS = ("intercept", "stage", "coverage", "coach", "method", "numeric_weight", "offset", "drift")

ROLE_TERMS = tuple(f"{role}_support" for role in ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Parameters laid out for prediction, float32, the draws last.

    Attributes
    ----------
    effects : (effect, draw) all that a deal picks from but the roles, end to end; intercept to drift are its parts
    intercept : (draw,)
    stage, coverage, coach, method : (state, draw), unknown last
    offset : (level, draw), the known levels of all fields, then one fresh draw for each unseen level
    drift : (quarter, draw), the training quarters, the later ones that are needed, then a row of zeros for no date
    numeric_weight : (feature, draw)
    pair_weight : (component, draw)
    role_weight : (role, method, draw)
    reliability : (coach, draw)
    unknown_support : (role, draw)
    """

    effects: Array
    intercept: Array
    stage: Array
    coverage: Array
    coach: Array
    method: Array
    numeric_weight: Array
    offset: Array
    drift: Array
    pair_weight: Array
    role_weight: Array
    reliability: Array
    unknown_support: Array


def coefficients(draws: Mapping[str, Array], features: Features, *, seed: int) -> Coefficients:
    """Lay out parameters (each (draw, *dims)) for these deals.

    Levels and quarters that training never saw are drawn from their population. The draw depends on the level's name
    and ``seed`` alone, so two deals of one new seller share it, and other deals in the table change nothing.
    """
    last = {name: _draws_last(values) for name, values in draws.items()}
    words = [last[f"{word}_effect"] for word in ("stage", "coverage", "coach", "method")]
    offset = np.concatenate([last["offset"], _unseen_offsets(last, features, seed)])
    parts = [last["intercept"][None], *words, last["numeric_weight"], offset, _drift(last, features, seed)]
    effects = np.concatenate(parts)
    intercept, stage, coverage, coach, method, numeric, offset, drift = np.split(effects, _ends(parts)[:-1])
    return Coefficients(
        effects=effects,
        intercept=intercept[0],
        stage=stage,
        coverage=coverage,
        coach=coach,
        method=method,
        numeric_weight=numeric,
        offset=offset,
        drift=drift,
        pair_weight=last["pair_weight"],
        role_weight=last["role_weight"],
        reliability=last["reliability"],
        unknown_support=last["unknown_support"],
    )


def iter_terms(by: Coefficients, features: Features, scaling: Scaling) -> Iterator[tuple[str, Array]]:
    """Every term of the predictor but the intercept and the roles, each (deal, draw)."""
    yield "stage", by.stage[features.stage]
    yield "coach", by.coach[features.coach]
    yield "decision_method", by.method[features.method]
    yield "approver_coverage", by.coverage[features.coverage]
    for at, field in enumerate(scaling.fields):
        yield field.name, by.offset[features.level[:, at]]
    for at, column in enumerate(scaling.numeric):
        pair = slice(2 * at, 2 * at + 2)
        yield column.name, features.numeric[:, pair] @ by.numeric_weight[pair]
    if len(by.pair_weight):
        yield "combinations", features.pairs @ by.pair_weight
    if len(by.drift) > 1:
        # NO_DATE is -1: the last row, which is zero.
        yield "quarter", by.drift[features.quarter]


def support_terms(by: Coefficients, features: Features) -> tuple[list[Array], Array]:
    """What each role's support adds, a (deal, draw) for each role, and the variance it leaves, (deal, draw).

    Few patterns of report, coach and method repeat over many deals, so each is worked out once.
    """
    means, variances, rows = _support_rows(by, features)
    return [means[row] for row in rows.T], _add_up(variances, rows)


def attenuation(variance: Array) -> Array:
    """The factor by which what is not known of support shrinks the log-odds (probit approximation, MacKay 1992)."""
    return 1 / np.sqrt(1 + np.float32(np.pi / 8) * variance)


def logits(by: Coefficients, features: Features) -> Array:
    """Log-odds of winning, (deal, draw)."""
    return logits_and_attenuation(by, features)[0]


def logits_and_attenuation(by: Coefficients, features: Features) -> tuple[Array, Array]:
    """Log-odds of winning and the factor by which ``attenuation`` has shrunk them, each (deal, draw)."""
    predictor = _add_up(by.effects, *_facts(by, features))
    if len(by.pair_weight):
        predictor += features.pairs @ by.pair_weight
    means, variances, rows = _support_rows(by, features)
    predictor += _add_up(means, rows)
    shrink = attenuation(_add_up(variances, rows))
    predictor *= shrink
    return predictor, shrink


def _add_up(table: Array, rows: Array, amounts: Array | None = None) -> Array:
    """(deal, draw) sum of a deal's ``rows`` (deal, slot) of a table (row, draw), each times its ``amounts``."""
    amounts = np.ones(rows.shape, dtype=np.float32) if amounts is None else amounts
    starts = np.arange(0, rows.size + 1, rows.shape[1])
    return np.asarray(csr_array((amounts.ravel(), rows.ravel(), starts), shape=(len(rows), len(table))) @ table)


def _facts(by: Coefficients, features: Features) -> tuple[Array, Array]:
    """Which ``effects`` add up to a deal's predictor, and how often each counts, both (deal, slot)."""
    start = dict(zip(_PARTS, [0, *_ends([np.atleast_2d(getattr(by, part)) for part in _PARTS])], strict=False))
    words = {part: start[part] + getattr(features, part) for part in ("stage", "coverage", "coach", "method")}
    # NO_DATE is -1: the last row, which is zero.
    quarter = start["drift"] + features.quarter % len(by.drift)
    numeric = start["numeric_weight"] + np.arange(features.numeric.shape[1])
    columns = [np.zeros_like(quarter), *words.values(), quarter, *(start["offset"] + features.level).T]
    rows = np.column_stack([*columns, np.broadcast_to(numeric, features.numeric.shape)])
    amounts = np.ones(rows.shape, dtype=np.float32)
    amounts[:, len(columns) :] = features.numeric
    return rows, amounts


def _ends(parts: Sequence[Array]) -> list[int]:
    return list(accumulate(len(part) for part in parts))


def _support_rows(by: Coefficients, features: Features) -> tuple[Array, Array, Array]:
    """Weighted mean and variance of support for each distinct (role, method, coach, report), each (pattern, draw), and
    which of them a deal has, (deal, role): few repeat over many deals, so each is worked out once.
    """
    means, variances, rows, known = [], [], [], 0
    for role in range(len(ROLES)):
        first, pattern = _patterns(features, role)
        mean, variance = _support_of(by, features.take(first), role)
        means.append(mean)
        variances.append(variance)
        rows.append(known + pattern)
        known += len(first)
    return np.concatenate(means), np.concatenate(variances), np.stack(rows, axis=1)


def _support_of(by: Coefficients, features: Features, role: int) -> tuple[Array, Array]:
    """Weighted mean and weighted variance of one role's latent support, each (deal, draw). See ``model``."""
    rho = by.reliability[features.coach]
    weight = by.role_weight[role][features.method]
    readers = features.readers[:, role, None].astype(np.float32)
    spread = 1 + (readers - 1) * rho**2
    gain = rho * readers / spread
    mean = gain * features.unbiased[:, role, None].astype(np.float32) + (readers == 0) * by.unknown_support[role]
    variance = (1 - rho**2) / spread + gain**2 * features.reading_variance[:, role, None].astype(np.float32)
    return weight * mean, weight**2 * variance


def _patterns(features: Features, role: int) -> tuple[Array, Array]:
    """The first row of each distinct (method, coach, report), and to which of them each row belongs."""
    key = features.method * 8 + features.coach
    for column in (features.readers, features.unbiased, features.reading_variance):
        values, code = np.unique(column[:, role], return_inverse=True)
        key = key * len(values) + code
    _, first, pattern = np.unique(key, return_index=True, return_inverse=True)
    return first, pattern


def _draws_last(values: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(values, 0, -1), dtype=np.float32)


def _unseen_offsets(last: Mapping[str, Array], features: Features, seed: int) -> Array:
    scale = last["offset_scale"]
    fresh = [scale[field] * _fresh(seed, f"{field}={level}", scale.shape[-1]) for field, level in features.unseen]
    return np.array(fresh, dtype=np.float32).reshape(-1, scale.shape[-1])


def _drift(last: Mapping[str, Array], features: Features, seed: int) -> Array:
    known = last["drift"]
    none = np.zeros((1, known.shape[-1]), dtype=np.float32)
    if not len(known) or not len(features):
        return none
    later = range(max(int(features.quarter.max()) - len(known) + 1, 0))
    steps = [last["drift_scale"] * _fresh(seed, f"quarter+{k}", known.shape[-1]) for k in later]
    walk = known[-1] + np.cumsum(np.array(steps).reshape(-1, known.shape[-1]), axis=0)
    return np.concatenate([known, walk.astype(np.float32), none])


def _fresh(seed: int, name: str, draws: int) -> Array:
    """Standard normal draws that depend on the seed and a name alone."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return rng.standard_normal(draws, dtype=np.float32)
