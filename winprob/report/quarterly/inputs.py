"""Inputs of the quarterly review: the forecast, its deals with their facts, and the optional parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from winprob.actions.visits import Plan
from winprob.data.schema import column_or_missing, is_closed, latest_places, validate_deals
from winprob.methodology import ROLES
from winprob.model.posterior import Posterior
from winprob.model.waiting import known_open_until
from winprob.quarter import Bridge, Forecast, TargetEffect
from winprob.report.numbers import FACTS, Money, missing_facts
from winprob.retrain.monitoring import Monitoring
from winprob.settings import ReviewSettings

#: Coverage states of a role that is in contact.
COVERED = ("contacted", "engaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewInputs:
    """Everything that one page shows.

    Attributes
    ----------
    deals : one row for each open deal, sorted by expected bookings: the forecast's columns, the facts of the last
        reading, ``missing`` (unknown facts), ``trend`` (win probability now minus at the last review, else NaN)
    flags : red flags of the open deals, as ``find_flags`` returns them
    names : of the deals that have one, open and closed, by id
    compared : whether the win probabilities of the last review are known
    bridge : from the last review, or None
    plan : visits of executives, or None
    plan_effect : what the plan does to the target, or None
    findings : of the data check, None where it was not run
    scores : one row for each past forecast; None without a log
    record : of a backtest, or None
    monitoring : whether the model is still calibrated, or None
    trend : of the quarter, as ``quarter_trend`` returns it
    decisions : of earlier reviews, as ``read_decisions`` returns them, or None
    table : one row for each deal, open or closed, as last known
    money : the format of the page
    """

    posterior: Posterior
    forecast: Forecast
    deals: pd.DataFrame
    flags: pd.DataFrame
    names: Mapping[str, str]
    compared: bool
    bridge: Bridge | None
    plan: Plan | None
    plan_effect: TargetEffect | None
    findings: pd.DataFrame | None
    scores: pd.DataFrame | None
    record: Mapping[str, Any] | None
    monitoring: Monitoring | None
    trend: pd.DataFrame
    decisions: pd.DataFrame | None
    table: pd.DataFrame
    money: Money
    settings: ReviewSettings
    simulated: bool

    @property
    def currency(self) -> str:
        return self.forecast.currency

    def group_of(self, column: str) -> dict[str, str]:
        """The region or the owner's name of each deal, open or closed, by id."""
        names = [name for name in ("seller_name", "seller") if name in self.table] if column == "seller" else [column]
        known = pd.Series(pd.NA, self.table["deal_id"].astype(str), dtype="object")
        for name in names:
            known = known.fillna(pd.Series(column_or_missing(self.table, name).to_numpy(), known.index, dtype="object"))
        return {str(deal): str(group) for deal, group in known.dropna().items()}

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each closed deal, by id."""
        closed = self.table[is_closed(self.table)]
        return dict(zip(closed["deal_id"].astype(str), closed["outcome"].astype(str), strict=True))

    @property
    def wrong_by(self) -> float:
        """Share of P50 beyond which a quarter's total counts as far off."""
        return self.forecast.settings.wrong_by

    @property
    def shown(self) -> pd.DataFrame:
        """The deals shown in full."""
        return self.deals.head(self.settings.deals)


def join_facts(forecast: Forecast, deals: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """Open deals of a forecast joined with their facts, sorted by expected bookings.

    Parameters
    ----------
    deals : frame in canonical columns; of several readings the last counts
    before : ``deal_id, mean``, the win probabilities of the last review
    """
    valid = known_open_until(validate_deals(deals), forecast.as_of)
    facts = valid.iloc[latest_places(valid)].reset_index(drop=True)
    facts = facts.drop(columns=[name for name in facts if name in forecast.deals and name != "deal_id"])
    joined = forecast.deals.merge(facts, on="deal_id", how="left", validate="1:1")
    joined["missing"] = [[fact for fact in FACTS if row[fact]] for row in missing_facts(joined).to_dict("records")]
    joined["trend"] = joined["win_prob"] - _former(joined, before)
    return joined.sort_values(
        ["expected_bookings", "deal_id"], ascending=[False, True], kind="stable", ignore_index=True
    )


def last_known(deals: pd.DataFrame) -> pd.DataFrame:
    """The last reading of each deal."""
    valid = validate_deals(deals)
    return valid.iloc[latest_places(valid)].reset_index(drop=True)


def names_by_id(deals: pd.DataFrame) -> dict[str, str]:
    """The name of every deal, by id; those without a name are left out."""
    named = deals[["deal_id", "deal_name"]].dropna() if "deal_name" in deals else pd.DataFrame()
    return dict(zip(named["deal_id"].astype(str), named["deal_name"].astype(str), strict=True)) if len(named) else {}


def _former(deals: pd.DataFrame, before: pd.DataFrame | None) -> pd.Series:
    if before is None:
        return pd.Series(np.nan, index=deals.index)
    known = before.drop_duplicates("deal_id", keep="last").set_index("deal_id")["mean"]
    return deals["deal_id"].map(known)


def covered_roles(deals: pd.DataFrame) -> pd.DataFrame:
    """(deal, role) whether we are in contact with the role."""
    return pd.DataFrame(
        {role: column_or_missing(deals, f"{role}_coverage").isin(COVERED).to_numpy(dtype=bool) for role in ROLES},
        index=deals.index,
    )
