"""A replayed log says of every day what a simulated team knew on it, whichever kind of log it was written as."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from winprob.data.history import replay_changes, review_days
from winprob.data.tables import read_changes, read_deals
from winprob.errors import DealTableError, InputError, MappingError
from winprob.settings import CalendarSettings

SALESFORCE = {"preset": "salesforce", "zone": "UTC"}
STAGE = {
    "Prospecting": "difficulty",
    "Needs Analysis": "exploration",
    "Id. Decision Makers": "approval",
    "Proposal/Price Quote": "evaluation",
    "Negotiation/Review": "decision",
}
END = {"Closed Won": "won", "Closed Lost": "lost"}
BEGIN = pd.Timestamp("2026-01-01")
FIELDS = ("StageName", "Amount", "CloseDate")


class Team:
    """Deals with a known past: of each its moments and the whole state from each on."""

    def __init__(self, seed: int, deals: int = 25) -> None:
        rng = np.random.default_rng(seed)
        self.past: dict[str, list[tuple[pd.Timestamp, dict[str, Any]]]] = {}
        for at in range(deals):
            moment = BEGIN + pd.Timedelta(minutes=int(rng.integers(0, 60 * 24 * 60))) if at else BEGIN
            state = self._first(rng, moment)
            past = [(moment, state)]
            for _ in range(int(rng.integers(0, 9))):
                moment = moment + pd.Timedelta(minutes=int(rng.integers(1, 60 * 24 * 20)))
                state = self._next(rng, moment, state)
                past.append((moment, state))
            self.past[f"006Dn00000{at:05d}"] = past

    @staticmethod
    def _first(rng: np.random.Generator, moment: pd.Timestamp) -> dict[str, Any]:
        close = moment.normalize() + pd.Timedelta(days=int(rng.integers(30, 200)))
        return {"StageName": "Prospecting", "Amount": int(rng.integers(1, 100)) * 1000, "CloseDate": close}

    @staticmethod
    def _next(rng: np.random.Generator, moment: pd.Timestamp, state: dict[str, Any]) -> dict[str, Any]:
        new = dict(state)
        if state["StageName"] in END:  # now and then a deal is opened again
            new["StageName"] = "Negotiation/Review"
            new["CloseDate"] = moment.normalize() + pd.Timedelta(days=40)
        elif rng.random() < 0.25:
            new["StageName"] = str(rng.choice(list(END)))
            new["CloseDate"] = moment.normalize()
        else:
            if rng.random() < 0.6:
                new["StageName"] = str(rng.choice(list(STAGE)))
            if rng.random() < 0.5:
                new["Amount"] = int(rng.integers(1, 100)) * 1000
            if rng.random() < 0.5:
                new["CloseDate"] = moment.normalize() + pd.Timedelta(days=int(rng.integers(1, 200)))
        return new

    def export(self) -> str:
        lines = ["Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,OwnerId"]
        for deal, past in self.past.items():
            now = past[-1][1]
            closed, won = now["StageName"] in END, now["StageName"] == "Closed Won"
            close = f"{now['CloseDate']:%Y-%m-%d}"
            lines.append(f"{deal},{now['StageName']},{now['Amount']},{close},{iso(past[0][0])},{closed},{won},005A")
        return "\n".join(lines)

    def field_history(self) -> list[str]:
        lines = []
        for deal, past in self.past.items():
            lines.append(f"{deal},created,,,{iso(past[0][0])}")
            for (_, old), (moment, new) in pairwise(past):
                lines += [
                    f"{deal},{name},{cell(old[name])},{cell(new[name])},{iso(moment)}"
                    for name in FIELDS
                    if old[name] != new[name]
                ]
        return lines

    def state_history(self) -> list[str]:
        return [
            f"{deal},{state['StageName']},{state['Amount']},{cell(state['CloseDate'])},{iso(moment)}"
            for deal, past in self.past.items()
            for moment, state in past
        ]

    def known(self, day: pd.Timestamp, begins: pd.Timestamp | None = None) -> dict[str, dict[str, Any]]:
        """What was so at the end of ``day``, by walking through each past; before ``begins`` a log cannot tell all."""
        told = {}
        for deal, past in self.past.items():
            states = [state for moment, state in past if moment.normalize() <= day]
            if states:
                told[deal] = canonical(states[-1])
                if begins is not None and day < begins:
                    told[deal] = self._blank_what_never_changed(past, told[deal])
        return told

    def first_change(self) -> pd.Timestamp:
        return min(
            moment.normalize()
            for past in self.past.values()
            for (_, old), (moment, new) in pairwise(past)
            if old != new
        )

    @staticmethod
    def _blank_what_never_changed(past: list[Any], known: dict[str, Any]) -> dict[str, Any]:
        constant = {name for name in FIELDS if len({str(state[name]) for _, state in past}) == 1}
        ours = {"StageName": "stage", "Amount": "amount", "CloseDate": "expected_close_on"}
        return {name: None if name in {ours[field] for field in constant} else value for name, value in known.items()}


def canonical(state: dict[str, Any]) -> dict[str, Any]:
    outcome = END.get(state["StageName"], "open")
    return {
        "stage": STAGE.get(state["StageName"]),
        "amount": float(state["Amount"]),
        "outcome": outcome,
        "expected_close_on": state["CloseDate"] if outcome == "open" else None,
        "closed_on": state["CloseDate"] if outcome != "open" else None,
    }


def iso(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000+0000"


def cell(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)


def as_told(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    names = ["stage", "amount", "outcome", "expected_close_on", "closed_on"]
    rows = frame[["deal_id", *names]].astype(object)
    rows = rows.where(rows.notna(), None)
    return {row["deal_id"][:15]: {name: row[name] for name in names} for row in rows.to_dict("records")}


HEADERS = {
    "fields": "OpportunityId,Field,OldValue,NewValue,CreatedDate",
    "fields, snake": "opportunity_id,field,old_value,new_value,created_date",
    "states": "OpportunityId,StageName,Amount,CloseDate,CreatedDate",
    "states, lower": "opportunityid,stagename,amount,closedate,createddateforinsert",
}


def log_of(team: Team, kind: str, rng: np.random.Generator | None = None) -> str:
    lines = team.field_history() if kind.startswith("fields") else team.state_history()
    if rng is not None:
        lines = [lines[at] for at in rng.permutation(len(lines))]
    return "\n".join([HEADERS[kind], *lines])


def written(tmp_path: Path, text: str, name: str) -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def replayed(tmp_path: Path, export: str, log: str, days: Any, **options: Any) -> tuple[dict[Any, pd.DataFrame], Any]:
    current = read_deals(written(tmp_path, export, "deals.csv"), SALESFORCE)
    changes, _ = read_changes(written(tmp_path, log, "log.csv"), SALESFORCE)
    told, findings = replay_changes(current, changes, days, **options)
    return dict(told), findings


@pytest.mark.parametrize("kind", list(HEADERS))
@pytest.mark.parametrize("seed", range(5))
def test_every_day_is_as_it_was(tmp_path: Path, kind: str, seed: int) -> None:
    team = Team(seed)
    log = log_of(team, kind, np.random.default_rng(seed))
    days = pd.date_range(BEGIN + pd.Timedelta(days=seed - 1), periods=48, freq="5D")
    begins = team.first_change() if kind.startswith("fields") else None
    told, _ = replayed(tmp_path, team.export(), log, days)
    for day in days:
        assert as_told(told[day]) == team.known(day, begins), day


@pytest.mark.parametrize("kind", ["fields", "states"])
def test_the_order_of_the_log_does_not_count(tmp_path: Path, kind: str) -> None:
    team = Team(7)
    days = pd.date_range(BEGIN, periods=30, freq="7D")
    plain, said = replayed(tmp_path, team.export(), log_of(team, kind), days)
    for seed in range(3):
        other, also = replayed(tmp_path, team.export(), log_of(team, kind, np.random.default_rng(seed)), days)
        for day in days:
            pd.testing.assert_frame_equal(plain[day], other[day])
        pd.testing.assert_frame_equal(said, also)


def test_both_kinds_of_log_together_say_the_same(tmp_path: Path) -> None:
    team = Team(11)
    current = read_deals(written(tmp_path, team.export(), "deals.csv"), SALESFORCE)
    logs = [
        read_changes(written(tmp_path, log_of(team, kind), f"{kind}.csv"), SALESFORCE)[0]
        for kind in ("fields", "states")
    ]
    days = pd.date_range(BEGIN, periods=20, freq="10D")
    told, _ = replay_changes(current, pd.concat(logs), days)
    for day, frame in told:
        assert as_told(frame) == team.known(day), day


def test_snapshots_are_valid_and_keep_later_days_out(tmp_path: Path) -> None:
    team = Team(3)
    days = pd.date_range(BEGIN, periods=30, freq="7D")
    told, _ = replayed(tmp_path, team.export(), log_of(team, "states"), days)
    for day, frame in told.items():
        assert (frame["as_of"] == day).all()
        assert (frame["opened_on"] <= day).all()
        assert not (frame["closed_on"] > day).any()
        assert (frame["closed_on"].notna() == (frame["outcome"] != "open")).all()


EXPORT = """Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,OwnerId,Support__c,NextStep
006Dn000003KmPX,Negotiation/Review,1000,2026-12-31,2026-01-05T00:00:00Z,false,false,005A,++,call
006Dn000003KmPx,Gewonnen,5000,2026-04-13,2026-01-05T00:00:00Z,true,true,005A,-,
"""
HEAD = "OpportunityId,Field,OldValue,NewValue,CreatedDate\n"


def say_of(tmp_path: Path, rows: str, day: str = "2026-07-01") -> str:
    _, findings = replayed(tmp_path, EXPORT, HEAD + rows, [day])
    return findings["message"].str.cat(sep="\n")


def test_a_closed_stage_of_the_teams_own_ends_the_deal_when_it_was_set(tmp_path: Path) -> None:
    rows = (
        "006Dn000003KmPX,Amount,1,1000,2026-01-06T00:00:00Z\n"
        "006Dn000003KmPx,StageName,Prospecting,Gewonnen,2026-04-15T10:00:00Z\n"
        "006Dn000003KmPx,CloseDate,2026-06-30,2026-04-13,2026-04-15T10:00:00Z\n"
    )
    told, _ = replayed(tmp_path, EXPORT, HEAD + rows, ["2026-04-14", "2026-04-15"])
    before, after = (frame.set_index("deal_id").filter(like="KmPx", axis=0).iloc[0] for frame in told.values())
    assert (before["outcome"], before["expected_close_on"]) == ("open", pd.Timestamp("2026-06-30"))
    assert (after["outcome"], after["closed_on"]) == ("won", pd.Timestamp("2026-04-13"))


def test_without_changes_of_the_stage_the_export_says_when_it_ended(tmp_path: Path) -> None:
    told, findings = replayed(
        tmp_path, EXPORT, HEAD + "006Dn000003KmPX,Amount,1,1000,2026-01-06T00:00:00Z\n", ["2026-04-12", "2026-04-13"]
    )
    assert [frame["outcome"].tolist() for frame in told.values()] == [["open", "open"], ["open", "won"]]
    assert "stage" not in next(iter(told.values()))
    said = findings["message"].str.cat(sep="\n")
    assert "taken from today's export as constant: seller" in said
    assert "the day since when they are valid is unknown: expected_close_on, stage" in said


def test_a_custom_support_field_is_replayed_where_its_history_is_kept(tmp_path: Path) -> None:
    own = {
        **SALESFORCE,
        "columns": {"approver_support": {"column": "Support__c", "values": {"4": ["++"], "1": ["-"]}}},
    }
    current = read_deals(written(tmp_path, EXPORT, "deals.csv"), own)
    log = HEAD + "006Dn000003KmPXIA0,Support__c,-,++,2026-03-05T10:00:00Z\n"
    changes, _ = read_changes(written(tmp_path, log, "log.csv"), own)
    told, _ = replay_changes(current, changes, ["2026-03-04", "2026-03-05"])
    assert [frame["approver_support"].iloc[0] for _, frame in told] == [1, 4]
    with_none, _ = replay_changes(current, changes.assign(field="amount", old=1.0, new=2.0), ["2026-03-05"])
    assert "approver_support" not in next(iter(with_none))[1]


def test_a_time_is_on_the_day_that_the_zone_says(tmp_path: Path) -> None:
    log = HEAD + "006Dn000003KmPX,Amount,500,1000,2026-03-05T23:30:00.000+0000\n"
    path = written(tmp_path, log, "log.csv")
    current = read_deals(written(tmp_path, EXPORT, "deals.csv"), SALESFORCE)
    for zone, known in (("UTC", 1000), ("Asia/Shanghai", 500)):
        changes, _ = read_changes(path, SALESFORCE, zone=zone)
        told, _ = replay_changes(current, changes, ["2026-03-05"])
        assert next(iter(told))[1]["amount"].iloc[0] == known


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "006Dn000003KmPX,Amount,1,2,2026-02-01T00:00:00Z\n006Dn000003KmPX,Amount,3,1000,2026-02-02T00:00:00Z\n",
            "the old value of 1 changes is not the new value of the change before, first deal '006Dn000003KmPXIA0'",
        ),
        ("006Dn000003KmPX,Amount,1,1000,2025-12-01T00:00:00Z\n", "1 changes are earlier than the deal's creation"),
        (
            "006Dn000003KmPx,StageName,Prospecting,Closed Lost,2026-02-01T00:00:00Z\n"
            "006Dn000003KmPx,Amount,1,2,2026-02-05T00:00:00Z\n",
            "1 changes came after the deal was closed",
        ),
        (
            "006Dn000003KmPX,StageName,Prospecting,Proposal/Price Quote,2026-02-01T00:00:00Z\n"
            "006Dn000003KmPX,StageName,Proposal/Price Quote,Needs Analysis,2026-02-02T00:00:00Z\n",
            "a deal returned to an earlier stage 1 times",
        ),
        (
            "006Dn000003KmPX,StageName,Prospecting,Closed Lost,2026-02-01T00:00:00Z\n"
            "006Dn000003KmPX,StageName,Closed Lost,Negotiation/Review,2026-02-02T00:00:00Z\n",
            "a closed deal was reopened 1 times",
        ),
        (
            "006Dn000003KmPx,StageName,Prospecting,Closed Lost,2026-02-01T00:00:00Z\n",
            "1 deals have another outcome in the log than in the export",
        ),
        ("006Dn000003KmPX,Amount,1,2,2026-02-01T00:00:00Z\n", "1 open deals have another value in the export"),
        (
            "006Dn000003KmPX,Amount,1,2,2026-02-01T00:00:00Z\n006Dn000003KmPX,Amount,1,3,2026-02-01T00:00:00Z\n",
            "1 changes have the same moment as another",
        ),
        (
            "006Dn000003KmPX,Amount,1,1000,2026-02-01T00:00:00Z\n006Dn000003KmQQ,Amount,1,2,2026-02-01T00:00:00Z\n",
            "changes of 1 deals that are not in the export",
        ),
    ],
)
def test_histories_that_cannot_have_been_so_are_told(tmp_path: Path, rows: str, words: str) -> None:
    assert words in say_of(tmp_path, rows)


def test_a_sound_history_is_not_accused(tmp_path: Path) -> None:
    rows = (
        "006Dn000003KmPX,StageName,Prospecting,Negotiation/Review,2026-02-01T00:00:00Z\n"
        "006Dn000003KmPX,Amount,1,1000,2026-02-01T00:00:00Z\n"
        "006Dn000003KmPx,StageName,Prospecting,Gewonnen,2026-04-13T00:00:00Z\n"
    )
    _, findings = replayed(tmp_path, EXPORT, HEAD + rows, ["2026-07-01"])
    assert set(findings["severity"]) == {"note"}


def test_a_row_that_ends_before_it_begins_is_told(tmp_path: Path) -> None:
    log = (
        "OpportunityId,StageName,CreatedDate,ValidThroughDate\n"
        "006Dn000003KmPX,Prospecting,2026-02-02,2026-02-01\n006Dn000003KmPX,Negotiation/Review,2026-02-03,\n"
    )
    _, findings = read_changes(written(tmp_path, log, "log.csv"), SALESFORCE)
    assert findings["message"].str.contains("1 rows end before they begin").any()


def test_deleted_rows_and_unmapped_fields_are_left_out(tmp_path: Path) -> None:
    log = (
        "OpportunityId,Field,OldValue,NewValue,CreatedDate,IsDeleted\n"
        "006Dn000003KmPX,Amount,1,2,2026-02-02,false\n006Dn000003KmPX,Amount,2,3,2026-02-03,true\n"
        "006Dn000003KmPX,NextStep,a,b,2026-02-03,false\n006Dn000003KmPX,created,,,2026-02-01,false\n"
    )
    changes, findings = read_changes(written(tmp_path, log, "log.csv"), SALESFORCE)
    assert changes["new"].tolist() == [2.0]
    assert findings["message"].str.contains(r"'NextStep' \(1\)").tolist() == [True]


def test_day_first_dates_in_a_log(tmp_path: Path) -> None:
    log = (
        HEAD
        + "006Dn000003KmPX,CloseDate,13/04/2026,03/05/2026,05/02/2026 14:00\n"
        + "006Dn000003KmPX,CloseDate,03/05/2026,31/12/2026,25/02/2026 14:00\n"
    )
    changes, _ = read_changes(written(tmp_path, log, "log.csv"), SALESFORCE)
    expected = changes[changes["field"] == "expected_close_on"]
    assert [str(value)[:10] for value in expected["new"]] == ["2026-05-03", "2026-12-31"]
    assert [str(value)[:10] for value in expected["changed_at"]] == ["2026-02-05", "2026-02-25"]


def test_hubspots_days_of_entry(tmp_path: Path) -> None:
    export = (
        "hs_object_id,dealstage,amount,closedate,createdate,hs_is_closed,hs_is_closed_won,"
        "hs_v2_date_entered_appointmentscheduled,hs_v2_date_entered_contractsent,hs_v2_date_entered_closedwon\n"
        "1,closedwon,5,2026-03-03,2026-01-01,true,true,2026-01-01T08:00:00Z,2026-02-01T08:00:00Z,2026-03-03T08:00:00Z\n"
        "2,contractsent,5,2026-09-03,2026-01-09,false,false,2026-01-09T08:00:00Z,2026-02-09T08:00:00Z,\n"
    )
    mapping = {"preset": "hubspot", "zone": "UTC"}
    path = written(tmp_path, export, "deals.csv")
    changes, _ = read_changes(path, mapping)
    told, _ = replay_changes(read_deals(path, mapping), changes, ["2026-01-05", "2026-02-05", "2026-03-03"])
    got = [(frame["outcome"].tolist(), frame["stage"].fillna("").tolist()) for _, frame in told]
    assert got == [
        (["open"], ["difficulty"]),
        (["open", "open"], ["decision", "difficulty"]),
        (["won", "open"], ["", "decision"]),
    ]


def test_a_plain_log_needs_no_preset(tmp_path: Path) -> None:
    deals = pd.DataFrame(
        {"deal_id": ["a", "b"], "opened_on": ["2026-01-01", "2026-01-10"], "coach": ["validated", None]}
    )
    log = (
        "deal_id,changed_on,field,old,new\n"
        "a,2026-02-01,coach,none,unvalidated\na,2026-03-01,教练,unvalidated,validated\n"
    )
    changes, _ = read_changes(written(tmp_path, log, "log.csv"))
    told, _ = replay_changes(deals, changes, ["2026-01-05", "2026-02-01", "2026-03-01"])
    assert [frame["coach"].fillna("").tolist() for _, frame in told] == [
        ["none"],
        ["unvalidated", ""],
        ["validated", ""],
    ]


def test_an_owner_logged_by_id_and_by_name_is_one_change(tmp_path: Path) -> None:
    owner, after = "005Dn000003KmPX", "005Dn000003KmPy"
    export = (
        f"Id,StageName,CreatedDate,IsClosed,IsWon,OwnerId\n006Dn000003KmPX,Prospecting,2026-01-05,false,false,{after}\n"
    )
    moment = "2026-02-05T08:00:00Z"
    rows = f"006Dn000003KmPX,Owner,Ann,Bob,{moment}\n006Dn000003KmPX,Owner,{owner},{after},{moment}\n"
    for log, by_name in ((rows, False), (rows, True)):
        now = export.replace("OwnerId", "Owner").replace(after, "Bob") if by_name else export
        told, findings = replayed(tmp_path, now, HEAD + log, ["2026-02-04", "2026-02-05"])
        got = [frame["seller"].iloc[0][:15] for frame in told.values()]
        assert got == (["Ann", "Bob"] if by_name else [owner, after])
        assert set(findings["severity"]) <= {"note", "warning"}
        assert not findings["message"].str.contains("same moment").any()


def test_a_dynamics_audit(tmp_path: Path) -> None:
    mapping = {"preset": "dynamics", "zone": "UTC"}
    export = (
        "opportunityid,statecode,statuscode,stepname,estimatedvalue,estimatedclosedate,actualclosedate,createdon\n"
        "d1,2,4,4-Close,9,2026-06-30,2026-05-01,2026-01-01\nd2,0,1,2-Develop,9,2026-06-30,,2026-01-01\n"
    )
    log = (
        "objectid,attribute,oldvalue,newvalue,createdon\n"
        "d1,statuscode,1,4,2026-05-01T08:00:00Z\nd1,statecode,0,2,2026-05-01T08:00:00Z\n"
        "d1,stepname,1-Qualify,4-Close,2026-02-01T08:00:00Z\nd1,estimatedvalue,5,9,2026-03-01T08:00:00Z\n"
    )
    changes, _ = read_changes(written(tmp_path, log, "log.csv"), mapping)
    told, _ = replay_changes(
        read_deals(written(tmp_path, export, "deals.csv"), mapping), changes, ["2026-02-01", "2026-04-30", "2026-05-01"]
    )
    got = [(frame["outcome"].tolist(), frame["stage"].iloc[0], frame["amount"].iloc[0]) for _, frame in told]
    assert got == [
        (["open", "open"], "decision", 5),
        (["open", "open"], "decision", 9),
        (["no_decision", "open"], "decision", 9),
    ]


def test_a_deal_without_a_creation_day_begins_with_its_first_change(tmp_path: Path) -> None:
    export = EXPORT.replace("2026-12-31,2026-01-05T00:00:00Z", "2026-12-31,")
    log = HEAD + "006Dn000003KmPX,Amount,1,1000,2026-02-01\n"
    told, findings = replayed(tmp_path, export, log, ["2026-01-31", "2026-02-01"])
    assert [len(frame) for frame in told.values()] == [1, 2]
    assert findings["message"].str.contains("1 deals have no creation day").any()


def test_inputs_are_not_changed(tmp_path: Path) -> None:
    team = Team(5)
    current = read_deals(written(tmp_path, team.export(), "deals.csv"), SALESFORCE)
    changes, _ = read_changes(written(tmp_path, log_of(team, "fields"), "log.csv"), SALESFORCE)
    copies = current.copy(), changes.copy()
    list(replay_changes(current, changes, ["2026-02-01"])[0])
    pd.testing.assert_frame_equal(current, copies[0])
    pd.testing.assert_frame_equal(changes, copies[1])


def test_bad_logs_are_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    current = read_deals(written(tmp_path, EXPORT, "deals.csv"), SALESFORCE)
    with pytest.raises(DealTableError, match="no column deal_id, new, changed_on"):
        replay_changes(current, pd.DataFrame({"field": ["amount"]}), [])
    with pytest.raises(InputError, match=r"it has no changed_on .*, field .*, new"):
        read_changes(written(tmp_path, "OpportunityId,What\n1,2\n", "log.csv"), SALESFORCE)
    log = HEAD + "006Dn000003KmPX,Amount,1,many,2026-02-01\n006Dn000003KmPX,Amount,1,2,soon\n,Amount,1,2,2026-02-01\n"
    with pytest.raises(DealTableError, match="3 errors") as told:
        read_changes(written(tmp_path, log, "log.csv"), SALESFORCE)
    assert "'many'" in str(told.value)
    assert "'soon'" in str(told.value)
    with pytest.raises(MappingError, match="no time zone 'Shanghai'"):
        read_changes(
            written(tmp_path, HEAD + "006Dn000003KmPX,Amount,1,2,2026-02-01\n", "log.csv"), SALESFORCE, zone="Shanghai"
        )


def test_a_log_of_other_deals_or_deals_without_creation_are_refused_at_once(tmp_path: Path) -> None:
    current = read_deals(written(tmp_path, EXPORT, "deals.csv"), SALESFORCE)
    other, _ = read_changes(written(tmp_path, HEAD + "006Dn000003KmQQ,Amount,1,2,2026-02-01\n", "log.csv"), SALESFORCE)
    with pytest.raises(DealTableError, match="2 errors") as told:
        replay_changes(current.drop(columns="opened_on"), other, ["2026-02-01"])
    assert "CreatedDate" in str(told.value)
    assert "of other deals" in str(told.value)


def test_review_days() -> None:
    plain = review_days("2026-01-02", "2026-10-01")
    assert [f"{day:%m-%d}" for day in plain] == ["04-01", "07-01", "10-01"]
    fiscal = review_days("2026-01-02", "2026-10-01", calendar=CalendarSettings(fiscal_year_start_month=2))
    assert [f"{day:%m-%d}" for day in fiscal] == ["02-01", "05-01", "08-01"]
    assert [f"{day:%m-%d}" for day in review_days("2026-01-02", "2026-03-01", every="month")] == ["02-01", "03-01"]
    assert {day.day_name() for day in review_days("2026-01-02", "2026-03-01", every="week")} == {"Monday"}
    assert review_days("2026-01-02", "2026-01-03") == []


def test_a_deal_loaded_after_its_close_is_booked_on_its_close(tmp_path: Path) -> None:
    export = (
        "Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon\n"
        "006Dn0000000001,Closed Won,214355,2026-03-30,2026-04-05T10:00:00.000+0000,true,true\n"
        "006Dn0000000002,Closed Won,5000,2026-03-29,2026-04-05T10:00:00.000+0000,true,true\n"
        "006Dn0000000003,Prospecting,7000,2026-09-29,2026-01-05T10:00:00.000+0000,false,false\n"
    )
    log = (
        "OpportunityId,Field,OldValue,NewValue,CreatedDate\n"
        "006Dn0000000001,StageName,Prospecting,Closed Won,2026-04-05T10:00:00.000+0000\n"
        "006Dn0000000003,Amount,6000,7000,2026-02-05T10:00:00.000+0000\n"
    )
    deals_file, log_file = tmp_path / "deals.csv", tmp_path / "log.csv"
    deals_file.write_text(export)
    log_file.write_text(log)
    deals = read_deals(deals_file, SALESFORCE)
    assert deals["opened_on"].isna().tolist() == [True, True, False]
    changes, _ = read_changes(log_file, SALESFORCE)
    snapshots, _ = replay_changes(deals, changes, [pd.Timestamp("2026-04-10")])
    _, last = next(iter(snapshots))
    assert last["deal_id"].str.slice(13, 15).tolist() == ["01", "02", "03"]
    assert last["closed_on"].tolist()[:2] == [pd.Timestamp("2026-03-30"), pd.Timestamp("2026-03-29")]
    assert last["outcome"].tolist() == ["won", "won", "open"]
