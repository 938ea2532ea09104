from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from winprob.data.tables import check_file, read_deals
from winprob.errors import DealTableError

DEALS = "deal_id,outcome,approver_support,approver_coverage\nD1,won,1,identified\nD2,lost,4,\nD3,open,,\n"


@pytest.fixture
def deals(tmp_path: Path) -> Path:
    path = tmp_path / "deals.csv"
    path.write_text(DEALS)
    return path


def people(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_people_of_one_role_are_weighted_by_influence(deals: Path) -> None:
    table = people(
        deal_id=["D1", "D1", "D1", "D2"],
        person=["Wu", "Li", "Xu", "Li"],
        role=["approver", "决策审批者", "approver", "approver; evaluator"],
        support=[4, "支持", None, 2],
        influence=[1, 3, 4, None],
        coverage=["contacted", "", "engaged", "unknown"],
    )
    read = read_deals(deals, people=table)
    assert read["approver_readings"].fillna("").tolist() == ["3*3 4*1", "2*2", ""]
    assert read["approver_support"].fillna(-1).tolist() == [3, 2, -1]  # (3*3 + 4*1) / 4 = 3.25
    assert read["approver_coverage"].fillna("").tolist() == ["engaged", "unknown", ""]
    assert read["evaluator_readings"].fillna("").tolist() == ["", "2*2", ""]
    assert "influencer_support" not in read
    shuffled = read_deals(deals, people=table.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(shuffled, read)


def test_a_half_is_rounded_up(deals: Path) -> None:
    table = people(deal_id=["D1", "D1"], person=["a", "b"], role=["approver"] * 2, support=[2, 3])
    assert read_deals(deals, people=table)["approver_support"][0] == 3


def test_where_people_are_silent_the_deal_table_speaks(deals: Path) -> None:
    table = people(deal_id=["D1"], person=["a"], role=["approver"], support=[None], coverage=[None])
    read = read_deals(deals, people=table)
    assert read["approver_support"].fillna(-1).tolist() == [1, 4, -1]
    assert read["approver_coverage"][0] == "identified"


def test_the_rubric_gives_support(deals: Path) -> None:
    items = ["support_given", "cooperation", "contact_frequency", "trust", "solution_recognition"]
    rated = {item: [4, 1, 2] for item in items}
    table = people(
        deal_id=["D1", "D2", "D3"], person=["a"] * 3, role=["evaluator"] * 3, **rated, support=[None, 3, None]
    )
    assert read_deals(deals, people=table)["evaluator_support"].tolist() == [4, 3, 2]


def test_dates_of_people(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,as_of\nD1,2026-01-01\nD1,2026-04-01\n")
    table = people(
        deal_id=["D1", "D1", "D1"],
        as_of=["2026-01-01", "2026年4月1日", None],
        person=["a", "a", "b"],
        role=["approver"] * 3,
        support=[1, 4, 2],
    )
    assert read_deals(path, people=table)["approver_readings"].tolist() == ["1*2 2*2", "4*2 2*2"]
    path.write_text("deal_id\nD1\n")
    with pytest.raises(DealTableError, match="people of several dates"):
        read_deals(path, people=table)
    assert read_deals(path, people=table.iloc[[0]])["approver_support"].tolist() == [1]


def test_disagreement_and_strays_are_warned_of(deals: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("商机编号,姓名,角色,支持度\nD1,a,审批者,4\nD9,a,审批者,4\n", encoding="gbk")
    found = check_file(deals, people=path)
    warnings = found[found["severity"] == "warning"]["message"].tolist()
    assert any(
        "'approver_support' differs" in text and "'D1': 1 and 4; the people table is used" in text for text in warnings
    )
    assert any("1 rows match no deal and date" in text and "'D9'" in text for text in warnings)
    assert read_deals(deals, people=path)["approver_support"][0] == 4


def test_one_person_twice_in_a_role(deals: Path) -> None:
    table = people(deal_id=["D1", "D1"], person=["a", "a"], role=["approver"] * 2, support=[1, 4])
    with pytest.raises(DealTableError, match="listed more than once for one deal, date and role in 1 rows"):
        read_deals(deals, people=table)
