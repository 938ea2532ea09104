"""Warning signs in a deal's record: one function a rule, each yielding the deals on which it holds, with the facts."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from winprob.actions.flags import record as on_record
from winprob.actions.flags.record import Hit, Record, days_between, listed, where
from winprob.actions.levers.loss_patterns import SUPPORTIVE
from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.methodology import ROLES, STAGES, plays

#: The lead in effort of those who do not decide, as in the post-mortem of a lost deal.
_LEAD = 1.0
_ASIDE = [role not in (on_record.APPROVER, on_record.DECISION_MAKER) for role in range(len(ROLES))]


def commit_without_problem(record: Record) -> Iterator[Hit]:
    """The seller counts on a deal whose customer does not see the problem, or only explores it."""
    early = (record.stage >= 0) & (record.stage <= STAGES.index("exploration"))
    for at in where(early & record.commit):
        (state,) = plays("stages", "state", of=STAGES[record.stage[at]])
        facts = gettext(
            "Forecast: {claim}. Customer's stage: {stage} ({state}).",
            claim=record.claim(at),
            stage=record.word("stage", at),
            state=state.phrase.text(),
        )
        yield Hit(at=at, facts=facts, fields={})


def approver_opposed(record: Record) -> Iterator[Hit]:
    """The approver, or one of several, is opposed: a classic loss by the approver, if no one changes it."""
    for at in where(record.lowest[:, on_record.APPROVER] == on_record.OPPOSED):
        facts = gettext(
            "Opposed: {roles}; coverage: {coverage}. Forecast: {claim}.",
            roles=record.opposed(at, on_record.APPROVER),
            coverage=record.state_of_coverage(at, on_record.APPROVER),
            claim=record.claim(at),
        )
        yield Hit(at=at, facts=facts, fields={"contact": record.contact(at, besides=[on_record.APPROVER])})


def decider_opposed(record: Record) -> Iterator[Hit]:
    """Someone of a role that decides, other than the approver, is opposed; the decision maker always decides."""
    decide = record.decides | (np.arange(len(ROLES)) == on_record.DECISION_MAKER)
    opposed = (record.lowest == on_record.OPPOSED) & decide & (np.arange(len(ROLES)) != on_record.APPROVER)
    for at in where(opposed.any(axis=1)):
        roles = [*where(opposed[at])]
        facts = gettext(
            "Opposed: {roles}. Decision method: {method}.",
            roles=listed(record.opposed(at, role) for role in roles),
            method=record.word("decision_method", at),
        )
        # Never the approver: that would go over the head of the one who is opposed.
        fields = {"roles": record.names(roles), "contact": record.contact(at, besides=[on_record.APPROVER, *roles])}
        yield Hit(at=at, facts=facts, fields=fields)


def loss_by_approver(record: Record) -> Iterator[Hit]:
    """The classic loss by the approver, on a deal that the seller counts on: no one has spoken with the approver.

    The post-mortem counts an opposed approver too, which is a flag of its own.
    """
    for at in where(_commit_without_approver(record)):
        facts = gettext(
            "Forecast: {claim}. Coverage of the approver: {coverage}; support: {support}.",
            claim=record.claim(at),
            coverage=record.state_of_coverage(at, on_record.APPROVER),
            support=record.state_of_support(at, on_record.APPROVER),
        )
        yield Hit(at=at, facts=facts, fields={"contact": record.contact(at, besides=[on_record.APPROVER])})


def _commit_without_approver(record: Record) -> Array:
    tier, coverage = record.tier[:, on_record.APPROVER], record.coverage[:, on_record.APPROVER]
    never = np.isnan(tier) & (coverage < on_record.IDENTIFIED) & bool(record.recorded[on_record.APPROVER])
    return np.asarray(
        record.commit
        & ~(record.lowest[:, on_record.APPROVER] == on_record.OPPOSED)
        & ((coverage == on_record.IDENTIFIED) | never)
    )


def loss_by_method(record: Record) -> Iterator[Hit]:
    """The classic loss by the decision method: more effort on roles that do not decide, and a decider not won."""
    behind = _behind(record)
    for at in where(behind.any(axis=1)):
        effort = np.where(record.decides[at], -1, record.effort[at])
        facts = gettext(
            "Decision method: {method}. Not won: {roles}. Most effort so far on: {others}.",
            method=record.word("decision_method", at),
            roles=listed(record.supported(at, role) for role in [*where(behind[at])]),
            others=record.names([*where(effort == effort.max())]),
        )
        yield Hit(at=at, facts=facts, fields={"roles": record.names([*where(behind[at])])})


def _behind(record: Record) -> Array:
    """(deal, role) deciding roles that do not support us, where the effort went to the others.

    In a table without a column for each role, effort cannot be compared.
    """
    if not all(record.has(f"{role}_coverage") or record.has(f"{role}_support") for role in ROLES):
        return np.zeros_like(record.in_contact)
    decide, known = record.decides, record.column("decision_method").notna().to_numpy()
    on, aside = (np.where(which, record.effort, 0).sum(axis=1) / which.sum(axis=1) for which in (decide, ~decide))
    return np.asarray(decide & ~(record.tier >= SUPPORTIVE) & (known & (aside >= on + _LEAD))[:, None])


def closes_soon_unmet(record: Record) -> Iterator[Hit]:
    """The close is days away, and a role that decides, or several roles, have not been met."""
    left, unmet = record.days_until("expected_close_on"), ~record.in_contact & record.recorded
    soon = (left >= 0) & (left <= record.settings.closing_days)
    many = unmet.sum(axis=1) >= record.settings.unmet_roles
    for at in where(soon & (many | (unmet & record.decides).any(axis=1))):
        roles, day = [*where(unmet[at])], record.iso("expected_close_on", at)
        facts = gettext(
            "Expected to close on {day}, in {days} days. Not met: {roles}.",
            day=day,
            days=int(left[at]),
            roles=listed(record.covered(at, role) for role in roles),
        )
        fields = {"day": day, "roles": record.names(roles), "contact": record.contact(at)}
        yield Hit(at=at, facts=facts, fields=fields)


def approver_uncovered(record: Record) -> Iterator[Hit]:
    """Suppliers are compared or one is settled on, and no one is in contact with the approver.

    On a deal that the seller counts on this is the classic loss by the approver.
    """
    uncovered = ~record.in_contact[:, on_record.APPROVER] & bool(record.recorded[on_record.APPROVER])
    for at in where(record.late & uncovered & ~_commit_without_approver(record)):
        facts = gettext(
            "Stage: {stage}. Coverage of the approver: {coverage}.",
            stage=record.word("stage", at),
            coverage=record.state_of_coverage(at, on_record.APPROVER),
        )
        yield Hit(at=at, facts=facts, fields={"contact": record.contact(at)})


def decision_method_unknown(record: Record) -> Iterator[Hit]:
    """Suppliers are compared or one is settled on, and the decision method is blank."""
    if not record.has("decision_method"):
        return
    for at in where(record.late & record.column("decision_method").isna()):
        facts = gettext("Stage: {stage}. Decision method: unknown.", stage=record.word("stage", at))
        yield Hit(at=at, facts=facts, fields={"contact": record.contact(at)})


def coach_missing(record: Record) -> Iterator[Hit]:
    """Suppliers are compared or one is settled on, and there is no coach. A blank is not *none*."""
    yield from _late_with_coach(record, "none")


def coach_not_validated(record: Record) -> Iterator[Hit]:
    """Suppliers are compared or one is settled on, and the coach is not validated."""
    yield from _late_with_coach(record, "unvalidated")


def _late_with_coach(record: Record, state: str) -> Iterator[Hit]:
    for at in where(record.late & record.column("coach").isin([state])):
        facts = gettext(
            "Stage: {stage}. Coach: {coach}.", stage=record.word("stage", at), coach=record.word("coach", at)
        )
        contact = record.contact(at, besides=[on_record.APPROVER, on_record.DECISION_MAKER])
        yield Hit(at=at, facts=facts, fields={"contact": contact})


def overdue(record: Record) -> Iterator[Hit]:
    """The expected close date has passed."""
    left = record.days_until("expected_close_on")
    for at in where(left < 0):
        facts = gettext(
            "Expected to close on {day}, {days} days before {today}.",
            day=record.iso("expected_close_on", at),
            days=int(-left[at]),
            today=record.day[at],
        )
        yield Hit(at=at, facts=facts, fields={})


def pushed(record: Record) -> Iterator[Hit]:
    """The close date was moved out several times, as a history counts it in ``pushes``."""
    pushes, days = (
        pd.to_numeric(record.column(name), errors="coerce").to_numpy(dtype=float) for name in ("pushes", "days_slipped")
    )
    for at in where(pushes >= record.settings.pushes):
        facts = gettext("Close date pushed {count} times.", count=int(pushes[at]))
        if days[at] > 0:
            facts = gettext(
                "Close date pushed {count} times, {days} days in all.", count=int(pushes[at]), days=int(days[at])
            )
        yield Hit(at=at, facts=facts, fields={})


def effort_on_easy(record: Record) -> Iterator[Hit]:
    """In contact with one role only, or with none of approver and decision maker."""
    if not record.recorded[[on_record.APPROVER, on_record.DECISION_MAKER]].all():
        return
    contact = record.in_contact
    for at in where((contact.sum(axis=1) == 1) | (contact.any(axis=1) & ~(contact & ~np.array(_ASIDE)).any(axis=1))):
        missing = [role for role in (on_record.APPROVER, on_record.DECISION_MAKER) if not contact[at, role]] or [
            *where(~contact[at])
        ]
        facts = gettext(
            "In contact only with: {contacts}. Not met: {roles}.",
            contacts=record.names([*where(contact[at])]),
            roles=listed(record.covered(at, role) for role in missing),
        )
        yield Hit(at=at, facts=facts, fields={"roles": record.names(missing), "contact": record.contact(at)})


def stale(record: Record) -> Iterator[Hit]:
    """The last reading is old on the day of knowledge."""
    age = days_between(record.column("as_of").to_numpy(dtype="datetime64[D]"), record.day)
    for at in where(age > record.settings.stale_days):
        facts = gettext(
            "Last reading: {day}, {days} days before {today}.",
            day=record.iso("as_of", at),
            days=int(age[at]),
            today=record.day[at],
        )
        yield Hit(at=at, facts=facts, fields={})


#: By the id of the flag in subject ``flags``.
SIGNS: dict[str, Callable[[Record], Iterator[Hit]]] = {
    rule.__name__: rule
    for rule in (
        commit_without_problem,
        approver_opposed,
        decider_opposed,
        loss_by_approver,
        loss_by_method,
        closes_soon_unmet,
        approver_uncovered,
        decision_method_unknown,
        coach_missing,
        coach_not_validated,
        overdue,
        pushed,
        effort_on_easy,
        stale,
    )
}
