from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winprob.data.tables import FORMATS, read_deals, replacing, resolve_format, write_table
from winprob.errors import OutputError

FRAME = pd.DataFrame(
    {
        "deal_id": ["D1", '客户, "二"\n三'],
        "as_of": pd.to_datetime(["2026-06-30", None]),
        "amount": [0.1 + 0.2, np.nan],
        "n": [1, 2],
        "stage": ["approval", np.nan],
        "flag": [True, False],
    },
    index=[5, 6],
)


@pytest.mark.parametrize("format", ["csv", "xlsx", "parquet"])
def test_what_is_written_reads_back(format: str, tmp_path: Path) -> None:
    before = FRAME.copy(deep=True)
    path = tmp_path / f"out.{format}"
    write_table(FRAME, path, format)
    pd.testing.assert_frame_equal(FRAME, before)
    read = read_deals(path)
    assert read["deal_id"].tolist() == FRAME["deal_id"].tolist()
    assert read["amount"][0] == pytest.approx(0.1 + 0.2, rel=1e-15)
    assert read["as_of"][0] == pd.Timestamp(2026, 6, 30)
    assert read.isna().sum().sum() == 3
    assert os.listdir(tmp_path) == [path.name]


def test_json_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table(FRAME.assign(lift=[np.inf, -1.5]), tmp_path / "out.json", "json")
    records = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert records[0] == {
        "deal_id": "D1", "as_of": "2026-06-30", "amount": 0.1 + 0.2, "n": 1, "stage": "approval", "flag": True,
        "lift": None,
    }  # fmt: skip
    assert records[1]["amount"] is None
    assert records[1]["as_of"] is None
    write_table(FRAME.iloc[:0], None, "json")
    assert json.loads(capsys.readouterr().out) == []


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(FRAME[["deal_id", "n"]].iloc[:1], None, "csv")
    assert capsys.readouterr().out == "deal_id,n\nD1,1\n"
    with pytest.raises(OutputError, match="xlsx cannot be printed"):
        write_table(FRAME, None, "xlsx")
    with pytest.raises(OutputError, match="unknown format 'yaml'"):
        write_table(FRAME, None, "yaml")


def test_the_format_is_taken_from_the_suffix(tmp_path: Path) -> None:
    for name in FORMATS:
        write_table(FRAME, tmp_path / f"a.{name}")
        write_table(FRAME, tmp_path / "b", name)
        assert (tmp_path / f"a.{name}").read_bytes() == (tmp_path / "b").read_bytes()
    write_table(FRAME, tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert (tmp_path / "a.xlsx").read_bytes().startswith(b"PK")
    with pytest.raises(OutputError, match=r"unknown suffix '\.txt'; accepted: \.csv, \.json, \.xlsx, \.parquet\."):
        write_table(FRAME, tmp_path / "a.txt")
    assert not (tmp_path / "a.txt").exists()


@pytest.mark.parametrize(
    ("name", "given", "default", "expected"),
    [
        ("x.csv", None, "table", "csv"),
        ("x.JSON", "json", "table", "json"),
        ("x.txt", None, "table", "table"),
        ("x", None, "table", "table"),
        ("x", "json", "table", "json"),
        ("folder.d/x", None, "csv", "csv"),
        (".csv", "json", "csv", "json"),
    ],
)
def test_resolve_format(name: str, given: str | None, default: str, expected: str) -> None:
    assert resolve_format(name, given, default=default) == expected


def test_a_format_must_not_contradict_the_suffix() -> None:
    with pytest.raises(OutputError, match="suffix means xlsx, and --format is csv"):
        resolve_format("x.xlsx", "csv")


def test_a_table_too_large_for_a_worksheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="1048576 rows and 1 columns do not fit"):
        write_table(pd.DataFrame({"n": np.zeros(1_048_576)}), tmp_path / "x.xlsx")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_an_output_error(format: str) -> None:
    with pytest.raises(OutputError, match="No space left"):
        write_table(FRAME, "/dev/full", format)


def test_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(KeyError), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_a_device_is_written_to_not_replaced() -> None:
    write_table(FRAME, "/dev/null", "csv")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\n=", "\r\n@", "\t", "\v", " =", "\ufeff="]
)
@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_no_text_begins_like_a_formula(tmp_path: Path, start: str, format: str) -> None:
    text = f"{start}cmd|'/c calc'!A1"
    write_table(pd.DataFrame({"deal_id": [text], text: ["a"]}), tmp_path / f"x.{format}")
    read = pd.read_csv(tmp_path / "x.csv") if format == "csv" else pd.read_excel(tmp_path / "x.xlsx", engine="calamine")
    assert read["deal_id"][0].startswith("'")
    assert read.columns[1].startswith("'")


def test_text_that_holds_such_marks_elsewhere_is_unchanged(tmp_path: Path) -> None:
    texts = ["A=B", "a＋b", "D\n=1", "1－2", "x@y.z", " plain"]
    write_table(pd.DataFrame({"deal_id": texts}), tmp_path / "x.csv")
    assert pd.read_csv(tmp_path / "x.csv")["deal_id"].tolist() == texts
