"""Days as exports of many countries and programs write them; one order of day and month for a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from winprob.data.tables import check_file, read_deals
from winprob.data.tables.values.columns import parse_days
from winprob.data.tables.values.conventions import gather, settle
from winprob.errors import DealTableError, MappingError


def days(*words: str, **settings: object) -> list[str]:
    """The days read, "" where blank and "?" where refused."""
    parsed = parse_days(pd.Series(words, dtype="str"), **settings)  # type: ignore[arg-type]
    read = parsed.read.dt.strftime("%Y-%m-%d").fillna("")
    return ["?" if refused else day for day, refused in zip(read, parsed.refused, strict=True)]


@pytest.mark.parametrize(
    "word",
    [
        "4. März 2024", "4 mars 2024", "4 de marzo de 2024", "4 mar. 2024", "04-Mar-24", "4 March 2024",
        "Mar 4th, 2024",
        "2024 Mar 4", "4 Maerz 2024", "lundi 4 mars 2024", "Mon Mar 04 2024", "4-3月-24", "24年3月4日", "三月 4 2024",
        "04.03.24", "4. 3. 2024", "2024-3-4 上午9:14", "2024年3月4日9:14", "20240304120000",
        "1709510400000", "1709510400",
        "45355", "45355.75", "2024-03-04T10:00:00.000+0000", "4 março 2024", "March 4, 2024 at 9:14 AM",
    ],
)  # fmt: skip
def test_one_day_in_many_spellings(word: str) -> None:
    assert days(word) == ["2024-03-04"]


@pytest.mark.parametrize(
    ("word", "day"),
    [
        ("12 févr. 2024", "2024-02-12"), ("15 août 2024 14:05", "2024-08-15"), ("31 déc. 2024", "2024-12-31"),
        ("1. Jänner 2025", "2025-01-01"), ("2 de set. de 2024", "2024-09-02"), ("9 ene 2024", "2024-01-09"),
        ("2/23/2026, 9:14 AM", "2026-02-23"), ("23/2/2026 9:14 p. m.", "2026-02-23"),
    ],
)  # fmt: skip
def test_names_of_months_have_accents_dots_and_clocks(word: str, day: str) -> None:
    assert days(word) == [day]


@pytest.mark.parametrize(
    "word", ["2026-01-01 25:00", "2026-01-01 09:99", "4 Foo 2024", "31 Feb 2024", "5 March", "1.13.2024 x", "99/99/99"]
)
def test_what_is_no_day_or_clock_is_refused(word: str) -> None:
    assert days(word) == ["?"]


def test_two_digit_years_follow_the_order_of_the_column() -> None:
    assert days("02/28/26", "02/03/26") == ["2026-02-28", "2026-02-03"]
    assert days("28/02/26", "02/03/26") == ["2026-02-28", "2026-03-02"]
    assert days("1/08/26", "14/04/26") == ["2026-08-01", "2026-04-14"]
    assert days("02/03/26") == ["?"]
    assert days("02/03/26", day_first=True) == ["2026-03-02"]
    assert days("31/12/79", "31/12/80", day_first=True) == ["2079-12-31", "?"]


def test_a_short_year_that_may_come_first_is_asked_about() -> None:
    assert days("24/03/04", "24/12/31", "25/01/30") == ["?", "?", "?"]
    assert days("24/03/04", day_first=True) == ["2004-03-24"]


def test_a_cell_that_contradicts_the_setting_is_refused() -> None:
    assert days("13/04/2026", "04/13/2026", day_first=True) == ["2026-04-13", "?"]


def test_dots_say_that_the_day_comes_first() -> None:
    assert days("31.03.2026", "03/04/2026") == ["2026-03-31", "2026-04-03"]
    assert days("03.04.2026", "12/31/2026", "03/04/2026") == ["?", "2026-12-31", "?"]


def test_all_columns_of_a_file_settle_its_order(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,opened_on,expected_close_on\na,03/04/2026,25/06/2026\n")
    assert read_deals(path)["opened_on"][0] == pd.Timestamp(2026, 4, 3)
    path.write_text("deal_id,opened_on,expected_close_on\na,03/04/2026,25/06/2026\nb,04/25/2026,25/06/2026\n")
    with pytest.raises(DealTableError, match="set day_first = true or false"):
        read_deals(path)
    with pytest.raises(DealTableError, match="contradicts day_first = true in 1 rows, first row 3, deal 'b'"):
        read_deals(path, {"day_first": True})


def test_a_date_format_comes_before_every_other(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,opened_on,expected_close_on\na,24/03/04,2026-07-01\nb,240305,\n")
    with pytest.raises(DealTableError, match="does not read as a date in 1 rows, first row 3, deal 'b', has '240305'"):
        read_deals(path, {"date_format": "%y/%m/%d"})
    path.write_text("deal_id,opened_on,expected_close_on\na,24/03/04,2026-07-01\n")
    deals = read_deals(path, {"date_format": "%y/%m/%d"})
    assert deals["opened_on"][0] == pd.Timestamp(2024, 3, 4)
    assert deals["expected_close_on"][0] == pd.Timestamp(2026, 7, 1)
    for form in ("%Q", "%m/%y", "%"):
        with pytest.raises(MappingError, match="not a format of a whole day"):
            read_deals(path, {"date_format": form})


def test_evidence_of_blocks_adds_up_to_that_of_the_file() -> None:
    first, second = pd.Series(["03/04/2026"], dtype="str"), pd.Series(["13/04/2026"], dtype="str")
    assert settle(gather(days=[first])).order.day_first is None
    known = settle(gather(days=[first]) + gather(days=[second]))
    assert days("03/04/2026", convention=known) == ["2026-04-03"]
    assert known == settle(gather(days=[pd.concat([first, second])]))


def test_a_date_far_out_is_unknown_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,expected_close_on\na,2999-12-31\nb,2026-07-01\n")
    found = check_file(path)
    assert found.loc[found["severity"] == "warning", "message"].str.contains("after 2099 in 1 rows").any()
    assert read_deals(path)["expected_close_on"].isna().tolist() == [True, False]
