"""Find the red flags of open deals: contradictions in the record first, then warning signs, each with its next step."""

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.actions.flags.answers import AGAINST_ANSWERS, with_answers
from winprob.actions.flags.contradictions import CONTRADICTIONS
from winprob.actions.flags.record import Hit, describe_record, listed
from winprob.actions.flags.signs import SIGNS
from winprob.data.schema import as_text, column_or_missing, is_open, last_reading, latest_places, validate_deals
from winprob.i18n import gettext
from winprob.methodology import column_label, plays
from winprob.model.posterior import Posterior
from winprob.model.prediction import predict
from winprob.settings import FlagSettings

COLUMNS = ["deal_id", "flag", "facts", "next_step"]
RULES = {**CONTRADICTIONS, **AGAINST_ANSWERS, **SIGNS}
#: Columns without which some flags cannot be checked.
_NEEDED = ("as_of", "expected_close_on", "rep_category", "stage", "decision_method", "coach", "approver_coverage")
#: Flags named in the verdict.
_NAMED = 3


def find_flags(
    deals: pd.DataFrame,
    *,
    as_of: dt.date | None = None,
    settings: FlagSettings | None = None,
    deal_id: str | None = None,
    answers: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Red flags in the record of open deals: facts that contradict each other, and warning signs of the method.

    Rules over the record alone, without a model; a flag never changes a number.

    Parameters
    ----------
    deals : frame in canonical columns; of several readings of a deal the last in time counts
    as_of : the day on which dates and ages are judged; by default the newest reading in the table. Without either, the
        rules that need a day do not apply.
    settings : thresholds
    deal_id : the flags of this deal only, whatever its outcome
    answers : answers of worksheets, as `read_answers` returns them; where they derive another stage, coach, support or
        coverage than the record states, that is a contradiction

    Returns
    -------
    DataFrame with columns ``deal_id, flag, facts, next_step``: contradictions first, then serious flags, then warnings;
    within each in the order of the deals.

    Raises
    ------
    DealTableError
        The frame is not valid, or the deal is not in it.
    """
    valid = validate_deals(deals)
    chosen = last_reading(valid, deal_id) if deal_id is not None else open_readings(valid)
    thresholds = settings or FlagSettings()
    if answers is not None:
        chosen = with_answers(chosen, answers, thresholds.stale_days)
    return flags_of(chosen, as_of or newest_reading(valid), thresholds)


def open_readings(valid: pd.DataFrame) -> pd.DataFrame:
    """The last reading of each open deal."""
    latest = valid.iloc[latest_places(valid)]
    return latest[is_open(latest)]


def newest_reading(valid: pd.DataFrame) -> np.datetime64:
    """The day of the newest reading; NaT in a table without days."""
    return pd.Timestamp(column_or_missing(valid, "as_of").max()).to_datetime64()


def flags_of(deals: pd.DataFrame, day: object, settings: FlagSettings) -> pd.DataFrame:
    """Flags of valid deals, one row each, as of a day (or one for each of them), in the order of ``find_flags``."""
    record = describe_record(deals, day, settings)
    rows = [
        (rank, hit.at, place, name, hit)
        for place, (name, rank) in enumerate(_ranks().items())
        for hit in RULES[name](record)
    ]
    rows.sort(key=lambda row: row[:3])
    ids, steps = (
        record.deals["deal_id"].to_numpy(),
        {play.id: play.how.text() if play.how else "" for play in plays("flags")},
    )
    return pd.DataFrame(
        [(ids[at], name, hit.facts, _filled(steps[name], hit)) for _, at, _, name, hit in rows],
        columns=COLUMNS,
    )


def _ranks() -> dict[str, int]:
    """The flags in the order of their file, each with the rank of its severity; one that a rule lacks is left out."""
    flags = [play for play in plays("flags") if play.id in RULES]
    severities = list(dict.fromkeys(play.part for play in flags))
    return {play.id: severities.index(play.part) for play in flags}


def _filled(step: str, hit: Hit) -> str:
    """A next step with its fields. Not ``str.format``: the text is a team's to edit."""
    for name, value in hit.fields.items():
        step = step.replace(f"{{{name}}}", value)
    return step


def is_contradiction(flags: pd.Series) -> pd.Series:
    """(row,) whether a flag is a contradiction in the record."""
    return flags.isin([play.id for play in plays("flags", "contradiction")])


def flag_title(flag: str) -> str:
    """The title of a flag in the current language."""
    return next(play.phrase.text() for play in plays("flags") if play.id == flag)


def flag_sentences(deals: pd.DataFrame, flags: pd.DataFrame) -> list[str]:
    """How many of the open deals have a flag, which flags most often, and what could not be checked."""
    count = int(is_open(deals.iloc[latest_places(deals)]).sum())
    return [_verdict(count, flags), *_not_checked(deals)]


def deal_flag_sentences(deals: pd.DataFrame, flags: pd.DataFrame, deal_id: str) -> list[str]:
    """The number of flags of one deal, and what could not be checked."""
    if flags.empty:
        return [gettext("Deal {deal!r} has no red flag.", deal=deal_id), *_not_checked(deals)]
    count = int(is_contradiction(flags["flag"]).sum())
    verdict = gettext("Red flags of deal {deal!r}: {count}.", deal=deal_id, count=len(flags))
    if count:
        verdict = gettext(
            "Red flags of deal {deal!r}: {count}, of which contradictions in the record: {first}. Correct these first.",
            deal=deal_id,
            count=len(flags),
            first=count,
        )
    return [verdict, *_not_checked(deals)]


def _verdict(count: int, flags: pd.DataFrame) -> str:
    if flags.empty:
        return gettext("None of the {count} open deals has a red flag.", count=count)
    most = flags["flag"].value_counts(sort=True).head(_NAMED)
    named = gettext("; ").join(
        gettext("{what} ({count})", what=flag_title(str(flag)), count=number) for flag, number in most.items()
    )
    verdict = gettext(
        "{flagged} of {count} open deals have a red flag; most often: {named}.",
        flagged=flags["deal_id"].nunique(),
        count=count,
        named=named,
    )
    contradicting = flags["deal_id"][is_contradiction(flags["flag"])].nunique()
    if not contradicting:
        return verdict
    return gettext(
        "{verdict} The records of {count} deals contradict themselves: correct these first.",
        verdict=verdict,
        count=contradicting,
    )


def _not_checked(deals: pd.DataFrame) -> Iterator[str]:
    missing = [column_label(name) for name in _NEEDED if name not in deals]
    if missing:
        yield gettext("Flags that need these columns were not checked: {columns}.", columns=listed(missing))


def with_flags(chances: pd.DataFrame, deals: pd.DataFrame, settings: FlagSettings) -> pd.DataFrame:
    """A table of deals with a column ``flags``: the ids of each open deal's flags, joined; empty where it has none.

    Deals must be given as a whole, not in blocks: the newest reading of all is the day on which they are judged.
    """
    ids = find_flags(deals, settings=settings).groupby("deal_id", sort=False)["flag"].agg(", ".join)
    return chances.assign(flags=as_text(chances["deal_id"]).map(ids).fillna(""))


def order_by_value(deals: pd.DataFrame, posterior: Posterior) -> pd.DataFrame:
    """The deals by win probability times amount, the largest first; a deal without an amount last."""
    value = predict(posterior, deals)["mean"] * column_or_missing(validate_deals(deals), "amount")
    return deals.iloc[np.argsort(-value.fillna(-np.inf).to_numpy(dtype=float), kind="stable")]
