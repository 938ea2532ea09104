"""What will the quarter bring? Closed so far, open deals, and deals that nobody has created yet, simulated jointly."""

from winprob.portfolio.book import coming_quarter
from winprob.portfolio.bridge import bridge_forecasts
from winprob.portfolio.forecast import forecast_quarter
from winprob.portfolio.log import append_forecast, read_forecasts
from winprob.portfolio.record import calibrate_deals, score_forecasts, summarise_record, tell_record
from winprob.portfolio.results import LINES, STEPS, Bridge, Forecast
from winprob.portfolio.words import movers_of, tell_bridge, tell_forecast

__all__ = [
    "LINES",
    "STEPS",
    "Bridge",
    "Forecast",
    "append_forecast",
    "bridge_forecasts",
    "calibrate_deals",
    "coming_quarter",
    "forecast_quarter",
    "movers_of",
    "read_forecasts",
    "score_forecasts",
    "summarise_record",
    "tell_bridge",
    "tell_forecast",
    "tell_record",
]
