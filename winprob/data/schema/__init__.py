"""The deal table: columns, canonical types, validation rules and findings; and the log of past visits."""

from winprob.data.schema.access import (
    ELAPSED,
    FEWEST_DEALS,
    SELLER_FORECAST,
    column_or_missing,
    elapsed,
    enough_deals,
    is_censored,
    is_closed,
    is_open,
    read_before_close,
    without_late_forecasts,
)
from winprob.data.schema.columns import (
    CHOICES,
    COLUMNS,
    COVERAGE_COLUMNS,
    ID,
    NAMES,
    READINGS,
    SUPPORTS,
    TEXTS,
    fact_columns,
)
from winprob.data.schema.dtypes import DATES, NUMBERS, as_days, as_numbers, as_text, cell_text
from winprob.data.schema.findings import Finding, Mask, findings_table, mask_of, refuse, shown_cell, spot, whole
from winprob.data.schema.rules import training_errors
from winprob.data.schema.validation import check_deals, last_reading, latest_places, validate_deals
from winprob.data.schema.visits import validate_visits

__all__ = [
    "CHOICES",
    "COLUMNS",
    "COVERAGE_COLUMNS",
    "DATES",
    "ELAPSED",
    "FEWEST_DEALS",
    "Finding",
    "ID",
    "Mask",
    "NAMES",
    "NUMBERS",
    "READINGS",
    "SELLER_FORECAST",
    "SUPPORTS",
    "TEXTS",
    "as_days",
    "as_numbers",
    "as_text",
    "cell_text",
    "check_deals",
    "column_or_missing",
    "elapsed",
    "enough_deals",
    "fact_columns",
    "findings_table",
    "is_censored",
    "is_closed",
    "is_open",
    "last_reading",
    "latest_places",
    "mask_of",
    "read_before_close",
    "refuse",
    "shown_cell",
    "spot",
    "training_errors",
    "validate_deals",
    "validate_visits",
    "whole",
    "without_late_forecasts",
]
