"""Settings of retraining: the gate that a candidate model must pass before it replaces the current one."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from winprob.i18n import gettext
from winprob.toml import Chance, RuleError, Scale, Share, record

#: A count of at least one.
Positive = Annotated[int, Field(ge=1)]


@record
class RetrainingSettings:
    """When a retrained model may replace the current one.

    Attributes
    ----------
    margin : the most that the same recipe, fitted again, may lose: the upper end of the 90 % interval of its log loss
        less the current model's, in nats per deal
    least_deals : closed deals that neither model has seen, below which the gate cannot tell
    least_clusters : accounts (or sellers, or deals) among them, below which the interval cannot be trusted
    block_deals : the candidate's recipe is fitted again before each fiscal quarter of new deals, or before as many
        quarters as hold this number
    miscalibrated : p-value of the tests of calibration and of the coverage of groups, below which the candidate is
        held, where it is also worse than the current model: miscalibration costs it more by ``margin`` nats, or more
        than one group more is not covered
    rewritten_share : of the deals that the current model learned from, those whose outcome is another one now, above
        which the past has been rewritten and the candidate is held
    changed_definitions : where the words, criteria or mapping of a fact have changed, readings under another definition
        ``lose_fact`` (it is unknown there), or the candidate is refused (``refuse``)
    definitions_since : the first day of readings under the definitions of today (ISO); by default the day after the
        current model's data ended
    moves : open deals shown with the largest change of their win probability
    """

    margin: Scale = 0.02
    least_deals: Positive = 30
    least_clusters: Annotated[int, Field(ge=2)] = 10
    block_deals: Positive = 30
    miscalibrated: Chance = 0.01
    rewritten_share: Share = 0.05
    changed_definitions: Literal["lose_fact", "refuse"] = "lose_fact"
    definitions_since: str = ""
    moves: Positive = 10

    def __post_init__(self) -> None:
        if self.definitions_since:
            try:
                date.fromisoformat(self.definitions_since)
            except ValueError:
                raise RuleError(
                    "definitions_since", self.definitions_since, gettext("an ISO day, such as 2026-07-01")
                ) from None
