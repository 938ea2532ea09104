"""Which candidates does the gate promote? Same recipe, broken candidates, and worlds that have drifted.

A simulated team closes 300 deals, from which the current model learns, and then 60 more. Each candidate is judged by
``run_retraining`` itself, in fits with few draws:

- ``same``: the same recipe on the same world. Wanted: promoted.
- ``scrambled``: the outcomes of the 300 old deals are permuted. Wanted: held, by the rule on rewritten outcomes, and
  also where that rule is switched off (``scrambled, unnoticed``), by the difference in log loss alone.
- ``swapped``: a mapping that exchanges the columns of four roles. Wanted: held.
- ``drifted``: the new deals' log-odds are .8 lower. ``weights``: under one decision method the roles' weights are
  reversed in the new deals. Wanted: promoted, since the current model must be replaced.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import _timing as timing
import numpy as np
import pandas as pd

from winprob.data.schema import validate_deals
from winprob.errors import NotConvergedError
from winprob.methodology import DECISION_METHODS
from winprob.model import inference
from winprob.model.posterior import Posterior
from winprob.retrain.candidate import CurrentModel, Gate, define, run_retraining
from winprob.retrain.candidate.evidence import evidence_of, learned_from
from winprob.retrain.candidate.gate import Verdict
from winprob.retrain.candidate.recipe import recipe_of
from winprob.settings import GateSettings, RefitSettings, RetrainingSettings, SamplerSettings, Settings
from winprob.simulation import AS_OF, Truth, simulate

OLD, NEW = 300, 60
#: The old deals have closed by this day, and the new ones are read after it.
CUT = AS_OF.replace(month=6)
SHIFT = -0.8
METHOD = DECISION_METHODS.index("executive")
#: Enough for mean predictions; the loose gates catch only what is broken.
_FEW = SamplerSettings(chains=2, tune=200, draws=200, thin=1, prior_draws=100, retry_draws=800)
_LOOSE = GateSettings(r_hat=1.1, bulk_ess=30, tail_ess=30, divergent_share=0.05, bfmi=0.1)
SETTINGS = Settings(sampler=_FEW, gates=_LOOSE, refit=RefitSettings(sampler=_FEW, gates=_LOOSE))
UNNOTICED = replace(SETTINGS, retraining=RetrainingSettings(rewritten_share=1.0))
SWAPPED = {
    "approver_support": "procurement_support",
    "procurement_support": "approver_support",
    "decision_maker_support": "influencer_support",
    "influencer_support": "decision_maker_support",
}
#: Aims: at least this share promoted, or at most.
AIMS = {
    "same": (0.9, 1.0),
    "scrambled": (0.0, 0.03),
    "scrambled, unnoticed": (0.0, 0.03),
    "swapped": (0.0, 0.03),
    "drifted": (0.95, 1.0),
    "weights": (0.95, 1.0),
}
VERDICTS = tuple(verdict for verdict in get_args(Verdict) if verdict != "first")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7001, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams, to try it out")
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + (2 if asked.quick else asked.teams))
    table = pd.concat([of_team(seed) for seed in seeds], ignore_index=True)
    print(f"{len(seeds)} teams, {OLD} old and {NEW} new deals\n\n{shares_table(table)}\n")
    figures = list(figures_of(table))
    print(timing.figures_table(figures))
    timing.save("retraining", figures, table=table.to_dict("records"), teams=len(seeds), seed=asked.seed)


def of_team(seed: int) -> pd.DataFrame:
    """A row for each candidate: ``candidate, verdict, mean, lower, upper``; cached by team and code."""

    def work() -> dict[str, np.ndarray]:
        timing.progress(f"team {seed}")
        return judged(seed)

    numbers = timing.kept(f"retraining/{timing.code_hash()}", f"team-{seed}", work)
    rows = [
        {"team": seed, "candidate": name, "verdict": VERDICTS[int(row[0])], "mean": row[1], "upper": row[2]}
        for name, row in ((name.replace("_", " "), values) for name, values in numbers.items())
    ]
    return pd.DataFrame(rows).replace({"candidate": {"scrambled unnoticed": "scrambled, unnoticed"}})


def judged(seed: int) -> dict[str, np.ndarray]:
    """By candidate: place of its verdict, mean and upper end of the difference."""
    old, new = world(seed)
    current = current_model(old, seed)
    if current is None:
        return {name.replace(", ", "_"): record("not_converged") for name in AIMS}
    deals = pd.concat([old, new], ignore_index=True)
    rng = np.random.default_rng([seed, 9])
    mixed = pd.concat([old.assign(outcome=rng.permutation(old["outcome"])), new], ignore_index=True)
    drifted, reweighed = (pd.concat([old, world(seed, kind)[1]], ignore_index=True) for kind in ("drift", "weights"))
    gates = {
        "same": gate_of(deals, current, seed),
        "scrambled": gate_of(mixed, current, seed),
        "scrambled_unnoticed": gate_of(mixed, current, seed, settings=UNNOTICED),
        "swapped": swapped_gate(deals, current, seed),
        "drifted": gate_of(drifted, current, seed),
        "weights": gate_of(reweighed, current, seed),
    }
    return {name: record_of(gate) for name, gate in gates.items()}


def world(seed: int, kind: str = "same") -> tuple[pd.DataFrame, pd.DataFrame]:
    """The old deals of a team, and its new ones where the world is the same, has drifted or has other weights."""
    before = simulate(OLD, 1, seed=seed, as_of=CUT)
    truth = {"same": same, "drift": shifted, "weights": reversed_weights}[kind](before.truth)
    after = simulate(20 * NEW, 1, seed=seed + 1_000_000, truth=truth, as_of=AS_OF.replace(month=12, day=31)).closed
    fresh = after[after["as_of"] > pd.Timestamp(CUT)].sort_values("as_of", kind="stable").head(NEW)
    return before.closed, fresh.assign(deal_id="N" + fresh["deal_id"].astype("str")).reset_index(drop=True)


def same(truth: Truth) -> Truth:
    return truth


def shifted(truth: Truth) -> Truth:
    """All log-odds lower."""
    return replace(truth, intercept=truth.intercept + SHIFT)


def reversed_weights(truth: Truth) -> Truth:
    """The roles' weights under one decision method in reverse order."""
    weights = truth.array("role_weight").copy()
    weights[:, METHOD] = weights[::-1, METHOD]
    return replace(truth, role_weight=weights)


def current_model(old: pd.DataFrame, seed: int) -> CurrentModel | None:
    """A model fitted to the old deals, with its records; None where it does not converge."""
    try:
        posterior: Posterior = inference.fit(old, seed=seed, settings=SETTINGS)
    except NotConvergedError:
        return None
    learned = replace(learned_from(evidence_of(old, SETTINGS.calendar)), until=pd.Timestamp(CUT))
    recipe = recipe_of(SETTINGS, None, validate_deals(old), define())
    records = {"learned_from": learned.record(), "recipe": recipe.record()}
    return CurrentModel(posterior=posterior, record=records, definitions=define())


def gate_of(
    deals: pd.DataFrame, current: CurrentModel, seed: int, *, settings: Settings = SETTINGS, **how: Any
) -> Gate:
    return run_retraining(deals, current, seed=seed + 1, settings=settings, judge_only=True, **how).gate


def swapped_gate(deals: pd.DataFrame, current: CurrentModel, seed: int) -> Gate:
    """The candidate reads the export by a mapping that exchanges roles; the current model reads it right."""
    wrong = deals.rename(columns=SWAPPED)[list(deals.columns)]
    return gate_of(wrong, current, seed, mapping={"columns": SWAPPED}, seen_by_current=lambda: deals)


def record_of(gate: Gate) -> np.ndarray:
    scored = gate.difference
    return record(gate.verdict, *((scored.mean, scored.upper) if scored else ()))


def record(verdict: str, mean: float = np.nan, upper: float = np.nan) -> np.ndarray:
    return np.array([VERDICTS.index(verdict), mean, upper], dtype=float)


def shares_table(table: pd.DataFrame) -> str:
    rows = []
    for name in AIMS:
        own = table[table["candidate"] == name]
        counts = own["verdict"].value_counts()
        promoted = int(counts.get("promote", 0))
        others = ", ".join(f"{verdict} {count}" for verdict, count in counts.items() if verdict != "promote") or "-"
        rows.append((name, len(own), f"{promoted / len(own):.1%}", f"{own['mean'].mean():+.4f}", others))
    return timing.markdown(("candidate", "teams", "promoted", "mean difference", "held by verdict"), rows)


def figures_of(table: pd.DataFrame) -> list[timing.Figure]:
    """Shares promoted, or held where the candidate should be promoted: both have an upper limit."""
    figures = []
    for name, (least, most) in AIMS.items():
        share = float((table["verdict"][table["candidate"] == name] == "promote").mean())
        wanted: Mapping[str, Any] = (
            {"quantity": f"{name}: held", "got": 1 - share, "aim": 1 - least}
            if least
            else {"quantity": f"{name}: promoted", "got": share, "aim": most}
        )
        figures.append(timing.Figure(**wanted))
    return figures


if __name__ == "__main__":
    main()
