"""The table of the model's terms: the one place that fixes which unknowns there are, in which order, with which prior.

A row is a term of the linear predictor: the kind of its effects (``kinds``), the array of ``Features`` it reads, the
parameters it yields and its blocks of unknowns with their priors. Slices of the vectors of unknowns, dims, coords,
coefficient names, the places of a deal's effects, the fused density and the PyMC graph are derived from it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Literal

import numpy as np

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import WORDS, Features, Layout, Scaling


class Kind(IntEnum):
    """How a term's unknowns become its coefficients; ``kinds`` has forward and adjoint of each."""

    EFFECT_SCALE = 0
    COPIED = 1
    ORDERED = 2
    POOLED = 3
    WALK = 4
    LINEAR = 5
    ROLE_WEIGHT = 6
    UNCONSTRAINED_ROLE_WEIGHT = 7
    CURVE = 8
    POSITIVE = 9
    FACTOR = 10


@dataclass(frozen=True, slots=True)
class Block:
    """Unknowns that share a prior.

    Attributes
    ----------
    dims : one unknown for each combination of their levels, minus ``less``
    settings : entries of ``[priors]``; for a beta one for each unknown; without any, the prior is standard normal
    scaled : whether the learned effect scale multiplies the unknown
    pooled : whether its scale is learned, so that the prior is not set by a person (partial pooling, non-centred)
    """

    family: Literal["normal", "half_normal", "beta"]
    name: str
    dims: tuple[str, ...] = ()
    less: int = 0
    settings: tuple[str, ...] = ()
    scaled: bool = False
    pooled: bool = False

    def length(self, layout: Layout) -> int:
        """How many unknowns it has."""
        return prod(layout.sizes[dim] for dim in self.dims) - self.less


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A row of the table.

    Attributes
    ----------
    name : a column of the deal table or a name for several columns; the name of the term in explanations
    parameters : dims of each parameter that the term yields; the first one holds the coefficients
    blocks : the unknowns; those of one family are adjacent in its vector, in this order
    part : how the coefficients enter the predictor: an *effect* is picked by a code, a *column* multiplies a number, a
        *factor* is picked by a code and multiplies the weights of *support*
    reads : the array of ``Features`` with the codes or numbers
    constant : the entry of ``prior_data`` that the kind needs
    shown_by : the list of the scaling whose members an explanation shows apart
    dense : whether prediction multiplies its many columns as a matrix
    """

    name: str
    kind: Kind
    parameters: Mapping[str, tuple[str, ...]]
    blocks: tuple[Block, ...]
    part: Literal["intercept", "effect", "column", "support", "factor"] | None = None
    reads: str = ""
    constant: str = ""
    shown_by: Literal["fields", "lines", "curves"] | None = None
    dense: bool = False

    @property
    def coefficient(self) -> str:
        """The parameter that holds the coefficients."""
        return next(iter(self.parameters))

    def size(self, layout: Layout) -> int:
        """How many coefficients it has."""
        return prod(layout.sizes[dim] for dim in self.parameters[self.coefficient])

    @property
    def settings(self) -> tuple[str, ...]:
        """Entries of ``[priors]`` that set its priors."""
        return tuple(dict.fromkeys(setting for block in self.blocks for setting in block.settings))


def ordered(name: str, reads: str, effect: str, dim: str, *, scaled: bool) -> Term:
    """Effects that never fall from one known level to the next, and one of *unknown*, free of the order."""
    unknown = Block("normal", f"{dim}_unknown", settings=("unknown",), scaled=scaled)
    step = Block("half_normal", f"{dim}_step", (dim,), less=2, settings=(f"{dim}_step",), scaled=scaled)
    return Term(
        name=name, kind=Kind.ORDERED, parameters={effect: (dim,)}, blocks=(unknown, step), part="effect", reads=reads
    )


def copied(name: str, reads: str, effect: str, dim: str) -> Term:
    """An effect for each level, without order."""
    block = Block("normal", dim, (dim,), settings=(dim,), scaled=True)
    return Term(name=name, kind=Kind.COPIED, parameters={effect: (dim,)}, blocks=(block,), part="effect", reads=reads)


def linear(name: str, reads: str, block: str, dim: str, *, dense: bool = False) -> Term:
    """A weight for each column, with one learned scale."""
    return Term(
        name=name,
        kind=Kind.LINEAR,
        parameters={f"{block}_weight": (dim,), f"{block}_scale": ()},
        blocks=(
            Block("normal", block, (dim,), pooled=True),
            Block("half_normal", f"{block}_scale", settings=(f"{block}_scale",)),
        ),
        part="column",
        reads=reads,
        shown_by=None if dense else "lines",
        dense=dense,
    )


def _support(kind: Kind, deviation: Block, weight: Block, lean: Block | None = None) -> Term:
    """Weight and reliability of the reports on each role's support."""
    betas = ("reliability_validated", "reliability_unvalidated_ratio", "reliability_none_ratio")
    unknown = Block("normal", "unknown_support", ("role",), settings=("unknown_support",))
    spread = Block("half_normal", "method_spread", settings=("method_spread",))
    reliability = Block("beta", "reliability", ("coach",), settings=betas)
    return Term(
        name="support",
        kind=kind,
        parameters={
            "role_weight": ("role", "decision_method"),
            "role_weight_population": ("role",),
            "method_spread": (),
            "reliability": ("coach",),
            "unknown_support": ("role",),
            **({"method_lean": ()} if lean else {}),
        },
        blocks=(unknown, *([lean] if lean else []), weight, deviation, spread, reliability),
        part="support",
        constant="who_decides",
    )


_BY_METHOD = ("role", "decision_method")

#: The model. Effects are added up in this order, and unknowns are in their vectors in this order.
TERMS: tuple[Term, ...] = (
    Term(
        name="intercept",
        kind=Kind.COPIED,
        parameters={"intercept": ()},
        blocks=(Block("normal", "intercept", settings=("intercept",)),),
        part="intercept",
    ),
    Term(
        name="effect_scale",
        kind=Kind.EFFECT_SCALE,
        parameters={"effect_scale": ()},
        blocks=(Block("normal", "effect_scale", settings=("effect_scale",)),),
    ),
    ordered("stage", "stage", "stage_effect", "stage", scaled=False),
    ordered("approver_coverage", "coverage", "coverage_effect", "coverage", scaled=True),
    copied("coach", "coach", "coach_effect", "coach"),
    copied("decision_method", "method", "method_effect", "decision_method"),
    _support(
        Kind.ROLE_WEIGHT,
        Block("normal", "deviation", _BY_METHOD, pooled=True),
        Block("half_normal", "role_weight", ("role",), settings=("role_weight",), scaled=True),
        Block("normal", "method_lean", settings=("method_lean",)),
    ),
    Term(
        name="covariates",
        kind=Kind.POOLED,
        parameters={"offset": ("level",), "offset_scale": ("field",)},
        blocks=(
            Block("normal", "field_deviation", ("field",), settings=("field_deviation",)),
            Block("normal", "offset", ("level",), pooled=True),
            Block("half_normal", "offset_scale", settings=("offset_scale",)),
        ),
        part="effect",
        reads="level",
        constant="field_of_level",
        shown_by="fields",
    ),
    # Straight lines: in models of former versions.
    linear("lines", "numeric", "numeric", "feature"),
    Term(
        name="curves",
        kind=Kind.CURVE,
        parameters={"curve": ("bin",), "curve_scale": ("column",)},
        blocks=(
            Block("normal", "numeric_deviation", ("column",), settings=("numeric_deviation",)),
            Block("normal", "curve", ("bin",), pooled=True),
            Block("half_normal", "curve_scale", settings=("numeric_scale",)),
        ),
        part="effect",
        reads="bin",
        constant="curves",
        shown_by="curves",
    ),
    linear("combinations", "pairs", "pair", "component", dense=True),
    Term(
        name="companion",
        kind=Kind.POSITIVE,
        parameters={"companion_weight": ("companion",)},
        blocks=(Block("normal", "companion_weight", ("companion",), settings=("companion_weight",)),),
        part="column",
        reads="companion",
    ),
    Term(
        name="quarter",
        kind=Kind.WALK,
        parameters={"drift": ("quarter",), "drift_scale": ()},
        blocks=(
            Block("normal", "drift", ("quarter",), pooled=True),
            Block("half_normal", "drift_scale", settings=("drift_scale",)),
        ),
        part="effect",
        reads="quarter",
        constant="walk",
    ),
    # Role weights of each team about the common ones, where a column of teams is declared.
    Term(
        name="team_weights",
        kind=Kind.FACTOR,
        parameters={"team_factor": ("team", "role"), "team_spread": ("team_column",)},
        blocks=(
            Block("normal", "team_factor", ("team", "role"), pooled=True),
            Block("half_normal", "team_spread", ("team_column",), settings=("team_spread",)),
        ),
        part="factor",
        reads="team",
    ),
)

#: The same model with role weights of either sign, to ask whether the data contradict the method: normal where the
#: model has half-normal weights, methods deviate by adding instead of multiplying.
UNCONSTRAINED: tuple[Term, ...] = tuple(
    _support(
        Kind.UNCONSTRAINED_ROLE_WEIGHT,
        Block("normal", "deviation", _BY_METHOD, settings=("role_weight",), scaled=True, pooled=True),
        Block("normal", "role_weight", ("role",), settings=("role_weight",), scaled=True),
    )
    if term.kind is Kind.ROLE_WEIGHT
    else term
    for term in TERMS
)

#: Dims of every parameter a fitted model keeps, after ``draw``.
DIMS: dict[str, tuple[str, ...]] = {name: dims for term in TERMS for name, dims in term.parameters.items()}


def coords(scaling: Scaling) -> dict[str, tuple[str, ...]]:
    """Labels of every dim. A level is ``field=value``, a blank ``field=``; the second feature of a number its blank."""
    first, teams = scaling.first_quarter or 0, [field for field in scaling.fields if field.team]
    return {
        **{word.dim: word.levels for word in WORDS},
        "role": ROLES,
        "level": tuple(f"{field.name}={level}" for field in scaling.fields for level in field.levels),
        "field": tuple(field.name for field in scaling.fields),
        "feature": tuple(f"{column.name}{suffix}" for column in scaling.lines for suffix in ("", "=")),
        "bin": tuple(f"{column.name}={level}" for column in scaling.curves for level in column.levels),
        "column": tuple(column.name for column in scaling.curves),
        "companion": ("all",) * scaling.layout.companions,
        "component": tuple(str(at) for at in range(scaling.layout.components)),
        "quarter": tuple(quarter_name(first + at) for at in range(len(scaling.quarter_share))),
        "team": tuple(level for field in teams for level in field.levels),
        "team_column": tuple(field.name for field in teams),
    }


def quarter_name(ordinal: int) -> str:
    """``4 * year + quarter`` as ``2026Q4``."""
    return f"{ordinal // 4}Q{ordinal % 4 + 1}"


def blocks_of(family: str, terms: Iterable[Term] = TERMS) -> list[Block]:
    """The blocks of one family, in the order of their vector of unknowns."""
    return [block for term in terms for block in term.blocks if block.family == family]


def block_slices(family: str, layout: Layout, terms: Iterable[Term] = TERMS) -> dict[str, slice]:
    """The slice of each block in the vector of its family's unknowns."""
    return end_to_end({block.name: block.length(layout) for block in blocks_of(family, terms)})


def effect_slices(layout: Layout, terms: Iterable[Term] = TERMS) -> dict[str, slice]:
    """The slice of each term in the vector of all effects; one zero follows, for what has none."""
    return end_to_end({term.name: term.size(layout) for term in terms if term.part == "effect"})


def column_slices(layout: Layout, terms: Iterable[Term] = TERMS) -> dict[str, slice]:
    """The slice of each term in the vector of all weights of columns."""
    return end_to_end({term.name: term.size(layout) for term in terms if term.part == "column"})


def effect_places(features: Features, layout: Layout, terms: Sequence[Term] = TERMS) -> Array:
    """(deal, slot) places of a deal's effects in the vector of all effects; a negative code is the zero at its end."""
    slices = effect_slices(layout, terms)
    nothing = length(slices)
    codes = {term.name: getattr(features, term.reads) for term in terms if term.part == "effect"}
    return np.column_stack([np.where(codes[name] < 0, nothing, at.start + codes[name]) for name, at in slices.items()])


def effect_share(layout: Layout, terms: Sequence[Term] = TERMS) -> Array:
    """(effect,) share of the training weight that has the effect; 0 for a walk, which is centred by itself."""
    shares = layout.shares
    parts = [shares.get(term.reads, np.zeros(term.size(layout))) for term in terms if term.part == "effect"]
    return np.concatenate([*parts, np.zeros(1)])


def column_values(features: Features, layout: Layout, terms: Iterable[Term] = TERMS) -> Array:
    """(deal, column) the numbers that weights multiply; of the companion's boosters, alike in training, the first."""
    own = [getattr(features, term.reads)[:, : term.size(layout)] for term in terms if term.part == "column"]
    return np.concatenate([np.zeros((len(features), 0)), *own], axis=1).astype(np.float64)


def end_to_end(lengths: Mapping[str, int]) -> dict[str, slice]:
    """Consecutive slices of these lengths."""
    ends = np.cumsum(list(lengths.values())).tolist()
    return {name: slice(end - size, end) for (name, size), end in zip(lengths.items(), ends, strict=True)}


def length(slices: Mapping[str, slice]) -> int:
    """Length of the vector that consecutive slices cover."""
    return max((int(one.stop) for one in slices.values()), default=0)
