"""The method: canonical words with labels and aliases, and plays, in TOML files of this package, in both languages."""

from winprob.methodology.derivations import (
    CoachReading,
    Completeness,
    KindCompleteness,
    RoleContact,
    StageEvidence,
    StageReading,
    coach_status,
    derive_influence,
    derive_stage,
    derive_support,
    intelligence_completeness,
    role_coverage,
)
from winprob.methodology.loading import load
from winprob.methodology.lookups import (
    canonical,
    canonical_column,
    channels_for,
    column_label,
    is_unknown,
    label,
    plays,
)
from winprob.methodology.next_step import Advice, NextStep, next_step, time_left
from winprob.methodology.records import Methodology, Phrase, Play, Word
from winprob.methodology.vocabulary import (
    COACH_STATES,
    COVERAGES,
    DECISION_METHODS,
    OUTCOMES,
    REP_CATEGORIES,
    ROLES,
    STAGES,
    SUPPORT_TIERS,
    normal,
)
from winprob.methodology.worksheet import Question, Section, worksheet_questions, worksheet_sections, worksheet_version

__all__ = [
    "Advice", "COACH_STATES", "COVERAGES", "CoachReading", "Completeness", "DECISION_METHODS", "KindCompleteness",
    "Methodology", "NextStep", "OUTCOMES", "Phrase", "Play", "Question", "REP_CATEGORIES", "ROLES", "RoleContact",
    "STAGES", "SUPPORT_TIERS", "Section", "StageEvidence", "StageReading", "Word", "canonical", "canonical_column",
    "channels_for", "coach_status", "column_label", "derive_influence", "derive_stage", "derive_support",
    "intelligence_completeness", "is_unknown", "label", "load", "next_step", "normal", "plays", "role_coverage",
    "time_left", "worksheet_questions", "worksheet_sections", "worksheet_version",
]  # fmt: skip
