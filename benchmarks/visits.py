"""Is the effect of visits on true support recovered from a log, and no effect found where there is none?

Simulated teams through time: each role's true support moves from month to month, is read with noise by coach, and is
cut into tiers; visits go to roles of low reported tiers. The log is learned from alone and with the readings of the
other roles, in worlds with a drift of all roles, readings copied from the month before, and readings less reliable than
the model takes them to be.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import _timing as timing
import numpy as np
import pandas as pd
from scipy.special import ndtri

from winprob.actions.visits.effect import Instrument
from winprob.actions.visits.success import learn_success
from winprob.data.schema import validate_deals, validate_visits
from winprob.methodology import COACH_STATES, ROLES
from winprob.settings import VisitSettings

Array = np.ndarray
VISITS, MONTHS = 200, 5
SHARES = (0.2, 0.35, 0.3, 0.15)
#: What the win model's prior takes the readings of no, unvalidated, validated and unknown coach to be.
RELIABILITY = (0.54, 0.68, 0.85, 0.70)
DOUBT = 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true of a team. ``read_less`` is subtracted from the reliabilities' logits."""

    name: str
    compared: bool = True
    drift: float = 0.0
    noise: float = 0.2
    copies: float = 0.0
    read_less: float = 0.0


WORLDS = (
    World(name="log alone", compared=False),
    World(name="with roles not visited"),
    World(name="drift of .1 a month, half of the other readings copies", drift=0.1, copies=0.5),
    World(name="readings less reliable than assumed", read_less=0.8),
)


def simulate_log(world: World, effect: float, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A log of visits and the monthly readings of all deals."""
    deals = VISITS
    coach = rng.integers(len(COACH_STATES), size=deals)
    odds = np.array(RELIABILITY)[:3] / (1 - np.array(RELIABILITY)[:3]) * np.exp(-world.read_less)
    rho = (odds / (1 + odds))[coach][:, None]
    cuts = ndtri(np.cumsum(SHARES)[:-1])
    support = rng.standard_normal((deals, len(ROLES)))
    tiers = np.empty((MONTHS, deals, len(ROLES)), dtype=int)
    visits, visited = [], np.zeros(support.shape, dtype=bool)
    for month in range(MONTHS):
        reading = rho * support + np.sqrt(1 - rho**2) * rng.standard_normal(support.shape)
        fresh = 1 + (reading[:, :, None] > cuts).sum(axis=2)
        copied = (rng.random(support.shape) < world.copies) & ~visited & (month > 0)
        tiers[month] = np.where(copied, tiers[month - 1], fresh)
        visits += [(deal, role, month, tiers[month - 1, deal, role]) for deal, role in np.argwhere(visited)]
        visited = np.zeros(support.shape, dtype=bool)
        if month < MONTHS - 1:
            # The lower the tier, the sooner it is visited.
            order = np.argsort(rng.random(support.size) * tiers[month].ravel(), kind="stable")
            visited.ravel()[order[: VISITS // (MONTHS - 1)]] = True
        support = support + world.drift + effect * visited + world.noise * rng.standard_normal(support.shape)
    days = pd.date_range("2026-01-01", periods=MONTHS, freq="30D")
    log = [
        (f"D{deal}", ROLES[role], "Li", days[month] - pd.Timedelta(days=10), before, tiers[month, deal, role])
        for deal, role, month, before in visits
    ]
    names = ["deal_id", "role", "executive", "date", "tier_before", "tier_after"]
    table = pd.DataFrame(
        {
            "deal_id": np.tile([f"D{deal}" for deal in range(deals)], MONTHS),
            "as_of": np.repeat(days, deals),
            "outcome": "open",
            "coach": np.tile(np.array(COACH_STATES)[coach], MONTHS),
            **{f"{name}_support": tiers[:, :, at].ravel() for at, name in enumerate(ROLES)},
        }
    )
    return pd.DataFrame(log, columns=names), table


def one_log(world: World, effect: float, seed: int) -> tuple[float, float, float, float]:
    """Posterior mean and interval of the effect averaged over visits, and the share of visits whose tier rose."""
    log, table = simulate_log(world, effect, np.random.default_rng([seed, 14]))
    instrument = Instrument(
        reliability=np.array(RELIABILITY), doubt=DOUBT, cuts=np.tile(ndtri(np.cumsum(SHARES)[:-1]), (len(ROLES), 1))
    )
    if not world.compared:
        # One reading of each deal names its coach and compares nothing.
        table = table[table["as_of"] == table["as_of"].min()]
    success = learn_success(validate_visits(log), validate_deals(table), instrument, VisitSettings())
    assert success.effect is not None
    rose = float((log["tier_after"] > log["tier_before"])[log["tier_before"] < 4].mean())
    return success.effect.average[0], *success.effect.interval, rose


def measure(effect: float, logs: int, first: int) -> list[tuple[object, ...]]:
    """A row a world."""
    rows = []
    for world in WORLDS:
        start = time.process_time()
        got = np.array([one_log(world, effect, seed) for seed in range(first, first + logs)])
        mean, lower, upper, rose = got.T
        held = float(((lower <= effect) & (effect <= upper)).mean())
        silent = float((lower <= 0).mean())
        took = (time.process_time() - start) / logs
        rows.append((world.name, mean.mean(), mean.std(ddof=1), (mean <= 0.1).mean(), held, silent, rose.mean(), took))
        timing.progress(f"{world.name}: {mean.mean():.3f}")
    return rows


def shown(rows: Sequence[tuple[object, ...]]) -> str:
    header = (
        "world",
        "posterior mean",
        "its sd over logs",
        "logs with a mean of at most .10",
        "90 % interval holds the truth",
        'logs with "no effect so far"',
        "tier rose",
        "CPU s a log",
    )
    digits = (".3f", ".3f", ".0%", ".0%", ".0%", ".0%", ".2f")
    return timing.markdown(
        header,
        [(row[0], *(format(value, digit) for value, digit in zip(row[1:], digits, strict=True))) for row in rows],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first log; the others follow")
    parser.add_argument("--quick", action="store_true", help="four logs, to try it out")
    asked = parser.parse_args()
    logs, figures = 4 if asked.quick else asked.logs, []
    for effect in (0.0, 0.5):
        rows = measure(effect, logs, asked.seed)
        print(f"{logs} logs of {VISITS} visits, true effect {effect}\n\n{shown(rows)}\n")
        for row in rows:
            name = f"{row[0]}, true effect {effect}"
            if effect == 0:
                figures.append(timing.Figure(quantity=f"{name}: posterior mean", got=float(row[1]), aim=0.1))
            else:
                figures.append(timing.Figure(quantity=f"{name}: |coverage - .90|", got=abs(row[4] - 0.9), aim=0.05))
    print(timing.figures_table(figures))
    timing.save("visits", figures)


if __name__ == "__main__":
    main()
