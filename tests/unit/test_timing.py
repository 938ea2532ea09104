"""Won by a day: rises to the eventual probability, changes smoothly, and needs a time-to-close model."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from winprob import draw_open_prob_at, draw_win_prob, draw_win_prob_by, predict, slip_prob, win_prob_by
from winprob.cli import main
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError, UndatedError
from winprob.model.hazards import Hazards, TimingScaling, learn_hazards, waiting_odds, why_undated
from winprob.model.hazards.survival import ENDS, HAZARD_DIMS, YOUNGER, stored_dims
from winprob.model.posterior import Posterior
from winprob.settings import CalendarSettings, Settings

READ = dt.date(2026, 5, 4)
DAYS = [READ + dt.timedelta(days=shift) for shift in (0, 1, 8, 40, 57, 58, 120, 400)]


@pytest.fixture(scope="module")
def deals(table) -> pd.DataFrame:
    return table(
        stage=["difficulty", "decision", None, "evaluation"],
        expected_close_on=["2026-06-20", "2026-05-20", None, "2026-09-30"],
        opened_on=["2026-01-01", None, "2026-04-01", "2025-10-01"],
    )


def constant(rates: tuple[float, float], draws: int = 3) -> Hazards:
    """A hazard that is the same every week, one for each end, and has no pace of quarters, as in older files."""
    sizes = {
        "end": 2,
        "fact": len(TimingScaling(numbers=((0.0, 0.0),) * 4, segments=()).facts),
        "since_bin": 11,
        "near_bin": 11 + 1,
        "quarter_state": 3,
        "stage": 6,
        "stage_or_all": 7,
    }
    parameters = {
        name: np.zeros((draws, *(sizes[dim] for dim in dims)), dtype=np.float32)
        for name, dims in HAZARD_DIMS.items()
        if name not in YOUNGER
    }
    parameters["since"] += np.log(rates)[None, :, None].astype(np.float32)
    return Hazards(
        draws=parameters,
        scaling=TimingScaling(numbers=((0.0, 0.0),) * 4, segments=()),
        calendar=CalendarSettings(),
        known_on="2026-06-30",
        closed=100,
        still_open=0,
        effective=3.0,
        reliable=True,
    )


def test_a_model_fitted_before_days_slipped_were_read_predicts_as_it_did(posterior, deals):
    old = replace(posterior, hazards=constant((0.05, 0.02)))
    assert not [fact for fact in old.hazards.scaling.facts if "slipped" in fact]
    day = READ + dt.timedelta(days=56)
    deals, many = deals.assign(pushes=[0.0, 1.0, 2.0, 0.0]), [3.0, 9.0, 9.0, 5.0]
    effect = old.hazards.draws["effect"].copy()
    effect[:, :, old.hazards.scaling.facts.index("pushes")] = 0.5
    scaling = TimingScaling(numbers=((0.0, 1.0),) * 4, segments=())
    old = replace(old, hazards=replace(old.hazards, draws={**old.hazards.draws, "effect": effect}, scaling=scaling))
    slipped = deals.assign(month_pushes=deals["pushes"], pushes=many, days_slipped=[21.0, 70.0, 300.0, 40.0])
    np.testing.assert_array_equal(draw_win_prob_by(old, slipped, day), draw_win_prob_by(old, deals, day))


# --- closed forms -------------------------------------------------------------------------------------------------


def test_a_constant_hazard_has_its_closed_form(posterior, deals):
    """Read on day 0, still open after three weeks: will it be won within five more?"""
    model = replace(posterior, hazards=constant((0.05, 0.02)))
    p = draw_win_prob(posterior, deals).astype(float)
    as_of, day = READ + dt.timedelta(days=21), READ + dt.timedelta(days=56)
    got = draw_win_prob_by(model, deals, day, as_of=as_of)
    stays = {end: np.exp(-3 * rate) for end, rate in zip(ENDS, (0.05, 0.02), strict=True)}
    wanted = p * (stays["won"] - np.exp(-8 * 0.05)) / (p * stays["won"] + (1 - p) * stays["lost"])
    np.testing.assert_allclose(got, wanted, rtol=1e-4)
    still = p * np.exp(-8 * 0.05) + (1 - p) * np.exp(-8 * 0.02)
    wanted = still / (p * stays["won"] + (1 - p) * stays["lost"])
    np.testing.assert_allclose(draw_open_prob_at(model, deals, day, as_of=as_of), wanted, rtol=1e-4)


def test_two_weeks_and_a_part_of_one_by_hand(posterior, deals):
    model = replace(posterior, hazards=constant((0.1, 0.1)))
    p = draw_win_prob(posterior, deals).astype(float)
    got = draw_win_prob_by(model, deals, READ + dt.timedelta(days=17))
    np.testing.assert_allclose(got, p * (1 - np.exp(-0.1 * (1 + 1 + 3 / 7))), rtol=1e-4)


def test_waiting_is_evidence_for_the_slower_end():
    deals = validate_deals(
        pd.DataFrame({"deal_id": ["A", "B", "C"], "as_of": ["2026-05-04", "2026-06-29", None], "outcome": ["open"] * 3})
    )
    odds = waiting_odds(constant((0.05, 0.02)), deals, known_on=dt.date(2026, 6, 29))
    np.testing.assert_allclose(odds, [np.exp(-8 * 0.03), 1.0, 1.0], rtol=1e-5)


# --- from day to day ----------------------------------------------------------------------------------------------


def test_the_chance_rises_with_the_day_to_that_of_winning_at_all(dated, deals):
    by = np.stack([draw_win_prob_by(dated, deals, day) for day in DAYS])
    assert (np.diff(by, axis=0) >= -1e-6).all()
    assert not by[0].any()
    eventual = draw_win_prob(dated, deals)
    assert (by <= eventual + 1e-6).all()
    in_the_end = draw_win_prob_by(dated, deals, dt.date(2060, 1, 1))
    np.testing.assert_allclose(in_the_end.mean(axis=1), eventual.mean(axis=1), atol=2e-3)


def test_won_lost_and_open_are_all_there_is(dated, deals):
    """Open plus won never exceeds one, and open falls from one to nothing."""
    still = np.stack([draw_open_prob_at(dated, deals, day) for day in DAYS])
    won = np.stack([draw_win_prob_by(dated, deals, day) for day in DAYS])
    np.testing.assert_allclose(still[0], 1.0, atol=1e-6)
    assert (np.diff(still, axis=0) <= 1e-6).all()
    assert (still + won <= 1 + 1e-5).all()


def test_a_day_before_the_reading_brings_nothing(dated, deals):
    assert not draw_win_prob_by(dated, deals, READ - dt.timedelta(days=30)).any()


def test_nothing_jumps_from_one_day_to_the_next(dated, deals):
    """Over the turn of a quarter, whatever moves: the day asked for, the day knowledge ends, or the day of reading."""
    turn = [dt.date(2026, 6, 24) + dt.timedelta(days=shift) for shift in range(14)]
    end = dt.date(2026, 9, 30)
    asked = [draw_win_prob_by(dated, deals, day).mean(axis=1) for day in turn]
    known = [draw_win_prob_by(dated, deals, end, as_of=day).mean(axis=1) for day in turn]
    read = [draw_win_prob_by(dated, deals.assign(as_of=day.isoformat()), end).mean(axis=1) for day in turn]
    for series in (asked, known, read):
        assert np.abs(np.diff(series, axis=0)).max() < 0.06


def test_a_reading_counts_from_its_own_day(dated, deals):
    """Waiting without a close is news: it is not the same as a reading of that day."""
    later = READ + dt.timedelta(days=100)
    stale = draw_win_prob_by(dated, deals, dt.date(2026, 12, 31), as_of=later)
    fresh = draw_win_prob_by(dated, deals.assign(as_of=later.isoformat()), dt.date(2026, 12, 31))
    assert np.abs(stale.mean(axis=1) - fresh.mean(axis=1)).max() > 0.005


def test_a_reading_younger_than_the_day_given_counts_from_its_own(dated, deals):
    early = draw_win_prob_by(dated, deals, DAYS[4], as_of=READ - dt.timedelta(days=50))
    np.testing.assert_array_equal(early, draw_win_prob_by(dated, deals, DAYS[4]))


# --- frames -------------------------------------------------------------------------------------------------------


def test_the_table_sums_up_the_draws_and_keeps_the_index(dated, deals):
    frame = deals.set_index(pd.Index([4, 7, 1, 9]))
    got = win_prob_by(dated, frame, DAYS[4])
    assert list(got) == ["deal_id", "mean", "lower", "upper"]
    assert got.index.tolist() == [4, 7, 1, 9]
    draws = draw_win_prob_by(dated, deals, DAYS[4])
    np.testing.assert_allclose(got["mean"], draws.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(got["lower"], np.quantile(draws, 0.05, axis=1), rtol=1e-4)
    assert (got["mean"].to_numpy() <= predict(dated, deals)["mean"].to_numpy() + 1e-6).all()


def test_the_order_of_rows_and_the_other_rows_do_not_matter(dated, deals, monkeypatch):
    whole = win_prob_by(dated, deals, DAYS[4])
    turned = win_prob_by(dated, deals.iloc[::-1], DAYS[4]).loc[deals.index]
    pd.testing.assert_frame_equal(turned, whole, rtol=1e-5)
    monkeypatch.setattr("winprob.model.timing.BLOCK", 2)
    pd.testing.assert_frame_equal(win_prob_by(dated, deals, DAYS[4]), whole, rtol=1e-5)


def test_slip_is_being_open_after_the_sellers_date(dated, deals):
    got = slip_prob(dated, deals)
    assert np.isnan(got.iloc[2])
    wanted = draw_open_prob_at(dated, deals.iloc[[0]], dt.date(2026, 6, 20)).mean()
    assert got.iloc[0] == pytest.approx(wanted, rel=1e-5)
    assert slip_prob(dated, deals, as_of=dt.date(2026, 7, 1)).iloc[0] == pytest.approx(1.0)


def test_no_deals_give_no_rows(dated, deals):
    assert win_prob_by(dated, deals.iloc[:0], DAYS[4]).empty
    assert draw_win_prob_by(dated, deals.iloc[:0], DAYS[4]).shape == (0, 1000)
    assert slip_prob(dated, deals.iloc[:0]).empty


# --- without time -------------------------------------------------------------------------------------------------


def test_a_model_without_time_to_close_is_refused(posterior, deals):
    with pytest.raises(UndatedError, match=r"whether a deal is won, not by when.*'as_of'.*'closed_on'"):
        win_prob_by(posterior, deals, DAYS[4])


def test_a_reading_without_a_day_is_named(dated, table):
    undated = table(as_of=["2026-05-04", None, None])
    with pytest.raises(DealTableError, match=r"'as_of' \(the reading date\) is blank in 2 rows, first deal 'D1'"):
        win_prob_by(dated, undated, DAYS[4])
    assert len(win_prob_by(dated, undated, DAYS[4], as_of=READ)) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda deals: deals.drop_duplicates("deal_id").drop(columns="as_of"), "no 'as_of'"),
        (lambda deals: deals.assign(closed_on=pd.NaT), "no 'closed_on'"),
        (lambda deals: deals.drop(columns="outcome"), "no 'outcome'"),
        (lambda deals: deals.iloc[:15], "deals have a reading date .*; 20 are needed"),
    ],
)
def test_a_table_that_does_not_suffice_has_a_reason(known, change, words):
    deals = change(known)
    assert learn_hazards(deals, Settings(), draws=50, seed=1) is None
    assert re.search(words, why_undated(validate_deals(deals), Settings()))


# --- learning -----------------------------------------------------------------------------------------------------


def test_the_draws_are_reliable(hazards):
    assert hazards.reliable
    assert hazards.effective > 300
    assert len(np.unique(hazards.draws["since"][:, 0, 0])) > 900
    assert hazards.known_on == "2026-06-19"
    for name, dims in stored_dims(hazards).items():
        assert hazards.draws[name].shape == (1000, *(len(hazards.coords[dim]) for dim in dims))


def test_the_same_seed_gives_the_same_draws(known, hazards):
    again = learn_hazards(known, Settings(), draws=1000, seed=1)
    for name, values in hazards.draws.items():
        np.testing.assert_array_equal(again.draws[name], values)


def test_the_order_of_the_rows_leaves_every_draw_as_it_is(known, hazards):
    again = learn_hazards(known.sample(frac=1, random_state=4), Settings(), draws=1000, seed=1)
    for name, values in hazards.draws.items():
        np.testing.assert_allclose(again.draws[name], values, rtol=1e-6)


def test_deals_close_sooner_at_the_last_stage_and_near_the_sellers_date(hazards):
    soon = hazards.draws["stage_soon"][:, 0].mean(axis=0)
    assert soon[hazards.coords["stage"].index("decision")] > soon[hazards.coords["stage"].index("exploration")]
    near = hazards.draws["near"][:, 0].mean(axis=0)
    assert near[hazards.coords["near_bin"].index("to_+0")] > near[0] + 0.5


def test_deals_known_only_after_a_day_are_open_on_it(known):
    day = dt.date(2026, 2, 1)
    then = learn_hazards(known, Settings(), known_on=day, draws=50, seed=1)
    hidden = known.assign(
        outcome=known["outcome"].where(known["closed_on"] <= pd.Timestamp(day), "open"),
        closed_on=known["closed_on"].where(known["closed_on"] <= pd.Timestamp(day)),
    )
    same = learn_hazards(hidden, Settings(), known_on=day, draws=50, seed=1)
    assert (then.closed, then.still_open) == (same.closed, same.still_open)
    np.testing.assert_allclose(then.draws["since"], same.draws["since"], rtol=1e-5)


@pytest.mark.parametrize(("pareto_k", "reliable"), [(0.6, True), (0.8, False)])
def test_draws_of_an_older_model_are_as_reliable_as_their_pareto_k(hazards, pareto_k, reliable):
    table = hazards.to_dict()
    del table["reliable"]
    assert Hazards.from_dict({**table, "pareto_k": pareto_k}, hazards.draws).reliable == reliable


def test_time_makes_the_round_trip(dated, deals, tmp_path):
    dated.save(tmp_path / "model.nc")
    loaded = Posterior.load(tmp_path / "model.nc")
    assert loaded.hazards.to_dict() == dated.hazards.to_dict()
    pd.testing.assert_frame_equal(win_prob_by(loaded, deals, DAYS[4]), win_prob_by(dated, deals, DAYS[4]))


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(dated, posterior, deals, tmp_path_factory):
    folder = tmp_path_factory.mktemp("timing")
    deals.to_csv(folder / "open.csv", index=False)
    dated.save(folder / "dated.nc")
    posterior.save(folder / "undated.nc")
    return folder


def test_predict_by_adds_columns_and_changes_none(files, dated, deals):
    common = ["predict", str(files / "open.csv"), "--format", "json", "--model", str(files / "dated.nc")]
    plain, by = (CliRunner().invoke(main, [*common, *more]) for more in ([], ["--by", "2026-06-30"]))
    assert (plain.exit_code, by.exit_code) == (0, 0), by.output
    before, after = (pd.DataFrame(json.loads(done.stdout)) for done in (plain, by))
    assert list(after) == [*before, "won_by", "won_by_lower", "won_by_upper", "slip_prob"]
    pd.testing.assert_frame_equal(after[list(before)], before)
    wanted = win_prob_by(dated, deals, dt.date(2026, 6, 30))["mean"]
    np.testing.assert_allclose(after["won_by"], wanted, atol=1e-3)


def test_predict_by_of_a_model_without_time_is_refused_in_words(files):
    done = CliRunner().invoke(
        main, ["predict", str(files / "open.csv"), "--model", str(files / "undated.nc"), "--by", "2026-06-30"]
    )
    assert done.exit_code == 1
    assert "not by when" in done.stderr
