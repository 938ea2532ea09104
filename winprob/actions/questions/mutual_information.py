"""Mutual information of answer and outcome (expected information gain of a question), from their joint table.

The average of the answers' win probabilities differs slightly from the one that ``predict`` reports: uncertainty about
support is integrated out by an approximation, and a blank word is a level of its own, learned like any other, not the
mixture of the known ones. So in each draw the outcomes of the joint table are reweighted to the present win
probability, with the answers' distribution given the outcome unchanged (the assumption of label shift). Then the law of
total probability holds exactly in every draw; all win probabilities move by the same log-odds, and what is associated
with a blank is kept.

References
----------
Saerens, Latinne, Decaestecker (2002), Adjusting the outputs of a classifier to new a priori probabilities,
doi 10.1162/089976602753284446.
"""

from dataclasses import dataclass

import numpy as np

from winprob.actions.questions.answers import Answers
from winprob.arrays import Array

#: Runs of consecutive draws (batch means), whose spread gives the standard error of an average over all draws.
_RUNS = 20
#: Log-odds are clipped here, so that exponentials stay within the range of float32.
_LARGEST = np.float32(30)
#: Changes of log-odds below this are rounding errors.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """Information about the outcome in the answers to one question.

    Attributes
    ----------
    bits : (deal,) mutual information of answer and outcome
    scatter : (deal, run) first-order deviation of ``bits`` in each run of draws
    shift : (deal,) mean absolute change of the win probability
    gap : (deal,) the answers' average win probability, before reweighting, minus the present one
    """

    bits: Array
    scatter: Array
    shift: Array
    gap: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """Joint distribution of answer and outcome, reweighted to the present win probability in every draw.

    Attributes
    ----------
    won, lost : (deal, answer, draw) joint probability of the answer and the outcome, times the draw's weight
    shift : (deal, draw) log-odds added to all win probabilities
    gap : (deal,) the answers' average win probability, before reweighting, minus the present one
    """

    won: Array
    lost: Array
    shift: Array
    gap: Array


def joint_of(answers: Answers, log_odds: Array, shift: Array, weight: Array) -> Joint:
    """The joint distribution of answer and outcome in every draw.

    Parameters
    ----------
    log_odds : (deal, draw) of winning at present, including ``shift``
    shift : (deal, draw) log-odds added after earlier answers
    weight : (deal, draw) of the draws, with mean 1
    """
    chance, other = both_chances(answers.log_odds + shift[:, None])
    won, lost = answers.chance * chance, answers.chance * other
    now, now_other = both_chances(log_odds)
    average, average_other = won.sum(axis=1), lost.sum(axis=1)
    up, down = now / average, now_other / average_other
    won *= (up * weight)[:, None]
    lost *= (down * weight)[:, None]
    gap = ((average - now) * weight).mean(axis=1, dtype=np.float64)
    return Joint(won=won, lost=lost, shift=shift + np.log(up) - np.log(down), gap=gap)


def mutual_information(answers: Answers, joint: Joint) -> Information:
    """Mutual information of a question's answer and the outcome, in bits, with its deviation by run of draws."""
    by_run = _by_runs(np.stack([joint.won, joint.lost], axis=2))
    table = by_run.mean(axis=-1)
    # In single precision it sums to one but for rounding, which would count as information.
    table /= table.sum(axis=(1, 2), keepdims=True)
    chance, outcome = table.sum(axis=2), table.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pointwise = np.log2(table / (chance[:, :, None] * outcome[:, None]))
        after = table[:, :, 0] / chance
    pointwise = np.where(table > 0, pointwise, 0)
    moved = np.nan_to_num(np.abs(after - outcome[:, None, 0]))
    moves = (np.ptp(answers.log_odds, axis=1) > _ROUNDING).any(axis=1)
    # Information about the parameters alone, with the win probability of no draw changed, is not about this deal.
    bits = np.where(moves, np.maximum((table * pointwise).sum(axis=(1, 2)), 0), 0)
    scatter = np.where(moves[:, None], np.einsum("iayr,iay->ir", by_run - table[..., None], pointwise), 0)
    return Information(
        bits=bits,
        scatter=scatter,
        shift=np.where(moves, (chance * moved).sum(axis=1), 0),
        gap=joint.gap,
    )


def lever_changes(answers: Answers, joint: Joint, lever_now: Array) -> Array:
    """(deal,) probability that a role other than ``lever_now`` (deal,) is the best lever once the answer is known."""
    chance = (joint.won + joint.lost).mean(axis=2, dtype=np.float64)
    changed = best_lever(answers, joint) != lever_now[:, None]
    return np.asarray((chance * changed).sum(axis=1) / chance.sum(axis=1))


def best_lever(answers: Answers, joint: Joint) -> Array:
    """(deal, answer) the role whose step up raises the mean win probability most, -1 where none can rise."""
    log_odds = answers.log_odds + joint.shift[:, None]
    weight = joint.won + joint.lost
    now, _ = both_chances(log_odds)
    lift = np.full((*answers.steps.shape,), -np.inf)
    for role in range(answers.steps.shape[2]):
        step = answers.steps[:, :, role, None].astype(np.float32)
        after, _ = both_chances(log_odds + answers.shrink * answers.weight[role] * step)
        lift[:, :, role] = np.einsum("iad,iad->ia", weight, after - now)
    lift[answers.steps <= 0] = -np.inf
    return np.where((answers.steps > 0).any(axis=2), lift.argmax(axis=2), -1)


def both_chances(log_odds: Array) -> tuple[Array, Array]:
    """Probability of winning and of not winning, neither computed as a difference from 1."""
    odds = np.exp(-np.clip(log_odds, -_LARGEST, _LARGEST))
    chance = 1 / (1 + odds)
    return chance, chance * odds


def standard_error(scatter: Array) -> Array:
    """Standard error of an average over all draws, from its runs (..., run)."""
    runs = scatter.shape[-1]
    return np.asarray(scatter.std(axis=-1, ddof=1) / np.sqrt(runs)) if runs > 1 else np.zeros(scatter.shape[:-1])


def _by_runs(values: Array) -> Array:
    """(..., draw) averaged over runs of draws, each (..., run)."""
    draws = values.shape[-1]
    starts = np.linspace(0, draws, min(_RUNS, draws), endpoint=False).astype(int)
    # Runs may differ in length by one draw: scaled so that their mean is the mean over draws.
    return np.asarray(np.add.reduceat(values, starts, axis=-1, dtype=np.float64) * (len(starts) / draws))
