"""Exports of Pipedrive, Zoho, Odoo and Chinese CRMs under their documented headers; names shown next to ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from winprob.data.history import read_history, write_snapshot
from winprob.data.schema import NAMES, fact_columns
from winprob.data.tables import check_file, read_changes, read_deals

ROWS = {
    "pipedrive": """
1,Acme rollout,"1,000",EUR,Acme,Ann,Qualified,Open,2026-01-05 09:30,2026-12-31,,20
2,Borg,5000,EUR,Borg Ltd,Bob,Negotiations Started,Won,2026-01-05 09:30,2026-03-31,2026-04-03 18:00,90
3,Cyber,2000,EUR,Cyber,Bob,Proposal Made,Lost,2026-02-01 09:30,2026-05-31,2026-04-15 18:00,50
4,Delta,,EUR,Delta,Ann,Own stage,Open,2026-02-01 09:30,2026-11-15,,
""",
    "zoho": """
zcrm_1,Acme rollout,1000,EUR,Acme,Ann,Needs Analysis,2026-01-05 09:30:00,2026-12-31,20
zcrm_2,Borg,5000,EUR,Borg Ltd,Bob,Closed Won,2026-01-05 09:30:00,2026-04-03,100
zcrm_3,Cyber,2000,EUR,Cyber,Bob,Closed Lost to Competition,2026-02-01 09:30:00,2026-04-15,0
zcrm_4,Delta,,EUR,,Ann,Own stage,2026-02-01 09:30:00,2026-11-15,40
""",
    "odoo": """
41,Acme rollout,1000.00,EUR,Acme,Ann,Qualified,pending,True,2026-01-05 09:30:00,2026-12-31,,20.00
42,Borg,5000.00,EUR,Borg Ltd,Bob,Won,won,True,2026-01-05 09:30:00,2026-03-31,2026-04-03 18:00:00,100.00
43,Cyber,2000.00,EUR,Cyber,Bob,Proposition,lost,False,2026-02-01 09:30:00,2026-05-31,2026-04-15 18:00:00,0.00
44,Delta,,EUR,Delta,Ann,Own stage,pending,True,2026-02-01 09:30:00,2026-11-15,,40.00
""",
    "chinese": """
S1,Acme rollout,1000,EUR,Acme,Ann,需求确定,进行中,2026-01-05 09:30,2026-12-31,,20
S2,Borg,5000,EUR,Borg Ltd,Bob,谈判审核,赢单,2026-01-05 09:30,2026-03-31,2026-04-03,90
S3,Cyber,2000,EUR,Cyber,Bob,方案/报价,丢单,2026-02-01 09:30,2026-05-31,2026-04-15,50
S4,Delta,,EUR,Delta,Ann,自定义,进行中,2026-02-01 09:30,2026-11-15,,
""",
}
HEADERS = {
    "pipedrive": [
        "Deal - ID,Deal - Title,Deal - Value,Deal - Currency of value,Deal - Organization,Deal - Owner,Deal - Stage,"
        "Deal - Status,Deal - Deal created,Deal - Expected close date,Deal - Deal closed on,Deal - Probability",
        "id,title,value,currency,org_name,owner_name,stage_name,status,add_time,expected_close_date,close_time,probability",
    ],
    "zoho": [
        "Record Id,Deal Name,Amount,Currency,Account Name,Deal Owner,Stage,Created Time,Closing Date,Probability (%)",
        "id,Deal_Name,Amount,Currency,Account_Name,Owner,Stage,Created_Time,Closing_Date,Probability",
    ],
    "odoo": [
        "ID,Opportunity,Expected Revenue,Currency,Customer,Salesperson,Stage,Is Won,Active,Created on,Expected Closing,"
        "Closed Date,Probability",
        "id,name,expected_revenue,company_currency,partner_id,user_id,stage_id,won_status,active,create_date,"
        "date_deadline,date_closed,probability",
    ],
    "chinese": [
        "商机编号,商机名称,预计成交金额,币种,客户名称,负责人,商机阶段,商机状态,创建时间,预计成交日期,实际成交日期,赢率",
        "数据ID,商机名称,商机金额（元）,币种,客户名称,商机所有人,销售阶段,阶段状态,创建日期,预计结单日期,实际结单日期,赢率（%）",
    ],
}
STAGES = {
    "pipedrive": ["difficulty", "decision", "evaluation", ""],
    "zoho": ["exploration", "", "", ""],
    "odoo": ["exploration", "", "evaluation", ""],
    "chinese": ["exploration", "decision", "evaluation", ""],
}
EVERY = [(preset, header) for preset, headers in HEADERS.items() for header in headers]


def write(tmp_path: Path, text: str, name: str = "export.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def days(values: pd.Series) -> list[str]:
    return values.dt.strftime("%Y-%m-%d").fillna("").tolist()


def words(values: pd.Series) -> list[Any]:
    return values.fillna("").tolist()


@pytest.mark.parametrize(("preset", "header"), EVERY)
def test_documented_headers_of_a_crm_are_read(tmp_path: Path, preset: str, header: str) -> None:
    path = write(tmp_path, header + ROWS[preset])
    deals = read_deals(path, {"preset": preset})
    assert deals["outcome"].tolist() == ["open", "won", "lost", "open"]
    assert deals["amount"].tolist()[:3] == [1000, 5000, 2000]
    assert words(deals["stage"]) == STAGES[preset]
    assert days(deals["opened_on"]) == ["2026-01-05", "2026-01-05", "2026-02-01", "2026-02-01"]
    assert days(deals["closed_on"]) == ["", "2026-04-03", "2026-04-15", ""]
    assert days(deals["expected_close_on"])[::3] == ["2026-12-31", "2026-11-15"]
    assert deals["rep_probability"].fillna(-1).tolist()[:3] == [0.2, -1, -1]
    assert deals["currency"].tolist() == ["EUR"] * 4
    assert words(deals["seller"]) == ["Ann", "Bob", "Bob", "Ann"]
    assert words(deals["deal_name"]) == ["Acme rollout", "Borg", "Cyber", "Delta"]
    assert words(deals["account_name"])[:3] == words(deals["account"])[:3] == ["Acme", "Borg Ltd", "Cyber"]
    assert "error" not in set(check_file(path, {"preset": preset})["severity"])


def test_an_odoo_export_without_its_won_status_has_lost_deals_where_they_are_archived(tmp_path: Path) -> None:
    rows = "id,stage_id,active,probability\n1,Won,True,100\n2,New,False,0\n3,New,True,30\n"
    assert read_deals(write(tmp_path, rows), {"preset": "odoo"})["outcome"].tolist() == ["won", "lost", "open"]
    rows = "id,stage_id\n1,Won\n2,New\n"
    assert read_deals(write(tmp_path, rows), {"preset": "odoo"})["outcome"].tolist() == ["won", "open"]


def test_a_chinese_stage_alone_gives_the_outcome(tmp_path: Path) -> None:
    stages = ["赢单", "成交", "输单", "丢单", "无效", "需求确定"]
    text = "编号,商机阶段\n" + "".join(f"{at},{stage}\n" for at, stage in enumerate(stages))
    deals = read_deals(write(tmp_path, text), {"preset": "chinese"})
    assert deals["outcome"].tolist() == ["won", "won", "lost", "lost", "no_decision", "open"]


def test_a_chinese_log_of_changes(tmp_path: Path) -> None:
    log = "商机编号,修改时间,字段名称,修改前,修改后\nS1,2026-03-01 10:00,商机阶段,验证客户,需求确定\n"
    changes, _ = read_changes(write(tmp_path, log), {"preset": "chinese"})
    stage = changes[changes["field"] == "stage"].iloc[0]
    assert (stage["old"], stage["new"]) == ("difficulty", "exploration")


@pytest.mark.parametrize(
    ("preset", "header", "word"),
    [
        ("salesforce", "Id,StageName,ForecastCategoryName", "75% - Commit"),
        ("dynamics", "opportunityid,statecode,Forecast category", "75% - Commit"),
        ("dynamics", "opportunityid,statecode,msdyn_forecastcategory", "100000009"),
        ("hubspot", "Record ID,Deal Stage,Forecast category", "Stretch"),
        ("zoho", "Record Id,Stage,Forecast Category", "Stretch"),
        ("chinese", "编号,商机阶段,预测类别", "把握大"),
    ],
)
def test_a_forecast_category_of_ones_own_is_unknown_and_counted(
    tmp_path: Path, preset: str, header: str, word: str
) -> None:
    path = write(tmp_path, f"{header}\n1,0,{word}\n2,0,Pipeline\n")
    assert words(read_deals(path, {"preset": preset})["rep_category"])[0] == ""
    findings = check_file(path, {"preset": preset})
    note = findings[(findings["column"] == "rep_category") & (findings["severity"] == "note")].iloc[0]
    assert f"read as unknown: '{word}' (1)" in note["message"]


def test_a_forecast_category_that_is_a_null_word_is_blank_and_not_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "Id,StageName,ForecastCategoryName\n1,Prospecting,null\n2,Prospecting,Pipeline\n")
    assert not check_file(path, {"preset": "salesforce"})["message"].str.contains("read as unknown").any()


def test_names_are_kept_next_to_ids_and_are_no_facts(tmp_path: Path) -> None:
    text = "Id,Name,AccountId,Account.Name,OwnerId,Owner.Name,StageName,CreatedDate\n"
    text += "006Dn000003KmPX,Big deal,001Dn000003KmPX,Acme,005Dn000003KmPX,Ann,Prospecting,2026-01-05\n"
    deals = read_deals(write(tmp_path, text), {"preset": "salesforce"})
    assert deals[list(NAMES)].iloc[0].tolist() == ["Big deal", "Acme", "Ann"]
    assert deals["account"].str.len().tolist() == deals["seller"].str.len().tolist() == [18]
    assert not set(NAMES) & set(fact_columns(deals))
    write_snapshot(deals, "2026-02-01", tmp_path / "history")
    assert read_history(tmp_path / "history")[list(NAMES)].iloc[0].tolist() == ["Big deal", "Acme", "Ann"]


def test_a_mapping_may_name_the_names(tmp_path: Path) -> None:
    mapping = {"columns": {"deal_id": "K", "deal_name": "Title"}}
    assert read_deals(write(tmp_path, "K,Title\n1,Big deal\n"), mapping)["deal_name"].tolist() == ["Big deal"]
    assert read_deals(write(tmp_path, "deal_id,deal_name\n1,x\n"))["deal_name"].tolist() == ["x"]
