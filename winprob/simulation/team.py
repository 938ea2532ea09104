"""Simulate a team's deals, in memory or in blocks, with their latent truth."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.errors import SettingsError
from winprob.i18n import Described, gettext
from winprob.methodology import COACH_STATES, DECISION_METHODS, STAGES
from winprob.simulation.deals import Block, Days, Flags, Team, draw_block, draw_team
from winprob.simulation.frames import deal_frame, people_frame
from winprob.simulation.truth import Floats, Truth, draw_truth

AS_OF = dt.date(2026, 9, 30)
#: Deals per block: bounds memory; part of what a seed means.
CHUNK = 100_000
MOST_QUARTERS = 200
YEARS = (1900, 2200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """Latent truth of deals, absent from the record; for oracles. Rows as in the deal table.

    Attributes
    ----------
    support
        True support (deal, role), standard normal where reported.
    logit_win_prob, win_prob
        Given the true support (deal,). On the scale of the link: for ``probit`` the first is not a log-odds.
    won
        Final outcome (deal,), of open deals too.
    closed_on
        Closing day (deal,).
    facts
        True stage, decision method and coach, without the record's blanks.
    """

    support: Floats
    logit_win_prob: Floats
    win_prob: Floats
    won: Flags
    closed_on: Days
    facts: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Simulation(Described):
    """A simulated team.

    Attributes
    ----------
    closed, open
        Deal tables in canonical columns, one row per deal, read before its close.
    people
        Readings of people, for all deals: deal_id, as_of, person, role, support, influence, coverage.
    truth
        All parameters, drawn ones included.
    latent_closed, latent_open
        Latent truth of the deals in ``closed`` and ``open``.
    """

    closed: pd.DataFrame
    open: pd.DataFrame
    people: pd.DataFrame
    truth: Truth
    latent_closed: Latent
    latent_open: Latent

    def described_as(self) -> str:
        return gettext("Simulated team: {closed:,} closed deals", closed=len(self.closed))

    def facts(self) -> Iterator[tuple[str, str]]:
        yield gettext("won"), f"{(self.closed['outcome'] == 'won').mean():.0%}" if len(self.closed) else "-"
        yield gettext("open deals"), f"{len(self.open):,}"
        yield gettext("readings of people"), f"{len(self.people):,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRequest:
    """Validated arguments of a simulation.

    Raises
    ------
    SettingsError
        Lists every number that is out of range.
    """

    deals: int
    open_deals: int
    seed: int
    quarters: int = 8
    as_of: dt.date = AS_OF
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        lowest = {"deals": 0, "open_deals": 0, "seed": 0, "quarters": 1, "chunk": 1}
        offences = [
            gettext("'{name}' is {got!r}, wanted a whole number of at least {least}", name=name, got=got, least=least)
            for name, least in lowest.items()
            if not _whole(got := getattr(self, name)) or got < least
        ]
        if not offences and self.quarters > MOST_QUARTERS:
            offences = [gettext("'quarters' is {got}, wanted at most {most}", got=self.quarters, most=MOST_QUARTERS)]
        if not _is_date(self.as_of) or not YEARS[0] <= self.as_of.year <= YEARS[1]:
            offences.append(
                gettext(
                    "'as_of' is {got!r}, wanted a date from {first} to {last}",
                    got=self.as_of,
                    first=YEARS[0],
                    last=YEARS[1],
                )
            )
        if offences:
            raise SettingsError(gettext("simulation: {offences}", offences="; ".join(offences)))


def _is_date(day: object) -> bool:
    return isinstance(day, dt.date)


def _whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A block of closed or open deals, and the number of its first deal."""

    block: Block
    closed: bool
    first: int


def build_team(request: SimulationRequest, truth: Truth | None) -> Team:
    """The team of a request, with the open parameters of its truth drawn."""
    rng = _generator(request, 0)
    deals = request.deals + request.open_deals
    realised = draw_truth(truth or Truth(), rng, deals=deals, quarters=request.quarters)
    day = np.datetime64(dt.date(request.as_of.year, request.as_of.month, request.as_of.day), "D")
    return draw_team(realised, rng, deals=deals, quarters=request.quarters, as_of=day)


def draw_batches(request: SimulationRequest, team: Team) -> Iterator[Batch]:
    """All deals of a request, closed first, in blocks of at most ``chunk``; at least one block of each kind."""
    for closed, deals, before in ((True, request.deals, 0), (False, request.open_deals, request.deals)):
        for number, start in enumerate(range(0, max(deals, 1), request.chunk)):
            rng = _generator(request, 1 if closed else 2, number)
            size = min(request.chunk, deals - start)
            yield Batch(block=draw_block(team, rng, size, closed=closed), closed=closed, first=before + start + 1)


def _generator(request: SimulationRequest, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(request.seed, spawn_key=key))


def simulate(
    deals: int = 300,
    open_deals: int = 60,
    *,
    seed: int,
    truth: Truth | None = None,
    quarters: int = 8,
    as_of: dt.date = AS_OF,
) -> Simulation:
    """Deals of a simulated team whose truth is known.

    Readings fall in the ``quarters`` calendar quarters before the one of ``as_of``; all closed deals have closed
    by ``as_of``, and all open ones are read on it.

    Parameters
    ----------
    deals, open_deals
        Number of closed and of open deals.
    seed
        The same seed, numbers and truth produce the same frames.
    truth
        Parameters; those left open are drawn. The truth of an earlier simulation produces more deals of that team.

    Raises
    ------
    SettingsError
        If a number is out of range.
    """
    request = SimulationRequest(deals=deals, open_deals=open_deals, seed=seed, quarters=quarters, as_of=as_of)
    team = build_team(request, truth)
    batches = list(draw_batches(request, team))
    closed = [batch for batch in batches if batch.closed]
    still_open = [batch for batch in batches if not batch.closed]
    return Simulation(
        closed=_joined([batch_deals(batch, team.truth) for batch in closed]),
        open=_joined([batch_deals(batch, team.truth) for batch in still_open]),
        people=_joined([batch_people(batch) for batch in batches]),
        truth=team.truth,
        latent_closed=_latent([batch.block for batch in closed]),
        latent_open=_latent([batch.block for batch in still_open]),
    )


def batch_deals(batch: Batch, truth: Truth) -> pd.DataFrame:
    """The batch's deal table."""
    return deal_frame(batch.block, truth, first=batch.first, closed=batch.closed)


def batch_people(batch: Batch) -> pd.DataFrame:
    """The batch's people table."""
    return people_frame(batch.block, first=batch.first)


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def _latent(blocks: list[Block]) -> Latent:
    return Latent(
        support=np.concatenate([block.support for block in blocks]),
        logit_win_prob=np.concatenate([block.logit_win_prob for block in blocks]),
        win_prob=np.concatenate([block.win_prob for block in blocks]),
        won=np.concatenate([block.won for block in blocks]),
        closed_on=np.concatenate([block.calendar.closed for block in blocks]),
        facts=_joined([_true_facts(block) for block in blocks]),
    )


def _true_facts(block: Block) -> pd.DataFrame:
    facts = block.facts
    columns = {
        "stage": np.take(STAGES, facts.stage),
        "decision_method": np.take(DECISION_METHODS, facts.method),
        "coach": np.take(COACH_STATES, facts.coach),
    }
    return pd.DataFrame(columns, dtype="str")
