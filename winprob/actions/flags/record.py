"""Record of a deal table for the rules of the red flags: stages, people, coverage and days as arrays.

A blank is unknown, in a state of its own: -1 for a stage or a coverage, NaN for a tier or a number of days. Where
coverage is blank, a reported support counts as contact. A column that the table lacks is not recorded by the team at
all: rules about what is unknown do not apply to it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from winprob.actions.levers.loss_patterns import SUPPORTIVE, deciders
from winprob.arrays import Array
from winprob.data.schema import column_or_missing
from winprob.i18n import gettext
from winprob.methodology import COVERAGES, ROLES, STAGES, label
from winprob.settings import FlagSettings

OPPOSED = 1.0
#: Stages in which suppliers are compared and one is settled on.
LATE = STAGES.index("evaluation")
IDENTIFIED, CONTACTED = COVERAGES.index("identified"), COVERAGES.index("contacted")
APPROVER, DECISION_MAKER, PROCUREMENT = map(ROLES.index, ("approver", "decision_maker", "procurement"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A deal on which a rule holds, by its position; the facts as a sentence, and the fields of the next step."""

    at: int
    facts: str
    fields: dict[str, str]


# Without slots, which a cached property cannot have: each is computed once for all deals.
@dataclass(frozen=True, kw_only=True)
class Record:
    """Valid deals, one row each, described for the rules.

    Attributes
    ----------
    day : (deal,) day of knowledge, NaT where unknown
    stage : (deal,) position in the method's order
    tiers : (deal, role) the tiers of all people of a role, empty where none is reported
    tier, lowest : (deal, role) their mean weighted by influence, and the lowest
    coverage : (deal, role) position in the order of coverages
    recorded : (role,) whether the table has a column for the role's coverage
    """

    deals: pd.DataFrame
    settings: FlagSettings
    day: Array
    stage: Array
    tiers: Sequence[Sequence[Sequence[float]]]
    tier: Array
    lowest: Array
    coverage: Array
    recorded: Array

    def has(self, *columns: str) -> bool:
        """Whether the table has all these columns."""
        return set(columns) <= set(self.deals.columns)

    def column(self, name: str) -> pd.Series:
        # A rule asks for each deal anew, and pandas copies the table's attributes with each column.
        if name not in self._columns:
            self._columns[name] = column_or_missing(self.deals, name)
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, pd.Series]:
        return {}

    def days_until(self, name: str) -> Array:
        """(deal,) days from the day of knowledge to a date; NaN where one is unknown."""
        return days_between(self.day, self.column(name).to_numpy(dtype="datetime64[D]"))

    @cached_property
    def late(self) -> Array:
        return np.asarray(self.stage >= LATE)

    @cached_property
    def in_contact(self) -> Array:
        """(deal, role) whether we are in contact with the role."""
        blank = (self.coverage < 0) & ~np.isnan(self.tier)
        return np.asarray((self.coverage >= CONTACTED) | blank)

    @cached_property
    def commit(self) -> Array:
        """(deal,) whether the seller counts on the deal."""
        chance = self.column("rep_probability").to_numpy(dtype=float)
        category = self.column("rep_category").isin(["commit"]).to_numpy(dtype=bool)
        return np.asarray(category | (chance >= self.settings.commit_probability))

    @cached_property
    def decides(self) -> Array:
        """(deal, role) whether the role decides under the deal's method; without one, approver and decision maker."""
        method = self.column("decision_method").to_numpy(dtype=object)
        decide = np.isin(np.arange(len(ROLES)), (APPROVER, DECISION_MAKER)) & np.ones((len(method), 1), dtype=bool)
        for known in set(method[pd.notna(method)]):
            decide[method == known] = [role in deciders(known) for role in ROLES]
        return decide

    @cached_property
    def effort(self) -> Array:
        """(deal, role) effort spent, 0 to 4, as ``loss_patterns`` counts it."""
        contact = np.where(self.coverage < 0, ~np.isnan(self.tier), np.maximum(self.coverage - IDENTIFIED, 0))
        return np.asarray(contact + np.nan_to_num(np.clip(np.rint(self.tier) - SUPPORTIVE + 1, 0, 2)))

    # --- words ------------------------------------------------------------------------------------------------------

    def word(self, name: str, at: int) -> str:
        """The label of a deal's value."""
        return label(name, self.column(name).iloc[at])

    def iso(self, name: str, at: int) -> str:
        return f"{self.column(name).iloc[at]:%Y-%m-%d}"

    def claim(self, at: int) -> str:
        """The seller's forecast category and probability, as far as known: ``Commit (85%)``."""
        chance, category = self.column("rep_probability").iloc[at], self.column("rep_category").iloc[at]
        if pd.isna(chance):
            return label("rep_category", category)
        if pd.isna(category):
            return f"{chance:.0%}"
        return gettext("{what} ({state})", what=label("rep_category", category), state=f"{chance:.0%}")

    def state_of_coverage(self, at: int, role: int) -> str:
        value = self.coverage[at, role]
        return label("coverage", COVERAGES[value] if value >= 0 else "unknown")

    def state_of_support(self, at: int, role: int) -> str:
        tier = self.tier[at, role]
        return label("support", None if np.isnan(tier) else float(np.floor(tier + 0.5)))

    def covered(self, at: int, role: int) -> str:
        """``Approver (Identified)``."""
        return gettext("{what} ({state})", what=label("role", ROLES[role]), state=self.state_of_coverage(at, role))

    def supported(self, at: int, role: int) -> str:
        """``Evaluator (Neutral)``."""
        return gettext("{what} ({state})", what=label("role", ROLES[role]), state=self.state_of_support(at, role))

    def opposed(self, at: int, role: int) -> str:
        """A role in which someone opposes us: its name, and of several people how many."""
        tiers = self.tiers[role][at]
        if len(tiers) == 1:
            return label("role", ROLES[role])
        return gettext(
            "{who} ({opposed} of {count} people, together read as: {state})",
            who=label("role", ROLES[role]),
            opposed=sum(each == OPPOSED for each in tiers),
            count=len(tiers),
            state=self.state_of_support(at, role),
        )

    def names(self, roles: Iterable[int]) -> str:
        return listed(label("role", ROLES[role]) for role in roles)

    def contact(self, at: int, *, besides: Collection[int] = ()) -> str:
        """Whom to ask for an introduction or a word: of the roles in contact the most senior that supports us.

        Without one the most senior that is not opposed, and without any contact an inside source.
        """
        known = [role for role in where(self.in_contact[at]) if role not in besides]
        if not known:
            return gettext("an inside source")
        supports, opposed = self.tier[at] >= SUPPORTIVE, self.lowest[at] == OPPOSED
        best = max(known, key=lambda role: (supports[role] and role != PROCUREMENT, not opposed[role], -role))
        return gettext("the {role}", role=label("role", ROLES[best]))


def describe_record(valid: pd.DataFrame, day: Any, settings: FlagSettings) -> Record:
    """Describe valid deals, one row each, as of a day (or one for each of them)."""
    deals = valid.reset_index(drop=True)
    tiers, tier, lowest = zip(*(_support(deals, role) for role in ROLES), strict=True)
    return Record(
        deals=deals,
        settings=settings,
        day=np.broadcast_to(np.asarray(day, dtype="datetime64[D]"), len(deals)),
        stage=_position(deals, "stage", STAGES),
        tiers=tiers,
        tier=np.stack(tier, axis=1),
        lowest=np.stack(lowest, axis=1),
        coverage=np.stack([_position(deals, f"{role}_coverage", COVERAGES) for role in ROLES], axis=1),
        recorded=np.array([f"{role}_coverage" in deals for role in ROLES]),
    )


def days_between(first: Array, last: Array) -> Array:
    """(row,) days from one date to another, NaN where either is unknown."""
    days = (last - first).astype("timedelta64[D]")
    return np.where(np.isnat(days), np.nan, days.astype(float))


def where(holds: Array | pd.Series) -> Iterator[int]:
    """Positions of the deals on which a rule holds."""
    return map(int, np.flatnonzero(np.asarray(holds, dtype=bool)))


def listed(items: Iterable[str]) -> str:
    return gettext(", ").join(items)


def _position(deals: pd.DataFrame, name: str, order: Sequence[str]) -> Array:
    place = {value: at for at, value in enumerate(order)}
    return column_or_missing(deals, name).map(place).fillna(-1).to_numpy(dtype=np.int64)


def _support(deals: pd.DataFrame, role: str) -> tuple[list[list[float]], Array, Array]:
    """The tiers of a role's people, their mean by influence, and the lowest, for each deal."""
    alone = column_or_missing(deals, f"{role}_support").to_numpy(dtype=float)
    people = column_or_missing(deals, f"{role}_readings").to_numpy(dtype=object)
    tiers, mean = [[] if np.isnan(tier) else [float(tier)] for tier in alone], alone.copy()
    for at in np.flatnonzero(pd.notna(people)):
        read = np.array([token.split("*") for token in people[at].split()], dtype=float)
        tiers[at], mean[at] = read[:, 0].tolist(), np.average(read[:, 0], weights=read[:, 1])
    return tiers, mean, np.array([min(each, default=np.nan) for each in tiers])
