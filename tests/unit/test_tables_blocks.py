"""A large file read block by block gives the deals that reading it at once gives, or is left to that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

import winprob
from tests.corpus.dialects import IDS
from tests.corpus.truth import Truth, deal_id
from tests.corpus.verdict import Case, cases
from tests.corpus.writing import write_export
from winprob.data.tables import NotInBlocksError, blocks, deal_blocks, pieces, write_blocks
from winprob.simulation import simulate

SMALL = 1500


def read_in_blocks(
    path: Path, mapping: object = None, *, encoding: str | None = None, size: int = SMALL
) -> pd.DataFrame:
    blocks = list(deal_blocks(path, mapping, encoding=encoding, rows=7, size=size))
    assert all(len(block) == 7 for block in blocks[:-1])
    together = pd.concat(blocks, ignore_index=True)
    assert all(block.attrs == blocks[0].attrs for block in blocks)
    together.attrs = blocks[0].attrs
    return together


def assert_same(
    path: Path, caplog: pytest.LogCaptureFixture, mapping: object = None, *, size: int = SMALL
) -> list[str]:
    """Read in blocks and at once: the same cells, types and attributes, and the same warnings, which it returns."""
    with many_pieces(size):
        parts = read_in_blocks(path, mapping, size=size)
    in_blocks = caplog.messages[:]
    caplog.clear()
    whole = winprob.read_deals(path, mapping)
    pd.testing.assert_frame_equal(parts, whole, check_exact=True)
    assert parts.attrs == whole.attrs
    assert in_blocks == caplog.messages
    return in_blocks


@contextmanager
def many_pieces(size: int) -> Iterator[None]:
    """Check that a file read inside comes in several pieces."""
    read = blocks.pieces
    counts: list[int] = []

    def counted(*given: object) -> Iterator[object]:
        counts.append(0)
        for piece in read(*given):
            counts[-1] += 1
            yield piece

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "pieces", counted)
        yield
    assert min(counts) > 2, (counts, size)


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
            pd.testing.assert_frame_equal(parts, whole, check_exact=True)
            assert parts.attrs == whole.attrs

    same_or_left_to_reading_at_once()
    assert counts["in blocks"] > 2 * counts["at once"], counts


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    return simulate(40, 300, seed=4).open


def written(deals: pd.DataFrame, path: Path, **options: object) -> Path:
    deals.to_csv(path, index=False, date_format="%Y-%m-%d", **options)
    return path


def test_a_date_is_settled_by_a_row_of_another_block(deals, tmp_path, caplog) -> None:
    days = ["03/04/2026"] * 299 + ["13/04/2026"]
    path = written(deals.assign(opened_on=days, closed_on=""), tmp_path / "deals.csv")
    assert_same(path, caplog, size=4000)
    assert read_in_blocks(path, size=4000)["opened_on"].iloc[0] == pd.Timestamp("2026-04-03")


def test_a_decimal_comma_is_settled_by_a_row_of_another_block(deals, tmp_path, caplog) -> None:
    path = written(deals.assign(amount=["1.234"] * 299 + ["1.234,56"]), tmp_path / "deals.csv", sep=";")
    assert_same(path, caplog, size=4000)
    assert read_in_blocks(path, size=4000)["amount"].iloc[0] == 1234.0


def test_a_level_of_two_spellings_takes_the_more_frequent_of_the_file(deals, tmp_path, caplog) -> None:
    # In the first blocks the other spelling is the more frequent one.
    regions = ["NORTH"] * 60 + ["South"] + ["North"] * 239
    path = written(deals.assign(region=regions), tmp_path / "deals.csv")
    assert_same(path, caplog, size=4000)
    assert set(read_in_blocks(path, size=4000)["region"]) == {"North", "South"}


def test_a_title_and_a_footer_at_the_end_are_left_out(deals, tmp_path, caplog) -> None:
    path = written(deals, tmp_path / "deals.csv")
    blank = "," * (deals.shape[1] - 1)
    total = ",".join("Total" if name == "seller" else "98765" if name == "amount" else "" for name in deals)
    path.write_text(f"Pipeline{blank}\n{blank}\n{path.read_text()}{total}\n{blank}\nGenerated by: admin{blank}\n")
    warnings = assert_same(path, caplog, size=4000)
    assert len(warnings) == 1
    assert "3 rows of the file are not deals" in warnings[0]
    assert "98765" in warnings[0]


def test_a_repeated_header_is_left_out_of_each_block(deals, tmp_path, caplog) -> None:
    lines = written(deals, tmp_path / "deals.csv").read_text().splitlines()
    pages = [[lines[0], *lines[start : start + 50]] for start in range(1, len(lines), 50)]
    (tmp_path / "pages.csv").write_text("\n".join(line for page in pages for line in page) + "\n")
    assert_same(tmp_path / "pages.csv", caplog, size=4000)


def test_blank_rows_below_the_last_are_any_number(deals, tmp_path, caplog) -> None:
    path = written(deals, tmp_path / "deals.csv")
    path.write_text(path.read_text() + ("," * (deals.shape[1] - 1) + "\n") * 1000)
    assert_same(path, caplog, size=4000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_the_form_is_learned_from_the_first_whole_rows(encoding: str, deals, tmp_path, caplog, monkeypatch) -> None:
    path = tmp_path / "deals.csv"
    deals.assign(account='甲公司 "A"\n\n乙').to_csv(path, index=False, date_format="%Y-%m-%d", encoding=encoding)
    monkeypatch.setattr(pieces, "_HEAD", 5000)
    assert_same(path, caplog, size=4000)


def test_a_total_between_the_rows_is_left_to_reading_at_once(deals, tmp_path) -> None:
    lines = written(deals, tmp_path / "deals.csv").read_text().splitlines()
    total = ",".join("Subtotal" if name == "seller" else "98765" if name == "amount" else "" for name in deals)
    (tmp_path / "groups.csv").write_text("\n".join([*lines[:100], total, *lines[100:]]) + "\n")
    assert len(winprob.read_deals(tmp_path / "groups.csv")) == len(deals)
    with pytest.raises(NotInBlocksError):
        read_in_blocks(tmp_path / "groups.csv", size=4000)


def test_warnings_count_the_rows_and_the_money_of_all_blocks(deals, tmp_path, caplog) -> None:
    odd = np.arange(len(deals)) % 50 == 7
    table = deals.assign(
        amount=deals["amount"].where(~odd, -1000.0),
        opened_on=deals["opened_on"].astype(object).where(np.arange(len(deals)) % 40 != 3, pd.Timestamp("1900-01-01")),
    )
    table = pd.concat([table, table.iloc[:5].assign(deal_id=[f"X{at}" for at in range(5)])])
    warnings = assert_same(written(table, tmp_path / "deals.csv"), caplog, size=4000)
    assert [sum(word in text for text in warnings) for word in ("negative", "1970", "repeat")] == [1, 1, 0]
    assert "-6,000" in next(text for text in warnings if "negative" in text)


def test_ids_by_row_number_go_on_from_block_to_block(deals, tmp_path, caplog) -> None:
    path = written(deals.drop(columns="deal_id"), tmp_path / "deals.csv")
    mapping = {"columns": {"deal_id": {"row_number": True}, "amount": "amount", "stage": "stage"}}
    assert_same(path, caplog, mapping, size=4000)


def test_percentages_in_one_block_and_numbers_in_another_are_refused_together(deals, tmp_path) -> None:
    path = written(deals.assign(discount=["5%"] * 150 + ["40"] * 150), tmp_path / "deals.csv")
    mapping = {"columns": {"deal_id": "deal_id"}, "covariates": {"numeric": ["discount"]}}
    with pytest.raises(winprob.WinprobError, match="percentages"):
        winprob.read_deals(path, mapping)
    with pytest.raises(NotInBlocksError):
        read_in_blocks(path, mapping, size=4000)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_preset_reads_each_block(suffix: str, tmp_path, caplog) -> None:
    rows = 200
    stages = ["Prospecting", "Proposal/Price Quote", "Closed Won", "Closed Lost"]
    table = pd.DataFrame(
        {
            "Id": [f"006Qx{at:010d}" for at in range(rows)],
            "StageName": [stages[at % 4] for at in range(rows)],
            "IsClosed": [str(at % 4 > 1).lower() for at in range(rows)],
            "IsWon": [str(at % 4 == 2).lower() for at in range(rows)],
            "Amount": [f"{at * 1000 + 17}.5" for at in range(rows)],
            "CreatedDate": "2026-01-05T09:30:00.000+0000",
            "CloseDate": "2026-09-30",
            "OwnerId": [f"005Qx{at % 7:010d}" for at in range(rows)],
        }
    )
    path = tmp_path / f"deals.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path, index=False)
    assert_same(path, caplog, {"preset": "salesforce"}, size=4000)


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
