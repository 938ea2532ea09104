"""What will the quarter bring? Closed so far, open deals, and deals that nobody has created yet, simulated jointly."""

from winprob.quarter.bridge import bridge_forecasts
from winprob.quarter.forecast import forecast_quarter
from winprob.quarter.log import append_forecast, read_forecasts
from winprob.quarter.pipeline import coming_quarter
from winprob.quarter.results import LINES, STEPS, Bridge, Forecast
from winprob.quarter.sentences import movers_of, tell_bridge, tell_forecast
from winprob.quarter.track_record import calibrate_deals, score_forecasts, summarise_record, tell_record

__all__ = [
    "Bridge",
    "Forecast",
    "LINES",
    "STEPS",
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
