"""Parameters of the life of simulated deals: creation, duration, push, stall, amount changes, reporting."""

from dataclasses import dataclass, fields

import numpy as np

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology import STAGES
from winprob.simulation.truth import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Rates and distributions of creation, progress and closing of a simulated team's deals.

    Attributes
    ----------
    per_quarter : mean number of deals created per quarter
    season : factor on creation by calendar quarter, mean 1
    days : scale of the Weibull time from creation to close, and ``shape`` its shape
    amount_days : change of the log time to close per sd of the log amount
    won_days, lost_days, no_decision_days : factors on that time by outcome
    pulled : share of won deals that close in the last ``pull_days`` days of their quarter
    stall : distribution of the last stage reached by lost deals
    optimism, doubt : mean and sd of the log ratio of the first expected to the true time to close
    revised, revision, revision_sd : share of won deals whose amount changes at the close; mean and sd of the log ratio
    known_by : a role's first report is uniform over this initial share of the deal's life
    insight : log-odds of private information that the seller has by the end of the deal
    """

    per_quarter: float = 60.0
    season: Vector = (0.8, 1.0, 0.95, 1.25)
    days: float = 150.0
    shape: float = 1.6
    amount_days: float = 0.15
    won_days: float = 1.1
    lost_days: float = 0.9
    no_decision_days: float = 1.5
    pulled: float = 0.4
    pull_days: int = 10
    stall: Vector = (0.15, 0.25, 0.2, 0.25, 0.15)
    optimism: float = -0.25
    doubt: float = 0.4
    revised: float = 0.4
    revision: float = -0.05
    revision_sd: float = 0.12
    known_by: float = 0.7
    insight: float = 1.0

    def __post_init__(self) -> None:
        wrong = [item.name for item in fields(self) if not np.all(np.isfinite(getattr(self, item.name)))]
        positive = ("per_quarter", "days", "shape", "won_days", "lost_days", "no_decision_days", "pull_days")
        wrong += [name for name in positive if not getattr(self, name) > 0]
        wrong += [name for name in ("pulled", "revised", "known_by") if not 0 <= getattr(self, name) <= 1]
        if len(self.season) != 4 or len(self.stall) != len(STAGES) or not np.isclose(sum(self.stall), 1):
            wrong += ["season", "stall"]
        if wrong:
            raise SettingsError(gettext("simulation pace: {names} out of range", names=", ".join(map(repr, wrong))))
