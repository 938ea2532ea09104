"""Facts derived from the answers of worksheets: stage, coach, support, coverage, completeness, next steps."""

from winprob.actions.worksheets.derived import derive_facts, derived_sentences

__all__ = ["derive_facts", "derived_sentences"]
