"""Data of a visit sheet: the deal, its earlier reading, the people, the role to visit, and contrasts with variants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.contacts import Contact, contacts_of, door_opener, holders
from winprob.actions.flags import find_flags
from winprob.actions.levers import rank_levers, rank_roles
from winprob.arrays import Array
from winprob.data.schema import last_reading, validate_deals
from winprob.errors import DealTableError, SettingsError
from winprob.i18n import gettext
from winprob.methodology import ROLES, NextStep, canonical, next_step, time_left
from winprob.model.draws import summarise
from winprob.model.posterior import Posterior
from winprob.model.prediction import draw_win_prob
from winprob.report.numbers import days_left


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit to one role of one deal.

    Attributes
    ----------
    deal : one valid row, the present reading; before : an earlier reading, or None
    contacts : the people of the customer, or without a people table the roles that are known
    before_contacts : the contacts on the day of the earlier reading
    people : the people table, as ``read_people_table`` returns it; None without one
    levers : the roles as ranked by ``rank_roles``; all_levers : with coach, coverage and method, by ``rank_levers``
    flags : the deal's red flags, as ``find_flags`` returns them
    role : the role to visit; chosen : whether the user named it
    step : the next step with the person
    """

    posterior: Posterior
    deal: pd.DataFrame
    before: pd.DataFrame | None
    contacts: tuple[Contact, ...]
    before_contacts: tuple[Contact, ...]
    people: pd.DataFrame | None
    levers: pd.DataFrame
    all_levers: pd.DataFrame
    flags: pd.DataFrame
    role: str
    chosen: bool
    step: NextStep

    @property
    def facts(self) -> pd.Series:
        return self.deal.iloc[0]

    @property
    def person(self) -> Contact | None:
        """The person to visit: the most influential in the role."""
        return next(iter(holders(self.contacts, self.role)), None)

    @property
    def opener(self) -> Contact | None:
        """Who of the customer can bring us to the person."""
        return door_opener(self.contacts, self.role, self.person)

    @property
    def named(self) -> bool:
        """Whether there is a people table."""
        return self.people is not None

    @property
    def noted(self) -> frozenset[str]:
        """The columns of the people table."""
        return frozenset() if self.people is None else frozenset(self.people.columns)

    @property
    def met(self) -> bool:
        """Whether we have spoken with the person."""
        return self.person is not None and self.person.met

    @property
    def days_left(self) -> int | None:
        """Days from the reading to the expected close, negative where it has passed; None where one is unknown."""
        return days_left(self.facts)

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
    answers: pd.DataFrame | None = None,
) -> Visit:
    """Collect the data of the sheet.

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
    contacts = contacts_of(deal.iloc[0], people)
    levers = rank_roles(posterior, deal)
    target = named or str(levers["role"].iloc[0])
    return Visit(
        posterior=posterior,
        deal=deal,
        before=earlier,
        contacts=contacts,
        before_contacts=() if earlier is None else contacts_of(earlier.iloc[0], people),
        people=people,
        levers=levers,
        all_levers=rank_levers(posterior, deal),
        flags=find_flags(valid, settings=posterior.settings.flags, deal_id=deal_id, answers=answers),
        role=target,
        chosen=named is not None,
        step=_step(deal.iloc[0], target, next(iter(holders(contacts, target)), None)),
    )


def _role(role: str | None) -> str | None:
    """The canonical role of a name, canonical or a usual English or Chinese term."""
    meant = canonical("role", role)
    if role is not None and meant is None:
        raise SettingsError(gettext("role {role!r} is not one of {accepted}", role=role, accepted=", ".join(ROLES)))
    return meant


def _step(facts: pd.Series, role: str, person: Contact | None) -> NextStep:
    """Facts of the person take precedence over facts of the role."""
    return next_step(
        role=role,
        stage=facts.get("stage"),
        decision_method=facts.get("decision_method"),
        support=person.tier if person and person.tier else facts.get(f"{role}_support"),
        coverage=person.coverage if person and person.coverage else facts.get(f"{role}_coverage"),
        time=time_left(days_left(facts)),
        weakest=person.weakest if person else None,
    )


def _own_earlier(deals: pd.DataFrame, deal: pd.DataFrame) -> pd.DataFrame | None:
    """The reading before the last one in the same table; None where there is only one."""
    others = deals[(deals["deal_id"] == deal["deal_id"].item()) & (deals.index != deal.index[0])]
    return None if others.empty else last_reading(others, str(deal["deal_id"].item()))


def _earlier(before: pd.DataFrame, deal: pd.DataFrame) -> pd.DataFrame:
    """The last reading of the deal in the earlier table that is not later than the present one."""
    name = str(deal["deal_id"].item())
    mine = before[before["deal_id"] == name]
    if mine.empty:
        raise DealTableError(
            gettext(
                "the earlier table ({rows} rows) does not contain deal {deal!r}: there is nothing to compare with",
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
                "the earlier table reads deal {deal!r} on {then}, later than {now}: are the two tables swapped?",
                deal=name,
                then=mine["as_of"].min().date().isoformat(),
                now=day.date().isoformat(),
            )
        )
    return last_reading(in_time, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A quantity with its 90 % interval."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A win probability, and its difference from that of the present deal."""

    chance: Estimate
    change: Estimate


def estimate(draws: Array) -> Estimate:
    """Mean and interval of (draw,) draws."""
    mean, lower, upper = summarise(draws)
    return Estimate(mean=float(mean), lower=float(lower), upper=float(upper))


def contrasts(posterior: Posterior, deal: pd.DataFrame, others: Sequence[pd.DataFrame]) -> list[Contrast]:
    """Win probability of each of ``others``, and its difference from ``deal``, on common draws; one row each."""
    now, *then = draw_each(posterior, [deal, *others])
    return [Contrast(chance=estimate(draws), change=estimate(draws - now)) for draws in then]


def draw_each(posterior: Posterior, deals: Sequence[pd.DataFrame]) -> Array:
    """(deal, draw) win probability of rows that may be readings of one deal, on common draws."""
    table = pd.concat(deals, ignore_index=True)
    # New ids, because a deal table has one row for each deal and day.
    table["deal_id"] = [str(at) for at in range(len(table))]
    return np.asarray(draw_win_prob(posterior, table), dtype=float)


def varied(deal: pd.DataFrame, facts: Mapping[str, object]) -> pd.DataFrame:
    """The deal with some facts changed. A changed support replaces all readings of its role."""
    readings = {f"{role}_readings": None for role in ROLES if f"{role}_support" in facts}
    new = {**facts, **{name: value for name, value in readings.items() if name in deal}}
    return deal.assign(**{name: pd.Series([value], index=deal.index) for name, value in new.items()})
