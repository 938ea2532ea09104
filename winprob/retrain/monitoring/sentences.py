"""What a monitoring result means, in sentences: verdict, direction, where to look, what to do."""

from collections.abc import Iterator

from scipy.stats import norm

from winprob.i18n import gettext
from winprob.methodology import column_label, label
from winprob.retrain.monitoring.watch import Monitoring

#: Columns whose levels are words of the method.
_WORDS = ("stage", "rep_category", "decision_method", "coach")


def monitoring_sentences(result: Monitoring) -> Iterator[str]:
    """Verdict first; of an alarm also direction, segment and next steps."""
    if result.table.empty:
        yield _nothing_yet(result)
        return
    yield verdict_sentence(result)
    early = result.table["early_sign"].max() >= result.threshold
    if result.alarm_since is not None:
        yield _direction_sentence(result)
        yield from _where(result)
        yield gettext(
            "What to do: train again on the newest history; check that the mapping still reads every column as before "
            "(winprob check); ask whether customers decide differently now: other people, another decision method, a "
            "new competitor."
        )
    elif early:
        yield gettext(
            "Early sign, not an alarm: against the mean probabilities alone the e-value has reached {e:,.1f}. The "
            "uncertainty that the model states about its probabilities can explain it. Look again after the next "
            "quarter.",
            e=result.table["early_sign"].max(),
        )
        yield from _where(result)


def verdict_sentence(result: Monitoring) -> str:
    """One sentence: calibrated so far, alarm since when, or nothing to test yet."""
    rows = result.table
    if rows.empty:
        return _nothing_yet(result)
    if result.alarm_since is None:
        return gettext(
            "Calibrated so far: the e-value is {e:.2f} (quarters: {quarters}, deals: {deals}), and an alarm "
            "starts at {threshold:.0f}. {won} deals were won by quarter end, {expected:.1f} were expected.",
            e=rows["e_value"].iloc[-1],
            quarters=len(rows),
            deals=rows["n"].sum(),
            threshold=result.threshold,
            won=rows["won"].sum(),
            expected=rows["expected"].sum(),
        )
    return gettext(
        "ALARM since {period}: the model is not calibrated any more. The e-value reached {e:,.0f}; that of a "
        "calibrated model reaches {threshold:.0f} with a probability of {share:.0%} at most, however often it is "
        "checked.",
        period=result.alarm_since,
        e=rows["e_value"].max(),
        threshold=result.threshold,
        share=result.settings.false_alarm,
    )


def _nothing_yet(result: Monitoring) -> str:
    if result.trained_until is None:
        return gettext("No quarter is over in these deals: nothing can be tested yet.")
    return gettext(
        "No quarter that began on {day} or later is over in these deals. The model learned from data until that day, "
        "so nothing can be tested yet.",
        day=result.trained_until,
    )


def _direction_sentence(result: Monitoring) -> str:
    rows = result.table
    numbers = {"won": rows["won"].sum(), "expected": rows["expected"].sum(), "since": result.turned_in}
    if result.direction == "too_high":
        return gettext(
            "Its probabilities are too high: {won} deals were won by quarter end, {expected:.1f} were expected. The "
            "evidence grows from {since} on.",
            **numbers,
        )
    if result.direction == "too_low":
        return gettext(
            "Its probabilities are too low: {won} deals were won by quarter end, {expected:.1f} were expected. The "
            "evidence grows from {since} on.",
            **numbers,
        )
    if result.direction == "too_spread":
        return gettext(
            "Its probabilities are too far apart: deals with a high one win less often than it says, deals with a low "
            "one more often. The evidence grows from {since} on.",
            **numbers,
        )
    return gettext(
        "Its probabilities are too close together: deals with a high one win more often than it says, deals with a low "
        "one less often. The evidence grows from {since} on.",
        **numbers,
    )


def _where(result: Monitoring) -> Iterator[str]:
    """The segment with the largest deviation, and how large the largest of so many is by luck."""
    if result.segments.empty:
        return
    worst, count = result.segments.iloc[0], len(result.segments)
    column, level = str(worst["column"]), str(worst["level"])
    yield gettext(
        "Where to look first, as a question and not a verdict: {column} = {level}, {won} of {deals} deals won by "
        "quarter end, {expected:.1f} expected ({difference:+.1f} standard deviations). {count} groups were compared; "
        "by luck alone the largest difference among them exceeds {usual:.1f} half of the time.",
        column=column_label(column),
        level=label(column, level) if column in _WORDS else level,
        won=worst["won"],
        deals=worst["deals"],
        expected=worst["expected"],
        difference=worst["difference"],
        count=count,
        usual=norm.ppf((1 + 0.5 ** (1 / count)) / 2),
    )
