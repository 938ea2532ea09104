"""How far does a person support us, and how much do they count, by the rubric?"""

from collections.abc import Iterator, Mapping

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.playbook import check_ids, plays
from winprob.methodology.records import Methodology
from winprob.methodology.spelling import is_blank
from winprob.methodology.vocabulary import SUPPORT_TIERS

INFLUENCE = "influence"


def derive_support(ratings: Mapping[str, object], *, using: Methodology | None = None) -> int | None:
    """The support tier from the rated layers and dimensions.

    The tier is the mean of the rated items, rounded to the nearest tier, a half rounded down: in doubt, less.
    Influence says how much a person counts and is left out. Fewer than half of the other items rated: unknown.
    Raising a rating never lowers the tier.

    Parameters
    ----------
    ratings
        Item of subject ``support`` to its rating 1..4; a blank or an absent item is not rated.
    using
        A team's methodology from `load`; by default ours.

    Returns
    -------
    int or None
        1 opposed, 2 neutral, 3 supportive, 4 champion; None if unknown.

    Raises
    ------
    SettingsError
        Unknown items, or ratings that are not whole numbers from 1 to 4: all at once.
    """
    bearing = [play.id for play in plays("support", using=using) if play.id != INFLUENCE]
    rated = _rated(ratings, using)
    given = [rated[item] for item in bearing if item in rated]
    if not given or 2 * len(given) < len(bearing):
        return None
    # ceil(mean - 1/2) in whole numbers, so that no rounding error decides a tier.
    return -((len(given) - 2 * sum(given)) // (2 * len(given)))


def derive_influence(ratings: Mapping[str, object], *, using: Methodology | None = None) -> int | None:
    """How much a person counts, 1..4, or None if not rated; raises as `derive_support` does."""
    return _rated(ratings, using).get(INFLUENCE)


def _rated(ratings: Mapping[str, object], using: Methodology | None) -> dict[str, int]:
    check_ids(ratings, [play.id for play in plays("support", using=using)], gettext("rubric item"))
    faults = [*_faults(ratings)]
    if faults:
        raise SettingsError("; ".join(faults))
    return {item: _whole(rating) for item, rating in ratings.items() if not is_blank(rating)}


def _faults(ratings: Mapping[str, object]) -> Iterator[str]:
    for item, rating in ratings.items():
        if not is_blank(rating) and _whole(rating) not in SUPPORT_TIERS:
            yield gettext("rating {item!r} is {got!r}, wanted 1, 2, 3, 4 or blank", item=item, got=rating)


def _whole(rating: object) -> int:
    """The rating as a whole number; 0, which is no tier, for anything else."""
    if isinstance(rating, bool):
        return 0
    if isinstance(rating, float):
        return int(rating) if rating.is_integer() else 0
    # numpy's integers are no `int`, but they do say what whole number they are.
    return rating.__index__() if hasattr(rating, "__index__") else 0
