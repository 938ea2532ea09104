"""Training rows hold what was known on the review day, and the end as it is known now."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winprob.data.history import (
    count_slips,
    deal_ends,
    label_sentences,
    read_known,
    read_past,
    review_table,
    training_rows,
    write_snapshot,
)
from winprob.data.schema import check_deals, validate_deals
from winprob.errors import HistoryError
from winprob.evaluation.folds import plan_folds
from winprob.model.inference import read_training
from winprob.settings import CalendarSettings, EvaluationSettings, Settings
from winprob.simulation import simulate_pipeline

DAYS = ("2026-01-05", "2026-02-02", "2026-04-06", "2026-05-04", "2026-07-06", "2026-08-03")


def life(deal: str, start: int, states: list[str], **columns: list[object]) -> list[dict[str, object]]:
    """A deal from the ``start``-th day on; a state is ``open``, or ``won 2026-05-01``, or ``-`` for not exported."""
    rows = []
    for at, state in enumerate(states):
        outcome, _, closed_on = state.partition(" ")
        if outcome != "-":
            row = {"deal_id": deal, "as_of": DAYS[start + at], "outcome": outcome, "closed_on": closed_on or None}
            rows.append({**row, **{name: values[at] for name, values in columns.items()}})
    return rows


HISTORY = pd.DataFrame(
    [
        *life("won", 0, ["open"] * 3 + ["won 2026-04-20"] * 3, amount=[10, 12, 13, 9, 9, 99]),
        *life("lost late", 0, ["open"] * 5 + ["lost 2026-06-30"]),
        *life("open", 2, ["open"] * 4),
        *life("gone", 0, ["open"] * 3),
        *life("in between", 1, ["open", "lost 2026-03-01", *["lost 2026-03-01"] * 3]),
        *life("came closed", 2, ["won 2026-04-01"] * 4),
        *life("too new", 5, ["open"]),
        *life("undated", 2, ["open", "no_decision", "no_decision", "no_decision"]),
    ]
)


def test_a_row_per_deal_and_quarter_in_which_it_is_open() -> None:
    rows = training_rows(HISTORY)
    got = rows.groupby("deal_id", sort=False)["as_of"].agg(lambda days: [f"{day:%m-%d}" for day in days])
    assert got.to_dict() == {
        "gone": ["01-05", "04-06"],
        "lost late": ["01-05", "04-06", "07-06"],
        "open": ["04-06", "07-06"],
        "undated": ["04-06"],
        "won": ["01-05", "04-06"],
    }


def test_facts_of_the_day_and_the_end_as_known_now() -> None:
    rows = training_rows(HISTORY).set_index("deal_id")
    assert rows.loc["won", "amount"].tolist() == [10, 13]
    assert rows.loc["won", "closed_amount"].tolist() == [9, 9]
    assert rows.loc["won", "outcome"].tolist() == ["won", "won"]
    assert rows.loc["open", "outcome"].tolist() == ["open", "open"]
    assert rows.loc["gone", "outcome"].tolist() == ["open", "open"]
    assert rows.loc["gone", "known_until"].unique().tolist() == [pd.Timestamp("2026-04-06")]
    assert rows.loc["open", "known_until"].unique().tolist() == [pd.Timestamp("2026-08-03")]
    # Entered late: open on 6 July, though lost on 30 June. It counts on the day on which it still passed for open.
    assert [f"{day:%m-%d}" for day in rows.loc["lost late", "closed_on"]] == ["06-30", "06-30", "07-06"]


def test_nothing_is_dropped_in_silence() -> None:
    rows = training_rows(HISTORY)
    assert rows.attrs["maturity"] == {
        "rows": 10, "deals": 5, "closed": 3, "open": 2, "vanished": 1, "undated": 1, "came_closed": 1,
        "between_reviews": 1, "not_reviewed_yet": 1, "entered_late": 1,
    }  # fmt: skip
    counts = rows.attrs["maturity"]
    without = counts["came_closed"] + counts["between_reviews"] + counts["not_reviewed_yet"]
    assert counts["deals"] + without == HISTORY["deal_id"].nunique()
    told = " ".join(label_sentences(rows))
    for words in ("10 rows of 5 deals", "2 are still open", "1 of the open deals are missing", "2 closed deals"):
        assert words in told


def test_only_what_was_known_by_a_day() -> None:
    rows = training_rows(HISTORY, as_of="2026-04-10")
    assert rows.groupby("deal_id")["outcome"].first().to_dict() == dict.fromkeys(
        ["gone", "lost late", "open", "undated", "won"], "open"
    )
    assert rows["closed_on"].isna().all()
    assert rows["closed_amount"].isna().all()
    with pytest.raises(HistoryError, match="no snapshot by 2025-12-31"):
        training_rows(HISTORY, as_of="2025-12-31")


def test_reviews_that_are_asked_for_and_other_fiscal_years() -> None:
    asked = training_rows(HISTORY, reviews=["2026-02-20", "2026-05-04"])
    assert sorted(asked["as_of"].unique()) == [pd.Timestamp("2026-02-02"), pd.Timestamp("2026-05-04")]
    with pytest.raises(HistoryError, match=r"no snapshot by the review of 2025-12-01; the first is of 2026-01-05"):
        training_rows(HISTORY, reviews=["2025-12-01"])
    february = training_rows(HISTORY, calendar=CalendarSettings(fiscal_year_start_month=2))
    assert [f"{day:%m-%d}" for day in sorted(february["as_of"].unique())] == ["01-05", "02-02", "05-04", "08-03"]


def test_pushes_count_moves_of_a_week_or_more() -> None:
    dates = ["2026-02-10", "2026-03-09", "2026-04-09", None, "2026-05-09", "2026-05-01"]
    pushed = training_rows(pd.DataFrame(life("D", 0, ["open"] * 6, expected_close_on=dates)), reviews=DAYS)
    assert pushed["pushes"].tolist() == [0, 1, 2, 2, 3, 3]
    assert pushed["days_slipped"].tolist() == [0, 27, 58, 58, 88, 88]
    assert pushed["month_pushes"].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_date_moved_273_days_in_steps_of_21_days_is_pushed_13_times() -> None:
    dates = pd.Series(pd.Timestamp(2026, 1, 31) + pd.to_timedelta(21 * np.arange(14), unit="D"))
    moves, days = count_slips(np.zeros(14, dtype=int), dates)
    assert (moves[-1], days[-1]) == (13, 273)


@pytest.mark.parametrize(
    ("days", "moves", "slipped"),
    [
        ([0, 3, 6, 9, 12, 18], [0, 0, 0, 1, 1, 2], [0, 0, 0, 9, 9, 18]),
        ([0, 20, 0, 20], [0, 1, 1, 2], [0, 20, 20, 40]),
        ([0, -3, 3, 4], [0, 0, 0, 1], [0, 0, 0, 7]),
        ([0, 6, 0, 6], [0, 0, 0, 0], [0, 0, 0, 0]),
        ([None, 0, None, 7], [0, 0, 0, 1], [0, 0, 0, 7]),
    ],
    ids=["small steps add up", "out, back and out again", "since the earliest", "to and fro", "blanks"],
)
def test_a_move_is_counted_from_the_last_date_that_counted(
    days: list[int | None], moves: list[int], slipped: list[int]
):
    dates = pd.Series([pd.NaT if day is None else pd.Timestamp(2026, 3, 1) + pd.Timedelta(days=day) for day in days])
    got = count_slips(np.array([0] * len(days) + [1] * len(days)), pd.concat([dates, dates]))
    assert got[0].tolist() == [*moves, *moves]
    assert got[1].tolist() == [*slipped, *slipped]


def test_rows_weigh_as_much_as_there_are_closed_deals_and_open_ones_do_no_harm() -> None:
    rows = training_rows(HISTORY)
    assert [found.severity for found in check_deals(rows) if found.severity == "error"] == []
    pd.testing.assert_frame_equal(validate_deals(rows), rows)
    training = read_training(rows, Settings())
    assert training.weight.sum() == pytest.approx(3)
    assert sorted(training.closed["deal_id"].unique()) == ["lost late", "undated", "won"]


def test_the_table_of_a_review_holds_all_deals_of_the_day_and_their_pushes() -> None:
    dates = ["2026-02-10", "2026-03-20", "2026-05-09", "2026-05-09", "2026-07-01", "2026-07-01"]
    history = pd.DataFrame(
        [
            *life("D", 0, ["open"] * 6, expected_close_on=dates),
            *life("W", 1, ["open", "won 2026-03-20", "won 2026-03-20"]),
        ]
    )
    table = review_table(history, as_of="2026-05-30")
    assert table["deal_id"].tolist() == ["D", "W"]
    assert (table["as_of"] == pd.Timestamp("2026-05-04")).all()
    assert table["outcome"].tolist() == ["open", "won"]
    assert table["pushes"].tolist() == [2, 0]


def test_of_every_deal_the_end_is_known_those_without_a_row_too() -> None:
    ends = deal_ends(HISTORY).set_index("deal_id")["outcome"]
    assert set(ends.index) == set(HISTORY["deal_id"])
    assert ends["in between"] == "lost"
    assert ends["gone"] == "open"
    assert deal_ends(HISTORY, as_of="2026-03-31").set_index("deal_id")["outcome"]["won"] == "open"


def test_a_history_needs_days() -> None:
    for broken in (HISTORY.drop(columns="as_of"), HISTORY.assign(as_of=None), HISTORY.iloc[:0]):
        with pytest.raises(HistoryError, match="'as_of', in every row"):
            training_rows(broken)


@pytest.fixture(scope="module")
def monthly() -> pd.DataFrame:
    pipeline = simulate_pipeline(seed=5, quarters=8)
    days = pd.date_range(pipeline.first_day, pipeline.last_day, freq="MS").date
    return pd.concat([pipeline.known_on(day) for day in days], ignore_index=True)


def test_against_a_slow_reading_of_the_same_history(monthly: pd.DataFrame) -> None:
    rows = training_rows(monthly).set_index(["deal_id", "as_of"])
    last = monthly.sort_values("as_of").groupby("deal_id").tail(1).set_index("deal_id")
    reviews = [day for day in monthly["as_of"].unique() if pd.Timestamp(day).month in (1, 4, 7, 10)]
    expected = monthly[monthly["as_of"].isin(reviews) & (monthly["outcome"] == "open")]
    assert len(expected) == len(rows)
    for row in expected.sample(60, random_state=0).itertuples():
        got = rows.loc[(row.deal_id, row.as_of)]
        assert got["amount"] == row.amount
        assert got["outcome"] == last.loc[row.deal_id, "outcome"]
        trail = monthly[(monthly["deal_id"] == row.deal_id)].sort_values("as_of")
        closed = trail[trail["outcome"] != "open"]
        assert got["closed_amount"] == closed["amount"].iloc[0] if len(closed) else np.isnan(got["closed_amount"])
        hoped = trail.loc[trail["as_of"] <= row.as_of, "expected_close_on"].tolist()
        marks = [hoped[0]]
        for day in hoped[1:]:
            if day < marks[-1] or (day - marks[-1]).days >= 7:
                marks.append(day)
        later = [(after - before).days for before, after in pairwise(marks) if after > before]
        assert (got["pushes"], got["days_slipped"]) == (len(later), sum(later))


def test_no_fold_of_a_backtest_learns_what_came_later(monthly: pd.DataFrame) -> None:
    rows = training_rows(monthly)
    settings = Settings(evaluation=EvaluationSettings(least_training=20))
    plan = plan_folds(rows, settings, protocol="rolling", seed=1)
    for fold in plan.folds:
        train, test = rows.iloc[fold.train], rows.iloc[fold.test]
        assert (train["closed_on"] < fold.origin).all()
        assert set(train["deal_id"]) & set(test["deal_id"]) == set()
        assert (test["as_of"] >= fold.origin).all()


def test_a_path_means_an_export_or_a_history(tmp_path: Path) -> None:
    for day in DAYS:
        write_snapshot(HISTORY[HISTORY["as_of"] == day], day, tmp_path / "h")
    assert sorted(read_known(tmp_path / "h")["deal_id"]) == ["open", "too new"]
    pd.testing.assert_frame_equal(read_past(tmp_path / "h"), training_rows(HISTORY), check_like=True)
    with pytest.raises(HistoryError, match="belong to winprob snapshot"):
        read_known(tmp_path / "h", people="people.csv")
    HISTORY.drop_duplicates("deal_id").to_csv(tmp_path / "deals.csv", index=False)
    assert len(read_known(tmp_path / "deals.csv")) == len(read_past(tmp_path / "deals.csv")) == 8
