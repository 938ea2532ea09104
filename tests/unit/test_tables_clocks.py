"""Clocks with and without an offset: one rule for deals and for change logs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from winprob.data.tables import check_file, read_changes, read_deals
from winprob.data.tables.values.columns import parse_days
from winprob.data.tables.values.conventions import Convention
from winprob.data.tables.values.instants import parse_instants

CLOSES = ("2023-04-01T01:09:44.120Z", "2023-03-31T18:09:44-0700", "1680311384120", "2023-04-01 01:09 UTC")


@pytest.mark.parametrize("clock", CLOSES)
def test_a_clock_with_an_offset_is_counted_in_the_zone_or_in_utc(tmp_path: Path, clock: str) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(f"deal_id,closed_on\na,{clock}\n")
    assert read_deals(path)["closed_on"][0] == pd.Timestamp(2023, 4, 1)
    assert read_deals(path, {"zone": "America/Phoenix"})["closed_on"][0] == pd.Timestamp(2023, 3, 31)


@pytest.mark.parametrize("zone", ["UTC", "America/Phoenix", "Asia/Shanghai"])
@pytest.mark.parametrize("clock", CLOSES)
def test_a_log_and_an_export_place_a_close_in_the_same_quarter(tmp_path: Path, clock: str, zone: str) -> None:
    export, log = tmp_path / "deals.csv", tmp_path / "log.csv"
    export.write_text(f"deal_id,closed_on\na,{clock}\n")
    log.write_text(f"deal_id,changed_on,field,old,new\na,{clock},outcome,open,won\na,{clock},closed_on,,{clock}\n")
    day = read_deals(export, {"zone": zone})["closed_on"][0]
    changes, _ = read_changes(log, zone=zone)
    assert set(changes["changed_at"].dt.normalize()) == {day}
    assert changes.loc[changes["field"] == "closed_on", "new"].tolist() == [day]


def test_an_offset_without_a_zone_is_noted_with_the_days_at_stake(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(
        "deal_id,opened_on,closed_on\na,2023-01-10T12:00:00Z,2023-04-01T01:09:44Z\nb,2023-01-11T17:00:00Z,2023-03-15\n"
    )
    found = check_file(path)
    notes = found.loc[found["severity"] == "note", "message"].str.cat()
    assert "3 dates have a clock with an offset and are read in UTC" in notes
    assert "up to 2 of them are another day and 1 another quarter: set zone" in notes
    assert not check_file(path, {"zone": "UTC"})["message"].str.contains("with an offset").any()


def test_iso_clocks_of_a_crm_that_writes_utc_are_moved_to_the_zone() -> None:
    cells = pd.Series(["2023-06-05 20:03:15", "6/5/2023, 8:03 PM", "2023-06-05", "2023-6-5 20:03"], dtype="str")
    known = Convention(zone="Asia/Shanghai", clock_zone="UTC")
    known = Convention(order=type(known.order)(day_first=False), zone=known.zone, clock_zone=known.clock_zone)
    days = parse_days(cells, convention=known).read
    assert days.dt.day.tolist() == [6, 5, 5, 6]
    assert parse_days(cells, convention=Convention(order=known.order)).read.dt.day.tolist() == [5, 5, 5, 5]


def test_typed_moments_with_a_zone_follow_the_same_rule() -> None:
    cells = pd.Series(pd.to_datetime(["2023-04-01T01:09:44Z"], utc=True))
    assert parse_days(cells).read[0] == pd.Timestamp(2023, 4, 1)
    assert parse_days(cells, zone="America/Phoenix").read[0] == pd.Timestamp(2023, 3, 31)


def test_halves_of_the_day_in_english_spanish_and_chinese() -> None:
    cells = pd.Series(
        ["2026-3-4 9:14 PM", "2026-3-4 9:14 p. m.", "2026-3-4 下午9:14", "2026-3-4 12:05 AM"], dtype="str"
    )
    assert parse_instants(cells, "UTC").read.dt.hour.tolist() == [21, 21, 21, 0]
