"""What does the page stand on? The forecast, the deals behind it, and whatever else was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from winprob.data.schema import latest_places, validate_deals
from winprob.methodology import ROLES
from winprob.model.posterior import Posterior
from winprob.report.review import FACTS, missing_facts
from winprob.settings import ReviewSettings

if TYPE_CHECKING:
    from winprob.actions.visits import Plan
    from winprob.quarter import Bridge, Forecast

#: A role is covered once somebody has talked to the person.
COVERED = ("contacted", "engaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that one page tells of.

    Attributes
    ----------
    deals : open deals in play, a row each, most expected bookings first: the forecast's columns, the facts of the last
        reading, ``missing`` (facts not known), ``trend`` (win probability now minus at the last review, NaN without)
    compared : whether the win probabilities of the last review are known
    bridge : from the last review, None where there was none
    plan : visits of executives, None where none was planned
    findings : of the data check
    scores : of past forecasts, a row each; None without a log
    record : of a backtest, None without
    """

    posterior: Posterior
    forecast: Forecast
    deals: pd.DataFrame
    compared: bool
    bridge: Bridge | None
    plan: Plan | None
    findings: pd.DataFrame
    scores: pd.DataFrame | None
    record: Mapping[str, Any] | None
    settings: ReviewSettings
    simulated: bool

    @property
    def currency(self) -> str:
        return self.forecast.currency

    @property
    def wrong_by(self) -> float:
        """How far off P50 a quarter has to end for the number to be called wrong."""
        return self.forecast.settings.wrong_by

    @property
    def told(self) -> pd.DataFrame:
        """The deals that are told in full."""
        return self.deals.head(self.settings.deals)


def join_facts(forecast: Forecast, deals: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """Deals in play beside their facts, most expected bookings first.

    Parameters
    ----------
    deals : in canonical columns; of several readings the last counts
    before : ``deal_id, mean``, the win probabilities of the last review
    """
    valid = validate_deals(deals)
    facts = valid.iloc[latest_places(valid)].reset_index(drop=True)
    facts = facts.drop(columns=[name for name in facts if name in forecast.deals and name != "deal_id"])
    joined = forecast.deals.merge(facts, on="deal_id", how="left", validate="1:1")
    joined["missing"] = [[fact for fact in FACTS if row[fact]] for row in missing_facts(joined).to_dict("records")]
    joined["trend"] = joined["win_prob"] - _former(joined, before)
    return joined.sort_values(
        ["expected_bookings", "deal_id"], ascending=[False, True], kind="stable", ignore_index=True
    )


def _former(deals: pd.DataFrame, before: pd.DataFrame | None) -> pd.Series:
    if before is None:
        return pd.Series(np.nan, index=deals.index)
    known = before.drop_duplicates("deal_id", keep="last").set_index("deal_id")["mean"]
    return deals["deal_id"].map(known)


def covered_roles(deals: pd.DataFrame) -> pd.DataFrame:
    """(deal, role) whether somebody is in contact with the role."""
    return pd.DataFrame(
        {role: _column(deals, f"{role}_coverage").isin(COVERED).to_numpy(dtype=bool) for role in ROLES},
        index=deals.index,
    )


def _column(deals: pd.DataFrame, name: str) -> pd.Series:
    return deals[name] if name in deals else pd.Series(None, index=deals.index, dtype=object)
