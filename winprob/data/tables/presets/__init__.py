"""What does a CRM call its columns? Presets of the mapping file: Salesforce, Dynamics 365, HubSpot.

A preset is a TOML file in nearly the mapping file's language. With the headers that a file really has it gives an
ordinary mapping; what no mapping can say (an outcome told by two flags, one close date with two meanings, an id that is
written in two ways) is done here, in the open.
"""

from winprob.data.tables.presets.fitting import Fitted, fit_preset, settle, stage_notes, unplaced_message, with_own
from winprob.data.tables.presets.headers import find_header, known_header, same_name
from winprob.data.tables.presets.identity import other_ids, same_ids
from winprob.data.tables.presets.outcomes import derive_outcome, is_true
from winprob.data.tables.presets.preset_files import PRESETS, Preset, Rule, preset_text, read_preset
from winprob.data.tables.presets.roles import is_role_table, read_roles, with_one_id

__all__ = [
    "PRESETS",
    "Fitted",
    "Preset",
    "Rule",
    "derive_outcome",
    "find_header",
    "fit_preset",
    "is_role_table",
    "is_true",
    "known_header",
    "other_ids",
    "preset_text",
    "read_preset",
    "read_roles",
    "same_ids",
    "same_name",
    "settle",
    "stage_notes",
    "unplaced_message",
    "with_one_id",
    "with_own",
]
