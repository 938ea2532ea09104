"""A plan of visits in sentences: its gain, regret, baseline plans, free slots and assumptions."""

from collections.abc import Iterator

import pandas as pd

from winprob.actions.visits.assessment import Estimate, Plan
from winprob.i18n import gettext
from winprob.methodology import label


def plan_sentences(plan: Plan) -> list[str]:
    """The plan in sentences, the most important first."""
    return [
        *_headline_sentences(plan),
        *_regret_sentences(plan),
        *_baseline_sentences(plan),
        *_slot_sentences(plan),
        *lever_sentences(plan),
        *plan.notes,
        *_assumption_sentences(plan),
    ]


def _headline_sentences(plan: Plan) -> Iterator[str]:
    visits = plan.visits
    counts = {
        "visits": len(visits),
        "executives": visits["executive"].nunique(),
        "deals": visits["deal_id"].nunique(),
        **_amounts(plan, plan.gain),
    }
    headline = gettext(
        "{visits} visits by {executives} executives to {deals} deals: {gain} more in expectation ({lower} to {upper}).",
        **counts,
    )
    if plan.quarter is not None:
        headline = gettext(
            "{visits} visits by {executives} executives to {deals} deals: {gain} more in {quarter} in expectation "
            "({lower} to {upper}).",
            quarter=plan.quarter,
            **counts,
        )
    yield headline
    if plan.tail_gain is not None:
        yield gettext(
            "Planned for the worst case: in the worst draws it adds {gain} on average.",
            gain=amount(plan, plan.tail_gain),
        )
    if plan.gap >= 0.0005:
        yield gettext(
            "The best plan may be up to {gap:.1%} better than this one; more effort may find it.", gap=plan.gap
        )


def _regret_sentences(plan: Plan) -> Iterator[str]:
    if not plan.draws:
        yield gettext(
            "The effort was spent before any draw's own best plan was found: allow more to compute the regret of this "
            "one."
        )
        return
    yield gettext(
        "Regret: with the model's parameters known, the best plan would add {regret} more on average "
        "(the best plan for each of {draws} draws).",
        regret=amount(plan, plan.regret),
        draws=plan.draws,
    )


def _baseline_sentences(plan: Plan) -> Iterator[str]:
    for row in plan.common_sense.to_dict("records"):
        ahead = Estimate(mean=row["difference"], lower=row["difference_lower"], upper=row["difference_upper"])
        fields = _amounts(plan, ahead)
        name = _plan_name(row["plan"])
        gain = amount(plan, row["expected_gain"])
        yield gettext(
            "{name}: {total}; this plan adds {gain} to that ({lower} to {upper}).", name=name, total=gain, **fields
        )


def _plan_name(plan: str) -> str:
    names = {
        "largest_amounts": gettext("Largest amounts first"),
        "lowest_probabilities": gettext("Lowest probabilities first"),
        "largest_lift": gettext("Largest lift first"),
    }
    return names[plan]


def _slot_sentences(plan: Plan) -> Iterator[str]:
    if plan.free_slots:
        yield gettext(
            "{count} slots stay free: no further visit within the limits was found to add anything.",
            count=plan.free_slots,
        )
    table: pd.DataFrame = plan.one_more_slot
    useful = table[table["expected_gain"] > 0].sort_values("expected_gain", ascending=False, kind="stable")
    if table["expected_gain"].isna().any():
        yield gettext("The effort was spent before the gain of one slot more was known for all executives.")
    elif useful.empty:
        yield gettext("One slot more would add nothing for any executive.")
    if useful.empty:
        return
    listed = ", ".join(
        f"{name} {amount(plan, gain)}"
        for name, gain in zip(useful["executive"].head(5), useful["expected_gain"], strict=False)
    )
    yield gettext("One slot more would add: {listed}.", listed=listed)


def lever_sentences(plan: Plan) -> Iterator[str]:
    """How many visits go to the deal's lever, and why the others do not."""
    apart = plan.visits[plan.visits["reason"].notna()]
    if len(plan.visits) and apart.empty:
        yield gettext("Every visit goes to the role with the largest lift in its deal.")
    for row in apart.to_dict("records"):
        yield gettext(
            "{deal}, visit to the {role}: {reason}.",
            deal=row["deal_id"],
            role=label("role", row["role"]),
            reason=row["reason"],
        )


def _assumption_sentences(plan: Plan) -> Iterator[str]:
    yield from _success_sentences(plan)
    yield gettext(
        "Gains assume that support, once moved, has the association with winning that the model learned; it is not "
        "shown to be causal."
    )


def _success_sentences(plan: Plan) -> Iterator[str]:
    if plan.effect is None:
        yield gettext("The chance that a visit moves a role is the prior of the settings: no past visit was counted.")
        return
    ends = {name: f"{getattr(plan.effect, name):+.2f}" for name in ("mean", "lower", "upper")}
    fields = {"count": plan.visits_learned_from, **ends}
    if plan.effect.lower > 0:
        yield gettext(
            "Over {count} past visits, visits have raised true support by {mean} standard deviations ({lower} to "
            "{upper}) beyond what readings do by themselves.",
            **fields,
        )
    elif plan.too_few:
        yield gettext(
            "Over {count} past visits, visits have shown no effect so far, and they are too few to show one: true "
            "support moves by {mean} standard deviations ({lower} to {upper}), most of it the prior.",
            **fields,
        )
    else:
        yield gettext(
            "Over {count} past visits, visits have shown no effect so far: true support moved by {mean} standard "
            "deviations ({lower} to {upper}) beyond what readings do by themselves.",
            **fields,
        )
    if plan.compared_roles:
        yield gettext("Visited roles were compared with {count} roles that were not.", count=plan.compared_roles)
    else:
        yield gettext(
            "No readings of roles that were not visited were given to compare with: it is assumed that their support "
            "stays as it is on average."
        )


def _amounts(plan: Plan, estimate: Estimate) -> dict[str, str]:
    return {
        "gain": amount(plan, estimate.mean),
        "lower": amount(plan, estimate.lower),
        "upper": amount(plan, estimate.upper),
    }


def amount(plan: Plan, value: float) -> str:
    """A gain with its unit, see ``Plan.amount``."""
    return plan.amount(value)
