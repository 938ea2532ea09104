"""The gate: may the candidate replace the current model? Numbers, verdict and sentences.

The rule is on the paired difference in log loss per deal, with an interval that resamples clusters of deals. The same
recipe, fitted again, must not be worse by more than a margin; a changed recipe must be better. A share of the current
model's accuracy, as other tools use, lets broken candidates through.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from winprob.evaluation.scores import paired_difference
from winprob.retrain.candidate.conditions import Calibration, Coverage, calibrate, cover
from winprob.retrain.candidate.scoring import NewDeals, Scores
from winprob.settings import RetrainingSettings

#: ``promote`` and ``first`` let the candidate replace the current model, every other verdict holds it.
Verdict = Literal[
    "first",
    "promote",
    "not_enough",
    "not_converged",
    "rewritten",
    "definitions",
    "worse",
    "not_better",
    "miscalibrated",
    "not_covered",
]
ALLOWED: tuple[Verdict, ...] = ("first", "promote")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Log loss of the candidate less the current model's, in nats per deal, with its 90 % interval."""

    mean: float
    lower: float
    upper: float
    current: float
    candidate: float
    deals: int
    clusters: int
    cluster_by: str
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDifference:
    """The same of one block: the first day of its closes (ISO, None without days), and how many deals it has."""

    since: str | None
    deals: int
    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The gate's numbers and verdict.

    Attributes
    ----------
    verdict : see ``Verdict``
    changed : parts of the recipe that differ from the current model's; empty for the same recipe
    by_version : settings that are new or have another default in this version of winprob, and that nobody set
    difference, blocks : None and empty where nothing was scored
    new_deals, hindsight, entered_late, never_open : counts of deals: scored; scored on facts of an unknown or later
        day; not scored because they closed before the current model's data ended; or because they were never seen open
    past, rewritten : deals that the current model learned from, and those whose outcome is the other one now
    lost, own_effect : rows that were read under another definition, by concept: they lost the fact, or have an effect
        of their own, by the setting ``[retraining] changed_definitions``
    redefined : concepts whose definition has changed since the current model
    undatable : whether a definition has changed and no day divides its old readings from the new ones
    guessed : whether the deals that the current model learned from are not on record, and were taken by their number
    other_mapping : whether the current model was scored on its own reading of the export: ``same`` mapping, ``own``, or
        ``lost`` where its mapping can no longer read it
    reasons : why fits did not converge
    """

    verdict: Verdict
    settings: RetrainingSettings
    seed: int
    changed: tuple[str, ...] = ()
    by_version: tuple[str, ...] = ()
    difference: Difference | None = None
    blocks: tuple[BlockDifference, ...] = ()
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    new_deals: int = 0
    hindsight: int = 0
    entered_late: int = 0
    never_open: int = 0
    past: int = 0
    rewritten: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    own_effect: Mapping[str, int] = field(default_factory=dict)
    redefined: tuple[str, ...] = ()
    undatable: bool = False
    guessed: bool = False
    other_mapping: Literal["same", "own", "lost"] = "same"
    reasons: tuple[str, ...] = ()

    @property
    def allows(self) -> bool:
        """Whether the candidate may replace the current model."""
        return self.verdict in ALLOWED

    def record(self) -> dict[str, Any]:
        """Plain values, for ``gate.json``; a number that does not exist is None."""
        return {"allows": self.allows, **_plain(asdict(self))}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the gate knows besides the scores; attributes as of ``Gate``."""

    changed: tuple[str, ...] = ()
    by_version: tuple[str, ...] = ()
    past: int = 0
    rewritten: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    own_effect: Mapping[str, int] = field(default_factory=dict)
    redefined: tuple[str, ...] = ()
    undatable: bool = False
    guessed: bool = False
    other_mapping: Literal["same", "own", "lost"] = "same"


def first_gate(settings: RetrainingSettings, *, seed: int) -> Gate:
    """The gate of the first model of a registry: there is nothing to compare it with."""
    return Gate(verdict="first", settings=settings, seed=seed)


def held_gate(verdict: Verdict, settings: RetrainingSettings, facts: Facts, new: NewDeals, *, seed: int) -> Gate:
    """A gate that holds the candidate before anything is scored."""
    return Gate(verdict=verdict, settings=settings, seed=seed, **_counts(new), **_facts(facts))


def judge(scores: Scores, new: NewDeals, facts: Facts, settings: RetrainingSettings, *, seed: int) -> Gate:
    """The gate of scored deals: difference, conditions and verdict."""
    judged: dict[str, Any] = {**_counts(new), **_facts(facts), "reasons": scores.failed}
    if scores.failed:
        return Gate(verdict="not_converged", settings=settings, seed=seed, **judged)
    difference = difference_of(scores, new.cluster_by, seed=seed)
    rows = scores.last_readings()
    won, clusters = scores.won[rows], scores.cluster.to_numpy()[rows]
    draws = {"current": scores.current[rows], "candidate": scores.candidate[rows]}
    calibration = {name: calibrate(won, own.mean(axis=1, dtype=float), clusters) for name, own in draws.items()}
    deals = scores.readings.iloc[rows]
    coverage = {name: cover(won, own, deals, seed=seed) for name, own in draws.items()}
    return Gate(
        verdict=verdict_of(difference, calibration, coverage, facts, settings),
        settings=settings,
        seed=seed,
        difference=difference,
        blocks=tuple(_block_differences(scores, seed)),
        calibration=calibration,
        coverage=coverage,
        **judged,
    )


def difference_of(scores: Scores, cluster_by: str, *, seed: int) -> Difference:
    """The paired difference in log loss per deal: readings of one deal are averaged, clusters of deals resampled."""
    deals = scores.per_deal()
    ours, theirs = deals["candidate"].to_numpy(), deals["current"].to_numpy()
    mean, lower, upper = paired_difference(ours, theirs, deals["cluster"].to_numpy(), seed=seed)
    return Difference(
        mean=mean,
        lower=lower,
        upper=upper,
        current=float(theirs.mean()),
        candidate=float(ours.mean()),
        deals=len(deals),
        clusters=int(deals["cluster"].nunique()),
        cluster_by=cluster_by,
        blocks=len(scores.origins),
    )


def _block_differences(scores: Scores, seed: int) -> Iterator[BlockDifference]:
    deals = scores.per_deal()
    for number, origin in enumerate(scores.origins):
        own = deals[deals["block"] == number]
        losses, labels = (own["candidate"].to_numpy(), own["current"].to_numpy()), own["cluster"].to_numpy()
        mean, lower, upper = paired_difference(*losses, labels, seed=seed)
        since = None if origin is None else origin.date().isoformat()
        yield BlockDifference(since=since, deals=len(own), mean=mean, lower=lower, upper=upper)


def verdict_of(
    difference: Difference,
    calibration: Mapping[str, Calibration],
    coverage: Mapping[str, Coverage],
    facts: Facts,
    settings: RetrainingSettings,
) -> Verdict:
    """The verdict on scored deals; the first rule that holds the candidate decides."""
    early = verdict_before(difference.deals, difference.clusters, facts, settings)
    if early:
        return early
    if facts.changed and not difference.upper < 0:
        return "not_better"
    if not facts.changed and not difference.upper < settings.margin:
        return "worse"
    ours, theirs = calibration["candidate"], calibration["current"]
    # What both models miss, such as news shortly before the close, keeps neither from being current.
    if ours.p_value < settings.miscalibrated and not ours.loss <= theirs.loss + settings.margin:
        return "miscalibrated"
    covered, before = coverage["candidate"], coverage["current"]
    if covered.p_value < settings.miscalibrated and not covered.share >= before.share - 1 / covered.groups:
        return "not_covered"
    return "promote"


def verdict_before(deals: int, clusters: int, facts: Facts, settings: RetrainingSettings) -> Verdict | None:
    """The verdict that needs no scores; None where it depends on them."""
    # One corrected outcome is not a rewritten past, however few deals there are.
    if facts.rewritten > max(1, settings.rewritten_share * facts.past):
        return "rewritten"
    if facts.redefined and settings.changed_definitions == "refuse":
        return "definitions"
    if facts.undatable or "outcome" in facts.redefined or facts.other_mapping == "lost":
        return "definitions"
    if deals < settings.least_deals or clusters < settings.least_clusters:
        return "not_enough"
    return None


def _counts(new: NewDeals) -> dict[str, Any]:
    return {
        "new_deals": new.deals,
        "hindsight": int(new.readings["deal_id"][new.hindsight].nunique()),
        "entered_late": new.entered_late,
        "never_open": new.never_open,
    }


def _facts(facts: Facts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in facts.__slots__}
