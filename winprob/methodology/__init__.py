"""Which words exist, and what does the method say? Words and plays are TOML beside this file, in both languages."""

from winprob.methodology.coach_validation import CoachReading, coach_status
from winprob.methodology.intelligence import Completeness, KindCompleteness, intelligence_completeness
from winprob.methodology.labels import canonical, canonical_column, column_label, is_unknown, label
from winprob.methodology.loading import load
from winprob.methodology.next_step import Advice, NextStep, next_step
from winprob.methodology.playbook import channels_for, plays
from winprob.methodology.records import Methodology, Phrase, Play, Word
from winprob.methodology.role_contacts import RoleContact, role_coverage
from winprob.methodology.spelling import normal
from winprob.methodology.stage_reading import StageEvidence, StageReading, derive_stage
from winprob.methodology.support_rubric import derive_influence, derive_support
from winprob.methodology.vocabulary import (
    COACH_STATES,
    COVERAGES,
    DECISION_METHODS,
    OUTCOMES,
    REP_CATEGORIES,
    ROLES,
    STAGES,
    SUPPORT_TIERS,
)

__all__ = [
    "Advice",
    "COACH_STATES",
    "COVERAGES",
    "CoachReading",
    "Completeness",
    "DECISION_METHODS",
    "KindCompleteness",
    "Methodology",
    "NextStep",
    "OUTCOMES",
    "Phrase",
    "Play",
    "REP_CATEGORIES",
    "ROLES",
    "RoleContact",
    "STAGES",
    "SUPPORT_TIERS",
    "StageEvidence",
    "StageReading",
    "Word",
    "canonical",
    "canonical_column",
    "channels_for",
    "coach_status",
    "column_label",
    "derive_influence",
    "derive_stage",
    "derive_support",
    "intelligence_completeness",
    "is_unknown",
    "label",
    "load",
    "next_step",
    "normal",
    "plays",
    "role_coverage",
]
