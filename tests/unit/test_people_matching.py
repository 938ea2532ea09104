"""A people table that matches too few deals stops the reading, with the spelling or the day that would match."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from winprob import check_file, read_deals
from winprob.errors import DealTableError
from winprob.i18n import use_language

DEALS = [f"D{number:05d}" for number in range(301, 311)]


def table(ids: list[str], as_of: str | None = None) -> pd.DataFrame:
    people = pd.DataFrame({"deal_id": ids, "person": "P1", "role": "approver", "support": "3"})
    return people if as_of is None else people.assign(as_of=as_of)


@pytest.fixture
def deals(tmp_path: Path) -> Path:
    path = tmp_path / "deals.csv"
    pd.DataFrame({"deal_id": DEALS, "as_of": "2026-09-30", "outcome": "open", "amount": 5}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("ids", "cause"),
    [
        (
            [name.lower() for name in DEALS],
            "10 would match if upper and lower case were alike ('d00301' here, 'D00301'",
        ),
        ([f"D{name[1:].lstrip('0')}" for name in DEALS], "if leading zeros did not count ('D301' here"),
        ([f"D 0{name[2:]}" for name in DEALS], "if blanks in the ids did not count"),
        ([f"{name}.0" for name in DEALS], "if a decimal '.0' did not count"),
        ([f"D-{name[1:]}" for name in DEALS], "if signs other than letters and digits did not count"),
        ([f"d-{int(name[1:])}" for name in DEALS], "if case, leading zeros, blanks and signs did not count"),
        ([f"X{number}" for number in range(10)], "their ids are others ('X0', 'X1', 'X2' here, 'D00301'"),
        ([*DEALS[:4], *(f"X{number}" for number in range(6))], "of its 10 deals only 4 match"),
    ],
)
def test_a_people_table_that_matches_too_little_stops_with_the_cause(deals: Path, ids: list[str], cause: str) -> None:
    with pytest.raises(DealTableError) as refused:
        read_deals(deals, people=table(ids))
    assert cause in str(refused.value)
    findings = check_file(deals, people=table(ids))
    assert findings["severity"].iloc[0] == "error"
    with use_language("zh"), pytest.raises(DealTableError, match="人员表"):
        read_deals(deals, people=table(ids))


def test_ids_of_15_and_18_characters_are_suggested(tmp_path: Path) -> None:
    short = [f"0065f00000AbC{number:02d}" for number in range(10)]
    pd.DataFrame({"deal_id": short, "outcome": "open"}).to_csv(tmp_path / "deals.csv", index=False)
    with pytest.raises(DealTableError, match="if ids of 15 and of 18 characters were alike"):
        read_deals(tmp_path / "deals.csv", people=table([f"{name}AAX" for name in short]))


def test_the_right_deals_of_another_day_are_named_as_such(deals: Path) -> None:
    with pytest.raises(DealTableError, match="the days differ \\(deal 'D00301' is of 2026-09-29 here, of 2026-09-30"):
        read_deals(deals, people=table(DEALS, as_of="2026-09-29"))


@pytest.mark.parametrize(
    "ids",
    [
        [*DEALS, *(f"D{number:05d}" for number in range(300))],  # Closed deals too: the table is of the whole team.
        DEALS[:2],  # People are known of a few deals only.
        [*DEALS[:5], *(f"X{number}" for number in range(5))],
    ],
)
def test_tables_of_which_one_is_within_the_other_are_read(deals: Path, ids: list[str]) -> None:
    read = read_deals(deals, people=table(ids))
    assert read["approver_support"].notna().sum() == len(set(ids) & set(DEALS))


def test_rows_without_a_deal_stay_a_warning_with_their_number(deals: Path) -> None:
    findings = check_file(deals, people=table([*DEALS, "X1", "X2"]))
    messages = findings.loc[findings["severity"] == "warning", "message"]
    (warning,) = [message for message in messages if message.startswith("people table")]
    assert warning.startswith("people table: 2 rows match no deal")
