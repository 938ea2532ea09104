"""What is there to know before the page is written? The deal, the reading before, the role to visit, the next step."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from winprob.actions.levers import rank_roles
from winprob.data.schema import last_reading, validate_deals
from winprob.errors import DealTableError, SettingsError
from winprob.i18n import gettext
from winprob.methodology import ROLES, NextStep, canonical, next_step
from winprob.model.posterior import Posterior
from winprob.report.visit_sheet.people import Holder, holders


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit to one role of one deal.

    Attributes
    ----------
    deal : one valid row, the deal as it stands; before : an earlier reading of it, or None
    people : who holds each role, where a people table was given
    levers : the roles as ``rank_roles`` ranks them
    role : whom to visit; chosen : whether the user named the role
    step : the next step with the person
    """

    posterior: Posterior
    deal: pd.DataFrame
    before: pd.DataFrame | None
    people: Mapping[str, tuple[Holder, ...]]
    levers: pd.DataFrame
    role: str
    chosen: bool
    step: NextStep

    @property
    def facts(self) -> pd.Series:
        return self.deal.iloc[0]

    @property
    def person(self) -> Holder | None:
        """The one to visit: the most influential in the role."""
        return next(iter(self.people.get(self.role, ())), None)

    @property
    def lever(self) -> pd.Series:
        """The role's row of ``levers``."""
        return self.levers[self.levers["role"] == self.role].iloc[0]


def plan_visit(
    posterior: Posterior,
    deals: pd.DataFrame,
    deal_id: str,
    *,
    role: str | None,
    people: pd.DataFrame | None,
    before: pd.DataFrame | None,
) -> Visit:
    """All that the page says, before it is said.

    Raises
    ------
    DealTableError
        A table is not valid, or the deal is not in it.
    SettingsError
        ``role`` is not a role.
    """
    named = _role(role)
    valid = validate_deals(deals).reset_index(drop=True)
    deal = last_reading(valid, deal_id)
    earlier = _own_earlier(valid, deal) if before is None else _earlier(validate_deals(before), deal)
    who = {} if people is None else holders(people, deal.iloc[0])
    levers = rank_roles(posterior, deal)
    target = named or str(levers["role"].iloc[0])
    return Visit(
        posterior=posterior,
        deal=deal,
        before=earlier,
        people=who,
        levers=levers,
        role=target,
        chosen=named is not None,
        step=_step(deal.iloc[0], target, next(iter(who.get(target, ())), None)),
    )


def _role(role: str | None) -> str | None:
    """The role that a word means, in our words or in usual English or Chinese ones."""
    meant = canonical("role", role)
    if role is not None and meant is None:
        raise SettingsError(gettext("role {role!r} is not one of {accepted}", role=role, accepted=", ".join(ROLES)))
    return meant


def _step(facts: pd.Series, role: str, person: Holder | None) -> NextStep:
    """What is known of the person counts before what is known of the role."""
    return next_step(
        role=role,
        stage=facts.get("stage"),
        decision_method=facts.get("decision_method"),
        support=person.tier if person and person.tier else facts.get(f"{role}_support"),
        coverage=person.coverage if person and person.coverage else facts.get(f"{role}_coverage"),
        weakest=person.weakest if person else None,
    )


def _own_earlier(deals: pd.DataFrame, deal: pd.DataFrame) -> pd.DataFrame | None:
    """The reading before the last one, in the same table; None where there is only one."""
    others = deals[(deals["deal_id"] == deal["deal_id"].item()) & (deals.index != deal.index[0])]
    return None if others.empty else last_reading(others, str(deal["deal_id"].item()))


def _earlier(before: pd.DataFrame, deal: pd.DataFrame) -> pd.DataFrame:
    """The last reading of the deal in a table of its own that is not later than the present one."""
    name = str(deal["deal_id"].item())
    mine = before[before["deal_id"] == name]
    if mine.empty:
        raise DealTableError(
            gettext(
                "the table before ({rows} rows) does not hold deal {deal!r}: there is nothing to compare with",
                rows=len(before),
                deal=name,
            )
        )
    day = deal["as_of"].item() if "as_of" in deal else None
    if pd.isna(day) or "as_of" not in mine:
        return last_reading(mine, name)
    in_time = mine[mine["as_of"].isna() | (mine["as_of"] <= day)]
    if in_time.empty:
        raise DealTableError(
            gettext(
                "the table before reads deal {deal!r} on {then}, later than {now}: are the two swapped?",
                deal=name,
                then=mine["as_of"].min().date().isoformat(),
                now=day.date().isoformat(),
            )
        )
    return last_reading(in_time, name)
