"""What waiting says: the odds of deals that stay open, in every answer about them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import winprob
from winprob.actions.questions import rank_unknowns
from winprob.data.schema import validate_deals
from winprob.model.draws import to_win_prob
from winprob.model.timing import outlooks, same_day
from winprob.model.waiting import known_open_until, newest_day, waiting_log_odds
from winprob.settings import SamplerSettings, Settings

READ, NOW = pd.Timestamp(2026, 3, 2), dt.date(2026, 9, 28)


def quick_wins(deals: int, seed: int) -> pd.DataFrame:
    """Wins take three weeks, losses half a year; read at any time of two years, known until now."""
    rng = np.random.default_rng(seed)
    read = pd.Timestamp(NOW) - pd.to_timedelta(rng.integers(7, 700, deals), unit="D")
    won = rng.random(deals) < 0.5
    days = np.ceil(np.where(won, rng.exponential(21, deals), rng.exponential(180, deals))).astype(int)
    closed = read + pd.to_timedelta(np.maximum(days, 1), unit="D")
    done = closed <= pd.Timestamp(NOW)
    return pd.DataFrame(
        {
            "deal_id": [f"D{at}" for at in range(deals)],
            "as_of": read,
            "outcome": np.where(done, np.where(won, "won", "lost"), "open"),
            "closed_on": pd.Series(closed).where(done),
            "stage": "evaluation",
            "won_in_truth": won,
        }
    )


@pytest.fixture(scope="module")
def posterior() -> winprob.Posterior:
    sampler = SamplerSettings(chains=2, tune=200, draws=200, prior_draws=200)
    return winprob.fit(quick_wins(800, 1).drop(columns="won_in_truth"), seed=1, settings=Settings(sampler=sampler))


def test_deals_that_wait_are_rated_as_they_turn_out(posterior):
    """A third of all deals would be expected to win, of those that wait a few do."""
    world = quick_wins(3000, 2)
    still = world[world["outcome"] == "open"]
    told = winprob.predict(posterior, still.drop(columns="won_in_truth"))["mean"]
    assert abs(told.mean() - still["won_in_truth"].mean()) < 0.03
    new = still.assign(outcome=None).drop(columns="won_in_truth")
    assert winprob.predict(posterior, new)["mean"].mean() > told.mean() + 0.2


def row(outcome: str | None, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"deal_id": ["A"], "as_of": [READ], "outcome": [outcome], "stage": ["evaluation"], **more})


@pytest.mark.parametrize("outcome", ["won", "lost", "no_decision", None])
def test_only_open_deals_wait(posterior, outcome):
    assert waiting_log_odds(posterior, validate_deals(row(outcome))).tolist() == [0]
    assert waiting_log_odds(posterior, validate_deals(row("open")))[0] < -1


def test_a_day_of_its_own_counts_and_a_blank_one_is_not_known(posterior):
    waits = [
        waiting_log_odds(posterior, validate_deals(row("open", known_until=[pd.Timestamp(day)])))[0]
        for day in ("2026-03-02", "2026-04-01", "2026-06-01", posterior.hazards.known_on)
    ]
    assert waits[0] == 0
    assert np.diff(waits).max() < 0
    assert waits[-1] == pytest.approx(waiting_log_odds(posterior, validate_deals(row("open")))[0], abs=1e-5)
    assert waiting_log_odds(posterior, validate_deals(row("open", known_until=[pd.NaT])))[0] == 0


def test_the_day_of_a_table_is_its_newest_reading_or_closing():
    table = pd.concat([row("open"), row("won", closed_on=[pd.Timestamp(2026, 5, 4)]).assign(deal_id="B")])
    dated = known_open_until(validate_deals(table.reset_index(drop=True)))
    assert dated["known_until"].iloc[0] == pd.Timestamp(2026, 5, 4)
    assert pd.isna(dated["known_until"].iloc[1])
    halves = [dated.iloc[:1].drop(columns="known_until"), dated.iloc[1:]]
    assert newest_day(halves) == newest_day(halves[::-1]) == dt.date(2026, 5, 4)
    assert newest_day([]) is None
    later = known_open_until(validate_deals(table.reset_index(drop=True)), dt.date(2026, 7, 1))
    assert later["known_until"].iloc[0] == pd.Timestamp(2026, 7, 1)


def test_every_answer_has_the_same_chance(posterior):
    deal = row("open", known_until=[pd.Timestamp(2026, 5, 4)])
    chance = winprob.predict(posterior, deal)["mean"].iloc[0]
    terms = winprob.explain(posterior, deal, "A")
    assert "waiting" in terms["term"].tolist()
    log_odds = terms["log_odds"].sum()
    draws = winprob.draw_win_prob(posterior, deal)[0].astype(float)
    assert log_odds == pytest.approx(np.log(draws / (1 - draws)).mean(), abs=1e-3)
    assert winprob.what_if(posterior, deal, "A", {"coach": "validated"})["mean"].iloc[0] == pytest.approx(
        chance, abs=1e-4
    )
    valid = validate_deals(deal)
    outlook = outlooks(posterior, valid, same_day(valid, NOW), dt.date(2026, 5, 4)).of(slice(None))
    assert outlook.win_prob.mean() == pytest.approx(chance, abs=0.02)
    top = winprob.rank_roles(posterior, deal).iloc[0]
    base, waited = (np.log(p / (1 - p)) for p in (_fresh(posterior, deal), draws))
    lifted = to_win_prob((waited + top["log_odds_lift"]).astype(np.float32)) - draws
    fresh = to_win_prob((base + top["log_odds_lift"]).astype(np.float32)) - _fresh(posterior, deal)
    assert abs(top["win_prob_lift"] - lifted.mean()) < abs(top["win_prob_lift"] - fresh.mean())


def _fresh(posterior: winprob.Posterior, deal: pd.DataFrame) -> np.ndarray:
    return winprob.draw_win_prob(posterior, deal.assign(outcome=None))[0].astype(float)


def test_questions_about_a_deal_that_waits_are_about_its_chance_now(posterior):
    deal = row("open")
    now, fresh = (rank_unknowns(posterior, frame) for frame in (deal, deal.assign(outcome=None)))
    assert now["bits"].max() < fresh["bits"].max()


def test_other_deals_of_a_table_change_nothing(posterior):
    world = quick_wins(200, 3).drop(columns="won_in_truth")
    whole = winprob.predict(posterior, world).set_index("deal_id")["mean"]
    some = winprob.predict(posterior, world.iloc[::7]).set_index("deal_id")["mean"]
    np.testing.assert_allclose(whole.loc[some.index], some, atol=1e-6)


def with_due_dates(world: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The seller's date is the true end, give or take a week: it shows when a deal ends, and so how."""
    rng = np.random.default_rng(seed)
    days = np.where(world["won_in_truth"], rng.exponential(21, len(world)), rng.exponential(180, len(world)))
    closed = world["as_of"] + pd.to_timedelta(np.maximum(np.ceil(days), 1), unit="D")
    done = closed <= pd.Timestamp(NOW)
    return world.assign(
        outcome=np.where(done, np.where(world["won_in_truth"], "won", "lost"), "open"),
        closed_on=closed.where(done),
        expected_close_on=closed + pd.to_timedelta(rng.integers(-7, 8, len(world)), unit="D"),
    )


def test_a_date_that_shows_how_a_deal_ends_counts_in_its_chance():
    """The date explains the wait away: the chance has to know it too."""
    sampler = SamplerSettings(chains=2, tune=200, draws=200, prior_draws=200)
    learned = with_due_dates(quick_wins(800, 5), 6).drop(columns="won_in_truth")
    posterior = winprob.fit(learned, seed=1, settings=Settings(sampler=sampler))
    assert [column.name for column in posterior.scaling.numeric] == ["days_to_expected_close"]
    world = with_due_dates(quick_wins(3000, 7), 8)
    still = world[world["outcome"] == "open"]
    chance = winprob.predict(posterior, still.drop(columns="won_in_truth"))["mean"]
    assert abs(chance.mean() - still["won_in_truth"].mean()) < 0.03
