"""What columns and words are called: by us, in two languages, by a team of its own, or by a CRM."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tests.corpus.dialects import Dialect
from tests.corpus.truth import CHOICES, Cell
from winprob.methodology import column_label, label

#: Headers of a CRM by canonical column: its name in the interface, and its label. ``close`` is a date of two meanings.
CRM: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "salesforce": {
        "deal_id": ("Id", "Opportunity ID"),
        "opened_on": ("CreatedDate", "Created Date"),
        "close": ("CloseDate", "Close Date"),
        "amount": ("Amount", "Amount"),
        "currency": ("CurrencyIsoCode", "Opportunity Currency"),
        "account": ("Account.Name", "Account Name"),
        "seller": ("Owner.Name", "Opportunity Owner"),
        "segment": ("Industry", "Industry"),
        "stage": ("StageName", "Stage"),
        "closed": ("IsClosed", "Closed"),
        "won": ("IsWon", "Won"),
    },
    "hubspot": {
        "deal_id": ("hs_object_id", "Record ID"),
        "opened_on": ("createdate", "Create Date"),
        "close": ("closedate", "Close Date"),
        "amount": ("amount", "Amount"),
        "currency": ("deal_currency_code", "Currency"),
        "seller": ("hubspot_owner_id", "Deal owner"),
        "stage": ("dealstage", "Deal Stage"),
        "closed": ("hs_is_closed", "Is Deal Closed?"),
        "won": ("hs_is_closed_won", "Is Closed Won"),
    },
    "dynamics": {
        "deal_id": ("opportunityid", "Opportunity ID"),
        "opened_on": ("createdon", "Created On"),
        "expected_close_on": ("estimatedclosedate", "Est. Close Date"),
        "closed_on": ("actualclosedate", "Actual Close Date"),
        "amount": ("estimatedvalue", "Est. Revenue"),
        "currency": ("isocurrencycode", "Currency"),
        "account": ("customeridname", "Account"),
        "seller": ("owneridname", "Owner"),
        "stage": ("stepname", "Pipeline Phase"),
        "state": ("statecodename", "Status"),
        "reason": ("statuscodename", "Status Reason"),
    },
}
_STAGES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "salesforce": {
        "difficulty": ("Prospecting", "Qualification"),
        "exploration": ("Needs Analysis", "Value Proposition"),
        "approval": ("Id. Decision Makers", "Id. Decision Makers"),
        "evaluation": ("Perception Analysis", "Proposal/Price Quote"),
        "decision": ("Negotiation/Review", "Negotiation/Review"),
    },
    "hubspot": {
        "difficulty": ("appointmentscheduled", "Appointment Scheduled"),
        "exploration": ("qualifiedtobuy", "Qualified To Buy"),
        "evaluation": ("presentationscheduled", "Presentation Scheduled"),
        "approval": ("decisionmakerboughtin", "Decision Maker Bought-In"),
        "decision": ("contractsent", "Contract Sent"),
    },
    "dynamics": {
        "difficulty": ("1-Qualify", "Qualify"),
        "exploration": ("2-Develop", "Develop"),
        "evaluation": ("3-Propose", "Propose"),
        "decision": ("4-Close", "Close"),
    },
}
_ENDS = {
    "salesforce": {"won": ("Closed Won", "Closed Won"), "lost": ("Closed Lost", "Closed Lost")},
    "hubspot": {"won": ("closedwon", "Closed Won"), "lost": ("closedlost", "Closed Lost")},
}
_STATES = {
    "won": ("Won", "Won"),
    "lost": ("Lost", "Out-Sold"),
    "no_decision": ("Lost", "Canceled"),
    "open": ("Open", "In Progress"),
}


def header(column: str, dialect: Dialect) -> str:
    """What the file calls a canonical column."""
    if dialect.preset:
        return CRM[dialect.preset][column][dialect.seed % 2]
    if dialect.mapped:
        return f"{column.replace('_', ' ').title()} (ours)"
    return column_label(column, dialect.headers) if dialect.headers in ("en", "zh") else column


def word(column: str, value: str, dialect: Dialect) -> str:
    """What the file writes for a value of a column of choices."""
    kind = "coverage" if column.endswith("_coverage") else column
    if dialect.words == "coded":
        return f"{column[0].upper()}{CHOICES[column].index(value) + 1}"
    return value if dialect.words == "canonical" else label(kind, value, dialect.words)


def crm_row(row: Mapping[str, Cell], dialect: Dialect) -> tuple[dict[str, Cell], dict[str, Cell]]:
    """A deal in the columns of a CRM, and what its preset should make of them."""
    crm, spelling = str(dialect.preset), dialect.seed % 2
    outcome = str(row["outcome"] or "open")
    if crm != "dynamics" and outcome == "no_decision":
        outcome = "lost"
    ended = outcome != "open"
    read = {**row, "outcome": outcome}
    written = {column: row[column] for column in CRM[crm] if column in row}
    if crm == "salesforce" and spelling:
        written["deal_id"] = str(row["deal_id"])[:15]
    if crm == "dynamics":
        written["state"], written["reason"] = _STATES[outcome]
    else:
        close = row.get("closed_on") if ended else row.get("expected_close_on")
        read["closed_on"], read["expected_close_on"] = (close, None) if ended else (None, close)
        written |= {"close": close, "closed": _flag(ended, spelling), "won": _flag(outcome == "won", spelling)}
    if "stage" in row:
        stage = row["stage"]
        if ended and crm in _ENDS:
            written["stage"], read["stage"] = _ENDS[crm][outcome][spelling], None
        else:
            named = _STAGES[crm].get(str(stage))
            written["stage"], read["stage"] = (named[spelling], stage) if named else (None, None)
    return written, {column: value for column, value in read.items() if _is_read(column, crm)}


def _flag(holds: bool, spelling: int) -> str:
    return ("true" if holds else "false") if spelling else ("1" if holds else "0")


def _is_read(column: str, crm: str) -> bool:
    return column == "outcome" or column in CRM[crm] or (column.endswith("_on") and "close" in CRM[crm])


def mapping_for(columns: list[str], dialect: Dialect, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The mapping file that goes with the export; None where it needs none."""
    if dialect.preset:
        return {"preset": dialect.preset, **settings}
    if not dialect.mapped:
        return dict(settings) or None
    named: dict[str, Any] = {column: header(column, dialect) for column in columns}
    if dialect.words == "coded":
        for column in set(columns) & set(CHOICES):
            values = {value: [word(column, value, dialect)] for value in CHOICES[column]}
            named[column] = {"column": named[column], "values": values}
    return {"columns": named, **settings}


def is_date(value: Cell) -> bool:
    return isinstance(value, dt.date)
