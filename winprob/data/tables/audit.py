"""Notes on a deal table's unknown cells, and warnings on columns that give the outcome away."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import COVERAGE_COLUMNS, DATES, ID, NAMES, READINGS, Finding, Mask, mask_of, spot, whole
from winprob.data.schema.access import SELLER_FORECAST, column_or_missing, is_censored, is_closed, read_before_close
from winprob.data.schema.columns import fact_columns, is_derived
from winprob.data.schema.validation import check_deals
from winprob.data.tables.mapping import DealMapping
from winprob.data.tables.sheets.sheet import Sheet
from winprob.i18n import gettext

#: AUC from which a single column has most often been filled in after the close.
TOO_GOOD_AUC = 0.97
#: Difference in the share of filled cells between two groups of deals from which a column is suspect.
TOO_GOOD_GAP = 0.8
#: The same for a column whose blanks the model learns from, beyond chance by so many standard errors; smaller where
#: the cells were read after the close than where they were known before.
HINDSIGHT_GAP, KNOWN_GAP, _SIGMAS = 0.3, 0.5, 4.5
#: Columns that a win model does not learn from: dates, the outcome, and the seller's own forecast.
NOT_LEARNED = frozenset((*DATES, "outcome", *SELLER_FORECAST, "currency"))
#: Share of the closed deals from which a seller's forecast was set by the close.
_NEARLY_ALL = 0.9
_ENOUGH = 10
_NOT_FACTS = (ID, "outcome", *NAMES)


def describe(sheet: Sheet, deals: pd.DataFrame) -> Finding:
    """A note on how the file was read."""
    kind = sheet.kind.upper()
    if sheet.encoding:
        kind = gettext(
            "CSV ({encoding}, delimiter {delimiter})", encoding=sheet.encoding, delimiter=repr(sheet.delimiter)
        )
    width = sheet.cells.shape[1]
    message = gettext("{rows} rows and {columns} columns read as {kind}", rows=len(deals), columns=width, kind=kind)
    return whole("note", "", message)


def suspect(deals: pd.DataFrame, mapping: DealMapping) -> Iterator[Finding]:
    """Warnings on columns that were not known before the outcome."""
    yield from _late_sources(mapping)
    yield from derived_covariates(dict.fromkeys((*mapping.varying, *(item.column for item in mapping.numeric))))
    if "outcome" not in deals:
        return
    yield from read_after_close(deals)
    yield from closed_only(deals)
    closed, still_open = is_closed(deals), is_censored(deals)
    won = mask_of(deals["outcome"] == "won")
    gaps = _gaps(deals)
    settled = list(forecast_set_at_close(deals, closed))
    yield from settled
    reported = {"closed_on", *(finding.column for finding in settled)}
    for column in (name for name in deals.columns if name not in _NOT_FACTS):
        filled = _filled(deals, column)
        if column != "closed_on":
            yield from filled_late(str(column), filled, closed, still_open)
        yield from filled_for_won(str(column), filled, won, closed & ~won, gap=gaps.get(str(column), TOO_GOOD_GAP))
        if column not in reported:
            yield from predicts_alone(str(column), deals[column], won, closed)


def hindsight(deals: pd.DataFrame) -> Iterator[Finding]:
    """Warnings for a training: closed deals read after the close, and learned columns whose blanks give them away."""
    yield from read_after_close(deals)
    yield from (
        finding for finding in check_deals(deals) if finding.column == "as_of" and finding.severity == "warning"
    )
    if "outcome" in deals:
        won = mask_of(deals["outcome"] == "won")
        for column, gap in _gaps(deals).items():
            yield from filled_for_won(column, _filled(deals, column), won, is_closed(deals) & ~won, gap=gap)


def read_after_close(deals: pd.DataFrame) -> Iterator[Finding]:
    """A warning on closed deals without the day of their reading: their facts are those of the export's day."""
    undated = is_closed(deals) & column_or_missing(deals, "as_of").isna().to_numpy()
    if undated.any():
        where = spot(deals, undated, column_or_missing(deals, "as_of"))
        yield where.warning(
            gettext(
                "{rows} closed deals have no 'as_of', first deal {deal}: their facts are those of the day of the "
                "export, read after the close, and all are hindsight. A model learns from what was filled in late; "
                "train on a history (winprob snapshot), or add the day each row was known",
                **where.fields,
            )
        )


def forecast_set_at_close(deals: pd.DataFrame, ended: Mask) -> Iterator[Finding]:
    """Warnings on a seller's forecast that the close has set: 0 or 1, closed or omitted in nearly all deals.

    Parameters
    ----------
    ended : (row,) rows of the deals that have closed
    """
    chance, category = (column_or_missing(deals, name)[ended].dropna() for name in SELLER_FORECAST)
    certain = chance.isin([0.0, 1.0])
    if len(chance) >= _ENOUGH and certain.mean() >= _NEARLY_ALL:
        message = gettext(
            "0 or 1 in {share} of the deals that have closed: set by the close, not the seller's forecast. Only a "
            "history (winprob snapshot) has the number of the days before",
            share=f"{certain.mean():.0%}",
        )
        yield whole("warning", "rep_probability", message)
    settled = category.isin(["closed", "omitted"])
    if len(category) >= _ENOUGH and settled.mean() >= _NEARLY_ALL and (category == "closed").any():
        message = gettext(
            "closed or omitted in {share} of the deals that have closed: set by the close, not the seller's forecast. "
            "Only a history (winprob snapshot) has the category of the days before",
            share=f"{settled.mean():.0%}",
        )
        yield whole("warning", "rep_category", message)


def late_forecasts(deals: pd.DataFrame) -> Iterator[Finding]:
    """A warning on closed deals whose seller's forecast is not used, since it may be from after the close."""
    for column in SELLER_FORECAST:
        late = ~read_before_close(deals) & column_or_missing(deals, column).notna().to_numpy()
        if late.any():
            where = spot(deals, late, deals[column])
            yield where.warning(
                gettext(
                    "not used in {rows} rows of closed deals, first deal {deal}: read on the day of closing or later, "
                    "or on no known day ('as_of')",
                    **where.fields,
                )
            )


def _gaps(deals: pd.DataFrame) -> dict[str, float]:
    """By learned column, the difference in filled cells between won and other deals from which it is suspect."""
    closed = deals[is_closed(deals)]
    read, ended = column_or_missing(closed, "as_of"), column_or_missing(closed, "closed_on")
    late = float(mask_of(read.isna() | (read > ended)).mean()) if len(closed) else 0.0
    gap = HINDSIGHT_GAP if late > 0.5 else KNOWN_GAP
    return {column: gap for column in fact_columns(deals) if column not in NOT_LEARNED and column not in READINGS}


def closed_only(deals: pd.DataFrame) -> Iterator[Finding]:
    """A warning on closed deals with days of reading and closing but without the deals still open, with both times."""
    closed = is_closed(deals)
    days = (column_or_missing(deals, "closed_on") - column_or_missing(deals, "as_of")).dt.days.to_numpy(dtype=float)
    won, dated = mask_of(column_or_missing(deals, "outcome") == "won"), closed & (days >= 0)
    if is_censored(deals).any() or min((won & dated).sum(), (~won & dated).sum()) < _ENOUGH:
        return
    soon = dated & (days <= np.quantile(days[dated], 1 / 3))
    message = gettext(
        "no open deals (outcome 'open'), so that training cannot correct for deals that close quickly: won deals "
        "took {won} days at the median and lost ones {lost}; of the third that closed soonest {soon} were won, of all "
        "{every}",
        won=int(np.median(days[won & dated])),
        lost=int(np.median(days[~won & dated])),
        soon=f"{won[soon].mean():.0%}",
        every=f"{won[dated].mean():.0%}",
    )
    yield whole("warning", "outcome", message)


def _filled(deals: pd.DataFrame, column: str) -> Mask:
    """(row,) whether the cell is known; a coverage of "unknown" is not."""
    known = deals[column].notna().to_numpy()
    return known & ~mask_of(deals[column] == "unknown") if column in COVERAGE_COLUMNS else known


def derived_covariates(columns: Iterable[str]) -> Iterator[Finding]:
    """Warnings on covariates that a CRM derives from the stage or the outcome."""
    for name in columns:
        if is_derived(name):
            message = gettext(
                "covariate '{column}' is derived by the CRM from the stage or the outcome. Remove it",
                column=name,
            )
            yield whole("warning", name, message)


def _late_sources(mapping: DealMapping) -> Iterator[Finding]:
    late = {source.column: source.target for source in mapping.sources if source.target in ("outcome", "closed_on")}
    for name in (*mapping.varying, *(item.column for item in mapping.numeric)):
        if name in late:
            message = gettext(
                "covariate '{column}' is also '{target}': it is known only once the deal has closed. Remove it",
                column=name,
                target=late[name],
            )
            yield whole("warning", name, message)


def filled_late(column: str, filled: Mask, closed: Mask, still_open: Mask) -> Iterator[Finding]:
    """A warning on a column that is filled far more often in closed deals than in open ones."""
    if min(closed.sum(), still_open.sum()) < _ENOUGH:
        return
    share_closed, share_open = filled[closed].mean(), filled[still_open].mean()
    if share_closed - share_open > TOO_GOOD_GAP:
        message = gettext(
            "filled in {closed} of the closed deals and {open} of the open ones: apparently known only after the close",
            closed=f"{share_closed:.0%}",
            open=f"{share_open:.0%}",
        )
        yield whole("warning", column, message)


def filled_for_won(
    column: str, filled: Mask, won: Mask, not_won: Mask, *, gap: float = TOO_GOOD_GAP
) -> Iterator[Finding]:
    """A warning on a column whose share of filled cells differs between won and other deals.

    Parameters
    ----------
    gap : the least difference; below ``TOO_GOOD_GAP`` it must be beyond chance as well
    """
    if min(won.sum(), not_won.sum()) < _ENOUGH:
        return
    share_won, share_not, both = filled[won].mean(), filled[not_won].mean(), filled[won | not_won].mean()
    chance = np.sqrt(both * (1 - both) * (1 / won.sum() + 1 / not_won.sum()))
    difference = abs(share_won - share_not)
    if difference > TOO_GOOD_GAP or (difference > gap and difference > _SIGMAS * chance):
        message = gettext(
            "filled in {won} of the won deals and {lost} of the others: whether it is filled gives the outcome away",
            won=f"{share_won:.0%}",
            lost=f"{share_not:.0%}",
        )
        yield whole("warning", column, message)


def predicts_alone(
    column: str, values: pd.Series, won: Mask, closed: Mask, *, limit: float = TOO_GOOD_AUC
) -> Iterator[Finding]:
    """A warning on a column that ranks the won above the others better than ``limit``."""
    known = closed & values.notna().to_numpy()
    labels = won[known]
    if min(labels.sum(), (~labels).sum()) < _ENOUGH:
        return
    score = _score(values[known], labels)
    area = auc(score, labels)
    if max(area, 1 - area) > limit:
        message = gettext(
            "predicts the outcome alone (AUC {auc}): too good to be true, unless it was known before the close",
            auc=f"{max(area, 1 - area):.2f}",
        )
        yield whole("warning", column, message)


def _score(values: pd.Series, won: Mask) -> npt.NDArray[np.float64]:
    """(row,) numbers and days as they are; any other value as its share of wins in the other half of the table."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values.to_numpy().astype("datetime64[s]").astype(np.float64)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64)
    half = np.random.default_rng(0).permutation(len(values)) % 2
    frame = pd.DataFrame({"value": values.astype("str").to_numpy(), "won": won, "half": half})
    other = frame.assign(half=1 - half).groupby(["value", "half"])["won"].mean()
    keys = pd.MultiIndex.from_frame(frame[["value", "half"]])
    return other.reindex(keys).fillna(won.mean()).to_numpy(dtype=np.float64)


def auc(score: npt.NDArray[np.float64], won: Mask) -> float:
    """Area under the ROC curve: the probability that a won deal scores above another, ties counted half."""
    ranks = pd.Series(score).rank().to_numpy()
    count = int(won.sum())
    return float((ranks[won].sum() - count * (count + 1) / 2) / (count * (len(won) - count)))
