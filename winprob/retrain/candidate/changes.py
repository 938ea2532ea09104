"""What has changed from the current model to a candidate: data, parameters, open deals, and the quarter's number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta

from winprob.arrays import Array
from winprob.data.schema import COVERAGE_COLUMNS, ID, SUPPORTS, Mask, column_or_missing, is_open, mask_of
from winprob.errors import WinprobError
from winprob.model.draws import TAILS, summarise
from winprob.model.effects import WEIGHT, effect_draws
from winprob.model.explanation import explain
from winprob.model.features import COACH_LEVELS
from winprob.model.posterior import Posterior
from winprob.model.prediction import predict
from winprob.model.win.terms import ROLE_TERMS
from winprob.quarter import bridge_forecasts, coming_quarter
from winprob.retrain.candidate.evidence import Evidence, LearnedFrom

#: The quantity of ``data_changes`` that is not the share unknown of a column.
WIN_RATE = "win_rate"
#: The facts of the method whose blanks are counted.
_FACTS = ("stage", "coach", "decision_method", "approver_coverage", *SUPPORTS)
#: Reasons named for a deal whose probability moves.
_REASONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """From the current model to the candidate.

    Attributes
    ----------
    data : ``quantity, old, old_lower, old_upper, new, new_lower, new_upper, old_n, new_n``: ``win_rate``, and the share
        unknown of each column of the method, in deals that the current model learned from and in the deals closed
        since, with 90 % intervals
    levels : ``column, level, change`` (``new`` or ``gone``) of the categories that the models learned
    parameters : ``kind, level, old, old_lower, old_upper, new, new_lower, new_upper, width_ratio``: ``weight`` of
        roles, ``reliability`` of coaches, ``stage``. A width ratio below 1 is an interval that has narrowed
    moves : ``deal_id, old, new, change, reasons`` of the open deals whose win probability moves most; a reason is a
        term and the change of its log-odds
    open_deals : how many open deals were compared
    quarter : ``quarter, currency, old, new`` of the coming quarter's P50; None where it cannot be forecast
    """

    data: pd.DataFrame
    levels: pd.DataFrame
    parameters: pd.DataFrame
    moves: pd.DataFrame
    open_deals: int
    quarter: Mapping[str, Any] | None

    def record(self) -> dict[str, Any]:
        """Plain values, for ``gate.json``; a number that does not exist is None."""
        tables = {name: getattr(self, name) for name in ("data", "levels", "parameters", "moves")}
        plain = {name: _records(table) for name, table in tables.items()}
        return {**plain, "open_deals": self.open_deals, "quarter": dict(self.quarter) if self.quarter else None}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    values = table.astype(object).where(table.notna(), None)
    return [
        {str(name): cell.item() if isinstance(cell, np.generic) else cell for name, cell in row.items()}
        for row in values.to_dict("records")
    ]


def find_changes(
    current: Posterior, candidate: Posterior, evidence: Evidence, learned: LearnedFrom, *, seed: int
) -> Changes:
    """What has changed, where the current model learned from the deals ``learned``."""
    review = evidence.review()
    still = review[is_open(review)].reset_index(drop=True)
    return Changes(
        data=data_changes(evidence.closed, _old(evidence.closed, learned)),
        levels=level_changes(current, candidate),
        parameters=parameter_changes(current, candidate),
        moves=largest_moves(current, candidate, still),
        open_deals=len(still),
        quarter=quarter_change(current, candidate, review, seed=seed),
    )


def _old(closed: pd.DataFrame, learned: LearnedFrom) -> Mask:
    """(deal,) whether the current model learned from it."""
    if learned.won is not None or learned.until is None:
        return learned.has(closed[ID])
    return mask_of(column_or_missing(closed, "closed_on") <= learned.until)


def data_changes(closed: pd.DataFrame, old: Mask) -> pd.DataFrame:
    """Win rate, and the share unknown of every fact of the method, among old and new deals."""
    flags = {WIN_RATE: mask_of(closed["outcome"] == "won")}
    for name in _FACTS:
        cells = column_or_missing(closed, name)
        unknown = cells.isna() | (cells.astype("str") == "unknown") if name in COVERAGE_COLUMNS else cells.isna()
        flags[name] = mask_of(unknown)
    records = [
        (name, *_rate(flag[old]), *_rate(flag[~old]), int(old.sum()), int((~old).sum())) for name, flag in flags.items()
    ]
    columns = ["quantity", "old", "old_lower", "old_upper", "new", "new_lower", "new_upper", "old_n", "new_n"]
    return pd.DataFrame(records, columns=columns)


def _rate(flags: Mask) -> tuple[float, float, float]:
    """A share with its 90 % interval (Jeffreys); NaN of nothing.

    References
    ----------
    Brown, Cai, DasGupta (2001), Interval estimation for a binomial proportion, doi 10.1214/ss/1009213286.
    """
    count, yes = len(flags), int(flags.sum())
    if not count:
        return (float("nan"),) * 3
    lower, upper = beta.ppf(TAILS, yes + 0.5, count - yes + 0.5)
    return yes / count, 0.0 if yes == 0 else float(lower), 1.0 if yes == count else float(upper)


def level_changes(current: Posterior, candidate: Posterior) -> pd.DataFrame:
    """Levels of categories that only one of the models has learned."""
    then, now = ({(f.name, level) for f in one.scaling.fields for level in f.levels} for one in (current, candidate))
    pairs = [(*pair, "new") for pair in sorted(now - then)] + [(*pair, "gone") for pair in sorted(then - now)]
    return pd.DataFrame(pairs, columns=["column", "level", "change"])


def parameter_changes(current: Posterior, candidate: Posterior) -> pd.DataFrame:
    """Means and 90 % intervals of the parameters that an analyst reads, old and new, and how the widths compare."""
    then, now = (
        pd.DataFrame(_parameters(one), columns=["kind", "level", "mean", "lower", "upper"])
        for one in (current, candidate)
    )
    table = then.merge(now, on=["kind", "level"], suffixes=("_old", "_new"))
    widths = [table[f"upper_{side}"] - table[f"lower_{side}"] for side in ("old", "new")]
    return pd.DataFrame(
        {
            "kind": table["kind"],
            "level": table["level"],
            **{
                f"{side}{'' if end == 'mean' else f'_{end}'}": table[f"{end}_{side}"]
                for side in ("old", "new")
                for end in ("mean", "lower", "upper")
            },
            "width_ratio": widths[1] / widths[0].where(widths[0] > 0),
        }
    )


def _parameters(posterior: Posterior) -> Iterator[tuple[str, str, float, float, float]]:
    for at, level in enumerate(COACH_LEVELS[: posterior.flat["reliability"].shape[1]]):
        yield "reliability", level, *_ends(posterior.flat["reliability"][:, at])
    for one in effect_draws(posterior):
        if one.term in ROLE_TERMS and one.level == WEIGHT:
            yield "weight", one.term, *_ends(one.draws)
        elif one.term == "stage":
            yield "stage", one.level, *_ends(one.draws)


def _ends(draws: Array) -> tuple[float, float, float]:
    mean, lower, upper = summarise(draws)
    return float(mean), float(lower), float(upper)


def largest_moves(
    current: Posterior, candidate: Posterior, deals: pd.DataFrame, count: int | None = None
) -> pd.DataFrame:
    """Open deals whose win probability moves most, and the terms behind it."""
    columns = ["deal_id", "old", "new", "change", "reasons"]
    if deals.empty:
        return pd.DataFrame(columns=columns)
    old, new = (predict(one, deals)["mean"].to_numpy() for one in (current, candidate))
    count = count or candidate.settings.retraining.moves
    most = np.argsort(-np.abs(new - old), kind="stable")[:count]
    records = []
    for at in most:
        name = deals[ID].iloc[at]
        records.append((name, old[at], new[at], new[at] - old[at], _reasons(current, candidate, deals, name)))
    return pd.DataFrame(records, columns=columns)


def _reasons(current: Posterior, candidate: Posterior, deals: pd.DataFrame, name: str) -> list[tuple[str, float]]:
    """The terms whose log-odds moved most."""
    then, now = (explain(one, deals, name).set_index("term")["log_odds"] for one in (current, candidate))
    moved = now.subtract(then, fill_value=0.0)
    most = moved.reindex(moved.abs().sort_values(ascending=False, kind="stable").index)[:_REASONS]
    return [(str(term), float(change)) for term, change in most.items()]


def quarter_change(
    current: Posterior, candidate: Posterior, deals: pd.DataFrame, *, seed: int
) -> dict[str, Any] | None:
    """P50 of the coming quarter by either model, from the same deals and the same random numbers."""
    try:
        quarter = coming_quarter(deals, candidate.settings.calendar)
        bridge = bridge_forecasts(candidate, deals, deals, quarter, posterior_before=current, seed=seed)
    except WinprobError:
        return None
    return {"quarter": quarter.name, "currency": bridge.currency, "old": bridge.p50_before, "new": bridge.p50_now}
