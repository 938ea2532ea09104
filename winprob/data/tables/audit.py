"""Notes on a deal table's unknown cells, and warnings on columns that give the outcome away."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import ID, NAMES, Finding, Mask, is_censored, is_closed, whole
from winprob.data.schema.columns import is_derived
from winprob.data.tables.mapping import DealMapping
from winprob.data.tables.sheet import Sheet
from winprob.i18n import gettext

#: AUC from which a single column has most often been filled in after the close.
TOO_GOOD_AUC = 0.97
#: Difference in the share of filled cells between two groups of deals from which a column is suspect.
TOO_GOOD_GAP = 0.8
_ENOUGH = 10
_NOT_FACTS = (ID, "outcome", *NAMES)


def describe(sheet: Sheet, deals: pd.DataFrame) -> Iterator[Finding]:
    """Notes on how the file was read and how much of each column is unknown."""
    kind = sheet.kind.upper()
    if sheet.encoding:
        kind = gettext(
            "CSV ({encoding}, delimiter {delimiter})", encoding=sheet.encoding, delimiter=repr(sheet.delimiter)
        )
    width = sheet.cells.shape[1]
    message = gettext("{rows} rows and {columns} columns read as {kind}", rows=len(deals), columns=width, kind=kind)
    yield whole("note", "", message)
    for column in (name for name in deals.columns if name not in NAMES):
        unknown = int(deals[column].isna().sum())
        if unknown:
            message = gettext("unknown in {share} of the rows", share=f"{unknown / len(deals):.0%}")
            yield Finding(severity="note", column=str(column), rows=unknown, first_deal="", message=message)


def suspect(deals: pd.DataFrame, mapping: DealMapping) -> Iterator[Finding]:
    """Warnings on columns that were not known before the outcome."""
    yield from _late_sources(mapping)
    yield from derived_covariates(dict.fromkeys((*mapping.varying, *(item.column for item in mapping.numeric))))
    if "outcome" not in deals:
        return
    closed, still_open = is_closed(deals), is_censored(deals)
    won = (deals["outcome"] == "won").to_numpy(dtype=bool)
    for column in (name for name in deals.columns if name not in _NOT_FACTS):
        filled = deals[column].notna().to_numpy()
        if column != "closed_on":
            yield from filled_late(str(column), filled, closed, still_open)
        yield from filled_for_won(str(column), filled, won, closed & ~won)
        if column != "closed_on":
            yield from predicts_alone(str(column), deals[column], won, closed)


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


def filled_for_won(column: str, filled: Mask, won: Mask, not_won: Mask) -> Iterator[Finding]:
    """A warning on a column whose share of filled cells differs between won and other deals."""
    if min(won.sum(), not_won.sum()) < _ENOUGH:
        return
    share_won, share_not = filled[won].mean(), filled[not_won].mean()
    if abs(share_won - share_not) > TOO_GOOD_GAP:
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
