"""Which executives are alike, and who of them goes where?"""

from dataclasses import dataclass

import numpy as np

from winprob.actions.visits.eligibility import Access
from winprob.actions.visits.executives import Roster
from winprob.arrays import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Executives who may visit the same, taken together.

    Attributes
    ----------
    of : (executive,) the kind each belongs to
    slots, largest : (kind,) of all its executives together, and of the one with most
    eligible, fixed : (kind, deal, role)
    """

    of: Array
    slots: Array
    largest: Array
    eligible: Array
    fixed: Array


def group_kinds(roster: Roster, access: Access, *, alone: bool = False) -> Kinds:
    """Executives alike in whom they may visit, as one; with ``alone``, each as a kind of its own."""
    count = len(roster.executives)
    slots = np.array([executive.slots for executive in roster.executives])
    may = (access.eligible & ~access.fixed.any(axis=0)).reshape(count, -1)
    of = np.arange(count) if alone else np.unique(np.packbits(may, axis=1), axis=0, return_inverse=True)[1].ravel()
    kinds = range(int(of.max()) + 1)
    return Kinds(
        of=of,
        slots=np.array([slots[of == kind].sum() for kind in kinds]),
        largest=np.array([slots[of == kind].max() for kind in kinds]),
        eligible=np.stack([access.eligible[of == kind].any(axis=0) for kind in kinds]),
        fixed=np.stack([access.fixed[of == kind].any(axis=0) for kind in kinds]),
    )


def hand_out(
    visitor: Array, kinds: Kinds, roster: Roster, access: Access, account: Array | None = None
) -> Array | None:
    """(deal, role) the executive who visits, from the kind who does: agreed visits first, a deal in one hand if it can
    be, and with ``account`` (deal,) each account in one hand; None where that does not come out even.
    """
    who = np.full(visitor.shape, -1)
    left = np.array([executive.slots for executive in roster.executives])
    for at, deal, role in np.argwhere(access.fixed):
        who[deal, role], left[at] = at, left[at] - 1
    rest = (visitor >= 0) & (who < 0)
    place = np.arange(len(visitor)) if account is None else account
    bundles = [np.argwhere(rest & (place == one)[:, None]) for one in np.unique(place[rest.any(axis=1)])]
    for bundle in sorted(bundles, key=len, reverse=True):
        there = set(who[place == place[bundle[0, 0]]].ravel().tolist()) - {-1}
        alike = [at for at in np.flatnonzero(kinds.of == visitor[tuple(bundle[0])]) if left[at] >= len(bundle)]
        if account is not None:
            alike = [at for at in alike if not there or at in there]
            if not alike:
                return None
        _give(bundle, visitor, who, left, kinds, there)
    return who


def _give(bundle: Array, visitor: Array, who: Array, left: Array, kinds: Kinds, there: set[int]) -> None:
    """Hand out a bundle of visits: to one who goes there anyway, else to one with room for all, else as it comes."""
    for done, (deal, role) in enumerate(bundle):
        alike = [int(at) for at in np.flatnonzero((kinds.of == visitor[deal, role]) & (left > 0))]
        alike.sort(key=lambda at: (at not in there, left[at] < len(bundle) - done))
        who[deal, role] = alike[0]
        left[alike[0]] -= 1
        there.add(alike[0])
