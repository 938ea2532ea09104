"""Exports of Salesforce, Dynamics 365 and HubSpot as deal tables, whatever their headers are spelled like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from winprob.data.tables import check_file, cover, read_contact_roles, read_deals
from winprob.data.tables.presets import PRESETS, read_preset, same_ids
from winprob.data.tables.presets.spellings import lost_case, suffix
from winprob.data.tables.values.instants import parse_instants
from winprob.errors import InputError, MappingError, WinprobError

SALESFORCE = {"preset": "salesforce"}
API = (
    "Id,AccountId,OwnerId,StageName,Amount,CurrencyIsoCode,Probability,ForecastCategory,CloseDate,CreatedDate,"
    "IsClosed,IsWon"
)
LABELS = (
    "Opportunity ID,Account ID,Opportunity Owner,Stage,Amount,Opportunity Currency,Probability (%),Forecast Category,"
    "Close Date,Created Date,Closed,Won"
)
SNAKE = (
    "id,account_id,owner_id,stage_name,amount,currency_iso_code,probability,forecast_category,close_date,created_date,"
    "is_closed,is_won"
)
ROWS = """
006Dn000003KmPX,001A,Ann,Needs Analysis,1000,EUR,20,Forecast,31/12/2026,2026-01-05T23:30:00.000+0000,false,false
006Dn000003KmPxIAK,001B,Bob,Closed Won,5000,EUR,100,Closed,03/04/2026,2026-01-05T10:00:00.000+0000,true,true
006Dn000003KmPy,001C,Bob,Closed Lost,2000,EUR,0,Closed,15/04/2026,2026-02-01T10:00:00.000+0000,TRUE,FALSE
006Dn000003KmPz,001C,Bob,Discovery,2000,EUR,62,MostLikely,15/11/2026,2026-02-01T10:00:00.000+0000,0,0
"""


def write(tmp_path: Path, text: str, name: str = "export.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return path


def days(values: pd.Series) -> list[str]:
    return values.dt.strftime("%Y-%m-%d").fillna("").tolist()


def words(values: pd.Series) -> list[Any]:
    return values.fillna("").tolist()


@pytest.mark.parametrize("header", [API, API.lower(), LABELS, SNAKE, API.upper()])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_salesforce_in_any_spelling(tmp_path: Path, header: str, encoding: str) -> None:
    text = (header + ROWS).replace("Ann", "安妮")
    deals = read_deals(write(tmp_path, text, encoding=encoding), SALESFORCE)
    assert deals["outcome"].tolist() == ["open", "won", "lost", "open"]
    assert days(deals["expected_close_on"]) == ["2026-12-31", "", "", "2026-11-15"]
    assert days(deals["closed_on"]) == ["", "2026-04-03", "2026-04-15", ""]
    assert days(deals["opened_on"]) == ["2026-01-05", "2026-01-05", "2026-02-01", "2026-02-01"]
    assert words(deals["rep_category"]) == ["commit", "closed", "closed", "most_likely"]
    assert deals["rep_probability"].fillna(-1).tolist() == [0.2, -1, -1, 0.62]
    assert words(deals["stage"]) == ["exploration", "", "", ""]
    assert deals["seller"].tolist() == ["安妮", "Bob", "Bob", "Bob"]
    assert deals["deal_id"].str.len().tolist() == [18] * 4
    assert not {"Probability", "IsClosed", "IsWon", "ForecastCategory", "StageName"} & set(deals)


def test_an_id_of_15_gets_the_suffix_that_salesforce_documents() -> None:
    assert suffix("001A0000006Vm9r") == "IAC"
    assert suffix("006Dn000003KmPX") != suffix("006Dn000003KmPx")
    ids = pd.Series(["001A0000006Vm9r", "001A0000006Vm9rIAC", "001A0000006Vm9riac", "deal 7", None])
    got = same_ids(ids, "salesforce")
    assert set(got.iloc[:3]) == {"001A0000006Vm9rIAC"}
    assert got.iloc[3] == "deal 7"
    assert pd.isna(got.iloc[4])


def test_ids_apart_in_case_only_stay_two_deals_and_lost_case_is_told(tmp_path: Path) -> None:
    rows = "Id,StageName\n006Dn000003KmPX,Prospecting\n006Dn000003KmPx,Prospecting\n"
    assert read_deals(write(tmp_path, rows), SALESFORCE)["deal_id"].nunique() == 2
    assert lost_case(pd.Series(["001a0000006vm9rIAC", "001A0000006Vm9rIAC", "short"])).tolist() == [True, False, False]
    found = check_file(write(tmp_path, "Id,StageName\n001a0000006vm9rIAC,Prospecting\n"), SALESFORCE)
    assert "case were lost" in found.set_index("severity").loc["warning", "message"]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_blank_id_is_an_error_with_its_row(tmp_path: Path, preset: str) -> None:
    header = read_preset(preset).columns["deal_id"]["column"][0]
    path = write(tmp_path, f"{header},Amount\n006Dn000003KmPX,1\n,2\n")
    findings = check_file(path, {"preset": preset})
    assert "'deal_id' is blank in 1 rows, first in row 3" in set(findings["message"])


def test_the_same_deal_in_both_spellings_is_a_repeat(tmp_path: Path) -> None:
    rows = f"Id,StageName\n006Dn000003KmPX,Prospecting\n006Dn000003KmPX{suffix('006Dn000003KmPX')},Prospecting\n"
    found = check_file(write(tmp_path, rows), SALESFORCE)
    assert "repeats an earlier row" in " ".join(found["message"])


def test_guids_are_one_id_with_and_without_braces() -> None:
    ids = pd.Series(["{6F9619FF-8B86-D011-B42D-00CF4FC964FF}", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"])
    assert set(same_ids(ids, "guid")) == {ids.iloc[1]}


def test_what_no_crosswalk_places_is_unknown_and_counted(tmp_path: Path) -> None:
    found = check_file(write(tmp_path, API + ROWS), SALESFORCE)
    # The only warning is that a current export has no day of reading.
    assert set(found.loc[found["severity"] != "note", "column"]) == {"as_of"}
    said = found.loc[found["column"] == "stage", "message"].str.cat(sep="\n")
    assert "'Discovery' (1)" in said
    assert "2 closed deals have no stage" in said


def test_custom_fields_are_named_and_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, "Id,StageName,Champion__c\n006Dn000003KmPX,Prospecting,Bob\n")
    assert "coach" not in read_deals(path, SALESFORCE)
    assert check_file(path, SALESFORCE)["message"].str.contains("custom fields here: Champion__c").any()


def test_the_users_mapping_goes_before_the_preset(tmp_path: Path) -> None:
    marks = iter(["++", "-", "-", "++"])
    rows = [f"{line},{next(marks)}" for line in ROWS.strip().splitlines()]
    path = write(tmp_path, "\n".join([API + ",Buyer__c", *rows]))
    own = {
        **SALESFORCE,
        "columns": {
            "approver_support": {"column": "Buyer__c", "values": {"4": ["++"], "1": ["-"]}},
            "stage": {"values": {"approval": ["Discovery"], "evaluation": ["Needs Analysis"]}},
            "seller": "AccountId",
        },
    }
    deals = read_deals(path, own)
    assert deals["approver_support"].tolist() == [4, 1, 1, 4]
    assert words(deals["stage"]) == ["evaluation", "", "", "approval"]
    assert deals["seller"].tolist() == ["001A", "001B", "001C", "001C"]
    assert deals["outcome"].tolist() == ["open", "won", "lost", "open"]


@pytest.mark.parametrize(
    "name", ["Probability", "ForecastCategory", "IsClosed", "IsWon", "ExpectedRevenue", "StageName"]
)
@pytest.mark.parametrize("kind", ["varying", "numeric"])
def test_what_is_derived_from_the_outcome_is_refused_as_covariate(tmp_path: Path, name: str, kind: str) -> None:
    path = write(tmp_path, API + ROWS)
    with pytest.raises(MappingError, match=f"covariate '{name}' is derived by Salesforce"):
        read_deals(path, {**SALESFORCE, "covariates": {kind: [name]}})


def test_lead_source_may_be_a_covariate(tmp_path: Path) -> None:
    path = write(tmp_path, "Id,StageName,LeadSource\n006Dn000003KmPX,Prospecting,Web\n")
    deals = read_deals(path, {**SALESFORCE, "covariates": {"varying": ["LeadSource"]}})
    assert deals.attrs["covariates"]["varying"] == ["LeadSource"]


def test_without_flags_the_stage_tells_the_outcome_and_it_is_said(tmp_path: Path) -> None:
    path = write(
        tmp_path, "Id,StageName\n006Dn000003KmPX,Closed Won\n006Dn000003KmPy,Closed Lost\n006Dn000003KmPz,Mine\n"
    )
    assert read_deals(path, SALESFORCE)["outcome"].tolist() == ["won", "lost", "open"]
    assert check_file(path, SALESFORCE)["message"].str.contains("the outcome is derived from 'StageName' alone").any()


def test_closed_alone_does_not_say_lost(tmp_path: Path) -> None:
    path = write(tmp_path, "Id,StageName,IsClosed\n006Dn000003KmPX,Closed Won,true\n006Dn000003KmPy,Mine,true\n")
    assert words(read_deals(path, SALESFORCE)["outcome"]) == ["won", ""]


def test_a_date_that_may_be_either_asks_for_day_first(tmp_path: Path) -> None:
    path = write(tmp_path, "Id,StageName,CloseDate\n006Dn000003KmPX,Prospecting,03/04/2026\n")
    with pytest.raises(WinprobError, match="day_first"):
        read_deals(path, SALESFORCE)
    got = read_deals(path, {**SALESFORCE, "day_first": True})
    assert days(got["expected_close_on"]) == ["2026-04-03"]


def test_a_zone_moves_the_day_of_a_time_with_an_offset(tmp_path: Path) -> None:
    path = write(tmp_path, API + ROWS)
    deals = read_deals(path, {**SALESFORCE, "zone": "Asia/Shanghai"})
    assert days(deals["opened_on"])[0] == "2026-01-06"
    with pytest.raises(MappingError, match="no time zone 'Mars/Olympus'"):
        read_deals(path, {**SALESFORCE, "zone": "Mars/Olympus"})


def test_instants_with_and_without_offset() -> None:
    cells = pd.Series(
        [
            "2026-03-31T23:30:00.000+0000",
            "2026-04-01 07:30:00+08:00",
            "31/03/2026 11:30 PM",
            "1775000000000",
            "",
            "soon",
        ]
    )
    got = parse_instants(cells, "UTC")
    assert got.read.iloc[:3].tolist() == [pd.Timestamp("2026-03-31 23:30")] * 3
    assert got.read.iloc[3] == pd.Timestamp(1775000000, unit="s")
    assert got.refused.tolist() == [False] * 5 + [True]
    berlin = parse_instants(cells.iloc[:1], "Europe/Berlin").read.iloc[0]
    assert berlin == pd.Timestamp("2026-04-01 01:30")  # summer time


def test_a_file_of_another_system_says_what_is_looked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "dealname,dealstage\na,closedwon\n")
    with pytest.raises(
        MappingError, match="preset Salesforce finds no column for 'deal_id': it looks for OpportunityId"
    ):
        read_deals(path, SALESFORCE)
    with pytest.raises(MappingError, match="there is no preset 'sugar'; accepted: salesforce, dynamics, hubspot"):
        read_deals(path, {"preset": "sugar"})


DYNAMICS_API = (
    "opportunityid,name,estimatedvalue,estimatedclosedate,actualvalue,actualclosedate,closeprobability,stepname,statecode,"
    "statuscode,msdyn_forecastcategory,ownerid,createdon"
)
DYNAMICS_LABELS = (
    "Opportunity,Topic,Est. Revenue,Est. Close Date,Actual Revenue,Actual Close Date,Probability,Pipeline Phase,Status,"
    "Status Reason,Forecast category,Owner,Created On"
)


@pytest.mark.parametrize(
    ("header", "states", "categories"),
    [
        (DYNAMICS_API, ("0,1", "1,3", "2,5", "2,4"), ("100000003", "100000005", "100000006", "100000004")),
        (
            DYNAMICS_LABELS,
            ("Open,In Progress", "Won,Won", "Lost,Out-Sold", "Lost,Canceled"),
            ("Committed", "Won", "Lost", "Omitted"),
        ),
    ],
)
def test_dynamics(tmp_path: Path, header: str, states: tuple[str, ...], categories: tuple[str, ...]) -> None:
    closing = ["", "2026-05-04", "2026-05-05", "2026-05-06"]
    lines = [
        f"D{at},x,100,2026-06-30,{at},{closing[at]},40,2-Develop,{states[at]},{categories[at]},Ann,2026-01-0{at + 1}"
        for at in range(4)
    ]
    deals = read_deals(write(tmp_path, "\n".join([header, *lines])), {"preset": "dynamics"})
    assert deals["outcome"].tolist() == ["open", "won", "lost", "no_decision"]
    assert days(deals["closed_on"]) == closing
    assert days(deals["expected_close_on"]) == ["2026-06-30"] * 4
    assert deals["rep_category"].tolist() == ["commit", "closed", "closed", "omitted"]
    assert deals["rep_probability"].fillna(-1).tolist() == [0.4, -1, -1, -1]
    assert set(deals["stage"]) == {"exploration"}
    assert deals["amount"].tolist() == [100] * 4


@pytest.mark.parametrize(
    "header",
    [
        "hs_object_id,dealname,dealstage,amount,closedate,createdate,hubspot_owner_id,hs_is_closed,hs_is_closed_won,"
        "hs_manual_forecast_category,hs_deal_stage_probability",
        "Record ID,Deal Name,Deal Stage,Amount,Close Date,Create Date,Deal owner,Is Deal Closed?,Is Closed Won,"
        "Forecast category,Deal probability",
    ],
)
def test_hubspot(tmp_path: Path, header: str) -> None:
    rows = """
1,a,contractsent,10,2026-06-30T00:00:00Z,2026-01-01 08:00,7,false,false,COMMIT,0.9
2,b,closedwon,10,2026-05-30T00:00:00Z,2026-01-01 08:00,7,true,true,CLOSED,1
3,c,closedlost,10,2026-05-30T00:00:00Z,2026-01-01 08:00,7,true,false,OMIT,0
4,d,90210,10,2026-06-30T00:00:00Z,2026-01-01 08:00,7,false,false,BEST_CASE,0.2
"""
    deals = read_deals(write(tmp_path, header + rows), {"preset": "hubspot"})
    assert deals["outcome"].tolist() == ["open", "won", "lost", "open"]
    assert words(deals["stage"]) == ["decision", "", "", ""]
    assert words(deals["rep_category"]) == ["commit", "closed", "omitted", "best_case"]
    assert days(deals["closed_on"]) == ["", "2026-05-30", "2026-05-30", ""]
    assert "rep_probability" not in deals


ROLES = """Id,OpportunityId,ContactId,Role,IsDeleted,CreatedDate
1,006Dn000003KmPX,003A,Economic Buyer,false,2026-01-06T00:00:00Z
2,006Dn000003KmPXIA0,003B,Evaluator,false,2026-05-06T00:00:00Z
3,006Dn000003KmPX,003B,Evaluator,false,2026-06-06T00:00:00Z
4,006Dn000003KmPx,003C,Other,false,2026-01-06T00:00:00Z
5,006Dn000003KmPx,003C,,false,2026-01-06T00:00:00Z
6,006Dn000003KmPx,003D,Influencer,true,2026-01-06T00:00:00Z
"""


def test_contact_roles_are_known_people_and_no_more(tmp_path: Path) -> None:
    deals = read_deals(write(tmp_path, API + ROWS), SALESFORCE, write(tmp_path, ROLES, "roles.csv"))
    assert words(deals["approver_coverage"]) == ["identified", "", "", ""]
    assert words(deals["evaluator_coverage"]) == ["identified", "", "", ""]
    assert "influencer_coverage" not in deals
    assert deals["approver_support"].isna().all()


def test_contact_roles_say_what_was_left_out_and_what_was_guessed(tmp_path: Path) -> None:
    found = check_file(write(tmp_path, API + ROWS), SALESFORCE, write(tmp_path, ROLES, "roles.csv"))
    said = found.loc[found["column"] == "role", "message"].str.cat(sep="\n")
    assert "1 rows have no role" in said
    assert "'Other' (1)" in said
    assert "'Economic Buyer' (1 rows) is read as approver; if it means decision_maker" in said


def test_a_role_entered_later_is_not_yet_known(tmp_path: Path) -> None:
    read = read_contact_roles(write(tmp_path, ROLES, "roles.csv"), SALESFORCE)
    assert read is not None
    roles, _ = read
    assert days(roles["known_on"]) == ["2026-01-06", "2026-05-06"]  # the first of two alike
    deals = read_deals(write(tmp_path, API + ROWS), SALESFORCE)
    early = cover(deals, roles, pd.Timestamp("2026-03-01"))
    assert words(early["approver_coverage"]) == ["identified", "", "", ""]
    assert "evaluator_coverage" not in early
    assert "evaluator_coverage" in cover(deals, roles, pd.Timestamp("2026-05-06"))
    assert cover(deals, roles, pd.Timestamp("2026-01-05")) is deals


def test_the_sellers_team_is_refused(tmp_path: Path) -> None:
    team = "OpportunityId,UserId,TeamMemberRole\n006Dn000003KmPX,005A,Executive Sponsor\n"
    with pytest.raises(InputError, match="the table of a deal's own sellers"):
        read_deals(write(tmp_path, API + ROWS), SALESFORCE, write(tmp_path, team, "team.csv"))


def test_a_people_table_in_our_words_goes_with_a_preset(tmp_path: Path) -> None:
    people = "deal_id,person,role,support\n006Dn000003KmPX,Eva,approver,3\n"
    deals = read_deals(write(tmp_path, API + ROWS), SALESFORCE, write(tmp_path, people, "people.csv"))
    assert deals["approver_support"].fillna(0).tolist() == [3, 0, 0, 0]


def test_dynamics_connections(tmp_path: Path) -> None:
    deals = write(tmp_path, "opportunityid,statecode\n6f9619ff-8b86-d011-b42d-00cf4fc964ff,0\n")
    roles = write(
        tmp_path,
        "record1id,record2id,record2roleidname,createdon,statecode\n"
        "{6F9619FF-8B86-D011-B42D-00CF4FC964FF},c1,Technical Buyer,2026-01-01,0\n"
        "{6F9619FF-8B86-D011-B42D-00CF4FC964FF},c2,Decision Maker,2026-01-01,1\n"
        "{6F9619FF-8B86-D011-B42D-00CF4FC964FF},c3,Champion,2026-01-01,0\n",
        "roles.csv",
    )
    got = read_deals(deals, {"preset": "dynamics"}, roles)
    assert words(got["evaluator_coverage"]) == ["identified"]
    assert "decision_maker_coverage" not in got
