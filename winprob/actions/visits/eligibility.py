"""Who may visit whom, and can all rules hold together? Every conflict is told at once, with what to relax."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.visits.executives import Executive, Roster
from winprob.arrays import Array
from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.methodology import ROLES, label
from winprob.toml import suggestion

#: A limit of an executive, and the deal's column it looks at.
_LIMITS = {"regions": "region", "accounts": "account", "segments": "segment"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may visit whom.

    Attributes
    ----------
    eligible : (executive, deal, role)
    fixed : (executive, deal, role) visits agreed already
    notes : what should be known of executives who can go nowhere, in words
    """

    eligible: Array
    fixed: Array
    notes: tuple[str, ...]


def find_access(roster: Roster, deals: pd.DataFrame, everything: pd.DataFrame, can_rise: Array, most: int) -> Access:
    """Who may visit whom among ``deals``.

    Parameters
    ----------
    deals : the open deals planned for, one row each
    everything : the whole table; a deal or account that is named must be in it
    can_rise : (deal, role) whether the role is below the top tier
    most : visits to one deal at most

    Raises
    ------
    PlanError
        A deal or account that is not there, or rules that no plan can meet.
    """
    place = {deal: at for at, deal in enumerate(deals["deal_id"])}
    conflicts = [*_strangers(roster, everything), *_conflicts(roster, deals, everything, place, most)]
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


def _column(deals: pd.DataFrame, name: str) -> pd.Series:
    return deals[name] if name in deals else pd.Series(pd.NA, index=deals.index, dtype="str")


def _reach(executive: Executive, deals: pd.DataFrame) -> Array:
    """(deal,) whether the executive may go to the deal at all. A blank meets no limit: it is not known to."""
    open_to = np.ones(len(deals), dtype=bool)
    for limit, column in _LIMITS.items():
        if accepted := getattr(executive, limit):
            open_to &= _column(deals, column).isin(accepted).to_numpy(dtype=bool)
    open_to &= ~deals["deal_id"].isin(executive.excluded_deals).to_numpy(dtype=bool)
    return open_to & ~_column(deals, "account").isin(executive.excluded_accounts).to_numpy(dtype=bool)


def _strangers(roster: Roster, everything: pd.DataFrame) -> Iterator[str]:
    """Deals and accounts that are named and not in the table."""
    known = {name: sorted(set(_column(everything, name).dropna())) for name in ("deal_id", "account")}
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
    """Regions and segments in which no deal lies: there may be none this time, or the name is mistyped."""
    for executive in roster.executives:
        for limit, column in (("regions", "region"), ("segments", "segment")):
            known = sorted(set(_column(everything, column).dropna()))
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
    """Where agreed visits break another rule. All else can be met by visiting nobody."""
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
    """What forbids an agreed visit; empty if nothing does."""
    if deal not in place:
        return gettext("the deal is closed or left out of the plan; drop the visit")
    row = deals.iloc[[place[deal]]]
    if role not in executive.meets:
        return gettext("roles (or level) let this executive meet {roles} only", roles=", ".join(executive.meets) or "-")
    for limit, column in _LIMITS.items():
        accepted, got = getattr(executive, limit), _column(row, column).iloc[0]
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
    accounts = _column(deals, "account")
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
        why = gettext("roles and level leave nobody to meet")
    elif not reach.any():
        why = gettext("no open deal lies within the limits (regions, accounts, segments, exclude)")
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
