"""What would change the forecast? The same deal with one fact otherwise."""

import pandas as pd

from winprob.i18n import gettext
from winprob.methodology import SUPPORT_TIERS, column_label, label
from winprob.report.grids import Column, Grid
from winprob.report.sheet import Section
from winprob.report.visit_sheet.contrasts import contrasts, varied
from winprob.report.visit_sheet.phrases import chance_of, points_of
from winprob.report.visit_sheet.visit import Visit

_OPPOSED, _SUPPORTIVE, _CHAMPION = SUPPORT_TIERS[0], SUPPORT_TIERS[2], SUPPORT_TIERS[3]


def what_would_change(visit: Visit) -> Section:
    """The win probability if the next reading says otherwise."""
    turns = _turns(visit)
    found = contrasts(visit.posterior, visit.deal, [varied(visit.deal, {fact: value}) for fact, value in turns])
    return Section(
        title=gettext("What would change the forecast"),
        words=(
            gettext(
                "If the next reading says so, all else as it is. A report is noisy: it moves less than the support "
                "itself."
            ),
        ),
        grid=Grid(
            columns=[
                Column(title=gettext("If")),
                Column(title=gettext("Win probability"), number=True),
                Column(title=gettext("Change, points"), number=True),
            ],
            rows=[
                [_said(fact, value), chance_of(turn.chance), points_of(turn.change)]
                for (fact, value), turn in zip(turns, found, strict=True)
            ],
        ),
    )


def _turns(visit: Visit) -> list[tuple[str, object]]:
    """The role a tier up, the role opposed, the coach validated, the approver engaged: whichever is not so already."""
    facts, support = visit.facts, f"{visit.role}_support"
    wanted: list[tuple[str, object]] = [(support, _one_up(facts.get(support))), (support, float(_OPPOSED))]
    wanted += [("coach", "validated"), ("approver_coverage", "engaged")]
    return [(fact, value) for fact, value in wanted if value is not None and facts.get(fact) != value]


def _one_up(tier: object) -> float | None:
    """The next tier; from unknown it is supportive, and above champion there is none."""
    if not isinstance(tier, float) or pd.isna(tier):
        return float(_SUPPORTIVE)
    return tier + 1 if tier < _CHAMPION else None


def _said(fact: str, value: object) -> str:
    word = {"coach": "coach"}.get(fact, fact.rpartition("_")[2])
    return gettext("{what}: {value}", what=column_label(fact), value=label(word, value))
