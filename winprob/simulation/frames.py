"""The recorded part of a block of deals: deal table and people table in canonical columns."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from winprob.data.schema import COLUMNS
from winprob.methodology import COACH_STATES, COVERAGES, DECISION_METHODS, OUTCOMES, ROLES, STAGES
from winprob.simulation.deals import Block, Codes, Days, Flags, people_rows
from winprob.simulation.truth import SEGMENTS, Truth

REGIONS = ("north", "east", "south", "west", "central", "northeast")
PRODUCTS = ("cloud", "data", "security", "network")
CURRENCY = "CNY"
PEOPLE_COLUMNS = ("deal_id", "as_of", "person", "role", "support", "influence", "coverage")
#: Lower bounds of the probability in each category but the first.
CATEGORY_EDGES = (0.1, 0.35, 0.6, 0.8)
CATEGORIES = ("omitted", "pipeline", "best_case", "most_likely", "commit")


def level_names(truth: Truth, dimension: str) -> tuple[str, ...]:
    """Level names as recorded; the blank competitor is the empty string."""
    count = len(getattr(truth, f"{dimension}_offset"))
    if dimension == "segment":
        return SEGMENTS
    if dimension == "seller":
        return _numbered("S", count)
    if dimension == "competitor":
        return (*_numbered("C", count - 1), "")
    known = {"region": REGIONS, "product": PRODUCTS}[dimension]
    return (*known, *(f"{dimension} {number}" for number in range(len(known) + 1, count + 1)))[:count]


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{number:02d}" for number in range(1, count + 1))


def deal_ids(first: int, deals: int) -> list[str]:
    """Ids of ``deals`` deals, numbered from ``first``."""
    return [f"D{number:05d}" for number in range(first, first + deals)]


def deal_frame(block: Block, truth: Truth, *, first: int, closed: bool) -> pd.DataFrame:
    """The deal table of a block in canonical columns, ids numbered from ``first``."""
    facts, calendar = block.facts, block.calendar
    deals = len(block.won)
    competitors = len(truth.competitor_offset) - 1
    columns: dict[str, object] = {
        "deal_id": pd.array(deal_ids(first, deals), dtype="str"),
        "as_of": _dates(calendar.reviewed),
        "opened_on": _dates(calendar.opened),
        "expected_close_on": _dates(calendar.expected),
        "closed_on": _dates(calendar.closed if closed else np.full(deals, np.datetime64("NaT", "D"))),
        "outcome": _words(OUTCOMES, _outcomes(block) if closed else np.full(deals, OUTCOMES.index("open"))),
        "amount": facts.amount,
        "currency": _words((CURRENCY,), np.zeros(deals, dtype=np.int64)),
        "account": pd.array([f"A{number + 1:04d}" for number in facts.account], dtype="str"),
        **{name: _words(level_names(truth, name), getattr(facts, name)) for name in ("segment", "region", "seller")},
        "product": _words(level_names(truth, "product"), facts.product),
        "competitor": _words(level_names(truth, "competitor"), facts.competitor, facts.competitor == competitors),
        "rep_probability": block.rep_probability,
        "rep_category": _words(CATEGORIES, np.searchsorted(CATEGORY_EDGES, block.rep_probability, side="right")),
        "stage": _words(STAGES, facts.stage, block.stage_blank),
        "decision_method": _words(DECISION_METHODS, facts.method, block.method_blank),
        "coach": _words(COACH_STATES, facts.coach, block.coach_blank),
        **_role_columns(block),
    }
    return pd.DataFrame(columns, columns=pd.Index(COLUMNS))


def _role_columns(block: Block) -> dict[str, object]:
    support = np.where(block.facts.reported, block.readings.tier, np.nan)
    columns: dict[str, object] = {f"{role}_support": support[:, at] for at, role in enumerate(ROLES)}
    for at, role in enumerate(ROLES):
        columns[f"{role}_coverage"] = _words(COVERAGES, block.facts.coverage[:, at])
    return columns


def _outcomes(block: Block) -> Codes:
    not_won = np.where(block.no_decision, OUTCOMES.index("no_decision"), OUTCOMES.index("lost"))
    return np.where(block.won, OUTCOMES.index("won"), not_won)


def _words(labels: Sequence[str], codes: Codes, blank: Flags | None = None) -> ExtensionArray:
    shown = codes if blank is None else np.where(blank, -1, codes)
    return pd.array(list(labels), dtype="str").take(shown, allow_fill=True)


def _dates(days: Days) -> Days:
    return days.astype("datetime64[us]")


def people_frame(block: Block, *, first: int) -> pd.DataFrame:
    """The people table of a block: the main person of each role with a known person, and any second person."""
    main = people_rows(block)
    deal, role, person = np.nonzero(np.stack([main, main & block.readings.second], axis=2))
    tier = np.where(person == 0, block.readings.tier[deal, role], block.readings.second_tier[deal, role])
    influence = np.where(person == 0, block.readings.influence[deal, role], block.readings.second_influence[deal, role])
    numbers = 10 * (deal + first) + 2 * role + person
    columns: dict[str, object] = {
        "deal_id": pd.array(deal_ids(first, len(block.won)), dtype="str").take(deal),
        "as_of": _dates(block.calendar.reviewed[deal]),
        "person": pd.array([f"P{number:06d}" for number in numbers], dtype="str"),
        "role": _words(ROLES, role),
        "support": np.where(block.facts.reported[deal, role], tier, np.nan),
        "influence": influence,
        "coverage": _words(COVERAGES, block.facts.coverage[deal, role]),
    }
    return pd.DataFrame(columns, columns=pd.Index(PEOPLE_COLUMNS))
