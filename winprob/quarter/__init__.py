"""The quarter's bookings: forecast, bridge from an earlier forecast, log and track record."""

from winprob.quarter.bridge import bridge_forecasts
from winprob.quarter.forecast import forecast_quarter
from winprob.quarter.forecast_log import append_forecast, read_forecasts
from winprob.quarter.outcome import falls_in
from winprob.quarter.pipeline import booked, coming_quarter, known_deals, money_on, report_currency
from winprob.quarter.results import LINES, PRECISION, STEPS, Bridge, Forecast, is_inside, line_name, step_name
from winprob.quarter.sentences import bridge_sentences, forecast_sentences, movers_of, not_in_quarter
from winprob.quarter.target_effect import TargetEffect, target_effect, target_effect_sentence
from winprob.quarter.track_record import (
    calibrate_deals,
    score_forecasts,
    summarise_track_record,
    track_record_sentences,
)
from winprob.quarter.trend import quarter_trend

__all__ = [
    "Bridge",
    "Forecast",
    "LINES",
    "PRECISION",
    "STEPS",
    "TargetEffect",
    "append_forecast",
    "booked",
    "bridge_forecasts",
    "bridge_sentences",
    "calibrate_deals",
    "coming_quarter",
    "falls_in",
    "forecast_quarter",
    "forecast_sentences",
    "is_inside",
    "known_deals",
    "line_name",
    "money_on",
    "movers_of",
    "not_in_quarter",
    "quarter_trend",
    "read_forecasts",
    "report_currency",
    "score_forecasts",
    "step_name",
    "summarise_track_record",
    "target_effect",
    "target_effect_sentence",
    "track_record_sentences",
]
