"""Parameters of simulated deals: dimensions, defaults, validation, and drawing those left open."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES, SUPPORT_TIERS

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]
Floats = npt.NDArray[np.float64]

LINKS = ("logit", "probit")
#: Dimensions with labels fixed by the method.
COORDINATES: dict[str, tuple[str, ...]] = {
    "stage": STAGES,
    "coach": COACH_STATES,
    "decision_method": DECISION_METHODS,
    "coverage": COVERAGES,
    "role": ROLES,
    "tier": tuple(map(str, SUPPORT_TIERS)),
}
SEGMENTS = ("government", "finance", "energy", "manufacturing")
#: Dimensions with levels specific to a team: their offsets are drawn unless given.
TEAM = ("seller", "segment", "region", "product", "competitor")
#: The dimensions of every parameter that is not a single number.
DIMS: dict[str, tuple[str, ...]] = {
    "stage_effect": ("stage",),
    "coach_effect": ("coach",),
    "method_effect": ("decision_method",),
    "coverage_effect": ("coverage",),
    "role_weight": ("role", "decision_method"),
    "reliability": ("coach",),
    "tier_frequency": ("role", "tier"),
    "unknown_mean": ("role",),
    "unreported_share": ("role",),
    "stage_share": ("stage",),
    "method_share": ("decision_method",),
    "coach_share": ("coach",),
    "coverage_if_reported": ("coverage",),
    "coverage_if_unreported": ("coverage",),
    "no_decision_share": ("stage",),
    "days_to_close": ("stage",),
    "amount_log_mean": ("segment",),
    "drift": ("quarter",),
    **{f"{name}_offset": (name,) for name in TEAM},
    "seller_bias": ("seller",),
}
#: Distributions: rows sum to one.
SHARES = (
    "tier_frequency",
    "stage_share",
    "method_share",
    "coach_share",
    "coverage_if_reported",
    "coverage_if_unreported",
)
#: Parameters within 0..1.
FRACTIONS = (
    *SHARES,
    "reliability",
    "unreported_share",
    "no_decision_share",
    "stage_blank",
    "method_blank",
    "coach_blank",
    "second_person_share",
)
POSITIVE = ("role_weight", "tier_frequency", "days_to_close", "amount_log_sd")
NOT_NEGATIVE = (
    "drift_sd",
    "seller_sd",
    "segment_sd",
    "region_sd",
    "product_sd",
    "competitor_sd",
    "rep_noise_sd",
    "seller_bias_sd",
    "veto",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The parameters that generate deals. Effects, weights, offsets and sds are log-odds.

    The offsets, biases and the drift are empty until a simulation draws them; the truth returned with a simulation
    includes them and, passed to a second simulation, produces more deals of the same team.
    Tuples follow the canonical order of their dimensions (`DIMS`); any nested sequence of numbers is accepted.

    A stage, decision method or coach that is blank in the record still has its true effect: blanks are missing
    completely at random. A blank competitor means that none is known; it is a level of its own, the last one.

    Attributes
    ----------
    coverage_effect
        Of the approver's coverage.
    role_weight
        Log-odds per unit of true support, (role, decision_method).
    reliability
        Correlation of a reading with the true support, by coach.
    unknown_mean
        Mean true support of a role that is not reported.
    amount_effect
        Log-odds per standard deviation of the log amount.
    drift
        Realised random walk over the history's quarters and the current one; starts at 0.
    support_correlation
        Intraclass correlation of true support over the roles of a deal.
    seller_bias_sd
        Sd over sellers of a bias of every reading: a positive bias overrates support.
    veto
        Penalty where the approver's true support is in the range of the opposed tier.
    link
        ``logit``, or ``probit`` scaled to the same slope at even odds.
    """

    intercept: float = -0.35
    stage_effect: Vector = (-0.9, -0.45, 0.0, 0.4, 0.85)
    coach_effect: Vector = (-0.25, 0.0, 0.35)
    method_effect: Vector = (0.1, 0.0, -0.15)
    coverage_effect: Vector = (-0.25, 0.0, 0.25, 0.55)
    role_weight: Matrix = (
        (0.25, 0.65, 1.00),
        (0.30, 0.60, 0.85),
        (0.85, 0.70, 0.15),
        (0.65, 0.35, 0.20),
        (0.10, 0.12, 0.06),
    )
    reliability: Vector = (0.45, 0.62, 0.88)
    tier_frequency: Matrix = (
        (0.13, 0.41, 0.34, 0.12),
        (0.12, 0.38, 0.36, 0.14),
        (0.12, 0.36, 0.37, 0.15),
        (0.10, 0.36, 0.38, 0.16),
        (0.14, 0.44, 0.32, 0.10),
    )
    unknown_mean: Vector = (-0.3, -0.3, -0.3, -0.3, -0.3)
    unreported_share: Vector = (0.45, 0.25, 0.10, 0.20, 0.30)
    coverage_if_reported: Vector = (0.0, 0.10, 0.45, 0.45)
    coverage_if_unreported: Vector = (0.50, 0.40, 0.10, 0.0)
    stage_share: Vector = (0.10, 0.20, 0.20, 0.30, 0.20)
    method_share: Vector = (0.40, 0.35, 0.25)
    coach_share: Vector = (0.30, 0.40, 0.30)
    stage_blank: float = 0.03
    method_blank: float = 0.08
    coach_blank: float = 0.05
    amount_effect: float = -0.25
    amount_log_mean: Vector = (14.6, 14.9, 14.4, 13.9)
    amount_log_sd: float = 0.8
    drift_sd: float = 0.15
    drift: Vector = ()
    seller_sd: float = 0.30
    segment_sd: float = 0.20
    region_sd: float = 0.15
    product_sd: float = 0.15
    competitor_sd: float = 0.25
    seller_offset: Vector = ()
    segment_offset: Vector = ()
    region_offset: Vector = ()
    product_offset: Vector = ()
    competitor_offset: Vector = ()
    no_decision_share: Vector = (0.50, 0.45, 0.35, 0.25, 0.15)
    days_to_close: Vector = (240.0, 190.0, 150.0, 100.0, 55.0)
    second_person_share: float = 0.15
    rep_optimism: float = 0.7
    rep_noise_sd: float = 0.8
    support_correlation: float = 0.0
    seller_bias_sd: float = 0.0
    seller_bias: Vector = ()
    veto: float = 0.0
    link: str = "logit"

    def __post_init__(self) -> None:
        for name in self.numbers():
            object.__setattr__(self, name, _frozen(name, getattr(self, name)))
        if offences := list(_offences(self)):
            raise SettingsError(gettext("simulation truth: {offences}", offences="; ".join(offences)))

    @classmethod
    def numbers(cls) -> tuple[str, ...]:
        """Names of the numeric parameters, in definition order."""
        return tuple(item.name for item in fields(cls) if item.name != "link")

    def array(self, name: str) -> Floats:
        """The parameter ``name`` with dimensions ``DIMS[name]``; a scalar has none."""
        return np.asarray(getattr(self, name), dtype=np.float64)


def _frozen(name: str, numbers: object) -> object:
    """``numbers`` as a float or as nested tuples of floats."""
    try:
        array = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SettingsError(gettext("simulation truth: '{name}' does not consist of numbers", name=name)) from error
    return tuple(map(tuple, array.tolist())) if array.ndim == 2 else _flat(array)


def _flat(array: Floats) -> object:
    return tuple(array.tolist()) if array.ndim else float(array)


def _offences(truth: Truth) -> Iterator[str]:
    for name in truth.numbers():
        yield from _shape_offences(name, truth.array(name))
    for name in FRACTIONS:
        numbers = truth.array(name)
        if np.any((numbers < 0) | (numbers > 1)):
            yield gettext("'{name}' has a number outside 0..1", name=name)
    for name in SHARES:
        if not np.allclose(truth.array(name).sum(axis=-1), 1.0, rtol=0.0, atol=1e-9):
            yield gettext("the shares in '{name}' do not sum to 1", name=name)
    for name in POSITIVE:
        if np.any(truth.array(name) <= 0):
            yield gettext("'{name}' must be above 0", name=name)
    for name in NOT_NEGATIVE:
        if np.any(truth.array(name) < 0):
            yield gettext("'{name}' must not be negative", name=name)
    if not 0 <= truth.support_correlation < 1:
        yield gettext("'{name}' must be at least 0 and below 1", name="support_correlation")
    if truth.seller_bias and len(truth.seller_bias) != len(truth.seller_offset):
        yield gettext("'seller_bias' and 'seller_offset' must have the same number of sellers")
    if truth.link not in LINKS:
        yield gettext("'link' is {got!r}, wanted one of {wanted}", got=truth.link, wanted=", ".join(LINKS))


def _shape_offences(name: str, numbers: Floats) -> Iterator[str]:
    if not np.all(np.isfinite(numbers)):
        yield gettext("'{name}' has a number that is not finite", name=name)
    if (wanted := _wanted_shape(name)) is not None and numbers.shape != wanted:
        yield gettext("'{name}' has shape {got}, wanted {wanted}", name=name, got=numbers.shape, wanted=wanted)
    elif wanted is None and numbers.ndim != 1:
        yield gettext("'{name}' must be a list of numbers", name=name)


def _wanted_shape(name: str) -> tuple[int, ...] | None:
    """The required shape of ``name``, or None where its length depends on the team."""
    if name in ("seller_bias", "drift") or name.endswith("_offset"):
        return None
    known = {dimension: len(labels) for dimension, labels in COORDINATES.items()} | {"segment": len(SEGMENTS)}
    return tuple(known[dimension] for dimension in DIMS.get(name, ()))


def draw_truth(truth: Truth, rng: np.random.Generator, *, deals: int, quarters: int) -> Truth:
    """Draw the offsets, biases and drift that ``truth`` leaves open.

    Parameters
    ----------
    deals
        Number of deals, closed and open: more deals have more sellers and competitors.
    quarters
        Quarters of history; the drift covers one more, the current quarter.

    Raises
    ------
    SettingsError
        If a drift or the segments' offsets are given with the wrong length.
    """
    # All are drawn, given or not, so that later draws do not depend on which were given.
    drawn = {f"{name}_offset": _offsets(truth, rng, name, deals) for name in TEAM}
    drawn["drift"] = np.concatenate([[0.0], np.cumsum(rng.normal(0.0, truth.drift_sd, quarters))])
    open_parameters = {name: numbers for name, numbers in drawn.items() if not getattr(truth, name)}
    realised = _replaced(truth, open_parameters)
    if not realised.seller_bias:
        sellers = len(realised.seller_offset)
        realised = _replaced(realised, {"seller_bias": rng.normal(0.0, truth.seller_bias_sd, sellers)})
    _check_length("drift", realised.drift, quarters + 1)
    _check_length("segment_offset", realised.segment_offset, len(SEGMENTS))
    return realised


def _replaced(truth: Truth, numbers: dict[str, Floats]) -> Truth:
    return replace(truth, **cast(dict[str, Any], numbers))


def _offsets(truth: Truth, rng: np.random.Generator, name: str, deals: int) -> Floats:
    return rng.normal(0.0, getattr(truth, f"{name}_sd"), _levels(name, deals))


def _levels(name: str, deals: int) -> int:
    """Number of levels of a team by its number of deals; a hundred times the deals have five times the sellers."""
    growth: float = max(deals / 360, 1.0) ** 0.35
    levels: dict[str, float] = {
        "seller": 12 * growth,
        "segment": len(SEGMENTS),
        "region": 6,
        "product": 4 * growth**0.5,
        "competitor": 1 + 5 * growth**0.5,
    }
    return round(levels[name])


def _check_length(name: str, numbers: Vector, wanted: int) -> None:
    if len(numbers) != wanted:
        message = gettext(
            "simulation truth: '{name}' has {got} numbers, wanted {wanted}", name=name, got=len(numbers), wanted=wanted
        )
        raise SettingsError(message)
