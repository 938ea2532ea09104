"""How much do answer and outcome tell of each other? The joint table of both, and what can be read from it.

The answers' win probabilities, averaged, miss the one that ``predict`` tells by a little: doubt is averaged out by an
approximation, and a blank word is a level of its own, learned like any other, not the mixture of the known ones. So in
each draw the table's outcomes are weighed to the present win probability, and within won and within not won the
answers stay as they are (what is said of label shift). Then the law of total probability holds exactly, in every draw;
all win probabilities move by the same log-odds, and what a blank says of the deals that have it stays said.

References
----------
Saerens, Latinne, Decaestecker (2002), Adjusting the outputs of a classifier to new a priori probabilities,
doi 10.1162/089976602753284446.
"""

from dataclasses import dataclass

import numpy as np

from winprob.actions.questions.answers import Answers
from winprob.arrays import Array

#: Runs of consecutive draws whose scatter tells how well an average over all draws is known.
_RUNS = 20
#: Log-odds beyond this are certain, and exponentials stay within what float32 holds.
_CERTAIN = np.float32(30)
#: Log-odds that answers move by less are moved by nothing but rounding.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the answers to one question tell, deal by deal.

    Attributes
    ----------
    bits : (deal,) mutual information of answer and outcome
    scatter : (deal, run) what each run of draws would add to or take from ``bits``
    shift : (deal,) mean absolute change of the win probability
    gap : (deal,) how far the answers' own average lies from the present win probability
    """

    bits: Array
    scatter: Array
    shift: Array
    gap: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Answers, weighed to the present win probability in every draw.

    Attributes
    ----------
    won, lost : (deal, answer, draw) joint chance of the answer and the outcome, times the draw's weight
    shift : (deal, draw) log-odds that all win probabilities were moved by
    gap : (deal,) how far the answers' own average lay from the present win probability
    """

    won: Array
    lost: Array
    shift: Array
    gap: Array


def weigh(answers: Answers, log_odds: Array, shift: Array, weight: Array) -> Weighed:
    """The joint of answer and outcome in every draw.

    Parameters
    ----------
    log_odds : (deal, draw) of winning now, ``shift`` in it
    shift : (deal, draw) what earlier answers were moved by
    weight : (deal, draw) of the draws, mean 1 over them
    """
    chance, other = both_chances(answers.log_odds + shift[:, None])
    won, lost = answers.chance * chance, answers.chance * other
    now, now_other = both_chances(log_odds)
    average, average_other = won.sum(axis=1), lost.sum(axis=1)
    up, down = now / average, now_other / average_other
    won *= (up * weight)[:, None]
    lost *= (down * weight)[:, None]
    gap = ((average - now) * weight).mean(axis=1, dtype=np.float64)
    return Weighed(won=won, lost=lost, shift=shift + np.log(up) - np.log(down), gap=gap)


def tell(answers: Answers, weighed: Weighed) -> Told:
    """What a question's answers tell of the outcome."""
    joint = _by_runs(np.stack([weighed.won, weighed.lost], axis=2))
    table = joint.mean(axis=-1)
    chance, outcome = table.sum(axis=2), table.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.log2(table / (chance[:, :, None] * outcome[:, None]))
        after = table[:, :, 0] / chance
    surprise = np.where(table > 0, surprise, 0)
    moved = np.nan_to_num(np.abs(after - outcome[:, None, 0]))
    moves = (np.ptp(answers.log_odds, axis=1) > _ROUNDING).any(axis=1)
    # What an answer says of the parameters alone, moving no draw, is not about this deal.
    bits = np.where(moves, np.maximum((table * surprise).sum(axis=(1, 2)), 0), 0)
    scatter = np.where(moves[:, None], np.einsum("iayr,iay->ir", joint - table[..., None], surprise), 0)
    return Told(
        bits=bits,
        scatter=scatter,
        shift=np.where(moves, (chance * moved).sum(axis=1), 0),
        gap=weighed.gap,
    )


def lever_changes(answers: Answers, weighed: Weighed, lever_now: Array) -> Array:
    """(deal,) the chance that another role than ``lever_now`` (deal,) is the best lever once the answer is known."""
    chance = (weighed.won + weighed.lost).mean(axis=2, dtype=np.float64)
    changed = best_lever(answers, weighed) != lever_now[:, None]
    return np.asarray((chance * changed).sum(axis=1) / chance.sum(axis=1))


def best_lever(answers: Answers, weighed: Weighed) -> Array:
    """(deal, answer) the role whose step up would raise the win probability most on average, -1 where none can rise."""
    log_odds = answers.log_odds + weighed.shift[:, None]
    weight = weighed.won + weighed.lost
    now, _ = both_chances(log_odds)
    lift = np.full((*answers.steps.shape,), -np.inf)
    for role in range(answers.steps.shape[2]):
        step = answers.steps[:, :, role, None].astype(np.float32)
        after, _ = both_chances(log_odds + answers.shrink * answers.weight[role] * step)
        lift[:, :, role] = np.einsum("iad,iad->ia", weight, after - now)
    lift[answers.steps <= 0] = -np.inf
    return np.where((answers.steps > 0).any(axis=2), lift.argmax(axis=2), -1)


def both_chances(log_odds: Array) -> tuple[Array, Array]:
    """Chance of winning and of not winning, neither a difference from 1."""
    odds = np.exp(-np.clip(log_odds, -_CERTAIN, _CERTAIN))
    chance = 1 / (1 + odds)
    return chance, chance * odds


def standard_error(scatter: Array) -> Array:
    """Of an average over all draws, from its runs (..., run)."""
    runs = scatter.shape[-1]
    return np.asarray(scatter.std(axis=-1, ddof=1) / np.sqrt(runs)) if runs > 1 else np.zeros(scatter.shape[:-1])


def _by_runs(values: Array) -> Array:
    """(..., draw) averaged over runs of draws, each (..., run)."""
    draws = values.shape[-1]
    starts = np.linspace(0, draws, min(_RUNS, draws), endpoint=False).astype(int)
    # Runs may differ by one draw in length: scaled so that their plain mean is the mean over draws.
    return np.asarray(np.add.reduceat(values, starts, axis=-1, dtype=np.float64) * (len(starts) / draws))
