from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob.data.schema import (
    COLUMNS,
    DATES,
    NUMBERS,
    check_deals,
    column_or_missing,
    is_censored,
    is_closed,
    is_open,
    validate_deals,
)
from winprob.errors import DealTableError


def sound() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "deal_id": [7, 8, 9],
            "as_of": ["2026-01-01", "2026-01-01T10:00:00Z", ""],
            "opened_on": pd.to_datetime(["2025-01-01", "2025-02-01", None]),
            "closed_on": ["2026-03-01", "2026-03-02", None],
            "outcome": pd.Categorical(["won", "lost", "open"]),
            "amount": pd.array([1, 2, None], dtype="Int64"),
            "currency": ["CNY", "EUR", " "],
            "rep_probability": ["0.5", None, "1"],
            "stage": ["approval", np.nan, "decision"],
            "approver_support": [1, 4, None],
            "approver_coverage": ["unknown", None, "engaged"],
            "approver_readings": ["3*2 4*1", None, "1*4"],
            "anything": [[1], {"a": 2}, None],
        },
        index=[30, 10, 10],
    )


def errors(frame: pd.DataFrame, *, training: bool = False) -> list[str]:
    return [found.message for found in check_deals(frame, training=training) if found.severity == "error"]


def test_a_sound_table_gets_canonical_types_and_stays_itself() -> None:
    given = sound()
    given.attrs["covariates"] = {"varying": ["anything"], "numeric": []}
    before = given.copy(deep=True)
    deals = validate_deals(given, training=True)
    pd.testing.assert_frame_equal(given, before)
    assert deals.index.tolist() == [30, 10, 10]
    assert deals.columns.tolist() == given.columns.tolist()
    assert deals.attrs == given.attrs
    assert deals["deal_id"].tolist() == ["7", "8", "9"]
    for column in deals.columns.intersection(COLUMNS):
        wanted = "datetime64[us]" if column in DATES else "float64" if column in NUMBERS else "str"
        assert deals[column].dtype == wanted, column
    assert deals["as_of"].tolist()[1] == pd.Timestamp(2026, 1, 1)
    assert deals["amount"].isna().tolist() == [False, False, True]
    assert deals["currency"].isna().tolist() == [False, False, True]
    assert deals["anything"].tolist() == given["anything"].tolist()
    pd.testing.assert_frame_equal(validate_deals(deals), deals)


def test_only_the_id_is_needed() -> None:
    assert check_deals(pd.DataFrame({"deal_id": ["a"]})) == []
    assert validate_deals(pd.DataFrame({"deal_id": ["a"]})).columns.tolist() == ["deal_id"]
    assert validate_deals(pd.DataFrame({"deal_id": pd.Series(dtype="str")})).empty


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("approver_support", [7, 1, 0], "'approver_support' outside 1..4 in 2 rows, first deal 'D1' has 7"),
        ("approver_support", [1, 2.5, 3], "'approver_support' outside 1..4 in 1 rows, first deal 'D2' has 2.5"),
        (
            "approver_support",
            [1, "high", 3],
            "'approver_support' is not a number in 1 rows, first deal 'D2' has 'high'",
        ),
        ("rep_probability", [62, 0.1, 100], "has 62, which looks like a percentage: write 62% or 0.62"),
        ("rep_probability", [np.inf, 0.1, 1], "'rep_probability' outside 0..1 in 1 rows, first deal 'D1' has inf"),
        ("amount", [np.inf, -1, np.nan], "'amount' infinite in 1 rows, first deal 'D1' has inf"),
        ("as_of", ["2026-02-30", "yesterday", None], "'as_of' is not a date (YYYY-MM-DD) in 2 rows"),
        ("as_of", ["1900-01-01", "2100-01-01", "2099-12-31"], "'as_of' before 1970 or after 2099 in 2 rows"),
        ("outcome", ["Won", "lost", None], "'outcome' not one of won, lost, no_decision, open in 1 rows"),
        ("coach", ["yes", "none", None], "'coach' not one of none, unvalidated, validated in 1 rows"),
        ("currency", ["usd", "RMB", "$"], "'currency' is not an ISO 4217 code such as CNY in 2 rows, first deal 'D1'"),
        ("approver_readings", ["3*2,4*1", "5*1", "3*2"], "'approver_readings' is not 'tier*influence' per person"),
    ],
)
def test_each_rule(column: str, values: list[object], message: str) -> None:
    found = errors(pd.DataFrame({"deal_id": ["D1", "D2", "D3"], column: values}))
    assert len(found) == 1
    assert message in found[0]


def test_ids() -> None:
    assert errors(pd.DataFrame({"deal_id": ["a", None, " "]})) == ["'deal_id' is blank in 2 rows, first in row 2"]
    doubled = pd.DataFrame({"deal_id": ["a", "a", "b"]})
    assert errors(doubled) == ["'deal_id' repeats an earlier row in 1 rows, first deal 'a'"]
    assert errors(doubled.assign(as_of=["2026-01-01", "2026-02-01", None])) == []
    assert "'deal_id' and 'as_of' repeat" in errors(doubled.assign(as_of="2026-01-01"))[0]
    assert "column 'deal_id' is missing; the columns are 'x'" in errors(pd.DataFrame({"x": [1]}))[0]


def test_columns_that_appear_twice() -> None:
    frame = pd.DataFrame([["a", "won", "won"]], columns=["deal_id", "outcome", "outcome"])
    assert errors(frame) == ["column 'outcome' appears more than once"]
    with pytest.raises(DealTableError, match="more than once"):
        validate_deals(frame)


def test_no_frame() -> None:
    with pytest.raises(DealTableError, match="pandas, polars or pyarrow, got list"):
        validate_deals([{"deal_id": 1}])  # type: ignore[arg-type]


def test_an_implausible_cell_is_unknown_and_the_rest_of_its_row_counts() -> None:
    frame = pd.DataFrame(
        {
            "deal_id": ["a", "b"],
            "opened_on": ["2026-02-01", "1900-01-01"],
            "expected_close_on": ["2999-12-31", "2026-05-01"],
            "closed_on": ["2026-01-01", None],
            "outcome": ["won", "open"],
            "amount": [291_222, -12_000],
            "currency": ["MXN", "MXN"],
            "rep_probability": [-0.1, 0.5],
        }
    )
    found = {finding.column: finding for finding in check_deals(frame)}
    assert {finding.severity for finding in found.values()} == {"warning"}
    assert "1 rows, worth 291,222 MXN, first deal 'a' opened 2026-02-01" in found["opened_on"].message
    assert "negative in 1 rows, first deal 'b' has -12000: not counted, -12,000 MXN together" in found["amount"].message
    deals = validate_deals(frame)
    assert deals["opened_on"].isna().all()
    assert deals["expected_close_on"].isna().tolist() == [True, False]
    assert deals["closed_on"].tolist()[0] == pd.Timestamp(2026, 1, 1)
    assert deals["outcome"].tolist() == ["won", "open"]
    assert deals["amount"].isna().tolist() == [False, True]
    assert deals["rep_probability"].isna().tolist() == [True, False]
    assert frame["amount"].tolist() == [291_222, -12_000]
    pd.testing.assert_frame_equal(validate_deals(deals), deals)


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        (["won", "won", "open"], "all 2 closed deals are won: most often a wrong export"),
        (["lost", "no_decision", None], "all 2 closed deals are lost or without a decision"),
        (["open", None, "open"], "no deal is closed"),
    ],
)
def test_training_needs_both_outcomes(outcomes: list[str], message: str) -> None:
    frame = pd.DataFrame({"deal_id": ["a", "b", "c"], "outcome": outcomes})
    assert errors(frame) == []
    assert message in errors(frame, training=True)[0]
    assert "'outcome' is missing" in errors(frame[["deal_id"]], training=True)[0]


def test_all_faults_in_one_message() -> None:
    frame = pd.DataFrame({"deal_id": ["a", "a"], "amount": [np.inf, 1], "stage": ["x", "approval"]})
    with pytest.raises(DealTableError) as caught:
        validate_deals(frame)
    assert str(caught.value).startswith("deal table with 2 rows, 3 errors:\n  - 'deal_id' repeats")
    assert str(caught.value).count("\n  - ") == 3


def test_warnings_do_not_refuse() -> None:
    frame = pd.DataFrame(
        {
            "deal_id": ["a", "b", "c"],
            "as_of": ["2026-02-01"] * 3,
            "closed_on": ["2026-01-01"] * 3,
            "outcome": ["won", "won", "open"],
            "account": "x",
            "seller": "y",
        }
    )
    warnings = {found.column: found for found in check_deals(frame)}
    assert {found.severity for found in warnings.values()} == {"warning"}
    assert warnings["deal_id"].rows == 1
    assert warnings["deal_id"].first_deal == "b"
    assert warnings["as_of"].rows == 2
    assert warnings["closed_on"].rows == 1
    assert len(validate_deals(frame)) == 3


def test_open_closed_and_censored_have_one_meaning_of_a_blank_outcome() -> None:
    deals = pd.DataFrame({"outcome": pd.Series(["won", "lost", "no_decision", "open", None], dtype="str")})
    assert is_closed(deals).tolist() == [True, True, True, False, False]
    assert is_open(deals).tolist() == [False, False, False, True, True]
    assert is_censored(deals).tolist() == [False, False, False, True, False]
    assert {mask.dtype for mask in (is_closed(deals), is_open(deals), is_censored(deals))} == {np.dtype(bool)}


def test_without_an_outcome_every_deal_is_open_and_none_censored() -> None:
    deals = pd.DataFrame({"deal_id": ["a", "b"]})
    assert is_open(deals).tolist() == [True, True]
    assert not is_closed(deals).any()
    assert not is_censored(deals).any()


@pytest.mark.parametrize(
    ("column", "dtype"), [("closed_on", "datetime64[us]"), ("amount", "float64"), ("seller", "str")]
)
def test_an_absent_column_is_missing_in_its_own_dtype(column: str, dtype: str) -> None:
    deals = pd.DataFrame({"deal_id": ["a", "b"]}, index=[7, 9])
    absent = column_or_missing(deals, column)
    assert absent.dtype == dtype
    assert absent.isna().all()
    assert absent.index.equals(deals.index)
    assert absent.name == column
    given = deals.assign(**{column: pd.Series([None, None], index=deals.index, dtype=dtype)})
    pd.testing.assert_series_equal(column_or_missing(given, column), given[column])


def test_a_canonical_table_is_checked_again_after_an_edit_in_place() -> None:
    deals = validate_deals(sound())
    again = validate_deals(deals)
    again.loc[30, "approver_support"] = 7.0
    assert deals["approver_support"].max() == 4.0
    with pytest.raises(DealTableError, match=r"outside 1\.\.4 in 1 rows, first deal '7' has 7"):
        validate_deals(again)
    again = deals.assign(seller=pd.Series([" a ", "", "b"], index=deals.index, dtype="str"))
    assert validate_deals(again)["seller"].tolist()[::2] == ["a", "b"]
    assert validate_deals(again)["seller"].isna().tolist() == [False, True, False]
    again = deals.assign(as_of=pd.Series(pd.Timestamp(2026, 1, 1, 10), index=deals.index, dtype="datetime64[us]"))
    assert (validate_deals(again)["as_of"] == pd.Timestamp(2026, 1, 1)).all()
