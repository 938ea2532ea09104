"""First screen of the review: figures, the gap, groups, red flags, and what would close the gap this quarter."""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.actions.flags import flag_title
from winprob.actions.levers import rank_roles
from winprob.data.schema import column_or_missing
from winprob.i18n import gettext
from winprob.quarter import PRECISION, falls_in, line_name
from winprob.report.numbers import BLANK, name_of, percent, shown, text_of
from winprob.report.quarterly.deals import who_does_what
from winprob.report.quarterly.headline import Figure
from winprob.report.quarterly.inputs import ReviewInputs
from winprob.report.sheet import Column, Grid

#: Groups with a row of their own; owners from which regions are shown in their place.
_GROUPS, _OWNERS = 5, 6
#: Relative difference of sums up to which it is simulation noise.
_NOISE = 0.02
#: Red flags shown, among the deals with this share of the expected bookings.
_FLAGS, _SHARE_THAT_MATTERS = 3, 0.8
_FIRST_SENTENCE = re.compile(r"(?<=\.)\s+|(?<=。)")
#: Deals that would close the gap.
_CLOSERS = 4


def figures(inputs: ReviewInputs) -> list[Figure]:
    """P50, the gap to the target, closed so far, and the sellers' commit."""
    money, total = inputs.money, inputs.forecast.lines.iloc[-1]
    closed = float(inputs.forecast.lines["mean"].iloc[0])
    commit = inputs.forecast.seller_rollup.set_index("line")["cumulative"].get("commit")
    note = gettext("P10 {low}, P90 {high}", low=money.text(total["p10"]), high=money.text(total["p90"]))
    shown = [
        Figure(name=gettext("Quarter, P50"), number=money.text(total["p50"]), note=note),
        _gap(inputs, float(total["p50"]), float(total["prob_target"])),
        *_corrected(inputs),
        Figure(
            name=line_name("closed"),
            number=money.text(closed),
            note=gettext("{count} deals won", count=len(inputs.forecast.closed)),
        ),
    ]
    if commit is not None:
        note = gettext("closed and commit, as filed")
        shown.append(Figure(name=gettext("Sellers' commit"), number=money.text(float(commit)), note=note))
    return shown


def gap(inputs: ReviewInputs) -> float | None:
    """What P50 lacks to the target: negative above it, None without a target."""
    target = inputs.forecast.target
    return None if target is None else target - inputs.forecast.p50


def _gap(inputs: ReviewInputs, p50: float, chance: float) -> Figure:
    target, money = inputs.forecast.target, inputs.money
    if target is None:
        return Figure(name=gettext("Target"), number=BLANK, note=gettext("none is set"))
    note = gettext("target {target}: reached with {chance}", target=money.text(target), chance=percent(chance))
    name = gettext("Gap to the target") if p50 < target * (1 - PRECISION) else gettext("Above the target")
    return Figure(name=name, number=money.text(abs(target - p50)), note=note)


def _corrected(inputs: ReviewInputs) -> Iterator[Figure]:
    corrected, money = inputs.forecast.corrected, inputs.money
    if corrected is None:
        return
    note = gettext(
        "P10 {low}, P90 {high}; corrected by {count} past quarters",
        low=money.text(corrected.p10),
        high=money.text(corrected.p90),
        count=corrected.quarters,
    )
    if corrected.prob_target is not None:
        chance = percent(corrected.prob_target)
        note = gettext("{note}; probability of the target {chance}", note=note, chance=chance)
    yield Figure(name=gettext("Corrected P50"), number=money.text(corrected.p50), note=note)


def groups_grid(inputs: ReviewInputs) -> Grid | None:
    """Closed, commit and expected bookings by region, or by owner where there are few; the rows sum to the total."""
    column = _grouped_by(inputs.deals)
    if column is None:
        return None
    forecast, money = inputs.forecast, inputs.money
    open_deals, lines = _open_by(inputs, column), forecast.lines.set_index("line")["mean"]
    closed = pd.Series(dtype=float)
    if len(forecast.closed):
        owner = forecast.closed["deal_id"].map(inputs.group_of(column)).fillna(BLANK)
        closed = forecast.closed["amount"].fillna(0.0).groupby(owner.to_numpy()).sum()
    table = open_deals.join(closed.rename("closed"), how="outer").fillna(0.0)
    table["commit"] += table["closed"]
    table["expected"] += table["closed"]
    table = table.sort_values("expected", ascending=False, kind="stable")
    own = len(table) if len(table) <= _GROUPS + 1 else _GROUPS
    rest = table.iloc[own:]
    rows = [(str(name), row) for name, row in table.head(own).iterrows()]
    if len(rest):
        rows.append((gettext("{count} others", count=len(rest)), rest.sum()))
    rows.append(
        (line_name("not_yet_created"), pd.Series({"closed": 0.0, "commit": 0.0, "expected": lines["not_yet_created"]}))
    )
    total = {
        "closed": table["closed"].sum(),
        "commit": table["commit"].sum(),
        "expected": sum(float(row["expected"]) for _, row in rows),
    }
    tied = {name: money.tie([float(row[name]) for _, row in rows], total[name]) for name in total}
    names = {"region": gettext("By region"), "seller": gettext("By owner")}
    titles = [gettext("Closed"), gettext("With commit"), gettext("Expected")]
    return Grid(
        columns=[Column(title=names[column]), *(Column(title=title, number=True) for title in titles)],
        rows=[
            *([name, *(money.exact(tied[key][at]) for key in total)] for at, (name, _) in enumerate(rows)),
            [line_name("total"), *(money.exact(sum(tied[key])) for key in total)],
        ],
    )


def _grouped_by(deals: pd.DataFrame) -> str | None:
    owners, regions = (column_or_missing(deals, name).nunique() for name in ("seller", "region"))
    if regions > 1 and owners > _OWNERS:
        return "region"
    return "seller" if owners else None


def _open_by(inputs: ReviewInputs, column: str) -> pd.DataFrame:
    """``commit`` (expected by the seller in the quarter) and ``expected`` bookings of open deals, by group."""
    deals, forecast = inputs.deals, inputs.forecast
    inside = falls_in(deals, forecast.quarter, forecast.as_of, overdue=forecast.dated)
    names = deals["deal_id"].map(inputs.group_of(column)).fillna(BLANK)
    commit = deals["amount"].fillna(0.0).where(inside & (deals["line"] == "commit").to_numpy(), 0.0)
    expected = deals["expected_bookings"].fillna(0.0)
    # The deals' expected bookings are computed, the lines' means simulated: they differ by simulation noise.
    lines = forecast.lines.set_index("line")["mean"]
    simulated = float(lines["total"] - lines["closed"] - lines["not_yet_created"])
    noise = simulated / float(expected.sum()) if expected.sum() > 0 else 1.0
    table = pd.DataFrame({"commit": commit, "expected": expected * (noise if abs(noise - 1) < _NOISE else 1.0)})
    return table.groupby(names.to_numpy()).sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """A red flag: its title, its deal with amount and owner, and what to do."""

    title: str
    deal: str
    step: str


def worst_flags(inputs: ReviewInputs) -> list[Flagged]:
    """The most severe flags on the deals that bring most of the expected bookings, one for each deal."""
    deals = inputs.deals
    worth = deals["expected_bookings"].fillna(0.0)
    before = (worth.cumsum() - worth) / max(float(worth.sum()), 1e-12)
    matter = deals[(before < _SHARE_THAT_MATTERS).to_numpy()].set_index("deal_id", drop=False)
    found = inputs.flags[inputs.flags["deal_id"].isin(matter.index)].drop_duplicates("deal_id")
    by_id = matter.to_dict("index")
    return [
        Flagged(
            title=flag_title(str(flag["flag"])),
            deal=gettext(
                "{deal}, {amount}, {owner}",
                deal=name_of(by_id[flag["deal_id"]]),
                amount=inputs.money.text(float(by_id[flag["deal_id"]]["amount"])),
                owner=shown(by_id[flag["deal_id"]], "seller"),
            ),
            step=_FIRST_SENTENCE.split(str(flag["next_step"]), 1)[0],
        )
        for flag in found.head(_FLAGS).to_dict("records")
    ]


def gap_title(inputs: ReviewInputs) -> str:
    lacking = gap(inputs)
    if lacking is None:
        return gettext("Which wins would move the quarter most")
    if lacking > 0:
        return gettext("What would close the gap of {gap} this quarter", gap=inputs.money.text(lacking))
    return gettext("What would keep the quarter above the target")


def gap_sentence(inputs: ReviewInputs) -> str:
    """Whether the listed deals together close the gap."""
    lacking, deals = gap(inputs), _closers(inputs)
    if deals.empty:
        return gettext("No open deal is large enough to move P50 on its own.")
    if lacking is None or lacking <= 0:
        return gettext("These wins are worth most to P50, each counted on its own.")
    gains = (deals["p50_if_won"] - inputs.forecast.p50).cumsum().tolist()
    enough = next((count for count, gain in enumerate(gains, start=1) if gain >= lacking), None)
    if enough is None:
        return gettext(
            "Won together, these deals raise P50 by about {gain}: not enough.", gain=inputs.money.text(gains[-1])
        )
    if enough == 1:
        return gettext("The first of these wins closes the gap.")
    return gettext("The first {count} of these wins together would about close the gap.", count=enough)


def _closers(inputs: ReviewInputs) -> pd.DataFrame:
    """Deals by what their win adds to P50 times its chance: the gains that are most likely to be made."""
    deals = inputs.deals.dropna(subset=["p50_if_won"])
    gain = (deals["p50_if_won"] - inputs.forecast.p50) * deals["by_end"]
    return deals.loc[gain[gain > 0].nlargest(_CLOSERS).index]


def gap_grid(inputs: ReviewInputs) -> Grid | None:
    """For each deal: its chance this quarter, what a win adds to P50, and who does what next."""
    deals = _closers(inputs)
    if deals.empty:
        return None
    levers = rank_roles(inputs.posterior, deals).query("rank == 1").to_dict("records")
    columns = [
        Column(title=gettext("Deal")),
        Column(title=gettext("Won by quarter end"), number=True),
        Column(title=gettext("Adds to P50"), number=True),
        Column(title=gettext("Next")),
    ]
    rows = [_closer_row(inputs, deal, lever) for deal, lever in zip(deals.to_dict("records"), levers, strict=True)]
    return Grid(columns=columns, rows=rows)


def _closer_row(inputs: ReviewInputs, deal: dict[Hashable, Any], lever: dict[Hashable, Any]) -> list[str]:
    return [
        name_of(deal),
        percent(float(deal["by_end"])),
        inputs.money.signed(float(deal["p50_if_won"]) - inputs.forecast.p50),
        text_of(who_does_what(inputs.plan, deal, lever)),
    ]
