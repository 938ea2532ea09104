"""Which deals break a rule that a review would ask about? Each kind with its money and its deals."""

from collections.abc import Iterator

import pandas as pd

from winprob.i18n import gettext
from winprob.report.grids import Column, Grid, findings_grid
from winprob.report.numbers import compact_money, percent
from winprob.report.quarterly.inputs import Case, covered_roles

#: So many deals of a kind are named; the others are counted.
_NAMED = 8


def exceptions_grid(case: Case) -> Grid:
    """A row for each kind that some deal shows."""
    rows = []
    for kind, deals, details in _kinds(case):
        if len(deals):
            money = compact_money(float(deals["amount"].sum()), case.currency)
            rows.append([kind, str(len(deals)), money, _named(deals, details)])
    columns = [
        Column(title=gettext("What")),
        Column(title=gettext("Deals"), number=True),
        Column(title=gettext("Amount"), number=True),
    ]
    return Grid(columns=[*columns, Column(title=gettext("Which"))], rows=rows)


def not_checked(case: Case) -> list[str]:
    """What could not be looked for, for want of a column."""
    wanted = {
        "pushes": gettext("how often close dates were pushed (no column pushes)"),
        "approver_coverage": gettext("whom we are in contact with (no coverage columns)"),
        "rep_probability": gettext("the sellers' own probabilities (no column rep_probability)"),
        "as_of": gettext("how old the readings are (no column as_of)"),
    }
    missing = [text for name, text in wanted.items() if name not in case.deals or case.deals[name].isna().all()]
    return [gettext("Not checked: {what}.", what=gettext("; ").join(missing))] if missing else []


def faults_grid(case: Case) -> Grid | None:
    """What the check of the data found."""
    return findings_grid(case.findings) if len(case.findings) else None


def _named(deals: pd.DataFrame, details: list[str]) -> str:
    names = [
        f"{deal} ({detail})" if detail else str(deal) for deal, detail in zip(deals["deal_id"], details, strict=True)
    ]
    told = gettext(", ").join(names[:_NAMED])
    if len(names) <= _NAMED:
        return told
    return gettext("{deals} and {count} more", deals=told, count=len(names) - _NAMED)


def _kinds(case: Case) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    yield from _by_time(case)
    yield from _by_people(case)
    yield _disagreeing(case)


def _by_time(case: Case) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    deals, today, wanted = case.deals, pd.Timestamp(case.forecast.as_of), case.settings
    overdue = deals[pd.to_datetime(deals["expected_close_on"]) < today]
    yield (
        gettext("Close date has passed"),
        overdue,
        [str(pd.Timestamp(day).date()) for day in overdue["expected_close_on"]],
    )
    if "as_of" in deals:
        age = (today - pd.to_datetime(deals["as_of"])).dt.days
        stale = deals[age > wanted.stale_days]
        name = gettext("Stale: no reading for more than {days} days", days=wanted.stale_days)
        yield name, stale, [gettext("{days} days", days=int(days)) for days in age[stale.index]]
    if "pushes" in deals:
        pushes = pd.to_numeric(deals["pushes"], errors="coerce")
        pushed = deals[pushes >= wanted.pushes]
        name = gettext("Close date pushed {count} times or more", count=wanted.pushes)
        yield name, pushed, [f"{int(count)}×" for count in pushes[pushed.index]]


def _by_people(case: Case) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    deals = case.deals
    if "approver_coverage" not in deals:
        return
    covered = covered_roles(deals)
    single = deals[covered.sum(axis=1) == 1]
    yield gettext("Single-threaded: only one role is in contact"), single, [""] * len(single)
    nobody = deals[covered.sum(axis=1) == 0]
    yield gettext("Nobody is known to be in contact"), nobody, [""] * len(nobody)
    blind = deals[(deals["rep_category"] == "commit") & ~covered["approver"]]
    yield gettext("Commit, and the approver is not in contact"), blind, [""] * len(blind)


def _disagreeing(case: Case) -> tuple[str, pd.DataFrame, list[str]]:
    deals = case.deals
    name = gettext(
        "Model and seller disagree by more than {points} points", points=round(100 * case.settings.disagreement)
    )
    if "rep_probability" not in deals:
        return name, deals.iloc[:0], []
    apart = deals[(deals["win_prob"] - deals["rep_probability"]).abs() > case.settings.disagreement]
    details = [
        gettext("model {ours}, seller {theirs}", ours=percent(row["win_prob"]), theirs=percent(row["rep_probability"]))
        for row in apart.to_dict("records")
    ]
    return name, apart, details
