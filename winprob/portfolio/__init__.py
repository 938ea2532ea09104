"""What will the quarter bring? Closed so far, open deals, and deals that nobody has created yet, simulated jointly."""

from winprob.portfolio.bridge import bridge_forecasts
from winprob.portfolio.forecast import forecast_quarter
from winprob.portfolio.results import LINES, STEPS, Bridge, Forecast

__all__ = ["LINES", "STEPS", "Bridge", "Forecast", "bridge_forecasts", "forecast_quarter"]
