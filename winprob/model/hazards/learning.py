"""Fit the time-to-close model: posterior draws about the mode, or the reason why it cannot be fitted."""

import datetime as dt

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import in_order
from winprob.i18n import gettext
from winprob.model.hazards.batch import batch_density
from winprob.model.hazards.clock import NEAR_BINS, QUARTER_STATES, SINCE_BINS
from winprob.model.hazards.density import TimingDensity, prior_normal
from winprob.model.hazards.design import Design, TimingScaling, build_design, closed_by, last_day, usable
from winprob.model.hazards.laplace import find_mode
from winprob.model.hazards.survival import Hazards
from winprob.model.hazards.trajectories import ENOUGH, sample_about
from winprob.settings import Settings


def learn_hazards(
    deals: pd.DataFrame, settings: Settings, *, known_on: dt.date | None = None, draws: int, seed: int
) -> Hazards | None:
    """Posterior draws of the time-to-close model from a valid deal table; open deals enter as censored observations.

    Parameters
    ----------
    known_on : the day knowledge ends, by default the last day in the table
    draws : number of posterior draws

    Returns
    -------
    Hazards, or None where the data do not suffice; ``why_undated`` gives the reason
    """
    if why_undated(deals, settings, known_on=known_on) is not None:
        return None
    day = _day_of(deals, known_on)
    rows = in_order(usable(deals, day))
    design, scaling = build_design(rows, day, settings.calendar)
    mean, precision = prior_normal(scaling, settings.timing)
    density = TimingDensity(design, mean, precision)
    points, effective = sample_posterior(density, draws, np.random.default_rng([seed, 5]))
    return Hazards(
        draws=named_draws(points, density, scaling),
        scaling=scaling,
        calendar=settings.calendar,
        known_on=(dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat(),
        closed=_deals(rows, design, closed=True),
        still_open=_deals(rows, design, closed=False),
        effective=effective,
        reliable=effective >= ENOUGH * draws,
    )


def why_undated(deals: pd.DataFrame, settings: Settings, *, known_on: dt.date | None = None) -> str | None:
    """Why a valid table does not suffice to learn the time to close, as a clause; None where it does."""
    absent = [name for name in ("as_of", "closed_on") if name not in deals or deals[name].isna().all()]
    if absent or "outcome" not in deals:
        return gettext("the deals have no {columns}", columns=", ".join(repr(name) for name in absent or ["outcome"]))
    day = _day_of(deals, known_on)
    rows = usable(deals, day)
    closed = int(rows.loc[closed_by(rows, day), "deal_id"].nunique())
    least = settings.timing.least_closed
    if closed < least:
        return gettext(
            "only {closed} deals have a reading date ('as_of') and a later closing date ('closed_on'); {least} are "
            "needed",
            closed=closed,
            least=least,
        )
    return None


def _day_of(deals: pd.DataFrame, known_on: dt.date | None) -> int:
    latest = (known_on - dt.date(1970, 1, 1)).days if known_on else last_day(deals)
    return -1 if latest is None else latest


def _deals(rows: pd.DataFrame, design: Design, *, closed: bool) -> int:
    return int(rows.loc[design.closed == float(closed), "deal_id"].nunique())


def sample_posterior(density: TimingDensity, draws: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Posterior draws (draw, unknown) about the mode with more mass, and their smallest effective sample size."""
    modes = [find_mode(density.slopes, start) for start in starting_points(density)]
    mode = max(modes, key=lambda candidate: candidate.evidence)
    return sample_about(mode, batch_density(density), draws, rng)


def starting_points(density: TimingDensity) -> list[Array]:
    """Starting points of the mode search: deals that never close may be slow wins or slow losses, each a mode."""
    lean = np.zeros(density.per_end)
    first = density.design.facts.shape[1]
    lean[first : first + len(SINCE_BINS)] = 1.0
    rest = np.zeros(len(density.mean) - 2 * density.per_end)
    return [density.mean + sign * np.concatenate([lean, -lean, rest]) for sign in (1, -1)]


def named_draws(points: Array, density: TimingDensity, scaling: TimingScaling) -> dict[str, Array]:
    """Draws (draw, unknown) as parameters by name."""
    *ends, incidence = density.parts(points)
    cuts = np.cumsum([len(scaling.facts), len(SINCE_BINS), len(NEAR_BINS), len(QUARTER_STATES) - 1])
    parts = np.split(np.stack(ends, axis=1), cuts, axis=2)
    named = {
        **dict(zip(("effect", "since", "near", "quarter_pull", "stage_soon"), parts, strict=True)),
        "incidence": incidence,
    }
    return {name: values.astype(np.float32) for name, values in named.items()}
