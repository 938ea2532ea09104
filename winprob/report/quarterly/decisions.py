"""Decisions of the review: those of earlier reviews with what became of them, and empty lines for new ones."""

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.i18n import gettext
from winprob.report.numbers import BLANK, name_of, percent, text_of
from winprob.report.quarterly.inputs import ReviewInputs

#: Empty lines to fill in, decisions shown of earlier reviews, and days for which a settled one is still shown.
EMPTY_LINES, _SHOWN, _SHOWN_FOR = 3, 5, 35
_WON, _ENDED = "won", ("lost", "no_decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision as shown; ``late`` where its day has passed and nothing is on record."""

    deal: str
    what: str
    who: str
    by_when: str
    became: str
    late: bool


def decisions(inputs: ReviewInputs) -> list[Decision]:
    """Earlier decisions that are open or were settled lately, by day, open ones first: what became of each."""
    if inputs.decisions is None or inputs.decisions.empty:
        return []
    settled = inputs.decisions["done_on"].notna() | inputs.decisions["result"].notna()
    table = inputs.decisions.assign(settled=settled)
    table = table.sort_values(["settled", "by_when"], kind="stable", na_position="last")
    current = [row for row in table.to_dict("records") if _current(row, inputs.forecast.as_of)]
    return [_decision(inputs, row) for row in current[:_SHOWN]]


def more_decisions(inputs: ReviewInputs) -> str:
    """How many decisions the page leaves to the file; empty where it shows all."""
    rows = [] if inputs.decisions is None else inputs.decisions.to_dict("records")
    rest = sum(_current(row, inputs.forecast.as_of) for row in rows) - _SHOWN
    return gettext("And {count} more in decisions.csv.", count=rest) if rest > 0 else ""


def _current(row: dict[Hashable, Any], today: dt.date) -> bool:
    """Whether a decision is of this review or before it, and still open or settled not long ago."""
    day = pd.Timestamp(today)
    if pd.notna(row["decided_on"]) and row["decided_on"] > day:
        return False
    settled = row["done_on"] if pd.notna(row["done_on"]) else row["by_when"] if pd.notna(row["result"]) else pd.NaT
    return bool(pd.isna(settled) or settled >= day - pd.Timedelta(days=_SHOWN_FOR))


def _decision(inputs: ReviewInputs, row: dict[Hashable, Any]) -> Decision:
    deal_id, day = row["deal_id"], pd.Timestamp(inputs.forecast.as_of)
    known = inputs.deals[inputs.deals["deal_id"] == deal_id].to_dict("records") if pd.notna(deal_id) else []
    settled = pd.notna(row["done_on"]) or pd.notna(row["result"])
    outcome = inputs.outcomes.get(str(deal_id)) if pd.notna(deal_id) else None
    late = not settled and outcome is None and pd.notna(row["by_when"]) and row["by_when"] < day
    parts = [_settled(row, day, late=bool(late)), _outcome(outcome), _chance(known)]
    return Decision(
        deal=name_of(known[0]) if known else inputs.names.get(str(deal_id), text_of(deal_id)),
        what=str(row["what"]),
        who=text_of(row["who"]),
        by_when=BLANK if pd.isna(row["by_when"]) else f"{row['by_when']:%Y-%m-%d}",
        became=gettext("; ").join(part for part in parts if part),
        late=bool(late),
    )


def _settled(row: dict[Hashable, Any], day: pd.Timestamp, *, late: bool) -> str:
    if pd.notna(row["result"]):
        return str(row["result"])
    if pd.notna(row["done_on"]):
        return gettext("done on {day}", day=f"{row['done_on']:%Y-%m-%d}")
    if late:
        return gettext("not done: {days} days late", days=(day - row["by_when"]).days)
    return gettext("open")


def _outcome(outcome: str | None) -> str:
    if outcome == _WON:
        return gettext("the deal is won")
    return gettext("the deal is lost") if outcome in _ENDED else ""


def _chance(known: list[dict[Hashable, Any]]) -> str:
    """How the win probability has moved since the last review."""
    if not known or pd.isna(known[0]["trend"]):
        return ""
    now = float(known[0]["win_prob"])
    return gettext("win probability {before} → {now}", before=percent(now - float(known[0]["trend"])), now=percent(now))
