"""Open facts of each deal ranked by expected information gain: mutual information with the outcome, in bits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.questions import mutual_information
from winprob.actions.questions.answers import NOT_HEARD, Context, Situation, answers_to, present, situation
from winprob.actions.questions.facts import VALIDATED, Fact, channel_for, facts_of, question_for
from winprob.arrays import Array, in_blocks
from winprob.data.schema import latest_places, validate_deals
from winprob.methodology import ROLES
from winprob.model.features import Features
from winprob.model.posterior import Posterior
from winprob.model.waiting import describe_waiting
from winprob.model.win.terms import coefficients

#: Deals in a block; a question needs a few arrays of deals x answers x draws.
BLOCK = 64
COLUMNS = ("deal_id", "fact", "rank", "bits", "expected_shift", "changes_lever", "question", "channel", "bits_error")


def rank_unknowns(posterior: Posterior, deals: pd.DataFrame, *, seed: int | None = None) -> pd.DataFrame:
    """Rank the open facts of each deal by their mutual information with the outcome.

    Open are: a role's support, unless it is reported and the coach is validated (the question is what a validated
    source would report of it); the decision method, the stage and the approver's coverage, if unknown; the coach, if
    unknown or unvalidated. Facts are assessed one at a time, all else as recorded.

    Parameters
    ----------
    deals : frame in canonical columns, with any outcomes; of several readings of a deal the last in time counts
    seed : of draws for sellers, regions, quarters that the model never saw; by default the model's own

    Returns
    -------
    DataFrame, a row per deal and open fact, deals in the order of the table, facts by ``rank``; the index label of the
    deal's row comes with each. ``fact`` is the column that holds it; ``bits`` the mutual information of fact and
    outcome (0..1); ``expected_shift`` the mean absolute change of the win probability on learning it; ``changes_lever``
    the probability that another role then becomes the best lever (largest mean lift); ``question`` and ``channel``, in
    the current language, how to ask for it and who is most likely to know; ``bits_error`` the standard error of
    ``bits`` from the finite number of draws; all else is closed form.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    """
    asked = open_questions(posterior, validate_deals(deals), seed=seed)
    deal, place = np.nonzero(asked.is_open)
    order = np.lexsort((place, -asked.bits[deal, place], deal))
    deal, place = deal[order], place[order]
    return question_table(asked, deal, place, rank=_ranks(deal), bits=asked.bits, error=asked.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestions:
    """Every question about every deal with the information in its answer.

    Attributes
    ----------
    deals : the last reading of each deal
    is_open, bits, error, shift, changes_lever, gap : (deal, fact), 0 where the fact is not open
    """

    deals: pd.DataFrame
    features: Features
    context: Context
    facts: tuple[Fact, ...]
    is_open: Array
    bits: Array
    error: Array
    shift: Array
    changes_lever: Array
    gap: Array


def open_questions(posterior: Posterior, valid: pd.DataFrame, *, seed: int | None = None) -> OpenQuestions:
    """Every open fact of every deal (of a valid table), assessed one at a time."""
    rows = valid.iloc[latest_places(valid)]
    features, facts = describe_waiting(posterior, rows), facts_of(posterior)
    context = context_of(posterior, features, seed)
    is_open = np.stack([fact.open_in(features) for fact in facts], axis=1)

    def block_figures(part: slice) -> Array:
        return _figures(context, features.take(part), facts, is_open[part])

    figures = np.concatenate([np.zeros((0, len(facts), 5)), *in_blocks(len(features), BLOCK, block_figures)])
    bits, error, shift, changes_lever, gap = np.moveaxis(figures, -1, 0)
    return OpenQuestions(
        deals=rows,
        features=features,
        context=context,
        facts=facts,
        is_open=is_open,
        bits=bits,
        error=error,
        shift=shift,
        changes_lever=changes_lever,
        gap=gap,
    )


def context_of(posterior: Posterior, features: Features, seed: int | None) -> Context:
    """The context that all questions about these deals share."""
    draws = posterior.flat
    return Context(
        coefs=coefficients(draws, features, seed=posterior.provenance.seed if seed is None else seed),
        scaling=posterior.scaling,
        unknown_level=draws["unknown_support"].mean(axis=0, dtype=np.float64),
    )


def question_table(
    asked: OpenQuestions, deal: Array, place: Array, *, rank: Array, bits: Array, error: Array
) -> pd.DataFrame:
    """Questions (row,), each given by the positions of its deal and fact, as a frame."""
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


def _figures(context: Context, features: Features, facts: Sequence[Fact], is_open: Array) -> Array:
    """(deal, fact, figure) bits, their standard error, mean shift of the win probability, probability that the lever
    changes, gap; 0 where the fact is not open.
    """
    figures = np.zeros((*is_open.shape, 5))
    now = situation(context, features, np.full((len(features), len(ROLES)), NOT_HEARD))
    lever = _present_lever(context, now)
    for at, fact in enumerate(facts):
        rows = np.flatnonzero(is_open[:, at])
        if len(rows):
            figures[rows, at] = _fact_figures(context, now.take(rows), fact, lever[rows])
    return figures


def _fact_figures(context: Context, now: Situation, fact: Fact, lever: Array) -> Array:
    """(deal, figure) as in ``_figures``."""
    answers = answers_to(context, now, fact)
    joint = mutual_information.joint_of(answers, now.state.log_odds, **_unweighted(now))
    information = mutual_information.mutual_information(answers, joint)
    changes = mutual_information.lever_changes(answers, joint, lever)
    error = mutual_information.standard_error(information.scatter)
    return np.stack((information.bits, error, information.shift, changes, information.gap), axis=1)


def _present_lever(context: Context, now: Situation) -> Array:
    """(deal,) the best lever in the present state."""
    answer = present(context, now)
    joint = mutual_information.joint_of(answer, now.state.log_odds, **_unweighted(now))
    return np.asarray(mutual_information.best_lever(answer, joint)[:, 0])


def _unweighted(now: Situation) -> dict[str, Array]:
    """No answer heard yet: no shift, and every draw has weight 1."""
    return {"shift": np.zeros_like(now.state.predictor), "weight": np.ones_like(now.state.predictor)}


def _ranks(deal: Array) -> Array:
    """(row,) 1, 2, ... within each deal; the rows of a deal are consecutive."""
    first = np.flatnonzero(np.diff(deal, prepend=-1))
    return np.arange(1, len(deal) + 1) - np.repeat(first, np.diff(first, append=len(deal)))
