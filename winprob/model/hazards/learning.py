"""Fit the time-to-close model: posterior draws by PSIS around the mode, or the reason why it cannot be fitted."""

import datetime as dt

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.model.hazards.clock import NEAR_BINS, QUARTER_STATES, SINCE_BINS
from winprob.model.hazards.density import TimingDensity, prior_normal
from winprob.model.hazards.design import Design, TimingScaling, build_design, closed_by, last_day, usable
from winprob.model.hazards.laplace import RELIABLE_K, Mode, draw_around, find_mode, rejuvenate, resample, smooth_weights
from winprob.model.hazards.survival import Hazards
from winprob.settings import Settings

#: Degrees of freedom of the heavier-tailed proposal, used where Pareto k is too high.
_FREEDOM = 8.0
#: Proposals per draw, and the relative effective sample size below which draws are rejuvenated.
_PROPOSED = 2
_ENOUGH = 0.5
#: Bounds of the number of MCMC moves per draw, and the budget of readings times moves.
_MOVES, _WORK = (12, 40), 40_000


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
    rows = usable(deals, day)
    design, scaling = build_design(rows, day, settings.calendar)
    mean, precision = prior_normal(scaling, settings.timing)
    density = TimingDensity(design, mean, precision)
    points, pareto_k, effective = sample_posterior(density, draws, np.random.default_rng([seed, 5]))
    return Hazards(
        draws=named_draws(points, density, scaling),
        scaling=scaling,
        calendar=settings.calendar,
        known_on=(dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat(),
        closed=_deals(rows, design, closed=True),
        still_open=_deals(rows, design, closed=False),
        pareto_k=pareto_k,
        effective=effective,
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


def sample_posterior(density: TimingDensity, draws: int, rng: np.random.Generator) -> tuple[Array, float, float]:
    """Equally weighted posterior draws (draw, unknown), Pareto k, and the effective sample size of the weights."""
    modes = [find_mode(density.slopes, start) for start in starting_points(density)]
    mode = max(modes, key=lambda candidate: candidate.evidence)
    points, weights, pareto_k = _weighted(density, mode, _PROPOSED * draws, rng, None)
    if pareto_k > RELIABLE_K:
        wider = _weighted(density, mode, _PROPOSED * draws, rng, _FREEDOM)
        points, weights, pareto_k = min((points, weights, pareto_k), wider, key=lambda weighted: weighted[2])
    effective = float(min(1 / (weights**2).sum(), draws))
    sample = points[resample(weights, draws, rng)]
    if effective < _ENOUGH * draws:
        # With fewer readings the posterior is further from a normal, and a move is cheaper.
        moves = int(np.clip(_WORK / len(density.design.weight), *_MOVES))
        sample = rejuvenate(sample, mode, density.log_density, rng, moves=moves)
    return sample, pareto_k, effective


def starting_points(density: TimingDensity) -> list[Array]:
    """Starting points of the mode search: deals that never close may be slow wins or slow losses, each a mode."""
    lean = np.zeros(density.per_end)
    first = density.design.facts.shape[1]
    lean[first : first + len(SINCE_BINS)] = 1.0
    rest = np.zeros(len(density.mean) - 2 * density.per_end)
    return [density.mean + sign * np.concatenate([lean, -lean, rest]) for sign in (1, -1)]


def _weighted(
    density: TimingDensity, mode: Mode, count: int, rng: np.random.Generator, freedom: float | None
) -> tuple[Array, Array, float]:
    points, log_q = draw_around(mode, count, rng, freedom)
    weights, pareto_k = smooth_weights(density.log_density(points) - log_q)
    return points, weights, pareto_k


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
