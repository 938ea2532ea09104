"""From readings and closes to believable draws of the hazards, or a reason why not."""

import datetime as dt

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.i18n import gettext
from winprob.model.hazards.clock import NEAR_BINS, QUARTER_STATES, SINCE_BINS
from winprob.model.hazards.density import TimingDensity
from winprob.model.hazards.design import Design, build_design, is_closed, last_day, usable
from winprob.model.hazards.importance import BELIEVABLE, resample, smooth_weights
from winprob.model.hazards.laplace import Mode, draw_around, find_mode, stirred
from winprob.model.hazards.priors import prior_normal
from winprob.model.hazards.records import Hazards, TimingScaling
from winprob.settings import Settings

#: Degrees of freedom of the wider proposal.
_FREEDOM = 8.0
#: Draws proposed for each one kept, and the share of them, in worth, below which they are stirred.
_PROPOSED = 2
_ENOUGH = 0.5
#: Tries to move each draw, and readings times tries that are worth the time.
_TRIES, _WORK = (12, 40), 40_000


def learn_hazards(
    deals: pd.DataFrame, settings: Settings, *, known_on: dt.date | None = None, draws: int, seed: int
) -> Hazards | None:
    """What closed and open deals teach of the time to close.

    Parameters
    ----------
    deals : frame in canonical columns; open deals count as having waited so long
    known_on : the day knowledge ends, by default the last that the table speaks of
    draws : how many draws to hand back

    Returns
    -------
    Hazards, or None where the table cannot teach it; ``why_undated`` says why
    """
    valid = validate_deals(deals)
    if why_undated(valid, settings, known_on=known_on) is not None:
        return None
    day = _day_of(valid, known_on)
    rows = usable(valid, day)
    design, scaling = build_design(rows, day, settings.calendar)
    mean, precision = prior_normal(scaling, settings.timing)
    density = TimingDensity(design, mean, precision)
    points, pareto_k, effective = _believable(density, draws, np.random.default_rng([seed, 5]))
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
    """In words, why a table (valid) cannot teach the time to close; None where it can."""
    absent = [name for name in ("as_of", "closed_on") if name not in deals or deals[name].isna().all()]
    if absent or "outcome" not in deals:
        return gettext("the deals have no {columns}", columns=", ".join(repr(name) for name in absent or ["outcome"]))
    day = _day_of(deals, known_on)
    rows = usable(deals, day)
    closed = int(rows.loc[is_closed(rows, day), "deal_id"].nunique())
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


def _believable(density: TimingDensity, draws: int, rng: np.random.Generator) -> tuple[Array, float, float]:
    """Points (draw, unknown) that count the same, the tail index of their weights, how many draws they are worth."""
    modes = [find_mode(density.slopes, start) for start in _starts(density)]
    mode = max(modes, key=lambda found: found.evidence)
    points, weights, pareto_k = _weighted(density, mode, _PROPOSED * draws, rng, None)
    if pareto_k > BELIEVABLE:
        wider = _weighted(density, mode, _PROPOSED * draws, rng, _FREEDOM)
        points, weights, pareto_k = min((points, weights, pareto_k), wider, key=lambda found: found[2])
    effective = float(min(1 / (weights**2).sum(), draws))
    kept = points[resample(weights, draws, rng)]
    if effective < _ENOUGH * draws:
        # The fewer the readings, the further from a normal, and the cheaper a try.
        tries = int(np.clip(_WORK / len(density.design.weight), *_TRIES))
        kept = stirred(kept, mode, density.log_density, rng, tries=tries)
    return kept, pareto_k, effective


def _starts(density: TimingDensity) -> list[Array]:
    """Where to look for the mode: deals that never close may be slow wins or slow losses, and each may be one."""
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
    """Points (draw, unknown) as parameters by name."""
    *ends, incidence = density.parts(points)
    cuts = np.cumsum([len(scaling.facts), len(SINCE_BINS), len(NEAR_BINS), len(QUARTER_STATES) - 1])
    parts = np.split(np.stack(ends, axis=1), cuts, axis=2)
    named = {
        **dict(zip(("effect", "since", "near", "quarter_pull", "stage_soon"), parts, strict=True)),
        "incidence": incidence,
    }
    return {name: values.astype(np.float32) for name, values in named.items()}
