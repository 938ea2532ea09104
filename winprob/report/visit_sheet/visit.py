"""Data of a visit sheet: the deal, its earlier reading, the people, the role to visit, and contrasts with variants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.flags import find_flags
from winprob.actions.levers import rank_roles
from winprob.arrays import Array
from winprob.data.schema import last_reading, validate_deals
from winprob.errors import DealTableError, SettingsError
from winprob.i18n import gettext
from winprob.methodology import ROLES, SUPPORT_TIERS, NextStep, canonical, next_step, plays
from winprob.model.draws import summarise
from winprob.model.posterior import Posterior
from winprob.model.prediction import draw_win_prob


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A person in a role.

    Attributes
    ----------
    tier : reported support 1..4, None if unknown
    weakest : the lowest-rated item of the support rubric, None where all are rated at the top or not at all
    """

    person: str
    tier: int | None
    coverage: str | None
    weakest: str | None


def holders(people: pd.DataFrame, deal: pd.Series) -> dict[str, tuple[Holder, ...]]:
    """The people of each role, most influential first; ties go to the lower support tier.

    Parameters
    ----------
    people : as ``tables.read_people_table`` returns it
    deal : one row of the deal table; people without a date count at every date, and a deal without a date has all
    """
    mine = people[people["deal_id"] == deal["deal_id"]]
    day = deal.get("as_of")
    if day is not None and pd.notna(day):
        mine = mine[mine["as_of"].isna() | (mine["as_of"] == day)]
    ordered = mine.sort_values(["influence", "tier", "person"], ascending=[False, True, True], kind="stable")
    return {role: tuple(_holder(row) for _, row in ordered[ordered["role"] == role].iterrows()) for role in ROLES}


def weakest_item(ratings: Mapping[str, float]) -> str | None:
    """The lowest-rated item, ties in the order of the rubric; None where nothing is rated below the top."""
    # An unrated item is NaN, and the comparison is false.
    rated = {item: rating for item, rating in ratings.items() if rating < max(SUPPORT_TIERS)}
    return min(rated, key=rated.__getitem__, default=None)


def _holder(row: pd.Series) -> Holder:
    rubric = [play.id for play in plays("support") if play.id != "influence"]
    return Holder(
        person=str(row["person"]),
        tier=int(row["tier"]) if pd.notna(row["tier"]) else None,
        coverage=str(row["coverage"]) if pd.notna(row["coverage"]) else None,
        weakest=weakest_item({item: row[item] for item in rubric if item in row}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit to one role of one deal.

    Attributes
    ----------
    deal : one valid row, the present reading; before : an earlier reading, or None
    people : the people of each role; empty without a people table
    levers : the roles as ranked by ``rank_roles``
    flags : the deal's red flags, as ``find_flags`` returns them
    role : the role to visit; chosen : whether the user named it
    step : the next step with the person
    """

    posterior: Posterior
    deal: pd.DataFrame
    before: pd.DataFrame | None
    people: Mapping[str, tuple[Holder, ...]]
    levers: pd.DataFrame
    flags: pd.DataFrame
    role: str
    chosen: bool
    step: NextStep

    @property
    def facts(self) -> pd.Series:
        return self.deal.iloc[0]

    @property
    def person(self) -> Holder | None:
        """The person to visit: the most influential in the role."""
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
    who = {} if people is None else holders(people, deal.iloc[0])
    levers = rank_roles(posterior, deal)
    target = named or str(levers["role"].iloc[0])
    return Visit(
        posterior=posterior,
        deal=deal,
        before=earlier,
        people=who,
        levers=levers,
        flags=find_flags(valid, settings=posterior.settings.flags, deal_id=deal_id, answers=answers),
        role=target,
        chosen=named is not None,
        step=_step(deal.iloc[0], target, next(iter(who.get(target, ())), None)),
    )


def _role(role: str | None) -> str | None:
    """The canonical role of a name, canonical or a usual English or Chinese term."""
    meant = canonical("role", role)
    if role is not None and meant is None:
        raise SettingsError(gettext("role {role!r} is not one of {accepted}", role=role, accepted=", ".join(ROLES)))
    return meant


def _step(facts: pd.Series, role: str, person: Holder | None) -> NextStep:
    """Facts of the person take precedence over facts of the role."""
    return next_step(
        role=role,
        stage=facts.get("stage"),
        decision_method=facts.get("decision_method"),
        support=person.tier if person and person.tier else facts.get(f"{role}_support"),
        coverage=person.coverage if person and person.coverage else facts.get(f"{role}_coverage"),
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
