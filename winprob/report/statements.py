"""Statements on the open deals, one row for each: chance, interval, band, red flag and next step."""

import datetime as dt

import pandas as pd

import winprob
from winprob.actions.flags import flag_title, open_readings
from winprob.actions.visits import Plan
from winprob.data.schema import validate_deals
from winprob.i18n import gettext
from winprob.model.waiting import known_open_until
from winprob.report.quarterly.deals import lever_text

STATEMENT_COLUMNS = ("deal_id", "chance", "lower", "upper", "won_by", "band", "flag", "next_step")


def deal_statements(
    posterior: winprob.Posterior,
    deals: pd.DataFrame,
    day: dt.date,
    *,
    by: dt.date | None = None,
    settings: winprob.Settings | None = None,
) -> pd.DataFrame:
    """Win probability, interval, band, most severe red flag and next step of each open deal, as of a day.

    Parameters
    ----------
    deals : frame in canonical columns, open and closed; of several readings of a deal the last counts
    day : open deals are known to have been open until then, and flags are judged on it
    by : adds the probability that the deal is won by this day
    settings : with the thresholds of the flags; by default those of the model

    Returns
    -------
    DataFrame with columns ``STATEMENT_COLUMNS``, one row for each open deal in the order of the table: ``chance, lower,
    upper, won_by`` in 0..1 (``won_by`` is NaN without ``by``), the others in the words of the current language

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    UndatedError
        ``by`` is given, and the model has no time-to-close part.
    """
    valid = known_open_until(validate_deals(deals), day)
    facts = open_readings(valid).reset_index(drop=True)
    if facts.empty:
        return pd.DataFrame(columns=list(STATEMENT_COLUMNS))
    chances = winprob.predict(posterior, facts)
    # Flags are sorted by severity: the first one of a deal is its most severe.
    thresholds = (settings or posterior.settings).flags
    flags = winprob.find_flags(valid, as_of=day, settings=thresholds).drop_duplicates("deal_id")
    titles = dict(zip(flags["deal_id"], flags["flag"].map(flag_title), strict=True))
    return pd.DataFrame(
        {
            "deal_id": facts["deal_id"],
            "chance": chances["mean"],
            "lower": chances["lower"],
            "upper": chances["upper"],
            "won_by": float("nan") if by is None else winprob.win_prob_by(posterior, facts, by, as_of=day)["mean"],
            "band": [band(*ends) for ends in zip(chances["lower"], chances["upper"], strict=True)],
            "flag": [titles.get(deal) or gettext("none found") for deal in facts["deal_id"]],
            "next_step": next_steps(posterior, facts),
        }
    )


def band(lower: float, upper: float) -> str:
    """The chance in a word, by its 90 % interval: likely or unlikely where all of it is on one side of one half."""
    if lower > 0.5:
        return gettext("likely")
    return gettext("unlikely") if upper < 0.5 else gettext("undecided")


def next_steps(posterior: winprob.Posterior, facts: pd.DataFrame, plan: Plan | None = None) -> list[str]:
    """(deal,) the next step of each deal: its planned visits, else its first lever and what to do about it."""
    levers = winprob.rank_roles(posterior, facts).query("rank == 1").reset_index(drop=True)
    rows = zip(facts.to_dict("records"), levers.to_dict("records"), strict=True)
    return [lever_text(plan, deal, lever) for deal, lever in rows]
