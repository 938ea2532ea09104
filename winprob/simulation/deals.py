"""Generative process of a block of deals: facts, true support, readings, outcome, dates."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from winprob.methodology import COVERAGES, ROLES
from winprob.simulation.truth import Floats, Truth

Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

APPROVER = ROLES.index("approver")
#: Shape of the Weibull time from the review to the close: above 1, an increasing hazard.
CLOSE_SHAPE = 1.5
#: Amounts are rounded to this many currency units.
AMOUNT_STEP = 10_000.0
_phi = np.frompyfunc(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Parameters, accounts and calendar shared by all blocks of a simulation.

    Attributes
    ----------
    account_segment, account_region
        Level of each account, (account,).
    quarter_starts
        First day of each quarter of history, of the current quarter and of the one after, (quarters + 2,).
    as_of
        The day that knowledge ends: open deals are reviewed on it, closed deals closed by it.
    """

    truth: Truth
    account_segment: Codes
    account_region: Codes
    quarter_starts: Days
    as_of: np.datetime64


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """True facts of a block, level codes with dimension (deal,), coverage (deal, role)."""

    stage: Codes
    coach: Codes
    method: Codes
    account: Codes
    segment: Codes
    region: Codes
    seller: Codes
    product: Codes
    competitor: Codes
    quarter: Codes
    reported: Flags
    coverage: Codes
    amount: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Days of a block, each (deal,)."""

    reviewed: Days
    opened: Days
    expected: Days
    closed: Days


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Readings, tiers 1..4 and influence 1..4, with dimensions (deal, role).

    ``second`` marks roles with a reading of a second person; ``seen`` is the first reading on its continuous scale.
    """

    seen: Floats
    tier: Codes
    influence: Codes
    second: Flags
    second_tier: Codes
    second_influence: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Deals with their latent truth; the record contains less."""

    facts: Facts
    calendar: Calendar
    readings: Readings
    support: Floats
    logit_win_prob: Floats
    win_prob: Floats
    won: Flags
    no_decision: Flags
    rep_probability: Floats
    stage_blank: Flags
    method_blank: Flags
    coach_blank: Flags


def draw_team(truth: Truth, rng: np.random.Generator, *, deals: int, quarters: int, as_of: np.datetime64) -> Team:
    """Accounts and calendar of a team with complete parameters; about three deals per account."""
    accounts = max(1, deals // 3)
    return Team(
        truth=truth,
        account_segment=rng.integers(len(truth.segment_offset), size=accounts),
        account_region=rng.integers(len(truth.region_offset), size=accounts),
        quarter_starts=_quarter_starts(as_of, quarters),
        as_of=as_of,
    )


def _quarter_starts(as_of: np.datetime64, quarters: int) -> Days:
    month = as_of.astype("datetime64[M]").astype(np.int64)
    current = month - month % 3
    months = current + 3 * np.arange(-quarters, 2)
    starts: Days = months.astype("datetime64[M]").astype("datetime64[D]")
    return starts


def draw_block(team: Team, rng: np.random.Generator, deals: int, *, closed: bool) -> Block:
    """Draw ``deals`` deals, reviewed during the history and closed since, or open on the team's ``as_of``."""
    truth = team.truth
    facts = _draw_facts(team, rng, deals, closed=closed)
    calendar = _draw_calendar(team, rng, facts, closed=closed)
    support = _draw_support(truth, rng, facts.reported)
    readings = _draw_readings(truth, rng, facts, support)
    fixed = fixed_logit(truth, facts)
    logit = fixed + _support_logit(truth, facts, support)
    win_prob = _probability(logit, truth.link)
    return Block(
        facts=facts,
        calendar=calendar,
        readings=readings,
        support=support,
        logit_win_prob=logit,
        win_prob=win_prob,
        won=rng.random(deals) < win_prob,
        no_decision=rng.random(deals) < truth.array("no_decision_share")[facts.stage],
        rep_probability=_rep_probability(truth, rng, facts, fixed, readings),
        stage_blank=rng.random(deals) < truth.stage_blank,
        method_blank=rng.random(deals) < truth.method_blank,
        coach_blank=rng.random(deals) < truth.coach_blank,
    )


def _draw_facts(team: Team, rng: np.random.Generator, deals: int, *, closed: bool) -> Facts:
    truth = team.truth
    account = rng.integers(len(team.account_segment), size=deals)
    segment = team.account_segment[account]
    reported = rng.random((deals, len(ROLES))) >= truth.array("unreported_share")
    now = len(truth.drift) - 1
    return Facts(
        stage=_choose(rng, truth.array("stage_share"), deals),
        coach=_choose(rng, truth.array("coach_share"), deals),
        method=_choose(rng, truth.array("method_share"), deals),
        account=account,
        segment=segment,
        region=team.account_region[account],
        seller=rng.integers(len(truth.seller_offset), size=deals),
        product=rng.integers(len(truth.product_offset), size=deals),
        competitor=rng.integers(len(truth.competitor_offset), size=deals),
        quarter=rng.integers(now, size=deals) if closed else np.full(deals, now),
        reported=reported,
        coverage=_draw_coverage(truth, rng, reported),
        amount=_draw_amount(truth, rng, segment),
    )


def _choose(rng: np.random.Generator, shares: Floats, size: int | tuple[int, ...]) -> Codes:
    return np.searchsorted(_inner_edges(shares), rng.random(size), side="right")


def _inner_edges(shares: Floats) -> Floats:
    """Cumulative shares without the last, which may round to less than 1."""
    return np.cumsum(shares)[:-1]


def _draw_coverage(truth: Truth, rng: np.random.Generator, reported: Flags) -> Codes:
    known = _choose(rng, truth.array("coverage_if_reported"), reported.shape)
    unknown = _choose(rng, truth.array("coverage_if_unreported"), reported.shape)
    return np.where(reported, known, unknown)


def _draw_amount(truth: Truth, rng: np.random.Generator, segment: Codes) -> Floats:
    log_amount = rng.normal(truth.array("amount_log_mean")[segment], truth.amount_log_sd)
    amount: Floats = np.maximum(np.round(np.exp(log_amount) / AMOUNT_STEP), 1.0) * AMOUNT_STEP
    return amount


def standardised_log_amount(truth: Truth, amount: Floats) -> Floats:
    """Log of ``amount`` (deal,) in sds from the mean over equally frequent segments."""
    means = truth.array("amount_log_mean")
    standardised: Floats = (np.log(amount) - means.mean()) / np.hypot(truth.amount_log_sd, means.std())
    return standardised


def _draw_support(truth: Truth, rng: np.random.Generator, reported: Flags) -> Floats:
    common = rng.standard_normal((len(reported), 1))
    own = rng.standard_normal(reported.shape)
    shared = truth.support_correlation
    centred = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
    return centred + np.where(reported, 0.0, truth.array("unknown_mean"))


def tier_cuts(truth: Truth) -> Floats:
    """Thresholds of the tiers: normal quantiles of the tier frequencies, (role, cut)."""
    inner = np.cumsum(truth.array("tier_frequency"), axis=1)[:, :-1]
    normal = NormalDist()
    return np.array([[normal.inv_cdf(share) for share in shares] for shares in inner])


def _draw_readings(truth: Truth, rng: np.random.Generator, facts: Facts, support: Floats) -> Readings:
    rho = truth.array("reliability")[facts.coach][:, None]
    centre = rho * support + truth.array("seller_bias")[facts.seller][:, None]
    spread = np.sqrt(1 - rho**2)
    seen = centre + spread * rng.standard_normal(support.shape)
    second_seen = centre + spread * rng.standard_normal(support.shape)
    cuts = tier_cuts(truth)
    return Readings(
        seen=seen,
        tier=_cut(seen, cuts),
        influence=_choose(rng, np.array([0.1, 0.4, 0.3, 0.2]), support.shape) + 1,
        second=facts.reported & (rng.random(support.shape) < truth.second_person_share),
        second_tier=_cut(second_seen, cuts),
        second_influence=_choose(rng, np.array([0.3, 0.4, 0.2, 0.1]), support.shape) + 1,
    )


def _cut(seen: Floats, cuts: Floats) -> Codes:
    return 1 + (seen[:, :, None] > cuts).sum(axis=2)


def fixed_logit(truth: Truth, facts: Facts) -> Floats:
    """Log-odds of winning without the contribution of support, (deal,)."""
    logit = truth.intercept + truth.amount_effect * standardised_log_amount(truth, facts.amount)
    codes = {
        "stage_effect": facts.stage,
        "coach_effect": facts.coach,
        "method_effect": facts.method,
        "coverage_effect": facts.coverage[:, APPROVER],
        "seller_offset": facts.seller,
        "segment_offset": facts.segment,
        "region_offset": facts.region,
        "product_offset": facts.product,
        "competitor_offset": facts.competitor,
        "drift": facts.quarter,
    }
    for name, levels in codes.items():
        logit = logit + truth.array(name)[levels]
    return logit


def _support_logit(truth: Truth, facts: Facts, support: Floats) -> Floats:
    weights = truth.array("role_weight").T[facts.method]
    opposed = support[:, APPROVER] <= tier_cuts(truth)[APPROVER, 0]
    logit: Floats = (weights * support).sum(axis=1) - truth.veto * opposed
    return logit


def _probability(logit: Floats, link: str) -> Floats:
    if link == "logit":
        return _expit(logit)
    win_prob: Floats = _phi(logit * math.sqrt(math.pi / 8)).astype(np.float64)
    return win_prob


def _expit(logit: Floats) -> Floats:
    # As a tanh it cannot overflow, and its tails are symmetric.
    return 0.5 * (1 + np.tanh(0.5 * logit))


def _rep_probability(truth: Truth, rng: np.random.Generator, facts: Facts, fixed: Floats, readings: Readings) -> Floats:
    """The rep's probability at the review: readings taken at face value, plus optimism and noise."""
    weights = truth.array("role_weight").T[facts.method]
    log_odds = fixed + (weights * readings.seen * facts.reported).sum(axis=1)
    noise = rng.normal(truth.rep_optimism, truth.rep_noise_sd, len(fixed))
    return np.clip(np.round(_expit(log_odds + noise) * 20) / 20, 0.05, 0.95)


def _draw_calendar(team: Team, rng: np.random.Generator, facts: Facts, *, closed: bool) -> Calendar:
    deals = len(facts.stage)
    reviewed = _review_days(team, rng, facts.quarter) if closed else np.full(deals, team.as_of)
    scale = team.truth.array("days_to_close")[facts.stage]
    room = (team.as_of - reviewed).astype(np.int64) if closed else np.full(deals, np.iinfo(np.int32).max)
    to_close = _days_to_close(rng, scale, room)
    since_opened = np.maximum(np.round(rng.gamma(2.0, 25.0 * (1.0 + facts.stage))), 1.0).astype(np.int64)
    slip = rng.lognormal(-0.2, 0.35, deals)
    expected = np.maximum(np.round(to_close * slip), 1.0).astype(np.int64)
    return Calendar(
        reviewed=reviewed,
        opened=reviewed - since_opened.astype("timedelta64[D]"),
        expected=reviewed + expected.astype("timedelta64[D]"),
        closed=reviewed + to_close.astype("timedelta64[D]"),
    )


def _review_days(team: Team, rng: np.random.Generator, quarter: Codes) -> Days:
    """A day within the quarter, before the team's ``as_of``."""
    first = team.quarter_starts[quarter]
    length = (team.quarter_starts[quarter + 1] - first).astype(np.int64)
    day = np.floor(rng.random(len(quarter)) * length).astype(np.int64)
    reviewed: Days = first + day.astype("timedelta64[D]")
    return reviewed


def _days_to_close(rng: np.random.Generator, scale: Floats, room: Codes) -> Codes:
    """Weibull days, at least 1, truncated at ``room``: the record contains only deals that have closed."""
    within = -np.expm1(-((room / scale) ** CLOSE_SHAPE))
    days = scale * (-np.log1p(-rng.random(len(scale)) * within)) ** (1 / CLOSE_SHAPE)
    return np.clip(np.ceil(days).astype(np.int64), 1, room)


def people_rows(block: Block) -> Flags:
    """Roles with a known person, (deal, role)."""
    return block.facts.reported | (block.facts.coverage > COVERAGES.index("unknown"))
