"""What is worth finding out about each deal? Every open fact, ranked by its bits."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.questions.answers import Ground, Situation, answers_to, present, situation
from winprob.actions.questions.facts import VALIDATED, Fact, channel_for, facts_of, question_for
from winprob.actions.questions.mutual_information import best_lever, lever_changes, standard_error, tell, weigh
from winprob.actions.questions.standing import NOT_HEARD
from winprob.arrays import Array
from winprob.data.schema import latest_places, validate_deals
from winprob.methodology import ROLES
from winprob.model.features import Features, describe
from winprob.model.posterior import Posterior
from winprob.model.win.terms import coefficients

#: Deals worked on at a time; a question takes a few arrays of deals x answers x draws.
BLOCK = 64
COLUMNS = ("deal_id", "fact", "rank", "bits", "expected_shift", "changes_lever", "question", "channel", "bits_error")


def rank_unknowns(posterior: Posterior, deals: pd.DataFrame, *, seed: int | None = None) -> pd.DataFrame:
    """What each open fact of a deal would tell of its outcome.

    Open are: a role's support, unless it is reported and the coach is validated (the question is what a validated
    source would say of it); the decision method, the stage and the approver's coverage, if unknown; the coach, if
    unknown or unvalidated. Facts are judged one at a time, all else as it is.

    Parameters
    ----------
    deals : frame in canonical columns, whatever the outcomes; of several readings of a deal the last in time counts
    seed : of draws for sellers, regions, quarters that the model never saw; by default the model's own

    Returns
    -------
    DataFrame, a row per deal and open fact, deals in the order of the table, facts by ``rank``; the index label of the
    deal's row comes with each. ``fact`` is the column that holds it; ``bits`` the mutual information of fact and
    outcome (0..1); ``expected_shift`` the mean absolute change of the win probability on learning it; ``changes_lever``
    the chance that another role then becomes the best lever (largest mean lift); ``question`` and ``channel``, in the
    language now spoken, how to ask for it and who is most likely to know; ``bits_error`` the standard error of ``bits``
    from the finite number of draws; all else is closed form.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    """
    asked = open_questions(posterior, deals, seed=seed)
    deal, place = np.nonzero(asked.is_open)
    order = np.lexsort((place, -asked.bits[deal, place], deal))
    deal, place = deal[order], place[order]
    return question_table(asked, deal, place, rank=_ranks(deal), bits=asked.bits, error=asked.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestions:
    """Every question about every deal and what its answer would tell.

    Attributes
    ----------
    deals : the rows that say how each deal stands
    is_open, bits, error, shift, changes_lever, gap : (deal, fact), 0 where the fact is not open
    """

    deals: pd.DataFrame
    features: Features
    ground: Ground
    facts: tuple[Fact, ...]
    is_open: Array
    bits: Array
    error: Array
    shift: Array
    changes_lever: Array
    gap: Array


def open_questions(posterior: Posterior, deals: pd.DataFrame, *, seed: int | None = None) -> OpenQuestions:
    """Every open fact of every deal, judged on its own."""
    valid = validate_deals(deals)
    rows = valid.iloc[latest_places(valid)]
    features, facts = describe(rows, posterior.scaling), facts_of(posterior)
    ground = ground_of(posterior, features, seed)
    is_open = np.stack([fact.open_in(features) for fact in facts], axis=1)
    blocks = [np.arange(len(features))[part] for part in _blocks(len(features))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda part: _judge(ground, features.take(part), facts, is_open[part]), blocks))
    found = np.concatenate(done) if done else np.zeros((0, len(facts), 5))
    bits, error, shift, changes, gap = np.moveaxis(found, -1, 0)
    return OpenQuestions(
        deals=rows,
        features=features,
        ground=ground,
        facts=facts,
        is_open=is_open,
        bits=bits,
        error=error,
        shift=shift,
        changes_lever=changes,
        gap=gap,
    )


def ground_of(posterior: Posterior, features: Features, seed: int | None) -> Ground:
    """What all questions about these deals share."""
    draws = posterior.flat
    return Ground(
        by=coefficients(draws, features, seed=posterior.provenance.seed if seed is None else seed),
        scaling=posterior.scaling,
        unknown_level=draws["unknown_support"].mean(axis=0, dtype=np.float64),
    )


def question_table(
    asked: OpenQuestions, deal: Array, place: Array, *, rank: Array, bits: Array, error: Array
) -> pd.DataFrame:
    """Questions (row,), each named by its deal and the place of its fact, as a frame."""
    names = [asked.facts[at].name for at in place]
    validated = (asked.features.coach == VALIDATED)[deal].tolist()
    question = {fact.name: question_for(fact.name) for fact in asked.facts}
    channel = {
        (fact.name, known): channel_for(fact.name, coach_validated=known)
        for fact in asked.facts
        for known in (True, False)
    }
    columns = {
        "deal_id": asked.deals["deal_id"].iloc[deal].to_numpy(),
        "fact": pd.array(names, dtype="str"),
        "rank": rank,
        "bits": bits[deal, place],
        "expected_shift": asked.shift[deal, place],
        "changes_lever": asked.changes_lever[deal, place],
        "question": pd.array([question[name] for name in names], dtype="str"),
        "channel": pd.array([channel[key] for key in zip(names, validated, strict=True)], dtype="str"),
        "bits_error": error[deal, place],
    }
    return pd.DataFrame(columns, index=asked.deals.index[deal], columns=list(COLUMNS))


def _judge(ground: Ground, features: Features, facts: Sequence[Fact], is_open: Array) -> Array:
    """(deal, fact, number) bits, their error, shift, chance that the lever changes, gap; 0 where nothing is open."""
    found = np.zeros((*is_open.shape, 5))
    all_now = situation(ground, features, np.full((len(features), len(ROLES)), NOT_HEARD))
    lever = _lever_now(ground, all_now)
    for at, fact in enumerate(facts):
        rows = np.flatnonzero(is_open[:, at])
        if len(rows):
            found[rows, at] = _numbers(ground, all_now.take(rows), fact, lever[rows])
    return found


def _numbers(ground: Ground, now: Situation, fact: Fact, lever: Array) -> Array:
    """(deal, number) as in ``_judge``."""
    answers = answers_to(ground, now, fact)
    weighed = weigh(answers, now.standing.log_odds, **_plain(now))
    told = tell(answers, weighed)
    changes = lever_changes(answers, weighed, lever)
    return np.stack((told.bits, standard_error(told.scatter), told.shift, changes, told.gap), axis=1)


def _lever_now(ground: Ground, now: Situation) -> Array:
    """(deal,) the best lever as a deal stands."""
    answer = present(ground, now)
    return np.asarray(best_lever(answer, weigh(answer, now.standing.log_odds, **_plain(now)))[:, 0])


def _plain(now: Situation) -> dict[str, Array]:
    """Nothing was answered yet: no shift, and every draw counts once."""
    return {"shift": np.zeros_like(now.standing.predictor), "weight": np.ones_like(now.standing.predictor)}


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))


def _ranks(deal: Array) -> Array:
    """(row,) 1, 2, ... within each deal; rows of one deal lie together."""
    first = np.flatnonzero(np.diff(deal, prepend=-1))
    return np.arange(1, len(deal) + 1) - np.repeat(first, np.diff(first, append=len(deal)))
