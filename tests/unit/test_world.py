"""The independent world of the benchmarks: each switch changes what it is for, and no export shows the future."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from winprob.data.history import count_slips
from winprob.data.schema import COLUMNS, validate_deals
from winprob.methodology import ROLES, STAGES
from winprob.simulation import simulate_pipeline

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
Simulate = Callable[..., Any]


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield {name: import_module(name) for name in ("_world", "_world_deals", "_world_ends", "_world_life")}


@pytest.fixture(scope="module")
def simulate(modules: dict[str, Any]) -> Simulate:
    @cache
    def make(features: str = "none", seed: int = 5, quarters: int = 4, per_quarter: float = 60.0) -> Any:
        named = modules["_world_deals"].Features.named(features)
        return modules["_world"].simulate_world(seed=seed, quarters=quarters, per_quarter=per_quarter, features=named)

    return make


@pytest.fixture(scope="module")
def exports(simulate: Simulate) -> dict[dt.date, pd.DataFrame]:
    world = simulate("all")
    days = [world.first_day + dt.timedelta(days=7 * week) for week in range(52)]
    return {day: world.known_on(day) for day in days}


def closings(world: Any) -> pd.DataFrame:
    """Deals that ended within the record."""
    deals = world.deals
    return deals[deals["closed_on"].between(pd.Timestamp(world.first_day), pd.Timestamp(world.last_day))]


# ---- the shape, and what an export may show ---------------------------------------------------------------------


def test_the_world_has_the_shape_of_a_pipeline(simulate: Simulate) -> None:
    world, own = simulate("all"), simulate_pipeline(seed=5, quarters=4)
    assert (world.first_day, world.last_day) == (own.first_day, own.last_day)
    assert set(world.deals) == set(own.deals) - {"win_prob"}
    assert world.deals["won"].eq(world.deals["outcome"] == "won").all()
    assert (world.deals["closed_on"] > world.deals["created_on"]).all()


def test_every_export_is_a_valid_deal_table(exports: dict[dt.date, pd.DataFrame]) -> None:
    for export in exports.values():
        assert list(export.columns) == list(COLUMNS)
        validate_deals(export)


def test_the_same_seed_gives_the_same_world(modules: dict[str, Any], simulate: Simulate) -> None:
    world = simulate("all")
    again = modules["_world"].simulate_world(seed=5, quarters=4, features=world.features)
    pd.testing.assert_frame_equal(world.deals, again.deals)
    day = dt.date(2026, 3, 4)
    pd.testing.assert_frame_equal(world.known_on(day), again.known_on(day))
    assert not world.deals["amount"].head(50).equals(simulate("all", seed=6).deals["amount"].head(50))


def test_an_export_shows_no_later_close(simulate: Simulate, exports: dict[dt.date, pd.DataFrame]) -> None:
    truth = simulate("all").deals.set_index("deal_id")
    for day, export in exports.items():
        ends = truth.loc[export["deal_id"]]
        assert set(export["deal_id"]) == set(truth.index[truth["created_on"] <= pd.Timestamp(day)])
        closed = (ends["closed_on"] <= pd.Timestamp(day)).to_numpy()
        assert (export["outcome"].eq("open") == ~closed).all()
        assert (export["closed_on"].notna() == closed).all()
        assert export["outcome"][closed].tolist() == ends["outcome"][closed].tolist()
        assert (export["rep_category"].eq("closed") == closed).all()


def test_an_export_shows_neither_a_later_stage_nor_the_final_amount(
    simulate: Simulate, exports: dict[dt.date, pd.DataFrame]
) -> None:
    world, early, late = simulate("all"), *(list(exports.values())[at] for at in (10, 30))
    since = pd.DataFrame(world.life.state.stage_since, index=world.deals["deal_id"])
    reached = (since.loc[early["deal_id"]] <= early["as_of"].iloc[0].to_datetime64().astype("M8[D]").astype(int)).sum(
        axis=1
    )
    assert early["stage"].tolist() == [STAGES[number - 1] for number in reached]
    both = early.merge(late, on="deal_id", suffixes=("", "_later"))
    still = both[both["outcome"] == "open"]
    moved = still["stage"].map(STAGES.index) < still["stage_later"].map(STAGES.index)
    assert moved.mean() > 0.2
    truth = world.deals.set_index("deal_id")
    open_now = early[early["outcome"] == "open"].set_index("deal_id")
    later_won = open_now.loc[truth["won"].loc[open_now.index].to_numpy()]
    assert (later_won["amount"] != truth["amount"].loc[later_won.index]).mean() > 0.3


@pytest.mark.parametrize("day", [dt.date(2026, 3, 2), dt.date(2026, 3, 5), dt.date(2026, 3, 8)])
def test_another_future_leaves_an_export_alone(
    modules: dict[str, Any], simulate: Simulate, monkeypatch: pytest.MonkeyPatch, day: dt.date
) -> None:
    """Deals end five times as fast, and support is read with other noise, from the next day on."""
    life, after = modules["_world_life"], (day - dt.date(1970, 1, 1)).days
    hazards, read = life.daily_hazards, life._read
    now = 0

    def hasty(today: int, *given: Any) -> np.ndarray:
        nonlocal now
        now = today
        return hazards(today, *given) * (5.0 if today > after else 1.0)

    def misread(state: Any, record: Any, alive: np.ndarray, rosy: np.ndarray, *given: Any) -> None:
        read(state, record, alive, rosy + (2.0 if now >= after else 0.0), *given)

    monkeypatch.setattr(life, "daily_hazards", hasty)
    monkeypatch.setattr(life, "_read", misread)
    other, world = (
        modules["_world"].simulate_world(seed=5, quarters=4, features=simulate("all").features),
        simulate("all"),
    )
    pd.testing.assert_frame_equal(world.known_on(day), other.known_on(day))
    later = day + dt.timedelta(days=8)
    assert not world.known_on(later).equals(other.known_on(later))


def test_a_closed_deal_changes_no_more(exports: dict[dt.date, pd.DataFrame]) -> None:
    then, now = (list(exports.values())[at].set_index("deal_id") for at in (20, 51))
    closed = then.index[then["outcome"] != "open"]
    pd.testing.assert_frame_equal(then.loc[closed].drop(columns="as_of"), now.loc[closed].drop(columns="as_of"))


# ---- switches ---------------------------------------------------------------------------------------------------


def test_features_are_read_by_name_and_size(modules: dict[str, Any]) -> None:
    named = modules["_world_deals"].Features.named
    assert named("none") == modules["_world_deals"].Features()
    assert named("none").label == "none"
    assert named("season,shock=.4").label == "season=1,shock=0.4"
    assert (named("all").quick_wins, named("all").growth) == (0, 0.08)
    with pytest.raises(ValueError, match="no feature seasons"):
        named("seasons")


@pytest.mark.parametrize("feature", ["stage_hazards", "pushes", "season", "shock", "quick_wins", "heavy_tails"])
def test_a_feature_leaves_who_is_created_when_alone(simulate: Simulate, feature: str) -> None:
    off, on = simulate("none"), simulate(feature)
    facts = ["deal_id", "opened_on", "account", "segment", "seller", "product", "competitor"]
    pd.testing.assert_frame_equal(off.known_on(off.last_day)[facts], on.known_on(on.last_day)[facts])
    assert not off.deals.equals(on.deals)


def test_heavy_tails_change_large_amounts_alone(simulate: Simulate) -> None:
    off, on = simulate("none"), simulate("heavy_tails")
    pd.testing.assert_frame_equal(off.deals.drop(columns="amount"), on.deals.drop(columns="amount"))
    day = dt.date(2026, 5, 4)
    pd.testing.assert_frame_equal(off.known_on(day).drop(columns="amount"), on.known_on(day).drop(columns="amount"))
    before, after = off._created.amount, on._created.amount
    changed = before != after
    assert 0.15 < changed.mean() < 0.25
    assert before[~changed].max() < before[changed].min()
    tail = np.sort(after)[-len(after) // 10 :]
    index = 1 / np.log(tail / tail[0])[1:].mean()  # Hill's estimate
    assert 1.3 < index < 2.4
    light = np.sort(before)[-len(before) // 10 :]
    assert 1 / np.log(light / light[0])[1:].mean() > 1.25 * index


def test_growth_makes_each_quarter_larger(simulate: Simulate) -> None:
    def slope(features: str) -> float:
        world = simulate(features, quarters=8, per_quarter=150.0)
        created = world.deals["created_on"]
        counts = created[created >= pd.Timestamp(world.first_day)].dt.to_period("Q").value_counts().sort_index()
        assert len(counts) == 8
        return float(np.polyfit(range(8), np.log(counts), 1)[0])

    assert slope("growth") == pytest.approx(np.log(1.08), abs=0.03)
    assert slope("none") == pytest.approx(0.0, abs=0.03)


def test_the_season_shows_in_closings_and_in_wins(simulate: Simulate) -> None:
    def fourth(features: str) -> tuple[float, float]:
        ended = closings(simulate(features, quarters=8, per_quarter=150.0))
        of_year = ended["closed_on"].dt.quarter
        return (of_year[ended["won"]] == 4).mean(), ended["won"][of_year == 4].mean() - ended["won"][
            of_year == 1
        ].mean()

    (share_off, gap_off), (share_on, gap_on) = fourth("none"), fourth("season")
    assert share_off == pytest.approx(0.25, abs=0.04)
    assert share_on > share_off + 0.06
    assert gap_on > gap_off + 0.05


def test_the_shock_is_shared_by_the_closings_of_a_quarter(simulate: Simulate) -> None:
    def dispersion(features: str) -> float:
        """Of the closings of a quarter: variance over mean; 1 if deals end apart from each other."""
        ended = closings(simulate(features, quarters=8, per_quarter=150.0))
        counts = ended["closed_on"].dt.to_period("Q").value_counts()
        return float(counts.var() / counts.mean())

    assert dispersion("none") < 2.5
    assert dispersion("shock=.5") > 2 * dispersion("none")


def test_pushes_by_small_steps_add_up(simulate: Simulate) -> None:
    def slips(features: str) -> tuple[float, int, float]:
        """Share of moves by exactly 21 days, most moves of a deal, and their mean over deals that moved."""
        world = simulate(features)
        days = [world.first_day + dt.timedelta(days=7 * week) for week in range(52)]
        rows = pd.concat([world.known_on(day) for day in days]).query("outcome == 'open'")
        rows = rows.sort_values(["deal_id", "as_of"], kind="stable")
        deal = pd.factorize(rows["deal_id"])[0]
        moves, _ = count_slips(deal, rows["expected_close_on"])
        step = rows["expected_close_on"].diff().dt.days[np.diff(deal, prepend=-1) == 0]
        most = pd.Series(moves).groupby(deal).max()
        assert (pd.Series(moves).groupby(deal).diff().dropna() >= 0).all()
        return float((step[step > 0] == 21).mean()), int(most.max()), float(most[most > 0].mean())

    (small_off, _, mean_off), (small_on, most_on, mean_on) = (
        slips(features) for features in ("stage_hazards", "stage_hazards,pushes")
    )
    assert small_off < 0.1
    assert small_on > 0.3
    assert most_on >= 8
    assert mean_on > 1.3 * mean_off


def test_wins_come_from_late_stages_where_hazards_depend_on_the_stage(simulate: Simulate) -> None:
    def early(features: str, outcome: str) -> float:
        world = simulate(features)
        export = world.known_on(world.last_day)
        return float(export["stage"][export["outcome"] == outcome].isin(STAGES[:3]).mean())

    assert early("stage_hazards", "won") < 0.15 < 0.3 < early("none", "won")
    assert early("stage_hazards", "lost") > 0.5


def test_quick_wins_are_quicker_than_losses(simulate: Simulate) -> None:
    def ratio(features: str) -> float:
        deals = simulate(features).deals
        days = (deals["closed_on"] - deals["created_on"]).dt.days
        return float(days[deals["won"]].median() / days[~deals["won"]].median())

    assert ratio("quick_wins") < 0.25
    assert 0.7 < ratio("none") < 1.5


# ---- customers --------------------------------------------------------------------------------------------------


def test_supports_wander_and_now_and_then_jump(simulate: Simulate) -> None:
    world = simulate("none")
    life = world.life
    at, weeks = len(life.mondays) - 40, 12
    alive = (world._created.created < life.mondays[at]) & (life.state.died > life.mondays[at + weeks])
    alive &= life.state.closed > life.mondays[at + weeks]
    steps = np.diff(life.support[at : at + weeks + 1][:, alive], axis=0)
    assert np.median(np.abs(steps)) == pytest.approx(0.6745 * 0.13, rel=0.15)
    assert 0.001 < (np.abs(steps) > 0.8).mean() < 0.01
    over = life.support[at + weeks][alive] - life.support[at][alive]
    assert np.subtract(*np.quantile(over, [0.75, 0.25])) > 2 * np.subtract(*np.quantile(steps, [0.75, 0.25]))
    gone = life.state.closed <= life.mondays[at]
    assert np.array_equal(life.support[at][gone], life.support[-1][gone])


def test_a_deal_that_dies_is_open_for_weeks(simulate: Simulate) -> None:
    state = simulate("none").life.state
    dead = state.died < state.closed
    assert (state.outcome[dead] == 2).all()
    assert np.median((state.closed - state.died)[dead & (state.died < 2**40)]) == pytest.approx(57, abs=10)


def test_an_executive_has_a_veto_and_a_committee_a_threshold(modules: dict[str, Any], simulate: Simulate) -> None:
    world, ends = simulate("none"), modules["_world_ends"]
    deals, team = world._created, modules["_world_deals"].draw_team(np.random.default_rng(1))
    executive, scoring = (np.flatnonzero(deals.method == code)[:1] for code in (2, 0))

    def likes(rows: np.ndarray, **support: float) -> float:
        values = np.full((len(deals), len(ROLES)), 0.0)
        for role, value in support.items():
            values[:, ROLES.index(role)] = value
        return float(ends.liking(deals, team, values, rows)[0])

    against = likes(executive, approver=-1.0)
    assert likes(executive, approver=-1.0, decision_maker=3.0) == against < likes(executive) - 1
    around, far = (likes(scoring, evaluator=level + 0.4) - likes(scoring, evaluator=level) for level in (0.0, 4.0))
    assert around > 4 * far > 0


def test_validated_coaches_make_readings_truer(simulate: Simulate) -> None:
    world = simulate("all", quarters=8, per_quarter=150.0)
    export = world.known_on(world.last_day)
    rows = np.arange(len(export))
    role = ROLES.index("evaluator")
    truth, read = world.life.support[-1][rows, role], export["evaluator_support"].to_numpy()

    def agreement(coach: str) -> float:
        some = ~np.isnan(read) & (export["coach"] == coach).to_numpy(dtype=bool)
        return float(np.corrcoef(truth[some], read[some])[0, 1])

    assert agreement("none") < agreement("validated") - 0.1
