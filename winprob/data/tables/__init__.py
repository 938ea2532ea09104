"""Read and write files: deal tables, people, visits, rates, change logs and tables of results."""

from winprob.data.tables.answers import read_answers
from winprob.data.tables.audit import (
    NOT_LEARNED,
    TOO_GOOD_AUC,
    auc,
    closed_only,
    derived_covariates,
    filled_for_won,
    filled_late,
    forecast_set_at_close,
    hindsight,
    late_forecasts,
    predicts_alone,
)
from winprob.data.tables.blocks import NotInBlocksError, deal_blocks, is_large
from winprob.data.tables.change_logs import read_changes
from winprob.data.tables.decisions import DECISION_COLUMNS, read_decisions, start_decisions
from winprob.data.tables.mapping import mapping_table
from winprob.data.tables.people import cover
from winprob.data.tables.presets import PRESETS, detect_preset, preset_text
from winprob.data.tables.rates import read_rates
from winprob.data.tables.reading import check_file, read_contact_roles, read_deals, read_export, read_people_table
from winprob.data.tables.replacing import replacing, require_writable, scratch_folder, translate_os_errors
from winprob.data.tables.sheets.files import MappingSource, PeopleSource
from winprob.data.tables.targets import Place, require_separate
from winprob.data.tables.values.columns import parse_days, parse_numbers
from winprob.data.tables.values.nulls import is_blank_word
from winprob.data.tables.visits import read_visits
from winprob.data.tables.write import BLOCK_FORMATS, FORMATS, resolve_format, write_blocks, write_table

__all__ = [
    "BLOCK_FORMATS",
    "DECISION_COLUMNS",
    "FORMATS",
    "MappingSource",
    "NOT_LEARNED",
    "NotInBlocksError",
    "PRESETS",
    "PeopleSource",
    "Place",
    "TOO_GOOD_AUC",
    "auc",
    "check_file",
    "closed_only",
    "cover",
    "deal_blocks",
    "derived_covariates",
    "detect_preset",
    "filled_for_won",
    "filled_late",
    "forecast_set_at_close",
    "hindsight",
    "is_blank_word",
    "is_large",
    "late_forecasts",
    "mapping_table",
    "parse_days",
    "parse_numbers",
    "predicts_alone",
    "preset_text",
    "read_answers",
    "read_changes",
    "read_contact_roles",
    "read_deals",
    "read_decisions",
    "read_export",
    "read_people_table",
    "read_rates",
    "read_visits",
    "replacing",
    "require_separate",
    "require_writable",
    "resolve_format",
    "scratch_folder",
    "start_decisions",
    "translate_os_errors",
    "write_blocks",
    "write_table",
]
