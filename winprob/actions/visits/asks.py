"""Visits and levers: whether a visit goes to the role with the largest lift, and why where it does not."""

import pandas as pd

from winprob.actions.visits.executives import Executive, Roster
from winprob.i18n import amount_text, gettext
from winprob.methodology import label

#: A visit agreed beforehand is worth next to nothing where its slot would add this number of times as much elsewhere.
_TIMES = 4


def add_levers(visits: pd.DataFrame, levers: pd.DataFrame, roster: Roster) -> pd.DataFrame:
    """A plan's visits with ``lever``, the role with the largest lift in the deal, and ``reason`` where it is another.

    Parameters
    ----------
    visits : ``executive, deal_id, role, ...``
    levers : the roles of these deals as ``rank_roles`` returns them
    """
    first = levers[(levers["rank"] == 1) & levers["win_prob_lift"].notna()].set_index("deal_id")["role"]
    wanted = visits["deal_id"].map(first)
    keys = zip(levers["deal_id"], levers["role"], strict=True)
    lifts = dict(zip(keys, levers["win_prob_lift"].astype(float), strict=True))
    who = {executive.name: executive for executive in roster.executives}
    planned = set(zip(visits["deal_id"], visits["role"], strict=True))
    reasons = [
        _reason(who[str(row["executive"])], row, str(lever), lifts, planned) if pd.notna(lever) else None
        for row, lever in zip((row for _, row in visits.iterrows()), wanted, strict=True)
    ]
    return visits.assign(
        lever=pd.array(wanted.tolist(), dtype="str"),
        reason=pd.array(reasons, dtype="str"),
    )


def _reason(
    executive: Executive,
    visit: pd.Series,
    lever: str,
    lifts: dict[tuple[str, str], float],
    planned: set[tuple[object, object]],
) -> str | None:
    """Why a visit goes to another role than the lever; None where it goes to the lever."""
    deal, role = str(visit["deal_id"]), str(visit["role"])
    name = label("role", lever)
    if role == lever:
        return None
    if any((one.deal_id, one.role) == (deal, role) for one in executive.fixed):
        return gettext("agreed beforehand; the lever is the {role}", role=name)
    if (deal, lever) in planned:
        return gettext("the lever, the {role}, has a visit of its own", role=name)
    if lever not in executive.meets:
        return gettext("the lever, the {role}, is not among the roles that this executive meets", role=name)
    fields = {
        "role": name,
        "points": f"{100 * lifts[deal, lever]:.0f}",
        "here": f"{100 * lifts[deal, role]:.0f}",
    }
    return gettext(
        "the lever, the {role}, is worth {points} points against {here}, but a visit moves it less often", **fields
    )


def worthless_fixed(visits: pd.DataFrame, roster: Roster, one_more_slot: pd.DataFrame) -> list[str]:
    """Sentences on visits agreed beforehand whose slot would add several times as much elsewhere.

    Parameters
    ----------
    one_more_slot : ``executive, expected_gain``, what a free slot of each executive would add; NaN where unknown
    """
    agreed = {(executive.name, one.deal_id, one.role) for executive in roster.executives for one in executive.fixed}
    free = one_more_slot.set_index("executive")["expected_gain"].to_dict()
    return [
        gettext(
            "Agreed beforehand and worth next to nothing: {executive} to the {role} of deal {deal} adds {gain}; the "
            "slot would add about {other} elsewhere.",
            executive=row["executive"],
            role=label("role", row["role"]),
            deal=row["deal_id"],
            gain=_figure(row["expected_gain"]),
            other=_figure(free[row["executive"]]),
        )
        for row in visits.to_dict("records")
        if (row["executive"], row["deal_id"], row["role"]) in agreed
        and max(row["expected_gain"], 0) * _TIMES < free.get(row["executive"], 0)
    ]


def _figure(gain: float) -> str:
    """A gain in money, or in wins where it is small."""
    return amount_text(gain) if abs(gain) >= 10 or gain == 0 else f"{gain:.2f}"
