"""What may a deal table not say? One small function a rule, over a frame in canonical types."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from winprob.data.schema.columns import CHOICES, COLUMNS, DATES, ID, READINGS, SUPPORTS
from winprob.data.schema.findings import Finding, mask_of, spot, whole
from winprob.i18n import gettext

#: Days outside these are typing faults (an empty Excel cell reads as 1900, a placeholder as 2999).
FIRST_DAY = pd.Timestamp(1970, 1, 1)
LAST_DAY = pd.Timestamp(2100, 1, 1)

_KNOWN = frozenset((*COLUMNS, *READINGS))
_READINGS_TEXT = r"[1-4]\*[1-4](?: [1-4]\*[1-4])*"
#: Two rows with fewer known cells than this may be alike by chance.
_CELLS_TO_CALL_A_COPY = 5


def _missing_ids(deals: pd.DataFrame) -> Iterator[Finding]:
    blank = mask_of(deals[ID].isna())
    if blank.any():
        row = int(np.flatnonzero(blank)[0]) + 1
        message = gettext("'deal_id' is blank in {rows} rows, first in row {row}", rows=int(blank.sum()), row=row)
        yield spot(deals, blank, deals[ID]).error(message)


def _doubled_ids(deals: pd.DataFrame) -> Iterator[Finding]:
    keys = [ID, "as_of"] if "as_of" in deals else [ID]
    known = mask_of(deals[ID].notna())
    doubled = known & deals.duplicated(keys).to_numpy()
    if not doubled.any():
        return
    found = spot(deals, doubled, deals[ID])
    if "as_of" in deals:
        yield found.error(
            gettext("'deal_id' and 'as_of' repeat an earlier row in {rows} rows, first deal {deal}", **found.words)
        )
    else:
        yield found.error(gettext("'deal_id' repeats an earlier row in {rows} rows, first deal {deal}", **found.words))


def _support_range(deals: pd.DataFrame) -> Iterator[Finding]:
    for column in SUPPORTS:
        if column in deals:
            tier = deals[column]
            wrong = mask_of(tier.notna() & ~tier.isin((1.0, 2.0, 3.0, 4.0)))
            if wrong.any():
                found = spot(deals, wrong, tier)
                yield found.error(
                    gettext("'{column}' outside 1..4 in {rows} rows, first deal {deal} has {got}", **found.words)
                )


def _probability_range(deals: pd.DataFrame) -> Iterator[Finding]:
    if "rep_probability" not in deals:
        return
    chance = deals["rep_probability"]
    wrong = mask_of(chance.notna() & ~chance.between(0.0, 1.0))
    if wrong.any():
        found = spot(deals, wrong, chance)
        if chance[wrong].between(1.0, 100.0).all():
            yield found.error(
                gettext(
                    "'{column}' outside 0..1 in {rows} rows, first deal {deal} has {got}, "
                    "which looks like a percentage: write 62% or 0.62",
                    **found.words,
                )
            )
        else:
            yield found.error(
                gettext("'{column}' outside 0..1 in {rows} rows, first deal {deal} has {got}", **found.words)
            )


def _amount_range(deals: pd.DataFrame) -> Iterator[Finding]:
    if "amount" not in deals:
        return
    amount = deals["amount"]
    wrong = mask_of(np.isinf(amount) | (amount < 0))
    if wrong.any():
        found = spot(deals, wrong, amount)
        yield found.error(
            gettext("'{column}' negative or infinite in {rows} rows, first deal {deal} has {got}", **found.words)
        )


def _possible_days(deals: pd.DataFrame) -> Iterator[Finding]:
    for column in DATES:
        if column in deals:
            day = deals[column]
            wrong = mask_of((day < FIRST_DAY) | (day >= LAST_DAY))
            if wrong.any():
                found = spot(deals, wrong, day)
                yield found.error(
                    gettext(
                        "'{column}' before 1970 or after 2099 in {rows} rows, first deal {deal} has {got}",
                        **found.words,
                    )
                )


def _closed_before_opened(deals: pd.DataFrame) -> Iterator[Finding]:
    if "closed_on" not in deals or "opened_on" not in deals:
        return
    wrong = mask_of(deals["closed_on"] < deals["opened_on"])
    if wrong.any():
        found = spot(deals, wrong, deals["closed_on"])
        yield found.error(
            gettext("'closed_on' before 'opened_on' in {rows} rows, first deal {deal} closed {got}", **found.words)
        )


def _canonical_values(deals: pd.DataFrame) -> Iterator[Finding]:
    for column, accepted in CHOICES.items():
        if column in deals:
            value = deals[column]
            wrong = mask_of(value.notna() & ~value.isin(accepted))
            if wrong.any():
                found = spot(deals, wrong, value)
                yield found.error(
                    gettext(
                        "'{column}' not one of {accepted} in {rows} rows, first deal {deal} has {got}",
                        accepted=", ".join(accepted),
                        **found.words,
                    )
                )


def _currency_codes(deals: pd.DataFrame) -> Iterator[Finding]:
    if "currency" not in deals:
        return
    code = deals["currency"]
    wrong = mask_of(code.notna()) & ~mask_of(code.str.fullmatch(r"[A-Z]{3}"))
    if wrong.any():
        found = spot(deals, wrong, code)
        yield found.error(
            gettext(
                "'{column}' is no ISO 4217 code such as CNY in {rows} rows, first deal {deal} has {got}", **found.words
            )
        )


def _people_readings(deals: pd.DataFrame) -> Iterator[Finding]:
    for column in READINGS:
        if column in deals:
            value = deals[column]
            wrong = mask_of(value.notna()) & ~mask_of(value.str.fullmatch(_READINGS_TEXT))
            if wrong.any():
                found = spot(deals, wrong, value)
                yield found.error(
                    gettext(
                        "'{column}' is not 'tier*influence' per person, such as '3*2 4*1', in {rows} rows, "
                        "first deal {deal} has {got}",
                        **found.words,
                    )
                )


def training_errors(deals: pd.DataFrame, *, one_outcome: bool = False) -> Iterator[Finding]:
    """A model learns the difference between won and not won, so it needs both."""
    if "outcome" not in deals:
        yield whole("error", "outcome", gettext("column 'outcome' is missing, and training needs it"))
        return
    closed = deals["outcome"][deals["outcome"].notna() & (deals["outcome"] != "open")]
    if closed.empty:
        yield whole(
            "error",
            "outcome",
            gettext("no deal is closed: every 'outcome' is open or blank, so nothing can be learned"),
        )
    elif one_outcome:
        return
    elif (closed == "won").all():
        yield _one_outcome(len(closed), gettext("won"))
    elif not (closed == "won").any():
        yield _one_outcome(len(closed), gettext("lost or without a decision"))


def _one_outcome(count: int, outcome: str) -> Finding:
    message = gettext(
        "all {count} closed deals are {outcome}: most often a wrong export. "
        "Add the other deals, or train with --one-outcome",
        count=count,
        outcome=outcome,
    )
    return whole("error", "outcome", message)


def fact_columns(deals: pd.DataFrame) -> list[str]:
    """The columns that say something of a deal: canonical ones but the id, and the covariates a mapping named."""
    settings = deals.attrs.get("covariates", {})
    covariates = [*settings.get("varying", ()), *(item["column"] for item in settings.get("numeric", ()))]
    return [name for name in deals.columns if name != ID and (name in _KNOWN or name in covariates)]


def _copies(deals: pd.DataFrame) -> Iterator[Finding]:
    """Rows alike in all but their id: a deal exported twice counts twice, and tests lie."""
    facts = deals[fact_columns(deals)]
    copied = facts.duplicated().to_numpy() & mask_of(facts.notna().sum(axis=1) >= _CELLS_TO_CALL_A_COPY)
    if copied.any():
        found = spot(deals, copied, deals[ID])
        yield found.warning(
            gettext("{rows} rows repeat an earlier row in all but 'deal_id', first deal {deal}", **found.words)
        )


def _known_too_late(deals: pd.DataFrame) -> Iterator[Finding]:
    if not {"as_of", "closed_on", "outcome"} <= set(deals.columns):
        return
    closed = deals["outcome"].isin(("won", "lost", "no_decision"))
    late = mask_of(closed & (deals["as_of"] > deals["closed_on"]))
    if late.any():
        found = spot(deals, late, deals["as_of"])
        yield found.warning(
            gettext(
                "'as_of' after 'closed_on' in {rows} rows, first deal {deal} has {got}: "
                "not what was known before the deal closed",
                **found.words,
            )
        )


def _open_yet_closed(deals: pd.DataFrame) -> Iterator[Finding]:
    if not {"closed_on", "outcome"} <= set(deals.columns):
        return
    odd = mask_of((deals["outcome"] == "open") & deals["closed_on"].notna())
    if odd.any():
        found = spot(deals, odd, deals["closed_on"])
        yield found.warning(
            gettext(
                "'outcome' is open, yet 'closed_on' is given in {rows} rows, first deal {deal} has {got}", **found.words
            )
        )


Rule = Callable[[pd.DataFrame], Iterator[Finding]]

ERROR_RULES: tuple[Rule, ...] = (
    _missing_ids,
    _doubled_ids,
    _support_range,
    _probability_range,
    _amount_range,
    _possible_days,
    _closed_before_opened,
    _canonical_values,
    _currency_codes,
    _people_readings,
)
WARNING_RULES: tuple[Rule, ...] = (_copies, _known_too_late, _open_yet_closed)
