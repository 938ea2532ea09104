"""What does a plan say in words? Its gain, how sure it is, what it is compared with, what it rests on."""

from collections.abc import Iterator

import pandas as pd

from winprob.actions.visits.records import Estimate, Plan
from winprob.i18n import gettext


def judge_plan(plan: Plan) -> list[str]:
    """Everything that should be read beside the table, most important first."""
    return [*_headline(plan), *_sureness(plan), *_against(plan), *_slots(plan), *plan.notes, *_grounds(plan)]


def _headline(plan: Plan) -> Iterator[str]:
    visits = plan.visits
    yield gettext(
        "{visits} visits by {executives} executives to {deals} deals: {gain} more in expectation ({lower} to {upper}).",
        visits=len(visits),
        executives=visits["executive"].nunique(),
        deals=visits["deal_id"].nunique(),
        **_worded(plan, plan.gain),
    )
    if plan.tail_gain is not None:
        yield gettext(
            "Planned for the worst case: in the worst draws it still adds {gain} on average.",
            gain=amount(plan, plan.tail_gain),
        )
    if plan.gap >= 0.0005:
        yield gettext(
            "The best plan may be up to {gap:.1%} better than this one; with more time it may be found.", gap=plan.gap
        )


def _sureness(plan: Plan) -> Iterator[str]:
    if not plan.draws:
        yield gettext("Time ran out before any draw's own best plan was found: allow more to see how sure this one is.")
        return
    yield gettext(
        "Were the model's unknowns known, another plan would add {regret} more on average "
        "(the best plan found for each of {draws} draws).",
        regret=amount(plan, plan.regret),
        draws=plan.draws,
    )


def _against(plan: Plan) -> Iterator[str]:
    for row in plan.common_sense.to_dict("records"):
        apart = Estimate(mean=row["difference"], lower=row["difference_lower"], upper=row["difference_upper"])
        words = _worded(plan, apart)
        name = _plan_name(row["plan"])
        gain = amount(plan, row["expected_gain"])
        yield gettext(
            "{name}: {total}; this plan adds {gain} to that ({lower} to {upper}).", name=name, total=gain, **words
        )


def _plan_name(plan: str) -> str:
    names = {
        "largest_amounts": gettext("Largest amounts first"),
        "lowest_probabilities": gettext("Lowest probabilities first"),
        "largest_lift": gettext("Largest lift first"),
    }
    return names[plan]


def _slots(plan: Plan) -> Iterator[str]:
    if plan.free_slots:
        yield gettext("{count} slots stay free: nobody within the limits could still be moved.", count=plan.free_slots)
    table: pd.DataFrame = plan.one_more_slot
    useful = table[table["expected_gain"] > 0].sort_values("expected_gain", ascending=False, kind="stable")
    if table["expected_gain"].isna().any():
        yield gettext("Time ran out before the worth of one slot more was known for all executives.")
    elif useful.empty:
        yield gettext("One slot more would add nothing, whoever had it.")
    if useful.empty:
        return
    listed = ", ".join(
        f"{name} {amount(plan, gain)}"
        for name, gain in zip(useful["executive"].head(5), useful["expected_gain"], strict=False)
    )
    yield gettext("One slot more would add: {listed}.", listed=listed)


def _grounds(plan: Plan) -> Iterator[str]:
    if plan.visits_learned_from:
        yield gettext(
            "The chance that a visit moves a role rests on {count} past visits and on what was believed before.",
            count=plan.visits_learned_from,
        )
    else:
        yield gettext("The chance that a visit moves a role is what the settings say: no past visit was counted.")
    yield gettext("Gains assume that support, once moved, goes with winning as the model has learned: an association.")


def _worded(plan: Plan, estimate: Estimate) -> dict[str, str]:
    return {
        "gain": amount(plan, estimate.mean),
        "lower": amount(plan, estimate.lower),
        "upper": amount(plan, estimate.upper),
    }


def amount(plan: Plan, value: float) -> str:
    """A gain with its unit: ``1,240,000 CNY``, ``0.42 wins``."""
    if plan.unit is None:
        return gettext("{value} wins", value=f"{value:.2f}")
    return f"{value:,.0f} {plan.unit}".strip()
