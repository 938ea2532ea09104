"""Eligibility: which executive may visit which role of which deal, groups of alike executives, and their assignment.

Conflicting rules are reported all at once, each with the rule to relax.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.visits.executives import Executive, Roster
from winprob.arrays import Array
from winprob.data.schema import column_or_missing
from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.methodology import ROLES, label
from winprob.toml import suggestion

#: A limit of an executive, and the column of the deals that it restricts.
_LIMITS = {"regions": "region", "accounts": "account", "segments": "segment"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Which visits each executive may make.

    Attributes
    ----------
    eligible : (executive, deal, role)
    fixed : (executive, deal, role) visits agreed already
    notes : sentences on executives without a deal to visit, and on limits that match no deal
    """

    eligible: Array
    fixed: Array
    notes: tuple[str, ...]


def find_access(roster: Roster, deals: pd.DataFrame, everything: pd.DataFrame, can_rise: Array, most: int) -> Access:
    """Which visits each executive may make among ``deals``.

    Parameters
    ----------
    deals : the open deals planned for, one row each
    everything : the whole table; it must hold every deal and account named
    can_rise : (deal, role) whether the role is below the top tier
    most : largest number of visits to one deal

    Raises
    ------
    PlanError
        A deal or account named is not in the table, or no plan can meet all rules.
    """
    place = {deal: at for at, deal in enumerate(deals["deal_id"])}
    conflicts = [*_unknown_names(roster, everything), *_conflicts(roster, deals, everything, place, most)]
    if conflicts:
        raise PlanError(_refusal(conflicts))
    reach = np.stack([_reach(executive, deals) for executive in roster.executives])
    meets = np.array([[role in executive.meets for role in ROLES] for executive in roster.executives])
    eligible = reach[:, :, None] & meets[:, None, :] & can_rise[None]
    fixed = np.zeros_like(eligible)
    for at, executive in enumerate(roster.executives):
        for visit in executive.fixed:
            fixed[at, place[visit.deal_id], ROLES.index(visit.role)] = True
    eligible = (eligible & ~fixed.any(axis=0)) | fixed
    notes = [
        *_empty_limits(roster, everything),
        *(
            _nowhere(executive, reach[at], meets[at])
            for at, executive in enumerate(roster.executives)
            if executive.slots and not eligible[at].any()
        ),
    ]
    return Access(eligible=eligible, fixed=fixed, notes=tuple(notes))


def _reach(executive: Executive, deals: pd.DataFrame) -> Array:
    """(deal,) whether the executive may visit the deal at all. A blank meets no limit."""
    open_to = np.ones(len(deals), dtype=bool)
    for limit, column in _LIMITS.items():
        if accepted := getattr(executive, limit):
            open_to &= column_or_missing(deals, column).isin(accepted).to_numpy(dtype=bool)
    open_to &= ~deals["deal_id"].isin(executive.excluded_deals).to_numpy(dtype=bool)
    return open_to & ~column_or_missing(deals, "account").isin(executive.excluded_accounts).to_numpy(dtype=bool)


def _unknown_names(roster: Roster, everything: pd.DataFrame) -> Iterator[str]:
    """Deals and accounts named that are not in the table."""
    known = {name: sorted(set(column_or_missing(everything, name).dropna())) for name in ("deal_id", "account")}
    for executive in roster.executives:
        named = [
            ("deal_id", "fixed", [visit.deal_id for visit in executive.fixed]),
            ("deal_id", "exclude.deals", executive.excluded_deals),
            ("account", "exclude.accounts", executive.excluded_accounts),
            ("account", "accounts", executive.accounts),
        ]
        for column, where, names in named:
            for name in (name for name in names if name not in known[column]):
                yield _not_there(executive, where, column, name, known[column])


def _empty_limits(roster: Roster, everything: pd.DataFrame) -> Iterator[str]:
    """Regions and segments without a deal: there may be none this time, or the name is mistyped."""
    for executive in roster.executives:
        for limit, column in (("regions", "region"), ("segments", "segment")):
            known = sorted(set(column_or_missing(everything, column).dropna()))
            for name in (name for name in getattr(executive, limit) if name not in known):
                yield _not_there(executive, limit, column, name, known) + "."


def _not_there(executive: Executive, where: str, column: str, name: str, known: list[str]) -> str:
    return gettext(
        "executive {executive!r}, {where}: {column} {name!r} is not in the deal table; {near}",
        executive=executive.name,
        where=where,
        column=column,
        name=name,
        near=suggestion(name, known, most=5),
    )


def _conflicts(
    roster: Roster, deals: pd.DataFrame, everything: pd.DataFrame, place: dict[str, int], most: int
) -> Iterator[str]:
    """Fixed visits that break another rule. All other rules are met by a plan without visits."""
    known = set(everything["deal_id"])
    for executive in roster.executives:
        if len(executive.fixed) > executive.slots:
            yield gettext(
                "{name!r} has {slots} slots and {fixed} fixed visits: raise slots to {fixed}, or drop fixed visits",
                name=executive.name,
                slots=executive.slots,
                fixed=len(executive.fixed),
            )
        for visit in executive.fixed:
            if visit.deal_id in known and (why := _barred(executive, visit.deal_id, visit.role, deals, place)):
                yield gettext(
                    "{name!r}: the fixed visit to {role} of {deal!r} breaks a rule: {why}",
                    name=executive.name,
                    role=label("role", visit.role),
                    deal=visit.deal_id,
                    why=why,
                )
    yield from _doubled(roster.executives)
    yield from _crowded(roster.executives, most)
    if roster.one_executive_per_account:
        yield from _shared_accounts(roster.executives, deals, place)


def _barred(executive: Executive, deal: str, role: str, deals: pd.DataFrame, place: dict[str, int]) -> str:
    """The rule that forbids a fixed visit; empty if none does."""
    if deal not in place:
        return gettext("the deal is closed or left out of the plan; drop the visit")
    row = deals.iloc[[place[deal]]]
    if role not in executive.meets:
        return gettext("roles (or level) let this executive meet {roles} only", roles=", ".join(executive.meets) or "-")
    for limit, column in _LIMITS.items():
        accepted, got = getattr(executive, limit), column_or_missing(row, column).iloc[0]
        if accepted and got not in accepted:
            shown = gettext("unknown") if pd.isna(got) else got
            return gettext("{limit} leaves {got!r} out; add it there, or drop the visit", limit=limit, got=shown)
    if not _reach(executive, row)[0]:
        return gettext("the deal or its account is under exclude; take it out there, or drop the visit")
    return ""


def _visits(executives: Sequence[Executive]) -> Counter[tuple[str, str]]:
    return Counter((visit.deal_id, visit.role) for executive in executives for visit in executive.fixed)


def _doubled(executives: Sequence[Executive]) -> Iterator[str]:
    for (deal, role), count in _visits(executives).items():
        if count > 1:
            yield gettext(
                "{count} executives are fixed to visit {role} of {deal!r}: keep one of them",
                count=count,
                role=label("role", role),
                deal=deal,
            )


def _crowded(executives: Sequence[Executive], most: int) -> Iterator[str]:
    for deal, count in Counter(deal for deal, _ in _visits(executives)).items():
        if count > most:
            yield gettext(
                "{count} visits are fixed in {deal!r}, at most {most} are allowed: raise visits.most_per_deal "
                "(settings, at most 3), or drop some",
                count=count,
                deal=deal,
                most=most,
            )


def _shared_accounts(executives: Sequence[Executive], deals: pd.DataFrame, place: dict[str, int]) -> Iterator[str]:
    accounts = column_or_missing(deals, "account")
    visitors: dict[str, set[str]] = {}
    for executive in executives:
        for visit in executive.fixed:
            account = accounts.iloc[place[visit.deal_id]] if visit.deal_id in place else pd.NA
            if pd.notna(account):
                visitors.setdefault(str(account), set()).add(executive.name)
    for account, names in visitors.items():
        if len(names) > 1:
            yield gettext(
                "account {account!r} has fixed visits by {names}, and one_executive_per_account is true: "
                "turn the rule off, or give these visits to one of them",
                account=account,
                names=", ".join(sorted(names)),
            )


def _nowhere(executive: Executive, reach: Array, meets: Array) -> str:
    """Why an executive with slots has no visit to make."""
    if not meets.any():
        why = gettext("roles and level leave no role to meet")
    elif not reach.any():
        why = gettext("no open deal is within the limits (regions, accounts, segments, exclude)")
    else:
        why = gettext("in the deals within reach, the roles to meet are all at the top tier")
    return gettext("{name} has no deal to go to: {why}.", name=executive.name, why=why)


def _refusal(conflicts: Sequence[str]) -> str:
    if len(conflicts) == 1:
        return gettext("the rules cannot all be met: {conflict}.", conflict=conflicts[0])
    listed = "\n".join(f"  - {conflict}" for conflict in conflicts)
    return gettext(
        "the rules cannot all be met, {count} conflicts:\n{conflicts}", count=len(conflicts), conflicts=listed
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutiveGroups:
    """Executives eligible for the same visits, as groups.

    Attributes
    ----------
    of : (executive,) the group of each
    slots, largest : (group,) total slots, and the largest number of slots of one executive
    eligible, fixed : (group, deal, role)
    """

    of: Array
    slots: Array
    largest: Array
    eligible: Array
    fixed: Array


def executive_groups(roster: Roster, access: Access, *, alone: bool = False) -> ExecutiveGroups:
    """Group executives by the visits they are eligible for; with ``alone``, each is a group of its own."""
    count = len(roster.executives)
    slots = np.array([executive.slots for executive in roster.executives])
    may = (access.eligible & ~access.fixed.any(axis=0)).reshape(count, -1)
    of = np.arange(count) if alone else np.unique(np.packbits(may, axis=1), axis=0, return_inverse=True)[1].ravel()
    groups = range(int(of.max()) + 1)
    return ExecutiveGroups(
        of=of,
        slots=np.array([slots[of == group].sum() for group in groups]),
        largest=np.array([slots[of == group].max() for group in groups]),
        eligible=np.stack([access.eligible[of == group].any(axis=0) for group in groups]),
        fixed=np.stack([access.fixed[of == group].any(axis=0) for group in groups]),
    )


def assign(
    visitor: Array, groups: ExecutiveGroups, roster: Roster, access: Access, account: Array | None = None
) -> Array | None:
    """Assign the visits of each group to its executives, (deal, role).

    Fixed visits first; where possible all visits to a deal by one executive, and with ``account`` (deal,) all visits to
    an account. None if the slots of single executives do not allow that.
    """
    who = np.full(visitor.shape, -1)
    left = np.array([executive.slots for executive in roster.executives])
    for at, deal, role in np.argwhere(access.fixed):
        who[deal, role], left[at] = at, left[at] - 1
    rest = (visitor >= 0) & (who < 0)
    place = np.arange(len(visitor)) if account is None else account
    bundles = [np.argwhere(rest & (place == one)[:, None]) for one in np.unique(place[rest.any(axis=1)])]
    for bundle in sorted(bundles, key=len, reverse=True):
        visiting = set(who[place == place[bundle[0, 0]]].ravel().tolist()) - {-1}
        alike = [at for at in np.flatnonzero(groups.of == visitor[tuple(bundle[0])]) if left[at] >= len(bundle)]
        if account is not None:
            alike = [at for at in alike if not visiting or at in visiting]
            if not alike:
                return None
        _assign_bundle(bundle, visitor, who, left, groups, visiting)
    return who


def _assign_bundle(
    bundle: Array, visitor: Array, who: Array, left: Array, groups: ExecutiveGroups, visiting: set[int]
) -> None:
    """Assign a bundle of visits: to an executive who visits there anyway, else to one with enough slots, else any."""
    for done, (deal, role) in enumerate(bundle):
        alike = [int(at) for at in np.flatnonzero((groups.of == visitor[deal, role]) & (left > 0))]
        alike.sort(key=lambda at: (at not in visiting, left[at] < len(bundle) - done))
        who[deal, role] = alike[0]
        left[alike[0]] -= 1
        visiting.add(alike[0])
