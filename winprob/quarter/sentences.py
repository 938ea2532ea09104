"""A forecast and a bridge in sentences: the number, the sellers' figures, sources of risk, assumptions."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import pandas as pd

from winprob.i18n import amount_text, gettext
from winprob.quarter.results import Bridge, Forecast

#: Deals named in one sentence.
_NAMED = 5
#: A less likely outcome is not worth a warning.
_MAY_COME = 0.05


def forecast_sentences(forecast: Forecast) -> list[str]:
    """What a reader of the table needs to know, most important first."""
    return [
        *_number(forecast),
        *_corrected(forecast),
        *_rivals(forecast),
        *_risk(forecast),
        *_breaks(forecast),
        *_assumptions(forecast),
    ]


def bridge_sentences(bridge: Bridge) -> list[str]:
    """The steps from the earlier P50 to the present one."""
    names = {
        "closed": gettext("closed"),
        "slipped": gettext("slipped and time passed"),
        "new": gettext("new deals, net of those expected"),
        "facts_changed": gettext("facts changed"),
        "model_changed": gettext("model changed"),
        "simulation_noise": gettext("simulation noise"),
    }
    signed = "; ".join(f"{names[step]} {round(amount):+,}" for step, amount in bridge.steps.itertuples(index=False))
    return [
        gettext(
            "P50 was {before} on {then} and is {now} on {day}: {steps}.",
            before=money(bridge.p50_before, bridge.currency),
            then=bridge.before,
            now=money(bridge.p50_now, bridge.currency),
            day=bridge.now,
            steps=signed,
        )
    ]


def money(amount: float, currency: str) -> str:
    """An amount with its currency: ``1,240,000 CNY``."""
    return f"{amount_text(amount)} {currency}".strip()


def rounded_money(amount: float, forecast: Forecast) -> str:
    """A simulated amount, rounded to the decimal place of the Monte Carlo error of P50: what is behind it is luck."""
    error = forecast.p50_error
    unit = 10.0 ** math.floor(math.log10(error)) if error > 1 else 1.0
    return money(round(amount / unit) * unit, forecast.currency)


def _number(forecast: Forecast) -> Iterator[str]:
    quarter, total = forecast.quarter, forecast.lines.iloc[-1]
    fields = {
        "quarter": quarter.name,
        "day": forecast.as_of,
        **{name: rounded_money(total[name], forecast) for name in ("p10", "p50", "p90")},
    }
    if forecast.as_of >= quarter.start:
        yield gettext(
            "{quarter}, week {week} of {weeks}, as known on {day}: P50 {p50}; "
            "8 in 10 simulated quarters end between {p10} and {p90}.",
            week=quarter.week_of(forecast.as_of),
            weeks=quarter.weeks,
            **fields,
        )
    else:
        yield gettext(
            "{quarter}, not yet begun, as known on {day}: P50 {p50}; "
            "8 in 10 simulated quarters end between {p10} and {p90}.",
            **fields,
        )
    if forecast.target is not None:
        yield gettext(
            "The probability of reaching the target of {target} is {share:.0%}.",
            target=money(forecast.target, forecast.currency),
            share=total["prob_target"],
        )


def _corrected(forecast: Forecast) -> Iterator[str]:
    corrected = forecast.corrected
    if corrected is None:
        return
    fields = {name: rounded_money(getattr(corrected, name), forecast) for name in ("p10", "p50", "p90")}
    text = gettext(
        "Corrected by the team's own {count} past quarters: P50 {p50}; 8 in 10 between {p10} and {p90}.",
        count=corrected.quarters,
        **fields,
    )
    if corrected.prob_target is None:
        yield text
        return
    reached = gettext("Corrected probability of the target: {share:.0%}.", share=corrected.prob_target)
    yield gettext("{first} {second}", first=text, second=reached)


def _rivals(forecast: Forecast) -> Iterator[str]:
    rolled = forecast.seller_rollup.set_index("line")["cumulative"]
    yield gettext(
        "Sellers' figures: closed and commit {commit}, with best case {best_case}, with pipeline {pipeline}; "
        "stage-weighted {weighted}.",
        weighted=money(forecast.stage_weighted, forecast.currency),
        **{line: money(rolled[line], forecast.currency) for line in ("commit", "best_case", "pipeline")},
    )


def _risk(forecast: Forecast) -> Iterator[str]:
    share = forecast.shares.set_index("source")["share"]
    if share.abs().sum() > 0:
        yield gettext(
            "Sources of the variance: {own:.0%} chance in single deals, {shared:.0%} uncertainty shared by all deals, "
            "{new:.0%} deals not yet created.",
            own=share["winning"] + share["amount_at_closing"],
            shared=share["shared_doubt"],
            new=share["not_yet_created"],
        )
    movers = movers_of(forecast)
    if len(movers):
        listed = "; ".join(
            gettext(
                "{deal} {won} if won, {lost} if not",
                deal=row["deal_id"],
                won=rounded_money(row["p50_if_won"], forecast),
                lost=rounded_money(row["p50_if_lost"], forecast),
            )
            for row in movers.head(_NAMED).to_dict("records")
        )
        yield gettext(
            "{count} of the deals can move P50 by more than {share:.0%} alone: {listed}.",
            count=len(movers),
            share=forecast.settings.mover_share,
            listed=listed + ("; …" if len(movers) > _NAMED else ""),
        )


def movers_of(forecast: Forecast) -> pd.DataFrame:
    """Deals with a plausible outcome that moves P50 by more than the set share, largest move first."""
    deals, p50 = forecast.deals, forecast.p50
    won, lost = (deals["p50_if_won"] - p50).abs(), (deals["p50_if_lost"] - p50).abs()
    chance = deals["by_end"]
    moves = pd.concat([won[chance >= _MAY_COME], lost[chance <= 1 - _MAY_COME]], axis=1).max(axis=1)
    some = moves[moves > forecast.settings.mover_share * abs(p50)]
    return deals.loc[some.sort_values(ascending=False, kind="stable").index]


def _breaks(forecast: Forecast) -> Iterator[str]:
    for side in ("below", "above"):
        rows = forecast.breaks[forecast.breaks["side"] == side]
        if rows.empty:
            continue
        fields = {
            "share": forecast.settings.wrong_by,
            "prob": rows["prob"].iloc[0],
            "listed": "; ".join(_cause(row) for row in rows.head(4).to_dict("records")),
        }
        if side == "below":
            yield gettext(
                "A total {share:.0%} or more below P50 (probability {prob:.0%}) coincides with: {listed}.", **fields
            )
        else:
            yield gettext(
                "A total {share:.0%} or more above P50 (probability {prob:.0%}) coincides with: {listed}.", **fields
            )


def _cause(row: Mapping[Hashable, Any]) -> str:
    change = row["there"] / row["usual"] - 1 if row["usual"] else 0.0
    if row["source"] == "deal":
        return gettext(
            "{deal} won in {there:.0%} of these cases ({usual:.0%} of all)",
            deal=row["deal_id"],
            there=row["there"],
            usual=row["usual"],
        )
    if row["source"] == "win_rate":
        return gettext("win rates of all open deals {change:+.0%} from their mean", change=change)
    return gettext("deals not yet created {change:+.0%} from their mean", change=change)


def _assumptions(forecast: Forecast) -> Iterator[str]:
    if not forecast.dated and forecast.deals["expected_close_on"].isna().all():
        yield gettext(
            "This model has no time to close, and no open deal has the seller's close date: each counts with its "
            "probability of an eventual win."
        )
    elif not forecast.dated:
        yield gettext(
            "This model has no time to close: a deal counts with its probability of an eventual win if the seller's "
            "close date is in the quarter, and not at all otherwise. Train on deals with 'as_of' and 'closed_on' to "
            "learn when deals close."
        )
    if forecast.quarters_learned:
        yield gettext("Deals not yet created: learned from {count} past quarters.", count=forecast.quarters_learned)
    else:
        yield gettext("Deals not yet created are not counted: the training data hold no complete quarter of closings.")
    if forecast.deals_revised:
        yield gettext("Amounts at closing: learned from {count} won deals.", count=forecast.deals_revised)
    else:
        yield gettext("Amounts are taken as recorded: no training deal has an amount both before and at closing.")
    if forecast.rates:
        listed = "; ".join(
            f"1 {rate.currency} = {rate.rate:,.6g} {forecast.currency} ({rate.since})" for rate in forecast.rates
        )
        yield gettext("Amounts are in {currency}; rates: {listed}.", currency=forecast.currency, listed=listed)
    yield from _left_out(forecast)


def not_in_quarter(row: Mapping[Hashable, Any], written: Callable[[float], str]) -> str:
    """Deals that only their date keeps out of the quarter, or does not: with their amount, and weighted by chance.

    ``written`` is how an amount is written.
    """
    fields = {
        "reason": row["reason"],
        "count": row["deals"],
        "deal": row["first_deal"],
        "amount": written(row["amount"]),
        "expected": written(row["expected"]),
    }
    if row["counted"]:
        return gettext(
            "Included ({reason}): {count} deals of {amount}, {expected} weighted by the chance of an eventual win, "
            "first {deal}.",
            **fields,
        )
    return gettext(
        "Not in this quarter's number ({reason}): {count} deals of {amount}, {expected} weighted by the chance of an "
        "eventual win, first {deal}.",
        **fields,
    )


def _left_out(forecast: Forecast) -> Iterator[str]:
    for row in forecast.left_out.to_dict("records"):
        fields = {"reason": row["reason"], "count": row["deals"], "deal": row["first_deal"] or "-"}
        if not math.isnan(row.get("expected", math.nan)):
            yield not_in_quarter(row, lambda amount: money(amount, forecast.currency))
        elif row["counted"]:
            yield gettext("Included ({reason}): {count} deals, first {deal}.", **fields)
        else:
            yield gettext("Excluded ({reason}): {count} deals, first {deal}.", **fields)
