"""Hamiltonian Monte Carlo about a mode: many chains at once, exact where the posterior is normal.

In the coordinates in which the Laplace approximation is a standard normal, the log density is that of the normal plus a
remainder. A trajectory alternates rotations of position and momentum, which solve the normal's part exactly, with kicks
by the gradient of the remainder (splitting: Shahbaba, Lan, Johnson, Neal 2014, doi 10.1007/s11222-012-9373-1). It ends
after about a quarter turn, at which draws from a normal posterior would be independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from winprob.arrays import Array
from winprob.model.hazards.laplace import Mode

#: Log density (point,) and its gradient (unknown, point) at points (unknown, point).
LogDensity = Callable[[Array], tuple[Array, Array]]

#: Chains, at most, and draws of each, at least.
_CHAINS, _LEAST = 25, 10
#: Trajectories of each chain, of which the later half is judged, before steps become shorter or draws are kept.
_WARM_UP = 8
#: Steps of a trajectory, from few to many until the mean acceptance suffices.
_STEPS = (2, 3, 5, 8, 12, 20)
_ACCEPTANCE = 0.85
#: Angle of a trajectory: rejections correlate successive draws, what exceeds a quarter turn does the opposite.
_TURN = 1.8
#: Share of the draws that the effective sample size must reach; trajectories from one draw to the next until it does.
ENOUGH = 0.2
_APART = (1, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Positions of the chains (unknown, chain), the remainder there (chain,), and its gradient (unknown, chain)."""

    position: Array
    value: Array
    slope: Array

    def energy(self, momentum: Array) -> Array:
        """(chain,) negative log density of position and momentum."""
        return np.asarray(0.5 * (self.position**2 + momentum**2).sum(axis=0) - self.value)


def number_of_chains(draws: int) -> int:
    """Chains of ``sample_about``."""
    return int(np.clip(draws // _LEAST, 1, _CHAINS))


def sample_about(
    modes: Sequence[Mode], log_density: LogDensity, draws: int, rng: np.random.Generator
) -> tuple[Array, float]:
    """Posterior draws (draw, unknown), the chains in turn, and their smallest effective sample size.

    Parameters
    ----------
    modes : one for all chains, or one for each, where chains have posteriors of their own: ``log_density`` then knows
        which of them a point belongs to by its place
    """
    chains = number_of_chains(draws)
    rounds = max(-(-draws // chains), 2)
    centre = np.stack([mode.point for mode in modes], axis=1)
    roots = np.stack([solve_triangular(mode.factor, np.eye(len(centre)), lower=True, trans=1) for mode in modes])

    def at(position: Array) -> State:
        value, slope = log_density(centre + _each(roots, position))
        normal = 0.5 * (position**2).sum(axis=0)
        return State(position=position, value=value + normal, slope=_each(roots.transpose(0, 2, 1), slope) + position)

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        # From the mode: a chain that starts where the density is steep may never be accepted elsewhere.
        state, steps = _warm_up(at, np.zeros((len(centre), chains)), rng)
        for apart in _APART:
            kept = []
            for _ in range(rounds):
                for _ in range(apart):
                    state, _ = move(at, state, steps, rng)
                kept.append(state.position)
            positions = np.stack(kept).transpose(0, 2, 1)
            effective = min(effective_size(positions), float(draws))
            if effective >= ENOUGH * draws:
                break
    points = np.stack([centre + _each(roots, position) for position in kept]).transpose(0, 2, 1)
    return points.reshape(-1, len(centre))[:draws], effective


def _each(matrices: Array, columns: Array) -> Array:
    """(row, chain) the product of each chain's matrix, or of the only one, with its column."""
    if len(matrices) == 1:
        return np.asarray(matrices[0] @ columns)
    return np.asarray(np.matmul(matrices, columns.T[:, :, None])[:, :, 0].T)


def _warm_up(at: Callable[[Array], State], start: Array, rng: np.random.Generator) -> tuple[State, int]:
    """Where the chains are once they have left their start, and the steps of a trajectory."""
    state = at(start)
    for steps in _STEPS:
        accepted = []
        for _ in range(_WARM_UP):
            state, share = move(at, state, steps, rng)
            accepted.append(share)
        if np.mean(accepted[_WARM_UP // 2 :]) >= _ACCEPTANCE:
            break
    return state, steps


def move(at: Callable[[Array], State], state: State, steps: int, rng: np.random.Generator) -> tuple[State, float]:
    """One trajectory of every chain, accepted or not, and the mean chance of acceptance."""
    turn = _TURN / steps
    cosine, sine = np.cos(turn), np.sin(turn)
    momentum = rng.standard_normal(state.position.shape)
    energy, there = state.energy(momentum), state
    for _ in range(steps):
        momentum = momentum + 0.5 * turn * there.slope
        position = cosine * there.position + sine * momentum
        momentum = cosine * momentum - sine * there.position
        there = at(position)
        momentum += 0.5 * turn * there.slope
    chance = np.exp(np.minimum(np.nan_to_num(energy - there.energy(momentum), nan=-np.inf), 0))
    accepted = rng.random(len(chance)) < chance
    return (
        State(
            position=np.where(accepted, there.position, state.position),
            value=np.where(accepted, there.value, state.value),
            slope=np.where(accepted, there.slope, state.slope),
        ),
        float(chance.mean()),
    )


def effective_size(draws: Array) -> float:
    """Effective sample size of the mean of each unknown, the smallest: from the means of half chains.

    Half chains that differ by more than chance, since they mix slowly or have not met, count as fewer draws.

    Parameters
    ----------
    draws : (draw, chain, unknown)
    """
    halves = np.array_split(draws, 2)
    means = np.concatenate([half.mean(axis=0) for half in halves])
    return float((len(means) * draws.var(axis=(0, 1)) / means.var(axis=0, ddof=1)).min())
