"""Models and deals that many tests share. Only ``learned`` samples; it belongs to the slow lane."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import hypothesis
import numpy as np
import pandas as pd
import pytest

from tests.databases import Server, running_server
from winprob.data.exchange_rates import Rate
from winprob.data.fiscal import Quarter
from winprob.data.schema import validate_deals
from winprob.model.features import Scaling, describe, learn_scaling
from winprob.model.hazards import Hazards, learn_hazards
from winprob.model.inference import fit, fit_prior
from winprob.model.inference.fitting import _posterior, versions
from winprob.model.posterior import Posterior, Provenance
from winprob.model.win.parameters import sample_prior
from winprob.quarter import LINES, STEPS, Bridge, Forecast
from winprob.settings import QuarterSettings, Settings
from winprob.simulation import Simulation, simulate, simulate_pipeline

hypothesis.settings.register_profile("winprob", derandomize=True, deadline=None, database=None, max_examples=40)
hypothesis.settings.load_profile("winprob")

#: A deal of which everything is known.
KNOWN = {
    "stage": "evaluation",
    "coach": "unvalidated",
    "decision_method": "executive",
    "approver_coverage": "contacted",
    "approver_support": 3.0,
    "decision_maker_support": 2.0,
    "evaluator_support": 3.0,
    "influencer_support": 4.0,
    "procurement_support": 1.0,
    "amount": 2e6,
    "segment": "finance",
    "seller": "S02",
    "as_of": "2026-05-04",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A real fit, the deals it learned from, and what is true of them."""

    team: Simulation
    posterior: Posterior


@pytest.fixture(scope="session")
def table() -> Callable[..., pd.DataFrame]:
    """``table(coach=["none", None])``: deals alike but for the columns named; None is blank."""

    def make(**columns: list[object]) -> pd.DataFrame:
        rows = max((len(values) for values in columns.values()), default=1)
        plain = {name: [value] * rows for name, value in KNOWN.items()}
        return pd.DataFrame({"deal_id": [f"D{at}" for at in range(rows)], **plain, **columns})

    return make


@pytest.fixture(scope="session")
def team() -> Simulation:
    return simulate(600, 40, seed=2026)


@pytest.fixture(scope="session")
def scaling(team: Simulation) -> Scaling:
    return learn_scaling(validate_deals(team.closed), Settings())


@pytest.fixture(scope="session")
def believed() -> Posterior:
    """The model that has seen no deal."""
    return fit_prior(seed=1)


@pytest.fixture(scope="session")
def posterior(team: Simulation, scaling: Scaling) -> Posterior:
    """Made by hand: a trained scaling with sellers, amounts and quarters; its draws come from the prior."""
    return make_posterior(team.closed, scaling)


def make_posterior(deals: pd.DataFrame, scaling: Scaling) -> Posterior:
    priors, rng = Settings().priors, np.random.default_rng(7)
    valid = validate_deals(deals)
    draws = sample_prior(scaling.layout, priors, 1000, rng)
    return _posterior(
        draws={name: values.reshape(4, 250, *values.shape[1:]) for name, values in draws.items()},
        prior=sample_prior(scaling.layout, priors, 500, rng),
        reference=(describe(valid, scaling), np.ones(len(valid))),
        scaling=scaling,
        settings=Settings(),
        provenance=Provenance(
            deals=len(valid),
            rows=len(valid),
            available=len(valid),
            counted=float(len(valid)),
            won=float((valid["outcome"] == "won").sum()),
            first_day="2024-07-01",
            last_day="2026-06-30",
            data_hash="0" * 64,
            seed=7,
            versions=versions(),
            gates={},
        ),
    )


@pytest.fixture(scope="session")
def make_forecast() -> Callable[..., tuple[Forecast, Bridge]]:
    """``make_forecast(deals, chances)``: a forecast by plain arithmetic, and a bridge to it, for what shows them."""
    return hand_made


def hand_made(
    deals: pd.DataFrame, chances: pd.DataFrame, *, target: float | None = 50e6, draws: int = 500
) -> tuple[Forecast, Bridge]:
    rng = np.random.default_rng(1)
    chance, amount = chances["mean"].to_numpy(), deals["amount"].to_numpy(dtype=float)
    won = rng.random((len(deals), draws)) < 0.6 * chance[:, None]
    kept = ["deal_id", "account", "seller", "segment", "region", "product", "amount", "currency", "expected_close_on"]
    known = deals[[*kept, "stage", "rep_category"]].reset_index(drop=True)
    known["line"] = known["rep_category"].map({"most_likely": "best_case", "omitted": "uncategorised"})
    known["line"] = known["line"].fillna(known["rep_category"]).fillna("uncategorised")
    for name, share in (("win_prob", 1.0), ("by_end", 0.6)):
        known[name] = share * chance
        known[f"{name.removesuffix('_prob')}_lower"] = share * chances["lower"].to_numpy()
        known[f"{name.removesuffix('_prob')}_upper"] = share * chances["upper"].to_numpy()
    played: dict[str, np.ndarray] = {"closed": np.full(draws, 6.2e6), "not_yet_created": rng.gamma(2, 8e5, draws)}
    for line in LINES[1:5]:
        of_line = (known["line"] == line).to_numpy()
        played[line] = amount[of_line] @ won[of_line]
    played["total"] = sum(played.values(), np.zeros(draws))
    total = played["total"]
    known["slip_prob"] = 0.4
    known["expected_bookings"] = amount * won.mean(axis=1)
    known["variance_share"] = 0.7 * (amount**2 * chance) / (amount**2 * chance).sum()
    known["p50_if_won"] = [np.median(total[row]) if row.any() else np.nan for row in won]
    known["p50_if_lost"] = [np.median(total[~row]) if not row.all() else np.nan for row in won]
    records = [(line, *np.quantile(played[line], (0.1, 0.5, 0.9)), played[line].mean()) for line in LINES]
    lines = pd.DataFrame(records, columns=["line", "p10", "p50", "p90", "mean"])
    lines["prob_target"] = [float("nan") if target is None else (played[line] >= target).mean() for line in LINES]
    filed = pd.DataFrame({"line": LINES[:4], "deals": [3, 9, 9, 9], "bookings": [6.2e6, 8e6, 2e7, 3e7]})
    day, far = dt.date(2026, 10, 25), total < 0.8 * np.median(total)
    first = [known["deal_id"].iloc[0], -2e6, won[0].mean(), won[0][far].mean()]
    forecast = Forecast(
        quarter=Quarter(start=dt.date(2026, 10, 1), end=dt.date(2026, 12, 31), name="2026Q4"),
        as_of=day,
        currency="CNY",
        rates=(Rate(currency="EUR", rate=7.85, day=dt.date(2026, 10, 20)),),
        target=target,
        lines=lines,
        groups=None,
        group_draws={},
        draws=played,
        deals=known.sort_values("expected_bookings", ascending=False, ignore_index=True),
        closed=pd.DataFrame({"deal_id": ["W1"], "seller": ["S01"], "amount": [6.2e6], "closed_on": [day]}),
        seller_rollup=filed.assign(cumulative=filed["bookings"].cumsum()),
        stage_weighted=3e7,
        left_out=pd.DataFrame(
            [("open, without an amount", 2, 0.0, "D7", False)],
            columns=["reason", "deals", "amount", "first_deal", "counted"],
        ).assign(reason="?"),
        shares=pd.DataFrame(
            {
                "source": ["winning", "amount_at_closing", "shared_doubt", "not_yet_created"],
                "share": [0.7, 0.1, 0.15, 0.05],
            }
        ),
        breaks=pd.DataFrame(
            [("below", far.mean(), "deal", *first), ("below", far.mean(), "win_rate", None, -1e6, 3e7, 2.9e7)],
            columns=["side", "prob", "source", "deal_id", "amount", "usual", "there"],
        ),
        reconciliation=pd.DataFrame(
            [("CNY", 38, 9e7, 1.0, day, 9e7), ("EUR", 2, 1e6, 7.85, day, 7.85e6), ("=", 40, None, None, None, 97.85e6)],
            columns=["currency", "deals", "amount", "rate", "day", "converted"],
        ),
        dated=True,
        quarters_learned=8,
        deals_revised=120,
        model="0" * 64,
        settings=QuarterSettings(),
        seed=1,
    )
    amounts = [-2.4e6 + 0.3, -5.1e6, 3.3e6, 1.8e6, -0.7e6, 5e4 + 0.4]
    steps = pd.DataFrame({"step": STEPS, "amount": amounts})
    behind = pd.DataFrame([(known["deal_id"].iloc[0], "slipped", -3e6)], columns=["deal_id", "step", "amount"])
    then = {"before": dt.date(2026, 9, 27), "p50_before": forecast.p50 - sum(amounts)}
    return forecast, Bridge(now=day, currency="CNY", steps=steps, p50_now=forecast.p50, deals=behind, **then)


@pytest.fixture(scope="session")
def learned() -> Learned:
    """The one real fit: a simulated team of 3,000 closed deals."""
    team = simulate(3000, 60, seed=11)
    return Learned(team=team, posterior=fit(team.closed, seed=3))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of our own; without its programs the test is skipped."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def known() -> pd.DataFrame:
    """Reviews of a simulated team, and what had come of each deal by the last day."""
    pipeline = simulate_pipeline(seed=5, quarters=8)
    tables = [pipeline.known_on(day.date()) for day in pd.date_range("2024-10-01", "2026-06-01", freq="56D")]
    rows = pd.concat([table[table["outcome"] == "open"] for table in tables], ignore_index=True)
    came = pipeline.deals.set_index("deal_id").loc[rows["deal_id"]]
    closed = (came["closed_on"] <= pd.Timestamp("2026-06-20")).to_numpy()
    return validate_deals(
        rows.assign(
            outcome=np.where(closed, came["outcome"], "open"), closed_on=came["closed_on"].where(closed).to_numpy()
        )
    )


@pytest.fixture(scope="session")
def hazards(known) -> Hazards:
    learned = learn_hazards(known, Settings(), draws=1000, seed=1)
    assert learned is not None
    return learned


@pytest.fixture(scope="session")
def dated(posterior, hazards) -> Posterior:
    """The hand-made win model, with a time to close learned from the pipeline."""
    return replace(posterior, hazards=hazards)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker, as they share fixtures; not where the file says that they share none."""
    for item in items:
        if not getattr(item.module, "INDEPENDENT", False):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
