"""Does it depend on who enters it? Fields that one seller leaves blank, deals that one enters once they are won."""

from collections.abc import Iterator
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.history.audit.columns import filled, last_open, learned
from winprob.data.history.trail import Trail
from winprob.data.schema import Finding, Mask, mask_of
from winprob.i18n import gettext

_LEAST_DEALS, _LEAST_WON = 12, 5
#: Filled this much less often than by the others, and by more than chance would.
_GAP, _SIGMAS = 0.5, 4.5
#: This share of a seller's won deals first appears won, which chance would bring about less often than that.
_LATE, _CHANCE = 0.5, 1e-4


def _left_blank(trail: Trail) -> Iterator[Finding]:
    for seller, his, others in _by_seller(trail, last_open(trail)):
        if min(his.sum(), others.sum()) < _LEAST_DEALS:
            continue
        for column in (name for name in learned(trail) if name != "seller"):
            known = filled(trail, column)
            if _far_less(known[his], known[others]):
                yield Finding(
                    severity="warning",
                    column=column,
                    rows=int((his & ~known).sum()),
                    first_deal=_first_deal(trail, his & ~known),
                    message=gettext(
                        "seller {seller} fills it in {his} of the deals, the others in {others}: that it is blank says "
                        "who sells",
                        seller=repr(seller),
                        his=f"{known[his].mean():.0%}",
                        others=f"{known[others].mean():.0%}",
                    ),
                )


def _far_less(his: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]) -> bool:
    gap = others.mean() - his.mean()
    both = np.concatenate([his, others]).mean()
    chance = np.sqrt(both * (1 - both) * (1 / len(his) + 1 / len(others)))
    return bool(gap > _GAP and gap > _SIGMAS * chance)


def _entered_once_won(trail: Trail) -> Iterator[Finding]:
    won = mask_of(trail.rows["outcome"] == "won")
    # What was closed when the history began says nothing of when it was entered.
    began = trail.of_deal(trail.first & (trail.snapshot == 0))
    came_won = trail.of_deal(trail.first & won)
    for seller, his, others in _by_seller(trail, trail.last & won & ~began):
        if his.sum() < _LEAST_WON or not others.any():
            continue
        share, rest = came_won[his].mean(), came_won[others].mean()
        late = his & came_won
        if share > _LATE and _at_least(int(late.sum()), int(his.sum()), float(rest)) < _CHANCE:
            yield Finding(
                severity="warning",
                column="seller",
                rows=int(late.sum()),
                first_deal=_first_deal(trail, late),
                message=gettext(
                    "{late} of {count} deals that seller {seller} won first appear won ({rest} of the others'): "
                    "entered once they are won, so that what was known before is not there",
                    late=int(late.sum()),
                    count=int(his.sum()),
                    seller=repr(seller),
                    rest=f"{rest:.0%}",
                ),
            )


def _at_least(hits: int, tries: int, chance: float) -> float:
    """The probability of so many hits or more."""
    return sum(comb(tries, k) * chance**k * (1 - chance) ** (tries - k) for k in range(hits, tries + 1))


def _by_seller(trail: Trail, rows: Mask) -> Iterator[tuple[str, Mask, Mask]]:
    """Each seller's share of ``rows``, and all the other rows of known sellers."""
    if "seller" not in trail.rows:
        return
    codes, names = pd.factorize(trail.rows["seller"])
    known = rows & (codes >= 0)
    for code, name in enumerate(names):
        yield str(name), known & (codes == code), known & (codes != code)


def _first_deal(trail: Trail, rows: Mask) -> str:
    return str(trail.rows["deal_id"].iloc[int(np.flatnonzero(rows)[0])])


SELLER_RULES = (_left_blank, _entered_once_won)
