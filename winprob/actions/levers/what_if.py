"""What if the record said otherwise? A deal's chance beside that of the same deal with some facts changed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from winprob.actions.levers.changes import ignored, read_changes
from winprob.arrays import Array
from winprob.data.schema import last_reading, validate_deals
from winprob.i18n import gettext
from winprob.model.draws import summarise
from winprob.model.posterior import Posterior
from winprob.model.prediction import draw_win_prob

PRESENT, TOGETHER = "present", "together"


def what_if(posterior: Posterior, deals: pd.DataFrame, deal_id: str, changes: Mapping[str, object]) -> pd.DataFrame:
    """The win probability of a deal as it stands, and as it would be read with some of its facts changed.

    A what-if changes the record: support set to 3 counts as reported, by whatever coach there is. A lever moves true
    support, verified, so the two differ. All scenarios share all draws.

    Parameters
    ----------
    deals : frame in canonical columns that holds the deal; of several readings the last in time counts
    changes : columns to values as in tables, such as ``{"approver_support": 3, "coach": "validated"}``; blank = unknown

    Returns
    -------
    DataFrame with columns ``scenario``: ``present``, where there are several each change alone, then ``together``;
    ``mean, lower, upper`` of the win probability; ``win_prob_lift, lift_lower, lift_upper``, its difference from the
    present, draw by draw. Where *together* differs from the sum of the changes alone, they interact.

    Raises
    ------
    DealTableError
        The frame is not valid, the deal is not in it, or a change is impossible: all of these are listed.
    """
    row = last_reading(validate_deals(deals), deal_id)
    wanted = read_changes(changes, posterior.scaling)
    whole = row
    for change in wanted:
        whole = change.apply(whole)
    alone = {change.name: change.apply(row) for change in wanted} if len(wanted) > 1 else {}
    scenarios = {PRESENT: row, **alone, TOGETHER: whole}
    frame = pd.concat([scenario.assign(deal_id=name) for name, scenario in scenarios.items()], ignore_index=True)
    return _compared(list(scenarios), draw_win_prob(posterior, frame))


def _compared(scenarios: list[str], chance: Array) -> pd.DataFrame:
    mean, lower, upper = summarise(chance, axis=1)
    lift, least, most = summarise(chance - chance[0], axis=1)
    columns = {
        "scenario": pd.array(scenarios, dtype="str"),
        "mean": mean,
        "lower": lower,
        "upper": upper,
        "win_prob_lift": lift,
        "lift_lower": least,
        "lift_upper": most,
    }
    return pd.DataFrame(columns)


def what_if_sentences(table: pd.DataFrame, changes: Mapping[str, object], posterior: Posterior) -> list[str]:
    """What a what-if comes to, a sentence a line."""
    now, then = table.iloc[0], table.iloc[-1]
    lines = [
        gettext(
            "From {now:.0%} to {then:.0%}: {lift:+.0f} points ({lower:+.0f} to {upper:+.0f}).",
            now=now["mean"],
            then=then["mean"],
            lift=100 * then["win_prob_lift"],
            lower=100 * then["lift_lower"],
            upper=100 * then["lift_upper"],
        )
    ]
    if len(table) > 2:
        parts = table["win_prob_lift"].iloc[1:-1].sum()
        lines.append(
            gettext(
                "One by one they add up to {parts:+.0f} points; together {together:+.0f}.",
                parts=100 * parts,
                together=100 * then["win_prob_lift"],
            )
        )
    idle = ignored(read_changes(changes, posterior.scaling), posterior.scaling)
    if idle:
        lines.append(
            gettext(
                "The model does not look at {columns}: setting it changes nothing.", columns=", ".join(np.unique(idle))
            )
        )
    lines.append(
        gettext("This is how the record would be read, not a promise of what a visit brings: see winprob levers.")
    )
    return lines
