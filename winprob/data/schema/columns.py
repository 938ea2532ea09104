"""Which columns does a deal table have, and what may stand in them?"""

import numpy as np
import pandas as pd

from winprob.methodology import COACH_STATES, COVERAGES, DECISION_METHODS, OUTCOMES, REP_CATEGORIES, ROLES, STAGES

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


#: Covariates that a history teaches from; a table need not have these columns, its dates tell them.
ELAPSED = ("age", "days_to_expected_close")
_FROM_TO = {"age": ("opened_on", "as_of"), "days_to_expected_close": ("as_of", "expected_close_on")}
#: Beyond these a day more or less tells no more: placeholders, forgotten deals.
_BOUNDS = {"age": (0.0, 1095.0), "days_to_expected_close": (-90.0, 730.0)}


def elapsed(deals: pd.DataFrame, name: str) -> pd.Series:
    """(deal,) days of one of ``ELAPSED``: the column where there is one, else by dates, NaN where one is blank."""
    if name in deals:
        return deals[name]
    begin, end = _FROM_TO[name]
    if not {begin, end} <= set(deals.columns):
        return pd.Series(np.nan, index=deals.index)
    days = (deals[end] - deals[begin]).dt.days.astype("float64")
    return days.clip(*_BOUNDS[name])


#: Folded: lower case, letters and figures only. Salesforce, Dynamics 365, HubSpot, and their usual labels.
_DERIVED = frozenset(
    """
    probability winprobability defaultprobability closeprobability forecastcategory forecastcategoryname
    isclosed iswon expectedrevenue stagesortorder statecode statuscode actualvalue actualclosedate
    msdynforecastcategory hsisclosed hsisclosedwon hsisclosedlost hsdealstageprobability hsforecastprobability
    hsforecastamount hsprojectedamount hsmanualforecastcategory lossreason winreason closedlostreason
    closedwonreason fromforecastcategory
    """.split()
)


def is_derived(header: str) -> bool:
    """Whether a source column's name is one that a CRM derives from stage or outcome, or fills at the close."""
    folded = "".join(letter for letter in header.casefold().removesuffix("__c") if letter.isalnum())
    return folded in _DERIVED
