"""Contradictions in a deal's record: one function a rule, each yielding the deals on which it holds, with the facts."""

from collections.abc import Callable, Iterator

import numpy as np

from winprob.actions.flags.record import IDENTIFIED, Hit, Record, listed, where
from winprob.arrays import Array
from winprob.data.schema import READINGS, SUPPORTS, is_open
from winprob.i18n import gettext
from winprob.methodology import ROLES, STAGES

#: Stages before the customer's own project exists.
_EARLY = STAGES.index("exploration")
_UNKNOWN = IDENTIFIED - 1
#: Categories that do not count on a deal, and the probability below which a commit is none.
_NOT_COUNTED, _EVEN = ("omitted", "pipeline"), 0.5


def open_with_closing_day(record: Record) -> Iterator[Hit]:
    """The outcome is open or blank, and a day of closing is given."""
    for at in where(record.column("closed_on").notna() & is_open(record.deals)):
        facts = gettext(
            "Outcome: {outcome}, yet closed on {day}.",
            outcome=record.word("outcome", at),
            day=record.iso("closed_on", at),
        )
        yield Hit(at=at, facts=facts, fields={})


def closed_category_open(record: Record) -> Iterator[Hit]:
    """The forecast category is closed, and the outcome is open or blank."""
    for at in where(record.column("rep_category").isin(["closed"]) & is_open(record.deals)):
        facts = gettext(
            "Forecast category: {category}, yet outcome: {outcome}.",
            category=record.word("rep_category", at),
            outcome=record.word("outcome", at),
        )
        yield Hit(at=at, facts=facts, fields={})


def early_stage_closes_soon(record: Record) -> Iterator[Hit]:
    """The customer does not yet have a project, and the close is near."""
    left = record.days_until("expected_close_on")
    early = (record.stage >= 0) & (record.stage <= _EARLY)
    yield from _stage_and_date(record, early & (left >= 0) & (left <= record.settings.near_days))


def decision_stage_closes_far(record: Record) -> Iterator[Hit]:
    """The supplier is being settled on, and the close is far off."""
    far = record.days_until("expected_close_on") > record.settings.far_days
    yield from _stage_and_date(record, _deciding(record) & far)


def _stage_and_date(record: Record, holds: Array) -> Iterator[Hit]:
    left = record.days_until("expected_close_on")
    for at in where(holds):
        day = record.iso("expected_close_on", at)
        facts = gettext(
            "Stage: {stage}, yet expected to close on {day}, in {days} days.",
            stage=record.word("stage", at),
            day=day,
            days=int(left[at]),
        )
        yield Hit(at=at, facts=facts, fields={"day": day})


def decision_stage_no_role(record: Record) -> Iterator[Hit]:
    """The supplier is being settled on, and no role is identified or has a support on record."""
    if not record.recorded.all():
        return
    nothing = ((record.coverage <= _UNKNOWN) & np.isnan(record.tier)).all(axis=1)
    for at in where(_deciding(record) & nothing):
        facts = gettext(
            "Stage: {stage}, yet none of the five roles is identified, and no support is on record.",
            stage=record.word("stage", at),
        )
        yield Hit(at=at, facts=facts, fields={})


def support_of_unknown_person(record: Record) -> Iterator[Hit]:
    """The coverage of a role is *unknown*, as a value, and its support is given. A blank coverage is not a value."""
    odd = (record.coverage == _UNKNOWN) & ~np.isnan(record.tier)
    for at in where(odd.any(axis=1)):
        roles = [*where(odd[at])]
        facts = gettext(
            "Coverage is unknown, yet support is on record: {roles}.",
            roles=listed(record.supported(at, role) for role in roles),
        )
        yield Hit(at=at, facts=facts, fields={"roles": record.names(roles)})


def coach_validated_unchecked(record: Record) -> Iterator[Hit]:
    """The coach counts as validated, and no role that we are in contact with has a support on record."""
    if not any(record.has(name) for name in (*SUPPORTS, *READINGS)):
        return
    checked = (record.in_contact & ~np.isnan(record.tier)).any(axis=1)
    for at in where(record.column("coach").isin(["validated"]) & ~checked):
        reported = [role for role in range(len(ROLES)) if not np.isnan(record.tier[at, role])]
        facts = gettext("Coach: validated, yet no role's support is on record.")
        if reported:
            facts = gettext(
                "Coach: validated, yet support is on record only of people we have not met: {roles}.",
                roles=listed(record.covered(at, role) for role in reported),
            )
        yield Hit(at=at, facts=facts, fields={})


def category_against_probability(record: Record) -> Iterator[Hit]:
    """A deal that is not counted on has a high probability of the seller, or a commit has one below one half."""
    chance, category = record.column("rep_probability").to_numpy(dtype=float), record.column("rep_category")
    high = category.isin(_NOT_COUNTED) & (chance >= record.settings.commit_probability)
    low = category.isin(["commit"]) & (chance < _EVEN)
    for at in where(high | low):
        facts = gettext(
            "Forecast category: {category}, yet the seller's own probability is {chance:.0%}.",
            category=record.word("rep_category", at),
            chance=chance[at],
        )
        yield Hit(at=at, facts=facts, fields={})


def dates_out_of_order(record: Record) -> Iterator[Hit]:
    """Opened after the expected close, or after the reading."""
    opened, closes, read = (record.column(name) for name in ("opened_on", "expected_close_on", "as_of"))
    for at in where((opened > closes) | (opened > read)):
        name = "expected_close_on" if opened[at] > closes[at] else "as_of"
        days = {"opened": record.iso("opened_on", at), "day": record.iso(name, at)}
        facts = gettext("Opened on {opened}, yet expected to close on {day}.", **days)
        if name == "as_of":
            facts = gettext("Opened on {opened}, yet read on {day}.", **days)
        yield Hit(at=at, facts=facts, fields={})


def _deciding(record: Record) -> Array:
    return np.asarray(record.stage == len(STAGES) - 1)


#: By the id of the flag in subject ``flags``.
CONTRADICTIONS: dict[str, Callable[[Record], Iterator[Hit]]] = {
    rule.__name__: rule
    for rule in (
        open_with_closing_day,
        closed_category_open,
        early_stage_closes_soon,
        decision_stage_closes_far,
        decision_stage_no_role,
        support_of_unknown_person,
        coach_validated_unchecked,
        category_against_probability,
        dates_out_of_order,
    )
}
