"""The canonical columns of a deal table, their accepted values, and the headers of fields that a CRM derives."""

import pandas as pd

from winprob.methodology import COACH_STATES, COVERAGES, DECISION_METHODS, OUTCOMES, REP_CATEGORIES, ROLES, STAGES

ID = "deal_id"
TEXTS = ("currency", "account", "segment", "region", "seller", "product", "competitor")
SUPPORTS = tuple(f"{role}_support" for role in ROLES)
COVERAGE_COLUMNS = tuple(f"{role}_coverage" for role in ROLES)
#: Several people in one role: ``"3*2 4*1"`` = a tier-3 person of influence 2 and a tier-4 person of influence 1.
READINGS = tuple(f"{role}_readings" for role in ROLES)
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
#: For display next to ids: never needed, never a fact that a model uses.
NAMES = ("deal_name", "account_name", "seller_name")
CANONICAL = frozenset((*COLUMNS, *READINGS, *NAMES))

#: Normalised: lower case, letters and digits only. Salesforce, Dynamics 365, HubSpot, and their usual labels.
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
    normalised = "".join(letter for letter in header.casefold().removesuffix("__c") if letter.isalnum())
    return normalised in _DERIVED


def fact_columns(deals: pd.DataFrame) -> list[str]:
    """The columns that describe a deal: canonical ones but the id and names, and the covariates of a mapping."""
    settings = deals.attrs.get("covariates", {})
    covariates = [*settings.get("varying", ()), *(item["column"] for item in settings.get("numeric", ()))]
    facts = CANONICAL.difference((ID, *NAMES)).union(covariates)
    return [name for name in deals.columns if name in facts]
