"""What changed since the last review? The bridge from P50 then to P50 now: a picture, and a table that adds up."""

from winprob.i18n import gettext
from winprob.quarter import Bridge
from winprob.report.charts import Chart
from winprob.report.grids import Column, Grid
from winprob.report.numbers import tied, whole
from winprob.report.quarterly.charts import draw_bridge

#: So many deals are named behind each step.
_NAMED = 3


def step_name(step: str) -> str:
    """What a step is called."""
    names = {
        "closed": gettext("Closed since then, won or lost"),
        "slipped": gettext("Slipped: time passed, dates moved out"),
        "new": gettext("New deals"),
        "facts_changed": gettext("Facts changed, dates pulled in"),
        "model_changed": gettext("Model changed"),
        "simulation_noise": gettext("Simulation noise"),
    }
    return names.get(step, step)


def bridge_chart(bridge: Bridge) -> Chart:
    """A waterfall."""
    steps = [(step_name(row["step"]), float(row["amount"])) for row in bridge.steps.to_dict("records")]
    start, end = _ends(bridge)
    return draw_bridge(steps, (start, bridge.p50_before), (end, bridge.p50_now), bridge.currency)


def bridge_grid(bridge: Bridge) -> Grid:
    """The steps as a table that adds up to the last unit, the largest deals behind each named."""
    amounts = [float(amount) for amount in bridge.steps["amount"]]
    before = round(bridge.p50_before)
    shown = tied(amounts, round(bridge.p50_now) - before)
    start, end = _ends(bridge)
    steps = [
        [step_name(step), signed_whole(amount), _behind(bridge, step)]
        for step, amount in zip(bridge.steps["step"], shown, strict=True)
    ]
    titles = [
        gettext("Step"),
        gettext("Amount, {currency}", currency=bridge.currency),
        gettext("Largest deals behind it"),
    ]
    return Grid(
        columns=[Column(title=text, number=at == 1) for at, text in enumerate(titles)],
        rows=[[start, whole(before), ""], *steps, [end, whole(before + sum(shown)), ""]],
        keys=[[None, value, None] for value in (bridge.p50_before, *amounts, bridge.p50_now)],
    )


def _ends(bridge: Bridge) -> tuple[str, str]:
    return gettext("P50 on {day}", day=bridge.before), gettext("P50 on {day}", day=bridge.now)


def signed_whole(amount: int) -> str:
    """``+1,234`` or ``−1,234``."""
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{whole(abs(amount))}"


def _behind(bridge: Bridge, step: str) -> str:
    rows = bridge.deals[bridge.deals["step"] == step]
    order = rows["amount"].abs().sort_values(ascending=False, kind="stable").index
    changes = [(row["deal_id"], round(row["amount"])) for row in rows.loc[order].head(_NAMED).to_dict("records")]
    return gettext(", ").join(f"{name} {signed_whole(change)}" for name, change in changes if change)
