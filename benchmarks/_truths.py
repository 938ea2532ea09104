"""What is true of a simulated team: the simulator's own numbers, a draw from the model's prior, or a wider draw.

``fixed`` is ``Truth()``, whose numbers lie near the middle of the prior: every team has the same weights and effects.
``prior`` draws them for each team from the prior that the model itself has, through its named parameters
(``sample_prior``; the intercept is that of a model without deals): intervals should then hold what they promise.
``wide`` takes such a draw further out:

- one factor on every effect, weight and offset, log-normal, so that the effect scale's log sd is twice the default's;
- role weights 1.5 times as large;
- the lean towards the roles that the method lets decide is N(0, .7) instead of the prior's: in half of the teams the
  method's teaching is wrong.

The shares of stages, methods, coaches, tiers and blanks are the simulator's in all three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from winprob.methodology import plays
from winprob.methodology.vocabulary import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES
from winprob.simulation import Simulation, Truth, simulate
from winprob.simulation.frames import level_names
from winprob.simulation.truth import TEAM

Array = np.ndarray

TRUTHS = ("fixed", "prior", "wide")
#: Log sd of the factor of ``wide``: with the default effect scale's .6 it makes 1.2.
WIDER_SCALE = 0.6 * np.sqrt(3)
WIDER_WEIGHTS = 1.5
WIDER_LEAN = 0.7
#: A team with fewer closed deals of either outcome is drawn again: neither a model nor a logistic learns from it.
FEWEST_OUTCOMES = 10
_TRIES = 200

#: Parameters of the simulator: the model's name and the labels wanted of each of its dims.
NAMES: dict[str, tuple[str, tuple[Sequence[str], ...]]] = {
    "intercept": ("intercept", ()),
    "stage_effect": ("stage_effect", (STAGES,)),
    "coverage_effect": ("coverage_effect", (COVERAGES,)),
    "coach_effect": ("coach_effect", (COACH_STATES,)),
    "method_effect": ("method_effect", (DECISION_METHODS,)),
    "role_weight": ("role_weight", (ROLES, DECISION_METHODS)),
    "reliability": ("reliability", (COACH_STATES,)),
    "unknown_mean": ("unknown_support", (ROLES,)),
    # Its scale: the simulator's effect of an amount is a straight line, the model's prior of one is normal.
    "amount_effect": ("curve_scale", (("amount",),)),
    "drift_sd": ("drift_scale", ()),
}
#: What the factor of ``wide`` multiplies, with the offsets.
EFFECTS = ("stage_effect", "coverage_effect", "coach_effect", "method_effect", "role_weight", "amount_effect")


def team_with(kind: str, closed: int, seed: int, world: Mapping[str, Any]) -> Simulation:
    """A team of this kind of truth; what ``world`` sets is set in every kind."""
    if kind == "fixed":
        return simulate(closed, 1, seed=seed, truth=Truth(**world))
    plain = simulate(closed, 1, seed=seed)
    rng = np.random.default_rng([seed, closed, TRUTHS.index(kind)])
    for _ in range(_TRIES):
        truth, lean = draw_from_prior(plain, rng)
        if kind == "wide":
            truth = widen(truth, lean, plain, seed, rng)
        team = simulate(closed, 1, seed=seed, truth=replace(truth, **world))
        won = int(team.latent_closed.won.sum())
        if min(won, closed - won) >= FEWEST_OUTCOMES:
            return team
    raise RuntimeError(f"no team of {closed} deals with {FEWEST_OUTCOMES} of either outcome in {_TRIES} draws")


def draw_from_prior(team: Simulation, rng: np.random.Generator) -> tuple[Truth, float]:
    """A truth drawn from the model's prior for this team's levels and shares, and its lean towards who decides.

    A parameter of the simulator that the model does not have by that name, or not for its labels, stays as it is:
    ``kept_parameters`` lists them.
    """
    named, labels, dims = _prior_draw(team, rng)
    numbers = {name: _picked(named, labels, dims, *source) for name, source in NAMES.items()}
    found: dict[str, Any] = {name: values for name, values in numbers.items() if values is not None}
    if "amount_effect" in found:
        found["amount_effect"] = found["amount_effect"][0] * rng.standard_normal()
    for field in TEAM:
        if (offsets := _offsets(field, team.truth, named, labels, rng)) is not None:
            found[f"{field}_offset"] = offsets
    if len(walk := named.get("drift", ())) == len(team.truth.drift) - 1:
        # The model's walk is centred over the quarters of training; the current quarter draws a new step.
        found["drift"] = [*walk, walk[-1] + named["drift_scale"] * rng.standard_normal()]
    return replace(Truth(), **found), _lean(named)


def kept_parameters(team: Simulation) -> list[str]:
    """The simulator's parameters of ``NAMES`` and the offsets that no draw from the prior sets."""
    named, labels, dims = _prior_draw(team, np.random.default_rng(0))
    kept = [name for name, source in NAMES.items() if _picked(named, labels, dims, *source) is None]
    return kept + [f"{field}_offset" for field in TEAM if "offset" not in named or field not in labels.get("field", ())]


def widen(truth: Truth, lean: float, team: Simulation, seed: int, rng: np.random.Generator) -> Truth:
    """A truth further out than a draw from the prior, with the same mean log-odds of the closed deals."""
    factor, new_lean = np.exp(WIDER_SCALE * rng.standard_normal()), WIDER_LEAN * rng.standard_normal()
    offsets = [f"{field}_offset" for field in TEAM]
    numbers: dict[str, Any] = {name: factor * truth.array(name) for name in (*EFFECTS, *offsets)}
    numbers["role_weight"] = WIDER_WEIGHTS * numbers["role_weight"] * np.exp((new_lean - lean) * who_decides())
    wider = replace(truth, **numbers)
    before, after = (_mean_logit(each, team, seed) for each in (truth, wider))
    return replace(wider, intercept=truth.intercept + before - after)


def who_decides() -> Array:
    """(role, method) 1 where the method lets the role decide, -1 where it does not."""
    decides = -np.ones((len(ROLES), len(DECISION_METHODS)))
    for play in plays("chain", "decides"):
        for column in play.columns:
            decides[ROLES.index(column.removesuffix("_support")), DECISION_METHODS.index(play.of)] = 1
    return decides


def _mean_logit(truth: Truth, team: Simulation, seed: int) -> float:
    return float(simulate(len(team.closed), 1, seed=seed, truth=truth).latent_closed.logit_win_prob.mean())


def _prior_draw(
    team: Simulation, rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """One draw of every named parameter, the labels of all dims, and the dims of each parameter."""
    import winprob
    from winprob.model.inference import read_training
    from winprob.model.win.blocks import DIMS, coords
    from winprob.model.win.parameters import sample_prior

    scaling = read_training(team.closed, winprob.Settings()).scaling
    draws = sample_prior(scaling.layout, winprob.Settings().priors, 1, rng)
    return {name: values[0] for name, values in draws.items()}, dict(coords(scaling)), DIMS


def _picked(
    named: Mapping[str, Array],
    labels: Mapping[str, Sequence[str]],
    dims: Mapping[str, Sequence[str]],
    name: str,
    wanted: Sequence[Sequence[str]],
) -> Array | None:
    """The values of a parameter at these labels of its dims; None where it has other dims or not these labels."""
    if name not in named or len(dims.get(name, ())) != len(wanted):
        return None
    places = [pd.Index(labels[dim]).get_indexer(pd.Index(want)) for dim, want in zip(dims[name], wanted, strict=True)]
    if any((place < 0).any() for place in places):
        return None
    return named[name][np.ix_(*places)] if places else named[name]


def _offsets(
    field: str,
    truth: Truth,
    named: Mapping[str, Array],
    labels: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
) -> Array | None:
    """Offsets of all levels of a field of the team; one without a closed deal is drawn from its field's scale."""
    if "offset" not in named or field not in labels.get("field", ()):
        return None
    names = level_names(truth, field)
    place = pd.Index(labels["level"]).get_indexer(pd.Index([f"{field}={name}" for name in names]))
    scale = named["offset_scale"][labels["field"].index(field)]
    return np.where(place < 0, scale * rng.standard_normal(len(names)), named["offset"][place])


def _lean(named: Mapping[str, Array]) -> float:
    """How far the drawn weights lean towards the roles that decide: drawn itself, or the prior's fixed number."""
    import winprob

    lean = named.get("method_lean", getattr(winprob.Settings().priors, "method_lean", 0.0))
    return float(np.ravel(lean)[0])
