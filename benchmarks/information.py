"""Is what ``rank_unknowns`` calls worth asking worth asking?

Two questions. *Brute force*: does its ranking agree with that of a nested simulation of the model, latent supports
and readings drawn one by one, without any of its closed forms? *Asking*: of simulated teams facts of fresh deals are
hidden, then answered one after the other, a support by the reading that a validated source of the true support would
give, a word by the truth. How fast does log loss fall where the top-ranked fact is asked first, against asking at
random and against asking about the approver first, always? Log loss is the expected one under the true win probability,
so the luck of single outcomes does not enter. Every team is kept: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
from misspecification import Cell, cached, mark_of
from scipy.special import expit, ndtr, ndtri
from scipy.stats import spearmanr

import winprob
from winprob.actions.questions.answers import NOT_HEARD, posterior_state
from winprob.actions.questions.facts import VALIDATED, SupportFact, WordFact
from winprob.actions.questions.mutual_information import both_chances
from winprob.actions.questions.ranking import context_of, open_questions
from winprob.data.schema import validate_deals
from winprob.evaluation.scores import paired_difference
from winprob.methodology.vocabulary import COACH_STATES, DECISION_METHODS, ROLES, STAGES
from winprob.model.features import describe
from winprob.model.win.terms import coefficients, iter_terms
from winprob.simulation import Simulation, simulate
from winprob.simulation.deals import tier_cuts

Array = np.ndarray

CLOSED, FRESH, ASKED = 300, 400, 3
HIDE_SUPPORT, HIDE_WORD = 0.5, 0.3
#: Of each team so many deals go through the nested simulation, with so many draws.
BRUTE_DEALS, BRUTE_DRAWS = 20, 100_000
POLICIES = ("ranked", "random", "approver")
#: Facts of which the simulator knows the truth behind a blank. A coverage or a coach's proof has no hidden truth in it.
WORDS: Mapping[str, tuple[str, ...]] = {"stage": STAGES, "decision_method": DECISION_METHODS, "coach": COACH_STATES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Deals to learn from, fresh ones with facts hidden, and their truth."""

    closed: pd.DataFrame
    fresh: pd.DataFrame
    again: Simulation


def team_of(closed: int, seed: int) -> Team:
    first = simulate(closed, 1, seed=seed)
    again = simulate(FRESH, 1, seed=seed + 5000, truth=first.truth)
    rng, fresh = np.random.default_rng(seed), again.closed.copy()
    for role in ROLES:
        fresh.loc[rng.random(FRESH) < HIDE_SUPPORT, f"{role}_support"] = np.nan
    for word in WORDS:
        fresh.loc[rng.random(FRESH) < HIDE_WORD, word] = None
    return Team(closed=first.closed, fresh=fresh, again=again)


# --- brute force --------------------------------------------------------------------------------------------------


def brute_bits(posterior: Any, deals: pd.DataFrame, facts: Sequence[Any], is_open: Array, seed: int) -> Array:
    """(deal, fact) mutual information by simulating the model: parameters, supports, readings; NaN where not open."""
    features = describe(validate_deals(deals), posterior.scaling)
    by = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    bits, rng = np.full(is_open.shape, np.nan), np.random.default_rng(seed)
    for deal, place in zip(*np.nonzero(is_open), strict=True):
        row, fact = features.take(np.array([deal])), facts[place]
        draw = rng.integers(len(by.intercept), size=BRUTE_DRAWS)
        if isinstance(fact, WordFact):
            answer = rng.choice(fact.answers, BRUTE_DRAWS, p=fact.chance(row)[0])
            chance = np.empty(BRUTE_DRAWS)
            filled = fact.filled(row)
            for value in range(fact.answers):
                at = answer == value
                chance[at], _ = _simulated(by, filled.take(np.array([value])), posterior.scaling, draw[at], rng)
        else:
            chance, support = _simulated(by, row, posterior.scaling, draw, rng)
            rho = by.reliability[VALIDATED][draw]
            reading = rho * support[fact.role] + np.sqrt(1 - rho**2) * rng.standard_normal(BRUTE_DRAWS)
            answer = np.searchsorted(_cuts(posterior.scaling, fact.role), reading)
        won = np.bincount(answer, chance, minlength=fact.answers) / BRUTE_DRAWS
        lost = np.bincount(answer, 1 - chance, minlength=fact.answers) / BRUTE_DRAWS
        bits[deal, place] = mutual_information(np.stack([won, lost], axis=1))
    return bits


def mutual_information(table: Array) -> float:
    """Of the two sides of a joint table, by entropies."""
    return entropy(table.sum(axis=0)) + entropy(table.sum(axis=1)) - entropy(table.ravel())


def entropy(chances: Array) -> float:
    some = chances[chances > 0]
    return float(-(some * np.log2(some)).sum())


def _simulated(by: Any, row: Any, scaling: Any, draw: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Win probability given true support (draw,), and that support (role, draw), of one deal."""
    log_odds = by.intercept + sum(term[0] for _, term in iter_terms(by, row, scaling))
    total, supports = log_odds[draw].astype(float), []
    for role in range(len(ROLES)):
        noise, rho = rng.standard_normal(len(draw)), by.reliability[row.coach[0]][draw]
        if row.readers[0, role]:
            edges = np.concatenate([[-np.inf], _cuts(scaling, role), [np.inf]])
            # The reported tier: its mean is between its own edges and no others.
            tier = int(np.searchsorted(edges, row.reading[0, role])) - 1
            low, high = ndtr(edges[tier]), ndtr(edges[tier + 1])
            support = rho * ndtri(low + (high - low) * rng.random(len(draw))) + np.sqrt(1 - rho**2) * noise
        else:
            support = by.unknown_support[role][draw] + noise
        total += by.role_weight[role][row.method[0]][draw] * support
        supports.append(support)
    return expit(total), np.array(supports)


def _cuts(scaling: Any, role: int) -> Array:
    counts = np.array(scaling.tier_counts[role])
    return ndtri(np.cumsum(counts)[:-1] / counts.sum())


def agreement(ours: Array, brute: Array, is_open: Array) -> dict[str, Array]:
    """(deal,) rank correlation, whether both put the same fact first, bits lost by ours; deals with a choice."""
    found: dict[str, list[float]] = {"rank_correlation": [], "same_first": [], "bits_lost": [], "bits_best": []}
    for mine, theirs, known in zip(ours, brute, is_open, strict=True):
        if known.sum() < 3:
            continue
        mine, theirs = mine[known], theirs[known]
        found["rank_correlation"].append(spearmanr(mine, theirs).statistic)
        found["same_first"].append(float(mine.argmax() == theirs.argmax()))
        found["bits_lost"].append(theirs.max() - theirs[mine.argmax()])
        found["bits_best"].append(theirs.max())
    return {name: np.array(values) for name, values in found.items()}


# --- asking -------------------------------------------------------------------------------------------------------


def orders(bits: Array, can_ask: Array, rng: np.random.Generator) -> dict[str, Array]:
    """(deal, fact) places in the order of asking, by policy; what cannot be asked comes last."""
    chance = np.where(can_ask, rng.random(can_ask.shape), 9)
    first = np.where(can_ask, chance, 9)
    first[:, 0] = np.where(can_ask[:, 0], -1, 9)
    ranked = np.where(can_ask, -bits, 9)
    return {"ranked": ranked.argsort(axis=1), "random": chance.argsort(axis=1), "approver": first.argsort(axis=1)}


def true_answers(team: Team, facts: Sequence[Any], rng: np.random.Generator) -> Array:
    """(deal, fact) what a validated source of the truth would answer."""
    latent, truth = team.again.latent_closed, team.again.truth
    rho = truth.reliability[COACH_STATES.index("validated")]
    reading = rho * latent.support + np.sqrt(1 - rho**2) * rng.standard_normal(latent.support.shape)
    heard_answers = np.zeros((FRESH, len(facts)), dtype=int)
    for at, fact in enumerate(facts):
        if isinstance(fact, SupportFact):
            heard_answers[:, at] = np.searchsorted(tier_cuts(truth)[fact.role], reading[:, fact.role])
        elif fact.name in WORDS:
            heard_answers[:, at] = pd.Index(WORDS[fact.name]).get_indexer(latent.facts[fact.name])
    return heard_answers


def chances_after(posterior: Any, features: Any, facts: Sequence[Any], asked: Array, heard_answers: Array) -> Array:
    """(deal,) win probability once the facts ``asked`` (deal, k) are answered: words filled in, readings heard."""
    heard = np.full((len(features), len(ROLES)), NOT_HEARD)
    codes = {fact.code: getattr(features, fact.code).copy() for fact in facts if isinstance(fact, WordFact)}
    for at, fact in enumerate(facts):
        rows = (asked == at).any(axis=1)
        if isinstance(fact, SupportFact):
            heard[rows, fact.role] = heard_answers[rows, at]
        else:
            codes[fact.code][rows] = heard_answers[rows, at]
    features, result = replace(features, **codes), np.empty(len(features))
    context = context_of(posterior, features, None)
    for start in range(0, len(features), 50):
        rows = np.arange(start, min(start + 50, len(features)))
        state = posterior_state(context.coefs, features.take(rows), posterior.scaling, heard[rows])
        chance, _ = both_chances(state.log_odds)
        result[rows] = (state.likelihood * chance).mean(axis=1) / state.likelihood.mean(axis=1)
    return result


def run_team(closed: int, seed: int) -> Cell:
    """Everything that is kept of one team."""
    team, rng = team_of(closed, seed), np.random.default_rng(seed + 9000)
    posterior = winprob.fit(team.closed, seed=seed, settings=winprob.Settings().for_refits())
    asked = open_questions(posterior, validate_deals(team.fresh))
    facts, few = asked.facts, slice(0, BRUTE_DEALS)
    brute = brute_bits(posterior, team.fresh[few], facts, asked.is_open[few], seed)
    cell: Cell = {**agreement(asked.bits[few], brute, asked.is_open[few]), **gaps(asked, brute, few)}
    blank_coach = team.fresh["coach"].isna().to_numpy()
    can_ask = asked.is_open & np.array([isinstance(f, SupportFact) or f.name in WORDS for f in facts])
    can_ask[:, [fact.name for fact in facts].index("coach")] &= blank_coach
    rows = (can_ask.sum(axis=1) >= ASKED) & can_ask[:, 0]
    heard_answers, true = true_answers(team, facts, rng), team.again.latent_closed.win_prob
    cell |= one_by_one(posterior, asked, can_ask, heard_answers, true)
    won = team.again.latent_closed.won
    for policy, order in orders(asked.bits, can_ask, rng).items():
        for count in range(ASKED + 1):
            chance = chances_after(posterior, asked.features, facts, order[:, :count], heard_answers)
            cell[f"{policy}_{count}"] = expected_loss(true, chance)[rows]
            cell[f"{policy}_{count}_won"] = -np.log(np.where(won, chance, 1 - chance))[rows]
    return cell


def expected_loss(true: Array, chance: Array) -> Array:
    """(deal,) log loss of ``chance`` over the outcomes that the true win probability may bring."""
    return -(true * np.log(chance) + (1 - true) * np.log(1 - chance))


def one_by_one(posterior: Any, asked: Any, can_ask: Array, heard_answers: Array, true: Array) -> Cell:
    """(deal,) by fact, asked alone: the fall of log loss that its bits promise, and the one that its answer brings."""
    ask = np.arange(len(asked.facts))
    before = expected_loss(
        true, chances_after(posterior, asked.features, asked.facts, np.empty((len(true), 0), dtype=int), heard_answers)
    )
    cell: Cell = {}
    for at in ask[can_ask.any(axis=0)]:
        rows, only = can_ask[:, at], np.full((len(true), 1), at)
        after = expected_loss(true, chances_after(posterior, asked.features, asked.facts, only, heard_answers))
        cell[f"promised_{asked.facts[at].name}"] = asked.bits[rows, at] * np.log(2)
        cell[f"kept_{asked.facts[at].name}"] = (before - after)[rows]
    return cell


def gaps(asked: Any, brute: Array, few: slice) -> Cell:
    """How far bits are from those of brute force, and how far answers' average chance is from the present one."""
    supports = np.array([isinstance(fact, SupportFact) for fact in asked.facts])
    known = asked.is_open[few]
    apart = np.abs(asked.bits[few] - brute)
    return {
        "bits_apart_support": apart[:, supports][known[:, supports]],
        "bits_apart_word": apart[:, ~supports][known[:, ~supports]],
        "gap_support": np.abs(asked.gap[:, supports][asked.is_open[:, supports]]),
        "gap_word": np.abs(asked.gap[:, ~supports][asked.is_open[:, ~supports]]),
    }


# --- the tables ---------------------------------------------------------------------------------------------------


def gap_between(cells: Sequence[Cell], ours: str, theirs: str) -> tuple[float, float, float]:
    """Mean difference of two losses, paired by deal, and its 90 % interval over teams."""
    groups = np.repeat(np.arange(len(cells)), [len(cell[ours]) for cell in cells])
    return paired_difference(
        np.concatenate([cell[ours] for cell in cells]), np.concatenate([cell[theirs] for cell in cells]), groups, seed=1
    )


def losses_table(cells: Sequence[Cell], suffix: str = "") -> str:
    header = ("answers", *POLICIES, "ranked minus random", "ranked minus approver")
    rows = []
    for count in range(ASKED + 1):
        mean = [f"{np.concatenate([cell[f'{p}_{count}{suffix}'] for cell in cells]).mean():.4f}" for p in POLICIES]
        apart = [
            "{:+.4f} ({:+.4f}, {:+.4f})".format(
                *gap_between(cells, f"ranked_{count}{suffix}", f"{other}_{count}{suffix}")
            )
            for other in POLICIES[1:]
        ]
        rows.append((count, *mean, *apart))
    return timing.markdown(header, rows)


def promises_table(cells: Sequence[Cell]) -> str:
    header = ("fact", "log loss its answer should take off", "takes off (90 %)")
    rows = []
    for name in (key.removeprefix("kept_") for key in cells[0] if key.startswith("kept_")):
        some = [cell for cell in cells if f"kept_{name}" in cell]
        promised = np.concatenate([cell[f"promised_{name}"] for cell in some]).mean()
        groups = np.repeat(np.arange(len(some)), [len(cell[f"kept_{name}"]) for cell in some])
        taken = np.concatenate([cell[f"kept_{name}"] for cell in some])
        kept_by = paired_difference(taken, np.zeros_like(taken), groups, seed=1)
        rows.append((name, f"{promised:.4f}", "{:.4f} ({:.4f}, {:.4f})".format(*kept_by)))
    return timing.markdown(header, rows)


def agreement_table(cells: Sequence[Cell]) -> str:
    def pooled(name: str) -> Array:
        return np.concatenate([cell[name] for cell in cells])

    rows = [
        ("deals with three open facts or more", f"{len(pooled('same_first'))}"),
        ("rank correlation within a deal, mean (5 % quantile)", _mean_and_low(pooled("rank_correlation"))),
        ("same fact first", f"{pooled('same_first').mean():.1%}"),
        ("bits lost by ours as first, mean, of the best fact's", _of(pooled("bits_lost"), pooled("bits_best"))),
        ("bits apart, supports: mean, largest", _mean_and_most(pooled("bits_apart_support"))),
        ("bits apart, words: mean, largest", _mean_and_most(pooled("bits_apart_word"))),
        ("answers' average minus present chance, supports: mean, largest", _mean_and_most(pooled("gap_support"))),
        ("the same, words, which the table is weighed for", _mean_and_most(pooled("gap_word"))),
    ]
    return timing.markdown(("quantity", "figure"), rows)


def _mean_and_low(values: Array) -> str:
    return f"{values.mean():.3f} ({np.quantile(values, 0.05):.3f})"


def _mean_and_most(values: Array) -> str:
    return f"{values.mean():.5f}, {values.max():.5f}"


def _of(part: Array, whole: Array) -> str:
    return f"{part.mean():.5f} of {whole.mean():.5f} ({part.mean() / whole.mean():.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=40)
    parser.add_argument("--closed", type=int, default=CLOSED, help="deals to learn from")
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams, to try it out")
    asked = parser.parse_args()
    teams, mark = 2 if asked.quick else asked.teams, mark_of(__file__)
    seeds = range(asked.seed, asked.seed + teams)
    label = f"information {asked.closed}"
    cells = [cached(mark, f"{label} {seed}", lambda: run_team(asked.closed, seed)) for seed in seeds]  # noqa: B023
    deals = sum(len(cell["ranked_0"]) for cell in cells)
    print(f"{teams} teams, {asked.closed} closed deals to learn from, {deals} fresh deals asked about\n")
    print(losses_table(cells), end="\n\n")
    print("The same, scored by how the deals ended\n")
    print(losses_table(cells, "_won"), end="\n\n")
    print(promises_table(cells), end="\n\n")
    print(agreement_table(cells))
    figures = [
        timing.Figure(
            quantity=f"log loss after one answer, ranked minus {other}, upper end",
            got=gap_between(cells, "ranked_1", f"{other}_1")[2],
            aim=0.0,
        )
        for other in POLICIES[1:]
    ]
    timing.save("information", figures, teams=teams, closed=asked.closed)


if __name__ == "__main__":
    main()
