"""Deals and priors as the arrays of the fused density, and what its unknowns mean."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import expit

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Curves, Features, Layout
from winprob.model.win import blocks
from winprob.model.win.density import Density
from winprob.model.win.kinds import table_rows
from winprob.model.win.parameters import constant_of, prior_data
from winprob.settings import PriorSettings


def build_density(
    features: Features,
    layout: Layout,
    priors: PriorSettings,
    *,
    won: Array,
    weight: Array,
    waiting_odds: Array | None = None,
    terms: Sequence[blocks.Term] = blocks.TERMS,
) -> Density:
    """The density over these deals; rows equal in all that the model uses become one, with their summed weight.

    Parameters
    ----------
    won : (deal,) share of the row's weight that was won, 0..1; NaN for a censored deal, which is still open
    weight : (deal,) weight of each row
    waiting_odds : (deal,) likelihood that a censored deal has stayed open so long if it will be won, over that if not;
        it adds ``log(1 + (odds - 1) p)``, nothing where the odds are 1
    """
    report, places = _reports(features)
    rows = np.concatenate([blocks.effect_places(features, layout, terms), places], axis=1).astype(np.uint32)
    columns = blocks.column_values(features, layout, terms)
    censored = np.isnan(won)
    odds = np.where(censored, 1.0 if waiting_odds is None else waiting_odds, 1.0)
    first, row_of = _distinct(rows, columns, odds)
    return Density(
        **_prior(layout, priors, terms),
        places=np.ascontiguousarray(rows[first]),
        columns=np.ascontiguousarray(columns[first]),
        won=np.bincount(row_of, weights=np.where(censored, 0.0, won * weight)),
        weight=np.bincount(row_of, weights=np.where(censored, 0.0, weight)),
        waiting=np.bincount(row_of, weights=np.where(censored, weight, 0.0)),
        waiting_odds=odds[first],
        **report,
    )


def _prior(layout: Layout, priors: PriorSettings, terms: Sequence[blocks.Term]) -> dict[str, Array]:
    """The table of terms, and the numbers of their priors."""
    prior = prior_data(layout, priors, terms)
    effects, columns = blocks.effect_slices(layout, terms), blocks.column_slices(layout, terms)
    column = blocks.length(effects) + 1
    support = column + blocks.length(columns)
    sizes = layout.sizes
    factor = support + sizes["role"] + sizes["role"] * sizes["decision_method"] + sizes["coach"]
    intercept = factor + sizes["team"] * sizes["role"]
    parts = {
        "support": slice(support, factor),
        "factor": slice(factor, intercept),
        "intercept": slice(intercept, intercept + 1),
    }
    out = {name: slice(column + one.start, column + one.stop) for name, one in columns.items()}
    out |= effects | {term.name: parts[term.part] for term in terms if term.part in parts}
    constants = {term.name: constant_of(term, layout, prior) for term in terms}
    constants = {name: one.packed() if isinstance(one, Curves) else one for name, one in constants.items()}
    rows, numbers = table_rows(terms, layout, out, {name: one for name, one in constants.items() if one is not None})
    scale = blocks.block_slices("normal", layout, terms)["effect_scale"].start
    normal = blocks.blocks_of("normal", terms)
    return {
        "rows": rows,
        "constants": numbers,
        "parts": np.array([column, support, factor, intercept, intercept + 1, scale]),
        "normal_pooled": np.repeat(
            [float(block.pooled) for block in normal], [block.length(layout) for block in normal]
        ),
        **{name: np.ascontiguousarray(values) for name, values in prior.items() if name in Density._fields},
        **_scales(layout, prior, terms),
        **_roles(layout, terms),
    }


def _roles(layout: Layout, terms: Sequence[blocks.Term]) -> dict[str, Array]:
    """Which unknowns are effects with a prior that a person set, roles' weights where positive, and roles' levels."""
    normal, half = (blocks.block_slices(family, layout, terms) for family in ("normal", "half_normal"))
    kinds = {term.kind for term in terms}
    fixed = np.zeros(blocks.length(normal), dtype=np.int64)
    for term in terms:
        if term.kind in (blocks.Kind.COPIED, blocks.Kind.ORDERED):
            for block in term.blocks:
                fixed[normal[block.name] if block.family == "normal" else slice(0)] = 1
    none = np.zeros(0, dtype=np.int64)
    if blocks.Kind.ROLE_WEIGHT not in kinds:
        return {"fixed": fixed, "log_weight": none, "unknown_support": none}
    unknowns = np.arange(blocks.length(normal) + blocks.length(half))
    return {
        "fixed": fixed,
        "log_weight": unknowns[blocks.length(normal) :][half["role_weight"]],
        "unknown_support": unknowns[normal["unknown_support"]],
    }


def _scales(layout: Layout, prior: Mapping[str, Array], terms: Sequence[blocks.Term]) -> dict[str, Array]:
    """Which unknowns have which learned scale: one for each column of a term, or one for the term."""
    normal, half = (blocks.block_slices(family, layout, terms) for family in ("normal", "half_normal"))
    normals = blocks.length(normal)
    scale, centred = np.full(normals, -1), np.ones(normals, dtype=np.int64)
    halves: list[int] = []
    deviations: list[int] = []
    attenuated: list[float] = []
    for term in terms:
        pooled = [block.name for block in term.blocks if block.pooled and block.family == "normal"]
        if term.kind not in _ONE_SCALE | _COLUMN_SCALES.keys() or not pooled:
            continue
        own, first = normal[pooled[0]], len(halves)
        # The last one: role weights have half-normal unknowns before it. Without teams there is none.
        learned = half[[block.name for block in term.blocks if block.family == "half_normal"][-1]]
        if learned.start == learned.stop:
            continue
        column_scales = _COLUMN_SCALES.get(term.kind)
        if column_scales is None:
            scale[own], columns = first, 1
            deviations += [-1]
        else:
            of, deviation = column_scales(layout), normal[term.blocks[0].name]
            scale[own], columns = first + of, deviation.stop - deviation.start
            deviations += range(deviation.start, deviation.stop)
        attenuated += [float(term.kind not in _OF_WEIGHTS)] * columns
        halves += [normals + learned.start] * columns
        if term.kind is blocks.Kind.CURVE:
            centred[own] = layout.curves.sign == 0
    deviation_of = np.array(deviations, dtype=np.int64)
    return {
        "scale": scale,
        "centred": centred,
        "scale_half": np.array(halves, dtype=np.int64),
        "scale_deviation": deviation_of,
        "scale_deviation_sd": np.where(deviation_of < 0, 0.0, prior["normal_sd"][deviation_of]),
        "scale_attenuated": np.array(attenuated),
    }


#: Kinds whose scale is one of logs of weights rather than of log-odds.
_OF_WEIGHTS = {blocks.Kind.ROLE_WEIGHT, blocks.Kind.FACTOR}
#: Kinds whose unknowns share one learned scale, and those in which each column has its own: the column of each unknown.
_ONE_SCALE = {blocks.Kind.ROLE_WEIGHT, blocks.Kind.WALK, blocks.Kind.LINEAR, blocks.Kind.FACTOR}
_COLUMN_SCALES: Mapping[blocks.Kind, Callable[[Layout], Array]] = {
    blocks.Kind.POOLED: lambda layout: layout.field_of_level,
    blocks.Kind.CURVE: lambda layout: layout.curves.column_of_bin,
}


def standard_unknowns(points: Array, density: Density) -> dict[str, Array]:
    """``normal``, ``half_normal`` and ``ratio``, each (..., unknown), from points (..., unknown) of the sampler."""
    normal, log_half_normal, log_odds = _split(points, density)
    return {"normal": normal, "half_normal": np.exp(log_half_normal), "ratio": expit(log_odds)}


def log_prior(points: Array, density: Density) -> Array:
    """(...) log density, up to a constant, of the priors that a person set: not those whose scale is learned.

    Power scaling needs it (Kallioinen et al. 2024, doi 10.1007/s11222-023-10366-5).
    """
    standard = standard_unknowns(points, density)
    normal = standard["normal"] * (density.normal_pooled == 0)
    ratio = standard["ratio"]
    beta = (density.ratio_a - 1) * np.log(ratio) + (density.ratio_b - 1) * np.log1p(-ratio)
    squares = (normal**2).sum(axis=-1) + (standard["half_normal"] ** 2).sum(axis=-1)
    return np.asarray(beta.sum(axis=-1) - 0.5 * squares)


def _split(points: Array, density: Density) -> list[Array]:
    normals = len(density.normal_sd)
    return np.split(points, [normals, normals + len(density.half_normal_sd)], axis=-1)


def _reports(features: Features) -> tuple[dict[str, Array], Array]:
    """Distinct reports on a role under a coach and a method, and (deal, role) which of them a deal has."""
    role = np.broadcast_to(np.arange(len(ROLES)), features.readers.shape)
    of_deal = (features.coach, features.method, features.team_code)
    shared = [np.broadcast_to(code[:, None], role.shape) for code in of_deal]
    table = np.stack([role, *shared, features.readers, features.unbiased, features.reading_variance], axis=-1)
    distinct, place = np.unique(table.reshape(-1, 7), axis=0, return_inverse=True)
    role_code, coach, method, team = (np.ascontiguousarray(column, dtype=np.int64) for column in distinct.T[:4])
    readers, reading, variance = (np.ascontiguousarray(column) for column in distinct.T[4:])
    groups, group = np.unique(np.stack([coach, readers], axis=1), axis=0, return_inverse=True)
    reports = {
        "report_role": role_code,
        "report_group": group.ravel().astype(np.int64),
        "report_method": method,
        "report_team": team,
        "group_coach": groups[:, 0].astype(np.int64),
        "group_readers": np.ascontiguousarray(groups[:, 1]),
        "reading": reading,
        "reading_variance": variance,
    }
    return reports, place.reshape(role.shape)


def _distinct(places: Array, columns: Array, odds: Array) -> tuple[Array, Array]:
    """The first of each set of equal rows, and the set that each row belongs to."""
    rows = np.concatenate([places.astype(np.float64), columns, odds[:, None]], axis=1)
    _, first, row_of = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, row_of.ravel()
