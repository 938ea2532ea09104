"""The gate in sentences: the verdict, the numbers behind it, and what the analyst should decide."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from winprob.i18n import gettext
from winprob.methodology import column_label
from winprob.retrain.candidate.gate import Difference, Gate
from winprob.retrain.candidate.recipe import COVARIATES, DEFINITIONS, MAPPING


def gate_sentences(gate: Gate) -> list[str]:
    """The verdict, then the numbers and warnings behind it, one sentence or two per line."""
    return [_verdict(gate), *_numbers(gate), *_warnings(gate)]


def _verdict(gate: Gate) -> str:
    options, scored = gate.settings, gate.difference
    if gate.verdict == "first":
        return gettext("First model of this registry: there is nothing to compare it with.")
    if gate.verdict == "not_enough":
        return gettext(
            "Held, not enough to tell: {deals} deals have closed that neither model has seen, and {least} are needed "
            "(in {clusters} clusters or more).",
            deals=gate.new_deals,
            least=options.least_deals,
            clusters=options.least_clusters,
        )
    if gate.verdict == "not_converged":
        return gettext("Held: a fit of the candidate did not converge. {reasons}", reasons=" ".join(gate.reasons))
    if gate.verdict == "rewritten":
        return gettext(
            "Held: {rewritten} of the {past} deals that the current model learned from have the other outcome now. "
            "Check the export and the mapping of the outcome.",
            rewritten=gate.rewritten,
            past=gate.past,
        )
    if gate.verdict == "definitions":
        return _definitions_verdict(gate)
    return _scored_verdict(gate, scored) if scored else gate.verdict


def _definitions_verdict(gate: Gate) -> str:
    if gate.other_mapping == "lost":
        return gettext(
            "Held: the current model's mapping no longer reads this export, or reads other outcomes from it, so that "
            "the two models cannot be compared on the same deals."
        )
    if gate.undatable:
        return gettext(
            "Held: the definitions of these have changed, and no day divides the old readings from the new ones: "
            "{concepts}. Name it in the setting definitions_since.",
            concepts=_concepts(gate.redefined),
        )
    return gettext("Held: the definitions of these have changed: {concepts}.", concepts=_concepts(gate.redefined))


def _scored_verdict(gate: Gate, scored: Difference) -> str:
    numbers = {"upper": scored.upper, "margin": gate.settings.margin}
    if gate.verdict == "worse":
        return gettext(
            "Held: the same recipe, fitted again, may be worse than the current model. The upper end of the interval "
            "is {upper:+.3f}, and {margin:+.3f} is allowed.",
            **numbers,
        )
    if gate.verdict == "not_better":
        return gettext(
            "Held: a changed recipe must be better than the current model, and it is not clearly so. The upper end of "
            "the interval is {upper:+.3f}, and must be below 0.",
            **numbers,
        )
    if gate.verdict == "miscalibrated":
        ours = gate.calibration["candidate"]
        return gettext(
            "Held: the candidate is not calibrated on the new deals (slope {slope:.2f}, intercept {intercept:+.2f}, "
            "p = {p:.3f}), and less so than the current model.",
            slope=ours.slope,
            intercept=ours.intercept,
            p=ours.p_value,
        )
    if gate.verdict == "not_covered":
        ours_covered = gate.coverage["candidate"]
        return gettext(
            "Held: only {share:.0%} of {groups} groups of new deals won as many deals as the candidate's 90% intervals "
            "expect (p = {p:.3f}), fewer than with the current model.",
            share=ours_covered.share,
            groups=ours_covered.groups,
            p=ours_covered.p_value,
        )
    if gate.changed:
        return gettext("Passed: the changed recipe is better than the current model.")
    return gettext(
        "Passed: the same recipe, fitted again, is not worse than the current model: the upper end of the interval is "
        "{upper:+.3f}, below {margin:+.3f}.",
        **numbers,
    )


def _numbers(gate: Gate) -> Iterator[str]:
    scored = gate.difference
    if scored is None:
        return
    clusters = {"account": gettext("accounts"), "seller": gettext("sellers"), "deal": gettext("deals")}
    yield gettext(
        "Log loss on {deals} new deals: candidate {candidate:.3f}, current model {current:.3f}; difference {mean:+.3f} "
        "({lower:+.3f} to {upper:+.3f}, 90% interval by resampling {clusters} {kind}).",
        deals=scored.deals,
        candidate=scored.candidate,
        current=scored.current,
        mean=scored.mean,
        lower=scored.lower,
        upper=scored.upper,
        clusters=scored.clusters,
        kind=clusters[scored.cluster_by],
    )
    yield gettext(
        "The candidate's recipe was fitted anew before each block of new deals (blocks: {blocks}), on what was known "
        "then: no deal is scored by a model that has seen how it ended.",
        blocks=scored.blocks,
    )
    ours, theirs = gate.calibration["candidate"], gate.calibration["current"]
    yield gettext(
        "Won: {won:.0%}. Expected by the candidate: {ours:.0%}, by the current model: {theirs:.0%}.",
        won=ours.won,
        ours=ours.expected,
        theirs=theirs.expected,
    )


def _warnings(gate: Gate) -> Iterator[str]:
    yield from _misfit(gate)
    if gate.changed:
        yield gettext("Changed since the current model: {parts}.", parts=", ".join(map(_part, gate.changed)))
    if gate.by_version:
        yield gettext(
            "Of these the new version of winprob has changed, by a new setting or another default, and not you: "
            "{settings}.",
            settings=", ".join(map(_setting, gate.by_version)),
        )
    yield from definition_sentences(gate.record())
    if gate.other_mapping == "own":
        yield gettext("The current model was scored on the deals as its own mapping reads them.")
    if gate.guessed:
        yield gettext(
            "Which deals the current model learned from is not on record: the first that closed, as many as it counts, "
            "were taken for these."
        )
    if gate.hindsight:
        yield gettext(
            "warning: {hindsight} of {deals} new deals have no reading before their close: their facts may have been "
            "entered after it, and flatter both models. A snapshot history avoids this.",
            hindsight=gate.hindsight,
            deals=gate.new_deals,
        )
    if gate.entered_late:
        yield gettext(
            "{deals} deals are not scored: they closed before the current model's data ended, and came to be known "
            "after it.",
            deals=gate.entered_late,
        )
    if gate.never_open:
        yield gettext("{deals} new deals are not scored: no snapshot saw them open.", deals=gate.never_open)
    if gate.rewritten and gate.verdict != "rewritten":
        yield gettext(
            "{rewritten} of the {past} deals that the current model learned from have the other outcome now.",
            rewritten=gate.rewritten,
            past=gate.past,
        )


def _misfit(gate: Gate) -> Iterator[str]:
    """That a candidate passes for being no worse than a current model which is wrong too."""
    if gate.verdict != "promote":
        return
    ours, covered = gate.calibration["candidate"], gate.coverage["candidate"]
    if ours.p_value < gate.settings.miscalibrated:
        yield gettext(
            "warning: the candidate is not calibrated on the new deals (expected {expected:.0%}, won {won:.0%}, slope "
            "{slope:.2f}, p-value {p}). It passes because the current model is no better. Readings shortly before the "
            "close may differ from those that a model learns from; winprob monitor tests the current model on whole "
            "quarters.",
            expected=ours.expected,
            won=ours.won,
            slope=ours.slope,
            p=p_value_text(ours.p_value),
        )
    elif covered.p_value < gate.settings.miscalibrated:
        yield gettext(
            "warning: only {share:.0%} of {groups} groups of new deals won as many deals as the candidate's 90% "
            "intervals expect (p-value {p}). It passes because the current model is no better.",
            share=covered.share,
            groups=covered.groups,
            p=p_value_text(covered.p_value),
        )


def p_value_text(value: float) -> str:
    """A p-value as shown; a missing one is blank."""
    if math.isnan(value):
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _part(name: str) -> str:
    """A part of the recipe as a user reads it; a table of the settings keeps its name."""
    kind, _, concept = name.partition(": ")
    if kind == DEFINITIONS:
        return gettext("definition of {concept}", concept=column_label(concept))
    titles = {MAPPING: gettext("mapping"), COVARIATES: gettext("covariates of the mapping")}
    return titles.get(name) or f"[{name}]"


def _setting(path: str) -> str:
    table, _, key = path.partition(".")
    return f"[{table}] {key}"


def definition_sentences(gate: Mapping[str, Any]) -> Iterator[str]:
    """What became of readings under another definition: the setting, and how many rows it touched.

    Parameters
    ----------
    gate : ``Gate.record()``, as ``gate.json`` holds it
    """
    lost, own = (_rows(gate.get(name)) for name in ("lost", "own_effect"))
    if own:
        yield gettext(
            "Readings under another definition have an effect of their own, pooled towards the present one: {own} "
            "(rows). Setting changed_definitions = own_effect.",
            own=own,
        )
    if lost:
        yield gettext(
            "Readings under another definition have lost the fact, so that two meanings are not pooled: {lost} (rows). "
            "Setting changed_definitions = {setting}.",
            lost=lost,
            setting=gate["settings"]["changed_definitions"],
        )
    if not own and not lost and gate.get("redefined"):
        yield gettext("The definitions of these have changed: {concepts}.", concepts=_concepts(gate["redefined"]))


def _rows(by_concept: Mapping[str, int] | None) -> str:
    return ", ".join(f"{column_label(name)} ({rows})" for name, rows in (by_concept or {}).items())


def _concepts(names: Sequence[str]) -> str:
    return ", ".join(column_label(name) for name in names) or "-"


def decision_sentences(gate: Gate) -> list[str]:
    """What the analyst should decide, given the verdict."""
    by_hand = gettext("To promote it all the same: winprob models promote N --reason TEXT.")
    if gate.verdict == "first":
        return [gettext("Promote it if its card and its backtest are good enough: winprob models promote N.")]
    if gate.allows:
        return [gettext("Promote it, unless the moves of open deals have no explanation that you believe.")]
    if gate.verdict == "not_enough":
        return [gettext("Keep the current model, and retrain when more deals have closed."), by_hand]
    if gate.verdict in ("rewritten", "definitions"):
        return [
            gettext("Find out what changed in the export, the mapping or the method before anything else."),
            by_hand,
        ]
    if gate.verdict == "not_converged":
        return [gettext("Keep the current model. Look at the columns at fault, and train again.")]
    if gate.verdict in ("miscalibrated", "not_covered"):
        return [
            gettext(
                "Keep the current model. Ask what is different about the deals that closed since: a segment, a seller, "
                "a way of entering facts."
            ),
            by_hand,
        ]
    return [gettext("Keep the current model. More deals may settle it."), by_hand]
