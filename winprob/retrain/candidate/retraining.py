"""Retraining from end to end: score a candidate's recipe against the current model, judge it, fit it on everything."""

import datetime as dt
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.schema import ID
from winprob.errors import NotConvergedError, RegistryError, WinprobError
from winprob.i18n import LANGUAGES, Described, gettext, use_language
from winprob.model.posterior import Posterior
from winprob.retrain.candidate import definitions as meanings
from winprob.retrain.candidate import evidence as sources
from winprob.retrain.candidate.changes import Changes, find_changes
from winprob.retrain.candidate.gate import Facts, Gate, first_gate, held_gate, judge, verdict_before
from winprob.retrain.candidate.recipe import Recipe, changed_parts, recipe_from, recipe_of, settings_changes, to_toml
from winprob.retrain.candidate.refits import EVERYTHING, UnfinishedFits, fit_inputs
from winprob.retrain.candidate.scoring import NewDeals, Progress, new_deals, score
from winprob.retrain.candidate.sentences import decision_sentences, gate_sentences
from winprob.retrain.entry import Entry
from winprob.settings import Settings
from winprob.toml import parse_toml

_SETTINGS = "settings.toml"
#: Share of the progress bar that the scoring takes; the fit on everything takes the rest.
_SCORING = 0.5


@dataclass(frozen=True, kw_only=True)
class CurrentModel:
    """The model in use, and what the registry has on record about it.

    Attributes
    ----------
    record : the content of its ``gate.json``; empty without one
    definitions : those of its ``definitions.json``; None without one
    stored_settings : the content of its ``settings.toml``, as it was written; None without one
    """

    posterior: Posterior
    record: Mapping[str, Any]
    definitions: meanings.Definitions | None = None
    stored_settings: Mapping[str, Any] | None = None

    @classmethod
    def from_entry(cls, entry: Entry) -> "CurrentModel":
        """A model of a registry with its records.

        Raises
        ------
        RegistryError
            A file of it was altered, or its definitions or settings are not readable.
        """
        text = entry.read("definitions.json")
        try:
            definitions = meanings.Definitions.from_json(text) if text else None
        except (ValueError, AttributeError, RecursionError) as fault:
            raise RegistryError(
                gettext(
                    "{path} is not a file of definitions: {reason}.", path=entry.path / "definitions.json", reason=fault
                )
            ) from None
        stored = entry.read(_SETTINGS)
        settings = parse_toml(stored, str(entry.path / _SETTINGS), RegistryError) if stored else None
        return cls(posterior=entry.load(), record=entry.gate(), definitions=definitions, stored_settings=settings)

    @property
    def recipe(self) -> Recipe:
        """How it was made."""
        return recipe_from(self.record.get("recipe"), self.posterior.settings)

    def learned(self, closed: pd.DataFrame) -> tuple[sources.LearnedFrom, bool]:
        """The deals it learned from, and whether these had to be guessed."""
        known = sources.learned_on_record(self.record.get("learned_from"))
        if known is not None:
            return known, False
        provenance = self.posterior.provenance
        return sources.learned_by_count(closed, provenance.closed or provenance.available, provenance.last_day), True


@dataclass(frozen=True, kw_only=True, repr=False)
class Retraining(Described):
    """A candidate, the gate's verdict on it, and what has changed.

    Attributes
    ----------
    candidate : fitted to everything; None where that fit did not converge, or was left out
    changes : None without a current model, or without a candidate
    """

    gate: Gate
    candidate: Posterior | None
    recipe: Recipe
    definitions: meanings.Definitions
    learned: sources.LearnedFrom
    changes: Changes | None = None

    def described_as(self) -> str:
        return gate_sentences(self.gate)[0]

    def facts(self) -> Iterator[tuple[str, str]]:
        yield gettext("gate"), self.gate.verdict
        for at, sentence in enumerate([*gate_sentences(self.gate)[1:], *decision_sentences(self.gate)], start=1):
            yield str(at), sentence
        yield gettext("candidate"), self.candidate.described_as() if self.candidate else gettext("none")

    def record(self) -> dict[str, Any]:
        """Plain values, as ``gate.json`` holds them: gate, recipe, changes, and the deals that were learned from.

        ``verdict`` is ``promote`` for every verdict that lets the candidate replace the current model.
        """
        text, sentences = {}, {}
        for each in LANGUAGES:
            with use_language(each):
                sentences[each] = [*gate_sentences(self.gate), *decision_sentences(self.gate)]
                text[each] = sentences[each][0]
        return {
            "verdict": "promote" if self.gate.allows else self.gate.verdict,
            "text": text,
            "sentences": sentences,
            "gate": self.gate.record(),
            "recipe": self.recipe.record(),
            "changes": self.changes.record() if self.changes else None,
            "learned_from": self.learned.record(),
        }

    def files(self) -> dict[str, bytes]:
        """The candidate's files by name, as ``Registry.add`` takes them: model, gate, settings and definitions.

        Raises
        ------
        RegistryError
            The fit to everything did not converge, or was left out.
        """
        if self.candidate is None:
            raise RegistryError(
                gettext("without a candidate nothing can be added: its fit did not converge, or was left out.")
            )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.nc")
            self.candidate.save(path)
            model = path.read_bytes()
        texts = {
            "gate.json": json.dumps(self.record(), ensure_ascii=False, indent=1, sort_keys=True) + "\n",
            _SETTINGS: to_toml(asdict(self.candidate.settings)),
            "definitions.json": self.definitions.to_json(),
        }
        return {"model.nc": model, **{name: text.encode() for name, text in texts.items()}}


def run_retraining(
    deals: pd.DataFrame | Path | str,
    current: CurrentModel | Posterior | None = None,
    *,
    seed: int,
    settings: Settings | None = None,
    mapping: Mapping[str, Any] | None = None,
    seen_by_current: Callable[[], pd.DataFrame] | None = None,
    as_of: dt.date | None = None,
    pseudonymous: bool = False,
    judge_only: bool = False,
    unfinished: UnfinishedFits | None = None,
    progress: Progress | None = None,
) -> Retraining:
    """Fit a candidate to all deals, and judge by deals that neither has seen whether it may replace the current model.

    The current model stays as it is. The candidate's recipe is fitted again before each block of newly closed deals, on
    what was known then, and scored on the block; then it is fitted to everything.

    Parameters
    ----------
    deals : frame in canonical columns, or the folder of a history
    current : the model in use; None for the first one
    seed : of the sampler and of the bootstrap
    mapping : the content of the mapping by which the deals were read; its definitions are compared with the current
        model's
    seen_by_current : reads the deals by the current model's own mapping, where that is another one
    as_of : use only what was known on this day
    pseudonymous : store pseudonyms of sellers and accounts; a candidate for a model that has them always does
    judge_only : leave out the fit to everything; there is no candidate then, only the gate
    unfinished : where the draws of fits that do not converge are kept, to go on from in a later run
    progress : called with the current step and how much of it is done

    Raises
    ------
    DealTableError, HistoryError
        The deals are not valid, or too few to learn from.
    """
    settings = settings or Settings()
    known = CurrentModel(posterior=current, record={}) if isinstance(current, Posterior) else current
    evidence = sources.evidence_of(deals, settings.calendar, as_of)
    recorded = meanings.of_snapshots(evidence.snapshots)
    today = meanings.today_of(meanings.define(mapping), recorded, known.definitions if known else None)
    recipe = recipe_of(settings, mapping, evidence.table, today)
    if known is None:
        today = meanings.with_recorded_days(today, recorded, _named_day(settings))
        run = _Run(evidence, settings, seed, today, progress or _silent, pseudonymous, unfinished)
        candidate, gate = run.fitted(first_gate(settings.retraining, seed=seed))
        return run.result(gate, candidate, recipe)
    learned, guessed = known.learned(evidence.closed)
    definitions = meanings.dated(known.definitions, today, _since(settings, learned))
    definitions = meanings.with_recorded_days(definitions, recorded, _named_day(settings))
    hidden = pseudonymous or bool(known.posterior.scaling.salt)
    run = _Run(evidence, settings, seed, definitions, progress or _silent, hidden, unfinished)
    new = new_deals(evidence, learned)
    other = _seen_by_current(seen_by_current, new, settings, as_of)
    rewritten, past = learned.rewritten(evidence.closed)
    redefined = meanings.changed_concepts(known.definitions, today) if known.definitions else ()
    same, by_version = settings_changes(known.stored_settings, settings, of_history=evidence.snapshots is not None)
    facts = Facts(
        changed=tuple(part for part in changed_parts(known.recipe, recipe) if part not in same),
        by_version=by_version,
        past=past,
        rewritten=rewritten,
        redefined=redefined,
        undatable=any(definitions.by_concept[concept].since is None for concept in redefined),
        **run.prepared(evidence.everything())[1],
        guessed=guessed,
        other_mapping="same" if seen_by_current is None else "lost" if other is None else "own",
    )
    gate = run.judged(new, known.posterior, other, facts)
    candidate, gate = (None, gate) if judge_only else run.fitted(gate)
    changes = None if candidate is None else find_changes(known.posterior, candidate, evidence, learned, seed=seed)
    return run.result(gate, candidate, recipe, changes)


@dataclass(frozen=True, slots=True)
class _Run:
    """What every step of a retraining needs."""

    evidence: sources.Evidence
    settings: Settings
    seed: int
    definitions: meanings.Definitions
    progress: Progress
    pseudonymous: bool
    unfinished: UnfinishedFits | None

    def prepared(self, inputs: sources.FitInputs) -> tuple[sources.FitInputs, dict[str, dict[str, int]]]:
        """The tables of a fit that does not pool two definitions of a fact, and the rows concerned, see ``Gate``."""
        if self.settings.retraining.changed_definitions == "own_effect":
            deals, own_effect, lost = meanings.with_own_effects(inputs.deals, self.definitions)
            return replace(inputs, deals=deals), {"own_effect": own_effect, "lost": lost}
        deals, lost = meanings.without_old_readings(inputs.deals, self.definitions)
        return replace(inputs, deals=deals), {"lost": lost}

    def judged(self, new: NewDeals, current: Posterior, other: pd.DataFrame | None, facts: Facts) -> Gate:
        """The gate, scored where the verdict depends on it."""
        options = self.settings.retraining
        early = verdict_before(new.deals, int(new.cluster.nunique()), facts, options)
        if early is not None:
            return held_gate(early, options, facts, new, seed=self.seed)
        scores = score(
            new,
            self.evidence,
            current,
            self.settings,
            seed=self.seed,
            seen_by_current=other,
            prepare=lambda inputs: self.prepared(inputs)[0],
            unfinished=self.unfinished,
            progress=lambda step, share: self.progress(step, _SCORING * share),
        )
        return judge(scores, new, facts, options, seed=self.seed)

    def fitted(self, gate: Gate) -> tuple[Posterior | None, Gate]:
        """The candidate fitted to everything, and the gate, which holds it where that fit did not converge."""
        inputs, _ = self.prepared(self.evidence.everything())
        try:
            posterior = fit_inputs(
                inputs,
                EVERYTHING,
                self.unfinished,
                seed=self.seed,
                settings=self.settings,
                pseudonymous=self.pseudonymous,
                progress=lambda step, share: self.progress(step, _SCORING + (1 - _SCORING) * share),
            )
        except NotConvergedError as error:
            verdict = "not_converged" if gate.allows else gate.verdict
            return None, replace(gate, verdict=verdict, reasons=(*gate.reasons, str(error)))
        return posterior, gate

    def result(
        self, gate: Gate, candidate: Posterior | None, recipe: Recipe, changes: Changes | None = None
    ) -> Retraining:
        return Retraining(
            gate=gate,
            candidate=candidate,
            recipe=recipe,
            definitions=self.definitions,
            learned=sources.learned_from(self.evidence),
            changes=changes,
        )


def _silent(what: str, share: float) -> None:
    """Progress without a display."""


def _since(settings: Settings, learned: sources.LearnedFrom) -> dt.date | None:
    """The first day of readings under the definitions of today, where they have changed."""
    known = None if learned.until is None else learned.until.date() + dt.timedelta(days=1)
    return _named_day(settings) or known


def _named_day(settings: Settings) -> dt.date | None:
    day = settings.retraining.definitions_since
    return dt.date.fromisoformat(day) if day else None


def _seen_by_current(
    read: Callable[[], pd.DataFrame] | None, new: NewDeals, settings: Settings, as_of: dt.date | None
) -> pd.DataFrame | None:
    """The readings of the new deals by the current model's mapping; None where it no longer reads all of them alike."""
    if read is None:
        return None
    try:
        rows, _ = sources.evidence_of(read(), settings.calendar, as_of).before_close()
    except WinprobError:
        return None
    keys = [name for name in (ID, "as_of") if name in new.readings and name in rows]
    found = new.readings[keys].reset_index().merge(rows.reset_index(names="place"), on=keys, how="left")
    found = found.drop_duplicates("index")
    if found["place"].isna().any():
        return None
    other = rows.iloc[found["place"].astype(int)].reset_index(drop=True)
    return other if (other["outcome"] == new.readings["outcome"].reset_index(drop=True)).all() else None
