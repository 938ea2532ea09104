"""The week in about ten lines of Markdown, for a chat tool or a mail, and the summary on the terminal."""

from collections.abc import Iterator

import pandas as pd

from winprob.i18n import gettext
from winprob.quarter import Bridge, step_name
from winprob.report.numbers import compact_money, percent, signed_money
from winprob.retrain.monitoring import verdict_sentence
from winprob.routine.week import Week

#: Deals, and steps of the bridge, that the message names.
_DEALS, _STEPS = 3, 3


def message_text(week: Week, actions: pd.DataFrame, chosen: pd.DataFrame, page: str, company: str) -> str:
    """Number, range, chance of the target, what changed, three deals, and where the page is."""
    lines = [f"**{_title(week, company)}**", "", *(f"- {line}" for line in _points(week))]
    steps = actions.set_index("deal_id")
    for deal in chosen.head(_DEALS).to_dict("records"):
        row = steps.loc[deal["deal_id"]]
        lines.append(
            "- "
            + gettext(
                "{deal} ({amount}, {chance} to win): {step}",
                deal=_plain(deal["deal_id"]),
                amount=compact_money(float(deal["amount"]), week.forecast.currency),
                chance=percent(float(row["chance"])),
                step=_plain(row["next_step"]),
            )
        )
    lines += [f"- {gettext('To review: {what}.', what=look.rstrip('.。'))}" for look in week.to_review()]
    return "\n".join([*lines, "", gettext("Page: {path}", path=page)]) + "\n"


def _plain(text: object) -> str:
    """A name without what Markdown would read as markup or as another line."""
    return "".join("\\" + mark if mark in "*_`[]<>#|\\" else mark for mark in " ".join(str(text).split()))


def _title(week: Week, company: str) -> str:
    quarter, day = week.forecast.quarter, week.inputs.day
    if day < quarter.start:
        title = gettext("{quarter}, not yet begun, as of {day}", quarter=quarter.name, day=day)
    else:
        title = gettext(
            "{quarter}, week {week} of {weeks}, as of {day}",
            quarter=quarter.name,
            week=quarter.week_of(day),
            weeks=quarter.weeks,
            day=day,
        )
    return f"{_plain(company)} · {title}" if company else title


def _points(week: Week) -> Iterator[str]:
    forecast = week.forecast
    lines, money = forecast.lines.set_index("line"), forecast.currency
    total = lines.to_dict("index")["total"]
    p10, p50, p90 = (compact_money(total[name], money) for name in ("p10", "p50", "p90"))
    yield gettext("Forecast {p50}, 8 in 10 chances from {p10} to {p90}.", p50=p50, p10=p10, p90=p90)
    closed = compact_money(lines["mean"]["closed"], money)
    rolled = forecast.seller_rollup.set_index("line")["cumulative"]
    commit = compact_money(float(rolled["commit"]), money)
    yield gettext("Closed so far {closed}; with the sellers' commit {commit}.", closed=closed, commit=commit)
    if forecast.target is None:
        yield gettext("No target is set for {quarter}.", quarter=forecast.quarter.name)
    else:
        yield gettext(
            "Target {target}: {chance} chance to reach it; the forecast less the target is {gap}.",
            target=compact_money(forecast.target, money),
            chance=percent(total["prob_target"]),
            gap=signed_money(forecast.p50 - forecast.target, money),
        )
    yield _changed(week.bridge) if week.bridge else gettext("No earlier review to compare with.")


def _changed(bridge: Bridge) -> str:
    steps = bridge.steps.assign(size=bridge.steps["amount"].abs()).nlargest(_STEPS, "size")
    named = gettext("; ").join(
        f"{step_name(row['step'])} {signed_money(float(row['amount']), bridge.currency)}"
        for row in steps.to_dict("records")
        if row["size"] > 0
    )
    return gettext(
        "Since {day}: {change} ({steps}).",
        day=bridge.before,
        change=signed_money(bridge.p50_now - bridge.p50_before, bridge.currency),
        steps=named or gettext("nothing changed"),
    )


def summary_sentences(week: Week, *, model: str, out: str, written: bool, sheets: int) -> Iterator[str]:
    """What the week brought, for the terminal: the message's points, what was left out, the files, and the verdict."""
    yield gettext("Model: {model}.", model=model)
    yield _title(week, "")
    yield from _points(week)
    if week.monitoring is not None:
        yield verdict_sentence(week.monitoring)
    for remark in week.remarks:
        yield gettext("Note: {remark}.", remark=remark)
    if written:
        yield gettext("Page, visit sheets ({sheets}), actions and message are in {path}.", sheets=sheets, path=out)
    else:
        yield gettext("{path} holds the same page, visit sheets, actions and message already.", path=out)
    looks = week.to_review()
    if looks:
        yield gettext("Done, and to review: {what}.", what=gettext("; ").join(look.rstrip(".。") for look in looks))
    else:
        yield gettext("Done: nothing needs a review.")
