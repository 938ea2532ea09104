"""Damage to a snapshot or to a logged forecast is seen and named; other days stay usable, and old files get a hash."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import winprob
from winprob.cli import main
from winprob.data.history import check_history, read_history, write_snapshot
from winprob.errors import HistoryError, InputError

V1 = Path(__file__).parents[1] / "golden" / "v1"
DAYS = ("2026-03-31", "2026-06-30", "2026-07-31")
SEAL, FILE = "_snapshot.sha256", "snapshot.parquet"


def place(history: Path, day: str) -> Path:
    return history / f"as_of={day}"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    deals = pd.DataFrame({"deal_id": [f"D{at}" for at in range(30)], "amount": np.arange(30) * 1e5, "outcome": "open"})
    for day in DAYS:
        write_snapshot(deals, day, tmp_path / "h")
    return tmp_path / "h"


def flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def test_any_flipped_bit_of_a_snapshot_is_noticed(history: Path) -> None:
    file = place(history, DAYS[1]) / FILE
    whole = file.read_bytes()
    for at in np.random.default_rng(1).integers(0, len(whole), 200):
        flip(file, int(at))
        with pytest.raises(InputError, match=rf"as_of={DAYS[1]}.*differs from its checksum"):
            read_history(history, as_of=DAYS[1])
        file.write_bytes(whole)
    assert len(read_history(history)) == 90


def test_all_damaged_days_are_named_and_the_others_stay_usable(history: Path) -> None:
    for day in DAYS[:2]:
        flip(place(history, day) / FILE, 200)
    with pytest.raises(InputError) as refused:
        read_history(history)
    assert all(f"as_of={day}" in str(refused.value) for day in DAYS[:2])
    assert DAYS[2] not in str(refused.value)
    assert len(read_history(history, as_of=DAYS[2])) == 30
    findings = check_history(history)
    assert findings["severity"].tolist()[:2] == ["error", "error"]
    assert "1 snapshots from 2026-07-31" in "\n".join(findings["message"])
    result = CliRunner().invoke(main, ["check", str(history)])
    assert result.exit_code == 1
    assert "2 errors" in result.stderr
    assert write_snapshot(read_history(history, as_of=DAYS[2]).drop(columns="as_of"), "2026-08-31", history).added


def test_a_damaged_checksum_is_damage_too(history: Path) -> None:
    (place(history, DAYS[0]) / SEAL).write_bytes(b"\xff")
    with pytest.raises(InputError, match=DAYS[0]):
        read_history(history)


def test_a_history_of_a_former_version_gets_its_checksums_with_the_next_snapshot(history: Path) -> None:
    for day in DAYS:
        (place(history, day) / SEAL).unlink()
    assert len(read_history(history)) == 90
    assert "checksum" not in "\n".join(check_history(history)["message"])
    (place(history, DAYS[0]) / FILE).write_bytes(b"PAR1")
    write_snapshot(read_history(history, as_of=DAYS[2]).drop(columns="as_of"), "2026-08-31", history)
    sealed = [(place(history, day) / SEAL).exists() for day in (*DAYS, "2026-08-31")]
    assert sealed == [False, True, True, True]
    assert sorted(path.name for path in history.iterdir() if path.name.startswith(".")) == []
    warnings = check_history(history)
    assert any("have no checksum" in message for message in warnings["message"])


@pytest.mark.parametrize("metadata", [b"[]", b'{"covariates": [1]}', b'{"covariates": {"varying": [3]}}', b"[" * 9999])
def test_odd_metadata_of_an_old_snapshot_is_damage(history: Path, metadata: bytes) -> None:
    from pyarrow import parquet

    file = place(history, DAYS[0]) / FILE
    (place(history, DAYS[0]) / SEAL).unlink()
    table = parquet.ParquetFile(file).read()
    parquet.write_table(table.replace_schema_metadata({**table.schema.metadata, b"winprob": metadata}), file)
    with pytest.raises(InputError, match=rf"{DAYS[0]}.*damaged"):
        read_history(history)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' + "9" * 5000 + "}"])
def test_a_manifest_of_deep_or_huge_json_is_one_message(history: Path, text: str) -> None:
    (history / "_winprob_history.json").write_text(text)
    with pytest.raises(HistoryError, match="cannot be read"):
        read_history(history)


# ---- absurd days ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", ["0999-12-31", "1989-12-31", "9999-12-31", str(dt.date.today().year + 2) + "-01-01"])
def test_a_day_that_no_export_has_is_refused_when_written(tmp_path: Path, day: str) -> None:
    with pytest.raises(HistoryError, match="cannot be the day of an export"):
        write_snapshot(pd.DataFrame({"deal_id": ["D1"]}), day, tmp_path / "h")
    assert not (tmp_path / "h").exists()
    Path(tmp_path, "d.csv").write_text("deal_id\nD1\n")
    arguments = ["snapshot", str(tmp_path / "d.csv"), "--as-of", day, "--history", str(tmp_path / "h")]
    assert CliRunner().invoke(main, arguments).exit_code == 1


@pytest.mark.parametrize("name", ["as_of=999-12-31", "as_of=0999-12-31", "as_of=2062-01-01"])
def test_a_history_that_has_such_a_day_stays_readable(history: Path, name: str) -> None:
    shutil.copytree(place(history, DAYS[0]), history / name)
    assert len(read_history(history)) == 120
    assert len(read_history(history, as_of=name.removeprefix("as_of=").zfill(10))) == 30
    assert len(check_history(history))
    assert write_snapshot(read_history(history, as_of=DAYS[0]).drop(columns="as_of"), "2026-08-31", history).added


# ---- forecast log ---------------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return Path(shutil.copytree(V1 / "forecasts", tmp_path / "log"))


def test_a_flipped_bit_of_a_logged_forecast_changes_nothing_or_is_named(log: Path) -> None:
    expected = winprob.read_forecasts(log)
    name = sorted(os.listdir(log))[0]
    whole = (log / name).read_bytes()
    named = 0
    for at in np.random.default_rng(2).integers(0, len(whole), 150):
        flip(log / name, int(at))
        try:
            pd.testing.assert_frame_equal(winprob.read_forecasts(log), expected)
        except InputError as refused:
            named += name in str(refused)
        (log / name).write_bytes(whole)
    assert named > 50


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', "[" * 9999, '{"format": ' + "9" * 5000 + "}"])
def test_damaged_metadata_of_a_logged_forecast_is_named(log: Path, text: str) -> None:
    from pyarrow import parquet

    name = sorted(os.listdir(log))[0]
    table = parquet.ParquetFile(log / name).read()
    metadata = {**table.schema.metadata, b"winprob_forecast": text.encode()}
    parquet.write_table(table.replace_schema_metadata(metadata), log / name)
    with pytest.raises(InputError, match=f"damaged forecasts: {name}"):
        winprob.read_forecasts(log)


@pytest.mark.parametrize("name", ["a" * 300, "bad\0name"])
def test_a_folder_of_a_name_that_cannot_be_is_one_message(tmp_path: Path, name: str) -> None:
    for read in (winprob.read_history, winprob.check_history, winprob.read_forecasts):
        with pytest.raises(winprob.WinprobError, match=r"does not exist|is not a folder of forecasts"):
            read(tmp_path / name)
    with pytest.raises(winprob.WinprobError):
        winprob.write_snapshot(pd.DataFrame({"deal_id": ["D1"]}), "2026-03-31", tmp_path / name)
