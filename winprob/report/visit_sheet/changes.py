"""What has changed since the earlier reading, and which changes moved the win probability."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.actions.levers import term_differences
from winprob.data.schema import COVERAGE_COLUMNS
from winprob.i18n import gettext
from winprob.methodology import column_label, is_unknown
from winprob.model.waiting import waiting_log_odds
from winprob.quarter import PRECISION
from winprob.report.numbers import FACTS
from winprob.report.sheet import Point, Section
from winprob.report.visit_sheet import phrases as text
from winprob.report.visit_sheet.visit import Estimate, Visit, draw_each, estimate

_TRACKED = (*FACTS, *(name for name in COVERAGE_COLUMNS if name not in FACTS))
#: The most reasons named, and the change of the odds below which a reason is not worth a name.
_REASONS, _SMALL = 3, np.log(1.05)


def what_changed(visit: Visit) -> list[Section]:
    """Changes since the earlier reading; empty without one."""
    if visit.before is None:
        return []
    then = visit.before.iloc[0]
    old, new = draw_each(visit.posterior, [visit.before, visit.deal])
    day = then.get("as_of")
    title = (
        gettext("What has changed since {day}", day=day.date().isoformat())
        if pd.notna(day)
        else gettext("What has changed")
    )
    learned, lost = _learned(then, visit.facts), _learned(visit.facts, then)
    facts = [gettext("{what}: {value}", what=column_label(fact), value=_value(visit.facts, fact)) for fact in learned]
    return [
        Section(
            title=title,
            points=(
                text.point(
                    gettext("Win probability"), _moved(estimate(old), estimate(new), estimate(new - old)), _why(visit)
                ),
                *_changed_facts(then, visit.facts),
                text.point(
                    gettext("Learned"),
                    text.sentence(text.listed(facts)) if learned else gettext("No previously unknown fact."),
                ),
                *(
                    [text.point(gettext("No longer recorded"), text.sentence(text.listed(map(column_label, lost))))]
                    if lost
                    else []
                ),
            ),
        )
    ]


def _moved(old: Estimate, new: Estimate, change: Estimate) -> str:
    values = {"old": text.chance_of(old), "new": text.chance_of(new), "change": text.points_of(change)}
    if change.lower > PRECISION:
        return gettext("{old} → {new}, up: {change} points.", **values)
    if change.upper < -PRECISION:
        return gettext("{old} → {new}, down: {change} points.", **values)
    return gettext("{old} → {new}, {change} points: consistent with no change.", **values)


def _changed_facts(then: pd.Series, now: pd.Series) -> Iterator[Point]:
    """Changes of stage, decision method, coach and close date; support and coverage are in the table."""
    for fact, name in text.VOCABULARIES.items():
        old, new = text.word(name, then.get(fact)), text.word(name, now.get(fact))
        if old != new:
            yield text.point(column_label(fact), gettext("{old} → {new}", old=old, new=new))
    was, close = then.get("expected_close_on"), now.get("expected_close_on")
    if pd.notna(was) and pd.notna(close) and was != close:
        old, new = was.date().isoformat(), close.date().isoformat()
        moved = gettext("{old} → {new} ({days} days)", old=old, new=new, days=f"{(close - was).days:+d}")
        yield text.point(column_label("expected_close_on"), moved)


def _learned(then: pd.Series, now: pd.Series) -> list[str]:
    """Facts that were unknown then and are known now."""
    return [fact for fact in _TRACKED if is_unknown(then.get(fact)) and not is_unknown(now.get(fact))]


def _value(facts: pd.Series, fact: str) -> str:
    """The label of a fact's value."""
    return text.word(text.VOCABULARIES.get(fact, fact.rpartition("_")[2]), facts.get(fact))


def _why(visit: Visit) -> str:
    """The terms that moved the odds most, the largest first; empty where none is worth a name."""
    if visit.before is None:
        return ""
    parts = dict(term_differences(visit.posterior, visit.before, visit.deal))
    then, now = (waiting_log_odds(visit.posterior, deal)[0] for deal in (visit.before, visit.deal))
    parts["waiting"] = np.array([now - then])
    means = {name: float(np.mean(draws)) for name, draws in parts.items()}
    largest = sorted((name for name in means if abs(means[name]) >= _SMALL), key=lambda name: -abs(means[name]))
    if not largest:
        return ""
    reasons = [_reason(visit, name, means[name]) for name in largest[:_REASONS]]
    return gettext("Why: {reasons}.", reasons=text.listed(reasons))


def _reason(visit: Visit, name: str, log_odds: float) -> str:
    """``Evaluator's support: Unknown → Supportive (odds ×1.6)``."""
    then, now = visit.before.iloc[0] if visit.before is not None else visit.facts, visit.facts
    known = name in _TRACKED
    old, new = (_value(row, name) if known else "" for row in (then, now))
    odds = f"{np.exp(log_odds):.2f}"
    if old != new:
        return gettext("{what}: {old} → {new} (odds ×{odds})", what=column_label(name), old=old, new=new, odds=odds)
    return gettext("{what} (odds ×{odds})", what=_title(name), odds=odds)


def _title(name: str) -> str:
    titles = {
        "waiting": gettext("time passed without a decision"),
        "doubt": gettext("how surely support is known"),
        "quarter": gettext("drift of the quarters"),
    }
    if name in titles:
        return titles[name]
    return column_label(name) if name in _TRACKED else name
