"""Which words exist? The canonical values, in the method's order. Labels and aliases live in vocabulary.toml."""

STAGES = ("difficulty", "exploration", "approval", "evaluation", "decision")
ROLES = ("approver", "decision_maker", "evaluator", "influencer", "procurement")
DECISION_METHODS = ("scoring", "recommendation", "executive")
COACH_STATES = ("none", "unvalidated", "validated")
SUPPORT_TIERS = (1, 2, 3, 4)
COVERAGES = ("unknown", "identified", "contacted", "engaged")
OUTCOMES = ("won", "lost", "no_decision", "open")
REP_CATEGORIES = ("omitted", "pipeline", "best_case", "most_likely", "commit", "closed")
