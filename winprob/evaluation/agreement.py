"""When a figure agrees with its ideal: one rule for the backtest and for the checks of a model.

The ideal is inside the 90 % interval, and the interval is narrow enough for that to mean something. An interval that
holds the ideal does not prove agreement; it cannot be distinguished from it.
"""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from winprob.i18n import gettext

#: As a verdict in a table.
AGREES: Final = "agrees"
TOO_FEW: Final = "too few deals to judge"
BELOW: Final = "below"
ABOVE: Final = "above"
Agreement = Literal["agrees", "too few deals to judge", "below", "above"]
#: A wider interval decides nothing: of a share of deals, and of a calibration slope, whose ideal is 1.
WIDEST_SHARE, WIDEST_SLOPE = 0.5, 1.0


def agreement(ideal: float, lower: float, upper: float, *, widest: float) -> Agreement:
    """Where a 90 % interval is relative to its ideal, or whether it is too wide to judge.

    An end that equals the ideal holds it. ``below`` and ``above`` are the places of the interval, whatever its width.
    """
    if upper < ideal:
        return BELOW
    if lower > ideal:
        return ABOVE
    return TOO_FEW if upper - lower > widest else AGREES


def share_agreement(
    observed: npt.NDArray[np.float64], lower: npt.NDArray[np.float64], upper: npt.NDArray[np.float64]
) -> list[Agreement]:
    """The rule for observed shares and the intervals that a model expects: ``below`` is an interval below the share."""
    return [
        agreement(float(share), float(low), float(high), widest=WIDEST_SHARE)
        for share, low, high in zip(observed, lower, upper, strict=True)
    ]


def share_rule() -> str:
    """The rule for shares in a sentence, for where verdicts are shown."""
    return gettext(
        "Rule: a share agrees if it is inside the 90% interval; where that is wider than {points:.0f} points, the "
        "deals are too few to judge.",
        points=100 * WIDEST_SHARE,
    )


def slope_sentence(slope: float, lower: float, upper: float) -> str:
    """What a calibration slope and its 90 % interval show, with the rule."""
    values = {"slope": slope, "lower": lower, "upper": upper, "widest": WIDEST_SLOPE}
    found = agreement(1.0, lower, upper, widest=WIDEST_SLOPE)
    if found == BELOW:
        return gettext(
            "The win probabilities are too extreme, overconfident (calibration slope {slope:.2f}, 90% {lower:.2f} to "
            "{upper:.2f}; ideal 1).",
            **values,
        )
    if found == ABOVE:
        return gettext(
            "The win probabilities are too moderate, underconfident (calibration slope {slope:.2f}, 90% {lower:.2f} "
            "to {upper:.2f}; ideal 1).",
            **values,
        )
    if found == TOO_FEW:
        return gettext(
            "Too few deals to judge whether the win probabilities are too extreme or too moderate: the 90% interval of "
            "the calibration slope {slope:.2f} is {lower:.2f} to {upper:.2f}, wider than {widest:.0f} (ideal 1).",
            **values,
        )
    return gettext(
        "The calibration slope {slope:.2f} cannot be distinguished from the ideal 1 (90% interval {lower:.2f} to "
        "{upper:.2f}, not wider than {widest:.0f}).",
        **values,
    )
