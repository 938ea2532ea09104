"""What a plan of visits would do to a quarter's target: the same simulation with and without its gains."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import Quarter
from winprob.i18n import amount_text, gettext
from winprob.model.posterior import Posterior
from winprob.quarter import pipeline
from winprob.quarter.forecast import check_request, correct_total, wrong_target
from winprob.quarter.outcome import simulate_quarter
from winprob.quarter.results import reaches


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEffect:
    """The probability of reaching a target, and the median of bookings, without and with a plan's visits.

    Both are corrected by past quarters where the model has a correction, as a forecast is.
    """

    quarter: str
    target: float
    prob_before: float
    prob_after: float
    p50_before: float
    p50_after: float


def target_effect(
    posterior: Posterior,
    deals: pd.DataFrame,
    quarter: Quarter | str,
    gains: Mapping[str, Array],
    *,
    target: float,
    as_of: dt.date | None = None,
    currency: str | None = None,
    rates: pd.DataFrame | None = None,
    seed: int = 1,
) -> TargetEffect:
    """The probability of reaching a target without and with gains in deals' win probabilities.

    A deal is won or lost once, so a visit that succeeds with some probability is, in each draw, a deal whose win
    probability is higher by the expected gain. Both simulations share all random numbers.

    Parameters
    ----------
    deals, quarter, target, as_of, currency, rates, seed : as in ``forecast_quarter``
    gains : (draw,) what is added to the probability of being won eventually, by deal: ``Plan.win_prob_gain``

    Raises
    ------
    DealTableError, SettingsError, ForecastError
        As ``forecast_quarter``.
    """
    request = check_request(deals, quarter, as_of, posterior.settings.calendar, [*wrong_target(target)])
    probs, medians = [], []
    for added in (None, gains):
        outcome = simulate_quarter(
            posterior,
            request.known,
            request.quarter,
            pipeline.Days.all_on(request.as_of),
            currency=currency,
            rates=rates,
            by=None,
            seed=seed,
            gains=added,
        )
        total = outcome.total
        corrected = correct_total(posterior.correction, total, request.quarter, request.as_of, target)
        plain = float(reaches(total, target).mean())
        probs.append(plain if corrected is None or corrected.prob_target is None else corrected.prob_target)
        medians.append(float(np.median(total)) if corrected is None else corrected.p50)
    return TargetEffect(
        quarter=request.quarter.name,
        target=float(target),
        prob_before=probs[0],
        prob_after=probs[1],
        p50_before=medians[0],
        p50_after=medians[1],
    )


def target_effect_sentence(effect: TargetEffect, written: Callable[[float], str] = amount_text) -> str:
    """``With these visits the chance of reaching the target of 90,000,000 in 2026Q4 goes from 19% to 24%.``

    ``written`` is how an amount is written.
    """
    fields = {
        "target": written(effect.target),
        "quarter": effect.quarter,
        "before": f"{effect.prob_before:.0%}",
        "after": f"{effect.prob_after:.0%}",
    }
    if fields["before"] == fields["after"]:
        return gettext(
            "With these visits the chance of reaching the target of {target} in {quarter} stays at {before}.", **fields
        )
    return gettext(
        "With these visits the chance of reaching the target of {target} in {quarter} goes from {before} to {after}.",
        **fields,
    )
