"""Presets of the mapping file for the exports of CRMs, from Salesforce to Chinese ones.

A preset is a TOML file in nearly the language of the mapping file. Fitted to the headers of a file it gives an ordinary
mapping. What a mapping cannot express (an outcome derived from two flags, one close date with two meanings, an id with
two spellings) is done here.
"""

from winprob.data.tables.presets.fitting import (
    fit_preset,
    left_headers,
    log_faults,
    settle,
    stage_notes,
    unplaced,
    unplaced_message,
    with_conventions,
    with_own,
)
from winprob.data.tables.presets.preset_files import PRESETS, Preset, preset_text, read_preset
from winprob.data.tables.presets.roles import is_role_table, read_roles, with_one_id
from winprob.data.tables.presets.spellings import (
    detect_preset,
    find_header,
    is_true,
    known_header,
    same_ids,
    stage_columns,
    without_pipeline,
)

__all__ = [
    "PRESETS",
    "Preset",
    "detect_preset",
    "find_header",
    "fit_preset",
    "is_role_table",
    "is_true",
    "known_header",
    "left_headers",
    "log_faults",
    "preset_text",
    "read_preset",
    "read_roles",
    "same_ids",
    "settle",
    "stage_columns",
    "stage_notes",
    "unplaced",
    "unplaced_message",
    "with_conventions",
    "with_one_id",
    "with_own",
    "without_pipeline",
]
