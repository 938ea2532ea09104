"""``check`` lists what was read from where, what was not found, what the file is not ready for, and hindsight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winprob import check_file
from winprob.data.schema import validate_deals
from winprob.data.tables import filled_for_won, hindsight


def check(folder: Path, table: pd.DataFrame, **options: object) -> pd.DataFrame:
    path = folder / "deals.csv"
    table.to_csv(path, index=False)
    return check_file(path, **options)  # type: ignore[arg-type]


def messages(findings: pd.DataFrame, severity: str, column: str = "") -> list[str]:
    chosen = (findings["severity"] == severity) & ((findings["column"] == column) | (not column))
    return findings.loc[chosen, "message"].tolist()


def closed(rows: int = 60, **columns: object) -> pd.DataFrame:
    """Closed deals, half of them won; known a month before they closed."""
    facts = {"outcome": ["won", "lost"] * (rows // 2), "as_of": "2026-01-01", "closed_on": "2026-02-01", "amount": 5}
    return pd.DataFrame({"deal_id": [f"D{at}" for at in range(rows)], **facts, **columns})


def test_every_column_has_its_source_and_the_share_that_is_known(tmp_path: Path) -> None:
    table = pd.DataFrame({"Opportunity ID": ["a", "b", "c"], "Deal Value": [1, None, 3], "Owner": ["x", "y", "z"]})
    mapping = {"columns": {"deal_id": "Opportunity ID", "amount": "Deal Value", "seller": "Owner"}}
    findings = check(tmp_path, table, mapping=mapping)
    assert messages(findings, "note", "deal_id") == ["read from 'Opportunity ID', known in 100% of the rows"]
    assert "read from 'Deal Value', known in 67% of the rows" in messages(findings, "note", "amount")
    assert findings.loc[findings["column"] == "amount", "rows"].tolist() == [1]
    (missing,) = [text for text in messages(findings, "note") if text.startswith("not found")]
    assert {"outcome", "closed_on", "approver_support"} <= set(missing.split(": ")[1].split(", "))
    assert "amount" not in missing


def test_a_column_with_one_gap_is_not_called_full(tmp_path: Path) -> None:
    table = pd.DataFrame({"Deal ID": [f"D{at}" for at in range(1000)], "Deal Size": [*range(999), None]})
    findings = check(tmp_path, table, mapping={"columns": {"deal_id": "Deal ID", "amount": "Deal Size"}})
    assert "read from 'Deal Size', known in 99% of the rows" in messages(findings, "note", "amount")


def test_recognised_headers_and_the_people_table_are_sources_too(tmp_path: Path) -> None:
    people = pd.DataFrame({"deal_id": ["a", "b"], "person": "P", "role": "approver", "support": 3})
    findings = check(tmp_path, pd.DataFrame({"商机编号": ["a", "b"], "金额": [1, 2]}), people=people)
    assert "read from '金额', known in 100% of the rows" in messages(findings, "note", "amount")
    assert "read from the people table, known in 100% of the rows" in messages(findings, "note", "approver_support")


def test_a_file_without_outcome_and_amount_is_not_ready_for_training_and_forecast(tmp_path: Path) -> None:
    lacking = check(tmp_path, pd.DataFrame({"deal_id": ["a", "b"], "stage": "decision"})).attrs["not_ready"]
    assert any(text.startswith("not ready for training: column 'outcome' is missing") for text in lacking)
    assert any(text.startswith("not ready for a forecast of bookings") for text in lacking)
    assert any(text.startswith("not ready to learn the roles' weights") for text in lacking)


@pytest.mark.parametrize("blank", [True, False])
def test_a_blank_column_is_as_good_as_none(tmp_path: Path, blank: bool) -> None:
    table = closed(20, amount=None) if blank else closed(20)
    lacking = check(tmp_path, table.assign(approver_support=3)).attrs["not_ready"]
    assert [text.split(":")[0] for text in lacking] == (["not ready for a forecast of bookings"] if blank else [])


def test_closed_deals_without_days_do_not_show_when_deals_close(tmp_path: Path) -> None:
    lacking = check(tmp_path, closed(20).drop(columns="as_of")).attrs["not_ready"]
    assert "not ready to learn when deals close: no closed deal has a known 'as_of'" in lacking


# --- hindsight ------------------------------------------------------------------------------------------------------


def test_without_as_of_every_closed_row_is_hindsight(tmp_path: Path) -> None:
    (warning,) = messages(check(tmp_path, closed(20).drop(columns="as_of")), "warning", "as_of")
    assert warning.startswith("20 closed deals have no 'as_of', first deal 'D0'")
    assert "hindsight" in warning
    assert not messages(check(tmp_path, closed(20)), "warning", "as_of")
    assert not list(hindsight(pd.DataFrame({"deal_id": ["a"], "outcome": "open"})))
    late = validate_deals(closed(20, as_of="2026-03-01"))
    assert ["after 'closed_on' in 20 rows" in finding.message for finding in hindsight(late)] == [True]


def test_an_amount_filled_in_at_the_close_is_named_where_the_gap_is_beyond_chance(tmp_path: Path) -> None:
    """Filled for 90 % of the won and 45 % of the others: a model learns from the blank."""
    rng = np.random.default_rng(0)
    table = closed(200).drop(columns="as_of")
    kept = rng.random(200) < np.where(table["outcome"] == "won", 0.9, 0.45)
    table["amount"] = table["amount"].where(kept)
    (warning,) = messages(check(tmp_path, table), "warning", "amount")
    assert "whether it is filled gives the outcome away" in warning
    assert [finding.column for finding in hindsight(table)] == ["as_of", "amount"]
    known_before = table.assign(as_of="2026-01-01")
    assert not messages(check(tmp_path, known_before), "warning", "amount")


def test_the_gap_must_be_beyond_chance_and_large() -> None:
    def found(won: tuple[int, int], other: tuple[int, int], gap: float) -> bool:
        filled = np.repeat([True, False, True, False], [won[0], won[1] - won[0], other[0], other[1] - other[0]])
        is_won = np.arange(len(filled)) < won[1]
        return bool(list(filled_for_won("amount", filled, is_won, ~is_won, gap=gap)))

    assert found((95, 100), (55, 100), 0.3)
    assert not found((95, 100), (70, 100), 0.3), "0.25 apart: too small to matter"
    assert not found((9, 12), (4, 12), 0.3), "0.42 apart in a dozen deals: chance"
    assert not found((95, 100), (55, 100), 0.5)
    assert found((10, 10), (1, 10), 0.8)


def test_columns_that_no_model_learns_from_are_held_to_the_wider_gap(tmp_path: Path) -> None:
    table = closed(200).drop(columns="as_of")
    other = table["outcome"] == "lost"
    few = np.arange(200) % 4 < 2
    table = table.assign(
        loss_note=np.where(other & few, "price", None), rep_probability=np.where(other & few, 0.5, None)
    )
    findings = check(tmp_path, table)
    assert not messages(findings, "warning", "loss_note")
    assert not messages(findings, "warning", "rep_probability")


def test_no_false_alarms_on_sound_deals(team) -> None:
    assert not list(hindsight(team.closed))
    blanked = team.closed.drop(columns="as_of")
    assert [finding.column for finding in hindsight(blanked)] == ["as_of"]
