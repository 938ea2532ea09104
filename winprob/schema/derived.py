"""Which columns does a CRM work out by itself? They say what the stage or the outcome says, and teach nothing."""

from __future__ import annotations

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
