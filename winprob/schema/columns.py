"""Which columns does a deal table have, and what may stand in them?"""

from __future__ import annotations

from winprob.methodology.vocabulary import (
    COACH_STATES,
    COVERAGES,
    DECISION_METHODS,
    OUTCOMES,
    REP_CATEGORIES,
    ROLES,
    STAGES,
)

ID = "deal_id"
DATES = ("as_of", "opened_on", "expected_close_on", "closed_on")
TEXTS = ("currency", "account", "segment", "region", "seller", "product", "competitor")
SUPPORTS = tuple(f"{role}_support" for role in ROLES)
COVERAGE_COLUMNS = tuple(f"{role}_coverage" for role in ROLES)
#: Several people in one role: ``"3*2 4*1"`` = a tier-3 person of influence 2 and a tier-4 person of influence 1.
READINGS = tuple(f"{role}_readings" for role in ROLES)
NUMBERS = ("amount", "rep_probability", *SUPPORTS)
CHOICES: dict[str, tuple[str, ...]] = {
    "outcome": OUTCOMES,
    "rep_category": REP_CATEGORIES,
    "stage": STAGES,
    "decision_method": DECISION_METHODS,
    "coach": COACH_STATES,
    **dict.fromkeys(COVERAGE_COLUMNS, COVERAGES),
}
#: The deal table's columns, in the order in which they are written.
COLUMNS = (
    ID,
    "as_of",
    "opened_on",
    "expected_close_on",
    "closed_on",
    "outcome",
    "amount",
    *TEXTS,
    "rep_probability",
    "rep_category",
    "stage",
    "decision_method",
    "coach",
    *SUPPORTS,
    *COVERAGE_COLUMNS,
)
