"""Every planted leak is caught, and nothing is cried on histories in which there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from winprob.data.history import check_history
from winprob.methodology.vocabulary import COACH_STATES, ROLES, STAGES
from winprob.simulation import Pace, simulate_pipeline

Frame = pd.DataFrame
#: Where most plants begin.
MIDDLE = pd.Timestamp(2025, 10, 1)


def pipeline_history(seed: int, freq: str = "MS", quarters: int = 8, per_quarter: float = 60.0) -> Frame:
    """Exports of a simulated pipeline, one under the other."""
    pipeline = simulate_pipeline(seed=seed, quarters=quarters, pace=Pace(per_quarter=per_quarter))
    days = pd.date_range(pipeline.first_day, pipeline.last_day, freq=freq).date
    return pd.concat([pipeline.known_on(day) for day in days], ignore_index=True)


def restless_history(seed: int, days: int = 24, deals: int = 240) -> Frame:
    """Another kind of team: reports go up and down, deals change hands and go back a stage, fields come late.

    Nothing here depends on the outcome but, weakly, support.
    """
    rng = np.random.default_rng(seed)
    calendar = pd.date_range("2024-01-01", periods=days, freq="14D")
    opened = calendar[0] + pd.to_timedelta(rng.integers(-60, 14 * days, deals), unit="D")
    closed = opened + pd.to_timedelta(rng.integers(30, 220, deals), unit="D")
    won = rng.random(deals) < 0.4
    frames = []
    tier = rng.integers(1, 5, (deals, len(ROLES))).astype(float)
    stage, coach = rng.integers(0, 3, deals), rng.integers(0, 2, deals)
    seller = rng.integers(0, 8, deals)
    late = rng.random((deals, len(ROLES))) < 0.3
    amount = np.round(rng.lognormal(13, 1, deals), -3)
    hoped = opened + pd.to_timedelta(rng.integers(30, 120, deals), unit="D")
    for day in calendar:
        here, moving = opened <= day, (opened <= day) & (closed > day)
        drift = rng.random(tier.shape) < 0.08
        tier = np.where(moving[:, None] & drift, np.clip(tier + rng.choice([-1, 1], tier.shape), 1, 4), tier)
        stage = np.where(
            moving & (rng.random(deals) < 0.15), np.clip(stage + rng.choice([1, 1, 1, -1], deals), 0, 4), stage
        )
        coach = np.where(moving & (rng.random(deals) < 0.05), np.minimum(coach + 1, 2), coach)
        seller = np.where(moving & (rng.random(deals) < 0.01), rng.integers(0, 8, deals), seller)
        late &= ~(moving[:, None] & (rng.random(late.shape) < 0.1))
        amount = np.where(
            moving & (rng.random(deals) < 0.05), np.round(amount * rng.lognormal(0, 0.2, deals), -3), amount
        )
        hoped = hoped.where(~((hoped <= day) & moving), day + pd.Timedelta(days=45))
        done = closed <= day
        columns = {
            "deal_id": [f"R{number:04d}" for number in range(deals)],
            "as_of": day,
            "opened_on": opened,
            "expected_close_on": hoped,
            "closed_on": pd.Series(closed).where(done),
            "outcome": np.where(~done, "open", np.where(won, "won", "lost")),
            "amount": amount,
            "account": [f"A{number % 90}" for number in range(deals)],
            "seller": [f"S{number}" for number in seller],
            "product": [f"P{number % 4}" for number in range(deals)],
            "stage": np.array(STAGES)[stage],
            "coach": np.array(COACH_STATES)[coach],
            **{f"{role}_support": np.where(late[:, at], np.nan, tier[:, at]) for at, role in enumerate(ROLES)},
        }
        frames.append(pd.DataFrame(columns)[here])
    return pd.concat(frames, ignore_index=True)


def cried(history: Frame) -> list[str]:
    found = check_history(history)
    return [f"{row.column}: {row.message}" for row in found.itertuples() if row.severity != "note"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("freq", ["QS", "MS", "14D"])
def test_nothing_is_cried_on_a_pipeline(seed: int, freq: str) -> None:
    assert cried(pipeline_history(100 + seed, freq)) == []


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_cried_on_a_restless_team(seed: int) -> None:
    assert cried(restless_history(seed)) == []


def test_a_date_moved_in_small_steps_is_noted() -> None:
    days = pd.date_range("2026-01-05", periods=14, freq="21D")
    pushed = pd.DataFrame(
        {"deal_id": "P", "as_of": days, "outcome": "open", "expected_close_on": days + pd.Timedelta(days=30)}
    )
    calm = pushed.assign(deal_id="C", expected_close_on=pd.Timestamp("2027-01-31"))
    notes = check_history(pd.concat([pushed, calm]))["message"]
    wanted = "of 1 of 2 open deals has slipped by 90 days or more in all; deal 'P' by 273 days in 13 moves"
    assert notes.str.contains(wanted, regex=False).sum() == 1
    assert not check_history(calm)["message"].str.contains("slipped").any()


@pytest.fixture(scope="module")
def clean() -> Frame:
    return pipeline_history(7)


def test_the_ground_for_the_plants_is_clean(clean: Frame) -> None:
    assert cried(clean) == []


@dataclass(frozen=True, kw_only=True)
class Deals:
    """What a plant needs to know of each row."""

    closed: pd.Series
    won: pd.Series
    end: pd.Series
    number: pd.Series
    last: pd.Timestamp


def known(h: Frame) -> Deals:
    final = h.sort_values("as_of").groupby("deal_id").last()
    return Deals(
        closed=h["outcome"] != "open",
        won=h["deal_id"].map(final["outcome"]) == "won",
        end=h["deal_id"].map(final["closed_on"]),
        number=h["deal_id"].str.slice(1).astype(int),
        last=h["as_of"].max(),
    )


def with_covariate(h: Frame, name: str, values: object, kind: str = "varying") -> Frame:
    changed = h.assign(**{name: values})
    item = name if kind == "varying" else {"column": name, "transform": None}
    changed.attrs["covariates"] = {"varying": [], "numeric": [], kind: [item]}
    return changed


def support_after_close(h: Frame) -> Frame:
    d = known(h)
    late = d.closed & d.won & (h["as_of"] > h["closed_on"] + pd.Timedelta(days=60))
    return h.assign(approver_support=h["approver_support"].mask(late, 4.0))


def coverage_after_close(h: Frame) -> Frame:
    late = known(h).closed & (h["as_of"] > h["closed_on"] + pd.Timedelta(days=90))
    return h.assign(evaluator_coverage=h["evaluator_coverage"].mask(late, "engaged"))


def coach_only_for_closed(h: Frame) -> Frame:
    return h.assign(coach=h["coach"].where(known(h).closed))


def reason_filled_at_the_close(h: Frame) -> Frame:
    d = known(h)
    reasons = pd.Series(np.where(d.number % 2 == 0, "price", "people"), index=h.index)
    return with_covariate(h, "What mattered", reasons.where(d.closed))


def score_that_knows(h: Frame) -> Frame:
    d = known(h)
    noise = np.random.default_rng(1).normal(0, 0.2, len(h))
    return with_covariate(h, "Health", d.won + noise, "numeric")


def category_that_knows(h: Frame) -> Frame:
    d = known(h)
    return with_covariate(h, "Bucket", np.where(d.won, "A", np.where(d.number % 9 == 0, "A", "B")))


def category_that_knows_well(h: Frame) -> Frame:
    return with_covariate(h, "Bucket", np.where(known(h).won, "A", "B"))


def crm_probability(h: Frame) -> Frame:
    return with_covariate(h, "Probability", h["stage"].map(dict(zip(STAGES, range(5), strict=True))), "numeric")


def crm_forecast_category(h: Frame) -> Frame:
    return with_covariate(h, "ForecastCategoryName", h["rep_category"])


def forecast_that_the_close_has_set(h: Frame) -> Frame:
    return h.assign(rep_probability=known(h).won.astype(float))


def filled_for_the_won(h: Frame) -> Frame:
    d = known(h)
    return h.assign(competitor=pd.Series("C01", index=h.index).where(~d.won))


def exact_copies(h: Frame) -> Frame:
    twins = h[known(h).number % 40 == 0]
    return pd.concat([h, twins.assign(deal_id="X" + twins["deal_id"])], ignore_index=True)


def long_and_short_ids(h: Frame) -> Frame:
    named = h.assign(deal_id="0065g000" + h["deal_id"].str.slice(0) + "Q")
    some = known(h).number % 30 == 0
    twins = named[some].assign(deal_id=named["deal_id"][some] + "AAU", amount=1e6, account="other")
    return pd.concat([named, twins], ignore_index=True)


def renumbered(h: Frame) -> Frame:
    late = (known(h).number % 10 == 0) & (h["as_of"] >= MIDDLE)
    return h.assign(deal_id=h["deal_id"].mask(late, "N" + h["deal_id"]))


def filled_in_from_the_last_export(h: Frame) -> Frame:
    """One past day is made from the last export: later facts, outcomes opened again."""
    d, last = known(h), h[h["as_of"] == h["as_of"].max()]
    past = last[last["opened_on"] <= MIDDLE]
    open_then = past["closed_on"].isna() | (past["closed_on"] > MIDDLE)
    past = past.assign(
        as_of=MIDDLE,
        outcome=past["outcome"].mask(open_then, "open"),
        closed_on=past["closed_on"].mask(open_then),
    )
    assert d.last > MIDDLE
    return pd.concat([h[h["as_of"] != MIDDLE], past], ignore_index=True)


def the_whole_past_from_the_last_export(h: Frame) -> Frame:
    last = h[h["as_of"] == h["as_of"].max()]
    frames = []
    for day in sorted(h["as_of"].unique()):
        past = last[last["opened_on"] <= day]
        open_then = past["closed_on"].isna() | (past["closed_on"] > day)
        outcome, closed_on = past["outcome"].mask(open_then, "open"), past["closed_on"].mask(open_then)
        frames.append(past.assign(as_of=day, outcome=outcome, closed_on=closed_on))
    return pd.concat(frames, ignore_index=True)


def outcomes_before_their_day(h: Frame) -> Frame:
    d = known(h)
    early = (h["as_of"] == MIDDLE) & d.end.notna()
    outcome = pd.Series(np.where(d.won, "won", "lost"), index=h.index)
    return h.assign(outcome=h["outcome"].mask(early, outcome), closed_on=h["closed_on"].mask(early, d.end))


def one_export_under_two_days(h: Frame) -> Frame:
    again = h[h["as_of"] == h["as_of"].max()].assign(as_of=MIDDLE + pd.Timedelta(days=10))
    return pd.concat([h, again[again["opened_on"] <= MIDDLE]], ignore_index=True)


def last_week_again(h: Frame) -> Frame:
    again = h[h["as_of"] == MIDDLE].assign(as_of=MIDDLE + pd.Timedelta(days=13))
    return pd.concat([h, again], ignore_index=True)


def seller_who_leaves_blanks(h: Frame) -> Frame:
    theirs = h["seller"].isin(["S01", "S02"])
    return h.assign(approver_coverage=h["approver_coverage"].mask(theirs), coach=h["coach"].mask(theirs))


def seller_who_never_reports_support(h: Frame) -> Frame:
    return h.assign(evaluator_support=h["evaluator_support"].mask(h["seller"] == "S03"))


def won_then_lost(h: Frame) -> Frame:
    late = (h["outcome"] == "won") & (known(h).number % 20 == 0) & (h["as_of"] >= MIDDLE)
    return h.assign(outcome=h["outcome"].mask(late, "lost"))


def open_again(h: Frame) -> Frame:
    again = (h["as_of"] > MIDDLE) & (h["closed_on"] < MIDDLE) & (known(h).number % 20 == 0)
    return h.assign(outcome=h["outcome"].mask(again, "open"), closed_on=h["closed_on"].mask(again))


def closed_on_rewritten(h: Frame) -> Frame:
    late = (h["closed_on"] < MIDDLE) & (h["as_of"] > MIDDLE)
    return h.assign(closed_on=h["closed_on"].mask(late, h["closed_on"] - pd.Timedelta(days=1)))


def opened_on_rewritten(h: Frame) -> Frame:
    late = (h["as_of"] > MIDDLE) & (known(h).number % 10 == 0)
    return h.assign(opened_on=h["opened_on"].mask(late, h["opened_on"] - pd.Timedelta(days=30)))


def losing_deals_deleted(h: Frame) -> Frame:
    d = known(h)
    return h[~(d.end.notna() & ~d.won & (d.number % 4 == 0) & d.closed)].reset_index(drop=True)


def away_for_a_while(h: Frame) -> Frame:
    away = (h["as_of"] == MIDDLE) & (h["region"] == "north")
    return h[~away].reset_index(drop=True)


def stage_only_for_closed(h: Frame) -> Frame:
    closed = known(h).closed
    return h.assign(stage=h["stage"].mask(~closed & (h["stage"] == "decision"), "evaluation").mask(closed, "decision"))


def phase_only_for_closed(h: Frame) -> Frame:
    d = known(h)
    return with_covariate(h, "Phase", np.where(d.closed, "archived", np.where(d.number % 2 == 0, "early", "late")))


def months_missing(h: Frame) -> Frame:
    return h[~h["as_of"].between(MIDDLE, MIDDLE + pd.Timedelta(days=120))].reset_index(drop=True)


def two_days_swapped(h: Frame) -> Frame:
    days = sorted(h["as_of"].unique())
    one, other = days[10], days[12]
    return h.assign(as_of=h["as_of"].map(lambda day: other if day == one else one if day == other else day))


def an_old_export_again(h: Frame) -> Frame:
    days = sorted(h["as_of"].unique())
    stale = h[h["as_of"] == days[9]].assign(as_of=days[12])
    return pd.concat([h[h["as_of"] != days[12]], stale], ignore_index=True)


def lost_deals_never_closed(h: Frame) -> Frame:
    never = known(h).closed & ~known(h).won
    return h.assign(outcome=h["outcome"].mask(never, "open"), closed_on=h["closed_on"].mask(never))


def lost_amounts_to_zero(h: Frame) -> Frame:
    d = known(h)
    return h.assign(amount=h["amount"].mask(d.closed & ~d.won, 0.0))


def amount_after_close(h: Frame) -> Frame:
    late = known(h).closed & known(h).won & (h["as_of"] > h["closed_on"] + pd.Timedelta(days=60))
    return h.assign(amount=h["amount"].mask(late, h["amount"] * 1.3))


def seller_who_enters_once_won(h: Frame) -> Frame:
    d = known(h)
    theirs = h["seller"].isin(["S01", "S02"])
    return h[~theirs | (d.closed & d.won)].reset_index(drop=True)


def all_enter_once_won(h: Frame) -> Frame:
    d = known(h)
    return h[~(d.won & ~d.closed & (d.number % 2 == 0))].reset_index(drop=True)


def lost_deals_cleared_before(h: Frame) -> Frame:
    d, first = known(h), h["as_of"].min()
    lost_before = d.end.notna() & (d.end <= first) & ~d.won
    return h[~lost_before].reset_index(drop=True)


def hoped_for_day_overwritten(h: Frame) -> Frame:
    d = known(h)
    return h.assign(expected_close_on=h["expected_close_on"].mask(d.end.notna(), d.end))


def support_rewritten_at_the_close(h: Frame) -> Frame:
    d = known(h)
    final = pd.Series(np.where(d.won, 4.0, 1.0), index=h.index)
    return h.assign(decision_maker_support=h["decision_maker_support"].mask(d.closed, final))


def dated_back(h: Frame) -> Frame:
    back = (h["closed_on"] - pd.Timedelta(days=45)).clip(lower=h["opened_on"])
    return h.assign(closed_on=h["closed_on"].mask(known(h).closed & (known(h).number % 2 == 0), back))


def seen_before_created(h: Frame) -> Frame:
    moved = known(h).number % 25 == 0
    return h.assign(opened_on=h["opened_on"].mask(moved & (h["outcome"] == "open"), h["as_of"] + pd.Timedelta(days=20)))


def closed_on_for_open_deals(h: Frame) -> Frame:
    d = known(h)
    return h.assign(closed_on=h["closed_on"].fillna(d.end))


PLANTS: list[tuple[Callable[[Frame], Frame], str, str]] = [
    (support_after_close, "approver_support", "changed after the deal had closed"),
    (coverage_after_close, "evaluator_coverage", "changed after the deal had closed"),
    (coach_only_for_closed, "coach", "filled in"),
    (coach_only_for_closed, "coach", "blank until the close"),
    (reason_filled_at_the_close, "What mattered", "blank until the close"),
    (score_that_knows, "Health", "predicts the outcome alone"),
    (category_that_knows, "Bucket", "predicts the outcome alone"),
    (category_that_knows_well, "Bucket", "predicts the outcome alone"),
    (crm_probability, "Probability", "derived by the CRM"),
    (crm_forecast_category, "ForecastCategoryName", "derived by the CRM"),
    (forecast_that_the_close_has_set, "rep_probability", "set by the close"),
    (filled_for_the_won, "competitor", "gives the outcome away"),
    (exact_copies, "deal_id", "copies of another"),
    (long_and_short_ids, "deal_id", "18 characters"),
    (renumbered, "deal_id", "under two ids"),
    (renumbered, "deal_id", "missing from later snapshots"),
    (filled_in_from_the_last_export, "as_of", "from a later export"),
    (the_whole_past_from_the_last_export, "as_of", "no fact of any open deal ever changes"),
    (outcomes_before_their_day, "closed_on", "not known then"),
    (one_export_under_two_days, "closed_on", "not known then"),
    (last_week_again, "as_of", "one export under two days"),
    (seller_who_leaves_blanks, "approver_coverage", "a blank identifies the seller"),
    (seller_who_never_reports_support, "evaluator_support", "a blank identifies the seller"),
    (won_then_lost, "outcome", "changed after the close"),
    (open_again, "outcome", "open again"),
    (closed_on_rewritten, "closed_on", "rewritten after the close"),
    (opened_on_rewritten, "opened_on", "a deal is opened once"),
    (losing_deals_deleted, "deal_id", "missing from later snapshots"),
    (away_for_a_while, "deal_id", "missing from snapshots in between"),
    (stage_only_for_closed, "stage", "occurs only once a deal has closed"),
    (phase_only_for_closed, "Phase", "occurs only once a deal has closed"),
    (months_missing, "as_of", "gaps between snapshots"),
    (two_days_swapped, "outcome", "open again"),
    (two_days_swapped, "closed_on", "not known then"),
    (an_old_export_again, "as_of", "goes back"),
    (lost_deals_never_closed, "outcome", "not mature"),
    (lost_deals_never_closed, "outcome", "closed deals are won"),
    (lost_amounts_to_zero, "amount", "zero or blank once a deal is not won"),
    (amount_after_close, "amount", "changed after the deal had closed"),
    (seller_who_enters_once_won, "seller", "entered after the win"),
    (all_enter_once_won, "deal_id", "entered after the win"),
    (lost_deals_cleared_before, "deal_id", "lost deals were deleted before"),
    (hoped_for_day_overwritten, "expected_close_on", "equal to the day of the close"),
    (support_rewritten_at_the_close, "decision_maker_support", "rewritten as the deal closed"),
    (dated_back, "closed_on", "dated back"),
    (seen_before_created, "opened_on", "before the deal was created"),
    (closed_on_for_open_deals, "closed_on", "an open deal has no closing day"),
]


@pytest.mark.parametrize(("plant", "column", "words"), PLANTS, ids=[f"{p.__name__}-{c}" for p, c, _ in PLANTS])
def test_a_planted_leak_is_caught(clean: Frame, plant: Callable[[Frame], Frame], column: str, words: str) -> None:
    found = check_history(plant(clean.copy()))
    hits = found[(found["column"] == column) & found["message"].str.contains(words, regex=False)]
    assert list(hits["severity"].unique()) == ["warning"], found.to_string()
