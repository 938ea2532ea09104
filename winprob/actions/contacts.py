"""People of a customer as contacts: who is met, who can introduce us to whom, whom to ask, and who is the coach.

Without a people table each role that the record knows counts as one contact without a name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.actions.levers.loss_patterns import tier_of
from winprob.i18n import gettext
from winprob.methodology import COVERAGES, ROLES, SUPPORT_TIERS, channels_for, label, plays

OPPOSED, SUPPORTIVE = SUPPORT_TIERS[0], SUPPORT_TIERS[2]
_CONTACTED = COVERAGES.index("contacted")
_COACHES = ("unvalidated", "validated")
#: Influence of a person without a rating, as in the people table.
_INFLUENCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person in a role; without a people table the role itself.

    Attributes
    ----------
    person : the name; empty where only the role is on record
    tier : reported support 1..4, None if unknown
    influence : 1..4; None where only the role is on record
    weakest : the lowest-rated item of the support rubric, None where all are rated at the top or not at all
    stance : rating 1..4 of the stance towards competitors, None if not rated
    known_by, reports_to, competitor, last_contact, coach : notes of the people table, None if unknown
    """

    person: str
    role: str
    tier: int | None
    coverage: str | None
    influence: int | None = None
    weakest: str | None = None
    stance: int | None = None
    known_by: str | None = None
    reports_to: str | None = None
    competitor: str | None = None
    last_contact: pd.Timestamp | None = None
    coach: str | None = None

    @property
    def met(self) -> bool:
        """Whether we have spoken; where coverage is blank, a reported support counts as contact."""
        if self.coverage is None:
            return self.tier is not None
        return COVERAGES.index(self.coverage) >= _CONTACTED

    @property
    def supports(self) -> bool:
        return self.tier is not None and self.tier >= SUPPORTIVE

    @property
    def opposes(self) -> bool:
        return self.tier == OPPOSED

    @property
    def weight(self) -> int:
        """Influence, the default where it is not rated."""
        return self.influence or _INFLUENCE

    def text(self, *, support: bool = True) -> str:
        """``Li Wei (Influencer, Champion)``; without a name ``the Influencer (Champion)``."""
        tier = [label("support", self.tier)] if support and self.tier is not None else []
        if self.person:
            what = gettext(", ").join([label("role", self.role), *tier])
            return gettext("{what} ({state})", what=self.person, state=what)
        role = gettext("the {role}", role=label("role", self.role))
        return gettext("{what} ({state})", what=role, state=tier[0]) if tier else role


def contacts_of(deal: pd.Series, people: pd.DataFrame | None) -> tuple[Contact, ...]:
    """The contacts of a deal: of each role its people, most influential first, ties the lower tier first.

    Parameters
    ----------
    deal : one row of the deal table; people without a date count at every date, and a deal without a date has all
    people : as ``tables.read_people_table`` returns it; None without one. A role of which it names no one is not
        a contact, even where the deal table has its support.
    """
    if people is None:
        return tuple(_role_alone(deal, role) for role in ROLES if _known(deal, role))
    mine = people[people["deal_id"] == deal["deal_id"]]
    day = deal.get("as_of")
    if pd.notna(day):
        mine = mine[mine["as_of"].isna() | (mine["as_of"] == day)]
    ordered = mine.sort_values(["influence", "tier", "person"], ascending=[False, True, True], kind="stable")
    return tuple(_contact(row) for role in ROLES for _, row in ordered[ordered["role"] == role].iterrows())


def _known(deal: pd.Series, role: str) -> bool:
    coverage = deal.get(f"{role}_coverage")
    return pd.notna(tier_of(deal, role)) or (pd.notna(coverage) and coverage != "unknown")


def _role_alone(deal: pd.Series, role: str) -> Contact:
    tier, coverage = tier_of(deal, role), deal.get(f"{role}_coverage")
    return Contact(
        person="",
        role=role,
        tier=int(tier + 0.5) if tier > 0 else None,
        coverage=None if pd.isna(coverage) else str(coverage),
    )


def _contact(row: pd.Series) -> Contact:
    rubric = [play.id for play in plays("support") if play.id != "influence"]
    return Contact(
        person=str(row["person"]),
        role=str(row["role"]),
        tier=_whole(row["tier"]),
        coverage=_text(row["coverage"]),
        influence=_whole(row["influence"]),
        weakest=weakest_item({item: row[item] for item in rubric if item in row}),
        stance=_whole(row.get("competitor_stance")),
        last_contact=None if pd.isna(row.get("last_contact")) else row["last_contact"],
        **{name: _text(row.get(name)) for name in ("known_by", "reports_to", "competitor", "coach")},
    )


def _whole(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else str(value)


def weakest_item(ratings: Mapping[str, float]) -> str | None:
    """The lowest-rated item, ties in the order of the rubric; None where nothing is rated below the top."""
    # An unrated item is NaN, and the comparison is false.
    rated = {item: rating for item, rating in ratings.items() if rating < max(SUPPORT_TIERS)}
    return min(rated, key=rated.__getitem__, default=None)


def holders(contacts: Iterable[Contact], role: str) -> tuple[Contact, ...]:
    """The contacts in a role."""
    return tuple(contact for contact in contacts if contact.role == role)


# --- introductions --------------------------------------------------------------------------------------------------


#: Roles next to each role (ours): an introduction from one of them is natural.
_NEXT_TO: Mapping[str, tuple[str, ...]] = {
    "approver": ("decision_maker",),
    "decision_maker": ("approver", "evaluator", "influencer"),
    "evaluator": ("decision_maker", "influencer"),
    "influencer": ("decision_maker", "evaluator"),
    "procurement": ("decision_maker", "evaluator", "influencer"),
}


def introducer(contacts: Iterable[Contact], role: str, target: Contact | None = None) -> Contact | None:
    """Who of the customer can introduce us: a supportive person over, or next to, the one we want to meet.

    Over: more influence, or a more senior role. Next to: one reports to the other, both report to the same person, or
    the roles are neighbours. Of several the one with a relation on record, then a neighbour, then the most senior (as
    the red flags do), then the more supportive.

    Parameters
    ----------
    role, target : the role to meet and, where known, the person
    """
    able = [one for one in _others(contacts, role, target) if one.supports]
    near = [one for one in able if _related(one, target) or _over(one, role, target) or one.role in _NEXT_TO[role]]
    return max(
        near,
        key=lambda one: (_related(one, target), one.role in _NEXT_TO[role], *_standing(one)),
        default=None,
    )


def door_opener(contacts: Iterable[Contact], role: str, target: Contact | None = None) -> Contact | None:
    """The introducer; without one the most senior contact who supports us, or at least is not opposed."""
    contacts = tuple(contacts)
    others = [one for one in _others(contacts, role, target) if not one.opposes]
    nearest = max(others, key=lambda one: (one.supports and one.role != "procurement", *_standing(one)), default=None)
    return introducer(contacts, role, target) or nearest


def _standing(one: Contact) -> tuple[int, int, int]:
    """Seniority of the role, then support, then influence."""
    return -_rank(one), one.tier or 0, one.weight


def _others(contacts: Iterable[Contact], role: str, target: Contact | None) -> list[Contact]:
    """The people we have met in other roles, without the person to meet."""
    name = target.person if target else ""
    return [one for one in contacts if one.met and one.role != role and not (name and one.person == name)]


def _related(one: Contact, target: Contact | None) -> bool:
    if target is None or not target.person or not one.person:
        return False
    superior = one.reports_to is not None and one.reports_to == target.reports_to
    return superior or one.reports_to == target.person or target.reports_to == one.person


def _over(one: Contact, role: str, target: Contact | None) -> bool:
    more = target is not None and one.weight > target.weight
    return more or _rank(one) < ROLES.index(role)


def _rank(one: Contact) -> int:
    """Position of the role, the most senior first."""
    return ROLES.index(one.role)


# --- coach ----------------------------------------------------------------------------------------------------------


def coaches(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """The people whom the people table marks as coach, the validated first."""
    marked = {one.person: one for one in contacts if one.coach in _COACHES}
    return tuple(sorted(marked.values(), key=lambda one: one.coach != "validated"))


def coach_candidate(contacts: Iterable[Contact]) -> Contact | None:
    """Whom to develop as coach: supports us, is met, and close to those who decide; a decision maker only at last."""
    able = [one for one in contacts if one.met and one.supports and one.role not in ("approver", "procurement")]
    return max(able, key=lambda one: (one.role != "decision_maker", one.tier or 0, one.weight), default=None)


def hearsay(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """People whose support is on record although we have not spoken with them: someone else reported it."""
    return tuple(one for one in contacts if one.tier is not None and not one.met)


# --- whom to ask ----------------------------------------------------------------------------------------------------

#: Roles likely to know a fact at first hand, the likeliest first (ours); of a role's support, those around the role.
_KNOW: Mapping[str, tuple[str, ...]] = {
    "decision_method": ("procurement", "evaluator", "decision_maker", "influencer", "approver"),
    "stage": ("decision_maker", "evaluator", "influencer", "approver", "procurement"),
    "approver_coverage": ("decision_maker", "procurement", "evaluator", "influencer"),
    "coach": ("decision_maker", "evaluator", "influencer", "procurement", "approver"),
}
_AROUND: Mapping[str, tuple[str, ...]] = {
    "approver": ("decision_maker", "evaluator", "procurement", "influencer"),
    "decision_maker": ("evaluator", "influencer", "approver", "procurement"),
    "evaluator": ("influencer", "decision_maker", "procurement", "approver"),
    "influencer": ("evaluator", "decision_maker", "procurement", "approver"),
    "procurement": ("evaluator", "decision_maker", "influencer", "approver"),
}


def informants(contacts: Sequence[Contact], fact: str, coach_state: object) -> tuple[Contact, ...]:
    """Whom to ask about a fact, the best first: two people of different roles, where there are as many.

    A validated coach comes first, but never about the coach. Then those who are met and not opposed, supportive ones
    first, by how close their role is to the fact. The holders of the role in question are not asked about themselves.
    """
    marked = coaches(contacts) if fact != "coach" and coach_state == "validated" else ()
    marked = tuple(one for one in marked if f"{one.role}_support" != fact)
    barred = {one.person for one in coaches(contacts)} if fact == "coach" else set()
    order = _KNOW.get(fact) or _AROUND[fact.removesuffix("_support")]
    able = [one for one in contacts if one.met and not one.opposes and one.role in order and one.person not in barred]
    able.sort(key=lambda one: (not one.supports, order.index(one.role), -(one.tier or 0), -one.weight))
    chosen: list[Contact] = []
    for one in (*marked, *able):
        if all(one.role != other.role and (not one.person or one.person != other.person) for other in chosen):
            chosen.append(one)
    return tuple(chosen[:2])


def whom_to_ask(contacts: Sequence[Contact], fact: str, coach_state: object) -> str:
    """Whom to ask about a fact and with whom to confirm it, by name where known; outside channels without a contact."""
    asked = [one.text() for one in informants(contacts, fact, coach_state)]
    if coach_state == "validated" and fact != "coach" and not coaches(contacts):
        asked = [gettext("the coach (no name on record)"), *asked[:1]]
    if not asked:
        outside = [play.phrase.text() for play in channels_for(fact) if play.id not in _INSIDE]
        return gettext("no one met yet who could know; from outside: {channels}", channels=gettext("; ").join(outside))
    if len(asked) == 1:
        return gettext("{who}; no second source to confirm it yet", who=asked[0])
    return gettext("{who}; confirm with {other}", who=asked[0], other=asked[1])


#: Channels inside the customer.
_INSIDE = ("coach", "inside_sources")
