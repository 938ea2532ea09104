"""From the last review to this one: the steps as a table with bars, each with the deals behind it."""

from collections.abc import Mapping

import numpy as np

from winprob.i18n import gettext
from winprob.quarter import Bridge, step_name
from winprob.report.numbers import Money
from winprob.report.quarterly import charts, plots
from winprob.report.sheet import Column, Grid

#: Deals named for each step.
_NAMED = 3


def bars(bridge: Bridge) -> list[plots.Plot]:
    """A bar for each row of the table."""
    return charts.bridge_bars([float(amount) for amount in bridge.steps["amount"]], bridge.p50_before, bridge.p50_now)


def bridge_grid(bridge: Bridge, names: Mapping[str, str], money: Money) -> Grid:
    """The steps as a table that sums to the last decimal, each with its largest changes by deal, by name."""
    amounts = [float(amount) for amount in bridge.steps["amount"]]
    before = money.rounded(bridge.p50_before)
    shown = money.tie(amounts, money.rounded(bridge.p50_now) - before)
    steps = [
        [step_name(step), money.signed_exact(amount), changes_by_deal(bridge, step, amount, names, money)]
        for step, amount in zip(bridge.steps["step"], shown, strict=True)
    ]
    titles = [gettext("Step"), gettext("Amount"), gettext("Largest changes by deal, and all others")]
    return Grid(
        columns=[Column(title=text, number=at == 1) for at, text in enumerate(titles)],
        rows=[
            [gettext("P50 on {day}", day=bridge.before), money.exact(before), ""],
            *steps,
            [gettext("P50 on {day}", day=bridge.now), money.exact(before + sum(shown)), ""],
        ],
        keys=[[None, value, None] for value in (bridge.p50_before, *amounts, bridge.p50_now)],
    )


def changes_by_deal(bridge: Bridge, step: str, amount: float, names: Mapping[str, str], money: Money) -> str:
    """The largest changes of expected bookings by deal, and the rest: they sum to the step's amount as written.

    The rest also holds what is not a deal's own: shared doubt, deals not yet created, and the difference of medians.
    """
    rows = bridge.deals[bridge.deals["step"] == step]
    order = rows["amount"].abs().sort_values(ascending=False, kind="stable").index
    largest = rows.loc[order].head(_NAMED)
    changes = [
        (names.get(row["deal_id"], row["deal_id"]), money.rounded(float(row["amount"])))
        for row in largest.to_dict("records")
    ]
    changes = [(name, change) for name, change in changes if not np.isclose(change, 0)]
    rest = money.rounded(amount - sum(change for _, change in changes))
    if changes and not np.isclose(rest, 0):
        changes.append((gettext("all others"), rest))
    return gettext(", ").join(f"{name} {money.signed_exact(change)}" for name, change in changes)
