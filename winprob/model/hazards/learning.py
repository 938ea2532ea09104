"""Fit the time-to-close model: posterior draws about the mode, or the reason why it cannot be fitted."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.linalg import block_diag, cho_solve, cholesky, solve_triangular
from scipy.special import softmax

from winprob.arrays import Array
from winprob.data.schema import in_order
from winprob.i18n import gettext
from winprob.model.hazards.batch import batch_density
from winprob.model.hazards.clock import SINCE_BINS, TIME_COORDS
from winprob.model.hazards.density import TimingDensity, prior_normal
from winprob.model.hazards.design import Design, TimingScaling, build_design, closed_by, last_day, usable
from winprob.model.hazards.laplace import Mode, find_mode
from winprob.model.hazards.pace import pace_prior
from winprob.model.hazards.survival import HAZARD_DIMS, TIME_EFFECTS, Hazards
from winprob.model.hazards.trajectories import ENOUGH, number_of_chains, sample_about
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
    pace = pace_prior(design.spans, settings.timing)
    density = TimingDensity(design, *prior_normal(scaling, settings.timing, pace), pace)
    rng = np.random.default_rng([seed, 5])
    deal = rows["deal_id"].factorize()[0]
    points, sds, effective = sample_posterior(density, draws, rng, deal)
    return Hazards(
        draws={**named_draws(points, density, scaling), "pace_sd": sds.astype(np.float32)},
        quarters=design.spans.dates,
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


def sample_posterior(
    density: TimingDensity, draws: int, rng: np.random.Generator, deal: Array | None = None
) -> tuple[Array, Array, float]:
    """Posterior draws (draw, unknown) about the mode with more mass, the sds of their paces (draw, end, part), and
    their smallest effective sample size.

    Each chain has sds of its own, drawn from their Laplace approximation.

    Parameters
    ----------
    deal : (row,) which deal each row is of: what a reading counts is then learned first
    """
    candidates = [find_mode(density.slopes, start) for start in starting_points(density)]
    mode = max(candidates, key=lambda candidate: candidate.evidence)
    if deal is not None and len(np.unique(deal)) < len(deal):
        weight = np.full(len(deal), reading_weight(density, mode, deal))
        density = replace(density, design=replace(density.design, weight=weight))
        mode = find_mode(density.slopes, mode.point)
    paces = draw_pace_sds(density, mode, number_of_chains(draws), rng)
    modes = [_moved(density, mode, chosen) for chosen in paces.T]
    points, effective = sample_about(modes, batch_density(density, paces), draws, rng)
    sds = density.pace.sds[paces].transpose(1, 0, 2)
    return points, np.resize(sds, (len(points), *sds.shape[1:])), effective


def reading_weight(density: TimingDensity, mode: Mode, deal: Array) -> float:
    """What each reading counts, between (deals / readings) and 1, by the design effect at a mode.

    The readings of a deal share its close, so that their likelihood as if they were independent is too sharp. By how
    much is learned from how far the scores of a deal's readings add up rather than cancel.

    Parameters
    ----------
    deal : (row,) which deal a reading is of, numbered from 0

    References
    ----------
    Pauli, Racugno and Ventura (2011), Statistica Sinica 21, 149-164; Ribatet, Cooley and Davison (2012), Statistica
    Sinica 22, 813-845.
    """
    rows, deals = len(deal), int(deal.max(initial=-1)) + 1
    if rows == deals:
        return 1.0
    scores = solve_triangular(mode.factor, density.row_scores(mode.point).T, lower=True).T
    sums = np.zeros((deals, scores.shape[1]))
    np.add.at(sums, deal, scores)
    alone, together = float((scores**2).sum()), float((sums**2).sum())
    fitted = float(density.design.weight.mean()) * alone
    # Fitted unknowns take away from the scores, and from those of few deals more.
    correction = (1 - fitted / rows) / max(1 - fitted / deals, 0.5)
    return float(np.clip(alone / (together * correction), deals / rows, 1.0))


def draw_pace_sds(density: TimingDensity, mode: Mode, chains: int, rng: np.random.Generator) -> Array:
    """(end, chain) places in the grid of the sds, drawn evenly from their distribution given the data.

    The likelihood of the paces is that of the normal about the mode, the other unknowns integrated out.
    """
    places = density.pace_places.ravel()
    precision = np.linalg.inv(cho_solve((mode.factor, True), np.eye(len(mode.point)))[np.ix_(places, places)])
    prior = block_diag(*[density.pace.precision[density.pace.middle]] * 2)
    # Where the likelihood curves upwards, the data say nothing.
    level, turn = np.linalg.eigh(precision - prior)
    information = (turn * np.maximum(level, 0)) @ turn.T
    log_odds = density.pace.evidence(information, precision @ mode.point[places])
    reached = np.cumsum(softmax(log_odds))
    # Evenly: each chain takes its own part of the mass.
    at = np.searchsorted(reached, (rng.permutation(chains) + rng.random(chains)) / chains)
    return np.stack(np.unravel_index(np.minimum(at, log_odds.size - 1), log_odds.shape))


def _moved(density: TimingDensity, mode: Mode, chosen: Array) -> Mode:
    """The normal about the mode where the paces have other sds: a normal prior takes the place of another.

    The mode as it is where that is no normal: the chain then moves less well, to the same distribution.
    """
    precision = mode.factor @ mode.factor.T
    pull = precision @ mode.point
    for places, grid in zip(density.pace_places, chosen, strict=True):
        precision[np.ix_(places, places)] += density.pace.change[grid]
    try:
        factor = cholesky(precision, lower=True)
    except np.linalg.LinAlgError:
        return mode
    return Mode(point=cho_solve((factor, True), pull), value=mode.value, factor=factor)


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
    shapes = {
        "effect": (len(scaling.facts),),
        **{name: tuple(len(TIME_COORDS[dim]) for dim in HAZARD_DIMS[name][1:]) for name in TIME_EFFECTS},
        "pace": (len(density.design.spans),),
    }
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(np.stack(ends, axis=1), cuts[:-1], axis=2)
    named = {
        name: part.reshape(*part.shape[:2], *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
    return {name: values.astype(np.float32) for name, values in {**named, "incidence": incidence}.items()}
