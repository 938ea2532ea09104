"""A large file read block by block gives the deals that reading it at once gives, or is left to that."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

import winprob
from tests.corpus.dialects import IDS
from tests.corpus.truth import Truth, deal_id
from tests.corpus.verdict import Case, cases
from tests.corpus.writing import write_export
from winprob.data.tables import NotInBlocksError, deal_blocks, write_blocks
from winprob.simulation import simulate

SMALL = 1500


def read_in_blocks(
    path: Path, mapping: object = None, *, encoding: str | None = None, size: int = SMALL
) -> pd.DataFrame:
    blocks = list(deal_blocks(path, mapping, encoding=encoding, rows=7, size=size))
    assert all(len(block) == 7 for block in blocks[:-1])
    return pd.concat(blocks, ignore_index=True)


def long_table(case: Case) -> Case:
    """The case with its rows many times over, under new ids, as CSV or Parquet."""
    style = {"salesforce": "salesforce", "hubspot": "digits", "dynamics": "guid"}.get(str(case.dialect.preset), IDS[0])
    rows = [
        {**row, "deal_id": deal_id(17 * turn + at + 1, style)}
        for turn in range(6)
        for at, row in enumerate(case.truth.rows)
    ]
    kind = "parquet" if case.dialect.kind == "parquet" else "csv"
    truth = Truth(columns=case.truth.columns, rows=tuple(rows), script=case.truth.script)
    return Case(dialect=replace(case.dialect, kind=kind), truth=truth)


def test_blocks_of_any_export_are_the_whole(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(cases())
    def same_or_left_to_reading_at_once(case: Case) -> None:
        case = long_table(case)
        export = write_export(case.truth, case.dialect, tmp_path)
        try:
            parts = read_in_blocks(export.path, export.mapping, encoding=export.encoding)
        except NotInBlocksError:
            parts = None
        try:
            whole = winprob.read_deals(export.path, export.mapping, encoding=export.encoding)
        except winprob.WinprobError:
            assert parts is None, "read in blocks, and refused at once"
            counts["refused"] += 1
            return
        counts["at once" if parts is None else "in blocks"] += 1
        if parts is not None:
            known = [name for name in whole if name in case.truth.columns or name == "currency"]
            pd.testing.assert_frame_equal(parts[known], whole[known])

    same_or_left_to_reading_at_once()
    assert counts["in blocks"] > counts["at once"], counts


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    return simulate(40, 300, seed=4).open


def written(deals: pd.DataFrame, path: Path, **options: object) -> Path:
    deals.to_csv(path, index=False, date_format="%Y-%m-%d", **options)
    return path


def test_a_date_is_settled_by_a_row_of_another_block(deals: pd.DataFrame, tmp_path: Path) -> None:
    days = ["03/04/2026"] * 299 + ["13/04/2026"]
    path = written(deals.assign(opened_on=days), tmp_path / "deals.csv")
    assert read_in_blocks(path, size=4000)["opened_on"].iloc[0] == pd.Timestamp("2026-04-03")


def test_a_cell_with_line_ends_is_not_cut(deals: pd.DataFrame, tmp_path: Path) -> None:
    path = written(deals.assign(product='a "yes"\nor "no"'), tmp_path / "deals.csv")
    whole = winprob.read_deals(path)
    pd.testing.assert_frame_equal(read_in_blocks(path, size=3000)[whole.columns], whole)


@pytest.mark.parametrize(
    "damage",
    [
        lambda deals: deals.assign(deal_id=deals["deal_id"].where(deals.index != 299, deals["deal_id"].iloc[0])),
        lambda deals: deals.assign(amount=deals["amount"].astype(object).where(deals.index != 250, "lots")),
        lambda deals: deals.assign(stage=deals["stage"].where(deals.index != 299, "nowhere")),
    ],
)
def test_what_reading_at_once_refuses_is_not_read_in_blocks(damage, deals: pd.DataFrame, tmp_path: Path) -> None:
    path = written(damage(deals), tmp_path / "deals.csv")
    with pytest.raises(winprob.WinprobError):
        winprob.read_deals(path)
    with pytest.raises(NotInBlocksError):
        read_in_blocks(path, size=4000)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_written_in_blocks_is_written_at_once(suffix: str, deals: pd.DataFrame, tmp_path: Path) -> None:
    table = deals[["deal_id", "amount", "seller"]].assign(seller="=1+1")
    winprob.write_table(table, tmp_path / f"once.{suffix}")
    write_blocks(iter([table.iloc[:100], table.iloc[100:]]), tmp_path / f"blocks.{suffix}", suffix)
    once, blocks = tmp_path / f"once.{suffix}", tmp_path / f"blocks.{suffix}"
    if suffix == "csv":
        assert blocks.read_bytes() == once.read_bytes()
    else:
        pd.testing.assert_frame_equal(pd.read_parquet(blocks), pd.read_parquet(once))


def test_nothing_is_written_where_a_block_fails(deals: pd.DataFrame, tmp_path: Path) -> None:
    def blocks():
        yield deals[["deal_id"]]
        raise NotInBlocksError("later")

    with pytest.raises(NotInBlocksError):
        write_blocks(blocks(), tmp_path / "out.csv", "csv")
    assert list(tmp_path.iterdir()) == []
