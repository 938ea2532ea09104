"""Posterior summary of every parameter, the prior sheet, and sentences on a fitted model."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.special import expit

from winprob.arrays import Array
from winprob.data.schema import SELLER_FORECAST, column_or_missing, is_closed, without_late_forecasts
from winprob.data.tables import forecast_set_at_close, late_forecasts
from winprob.i18n import gettext
from winprob.methodology import DECISION_METHODS, ROLES
from winprob.model.draws import TAILS, prior_share, summarise
from winprob.model.features import bin_moments, empty_scaling, uses_seller_forecast
from winprob.model.posterior import Posterior, Provenance
from winprob.model.role_evidence import LEARNED, MOSTLY_PRIOR, NOT_IN_DEALS, roles_by_grade
from winprob.model.win.blocks import DIMS
from winprob.model.win.parameters import sample_prior
from winprob.settings import PriorSettings, Settings

_EXECUTIVE, _SCORING = (DECISION_METHODS.index(method) for method in ("executive", "scoring"))
#: Single directions of combinations are not interpretable; their scale measures how much they matter.
_NOT_SHOWN = ("pair_weight",)
_SHEET_DRAWS = 20_000
#: Below this number of deals vendors refuse to answer; winprob answers, with a caveat.
_FEW_DEALS = 80


def summarise_posterior(posterior: Posterior) -> pd.DataFrame:
    """Posterior mean and interval of every scalar parameter of a fitted model.

    Returns
    -------
    DataFrame with columns ``parameter`` (``name[labels]``), ``mean, lower, upper`` (90 %, equal-tailed; log-odds
    except scales and reliabilities) and ``prior_share``, posterior over prior variance, at most 1.
    """
    records = [
        (name, *(float(end) for end in summarise(draws)), float(prior_share(np.var(draws), np.var(prior))))
        for name, draws, prior in _columns(posterior)
    ]
    return pd.DataFrame(records, columns=["parameter", "mean", "lower", "upper", "prior_share"])


def _columns(posterior: Posterior) -> Iterator[tuple[str, Array, Array]]:
    """Name, draws and prior draws of every scalar parameter."""
    for name, dims in DIMS.items():
        if name in _NOT_SHOWN:
            continue
        learned, prior = posterior.flat[name].astype(float), posterior.prior[name].astype(float)
        names = itertools.product(*(posterior.coords[dim] for dim in dims))
        columns = (values.reshape(len(values), -1).T for values in (learned, prior))
        for labels, *draws in zip(names, *columns, strict=True):
            # What a setting or an older model fixes was not learned.
            if np.ptp(draws[0]) == np.ptp(draws[1]) == 0:
                continue
            yield (f"{name}[{', '.join(labels)}]" if labels else name), draws[0], draws[1]


def posterior_sentences(posterior: Posterior) -> list[str]:
    """What a fitted model rests on, one sentence per line: training data, convergence, prior, time to close."""
    source = posterior.provenance
    if source.prior_only:
        return [
            gettext(
                "No deal was seen: this model is prior only. It describes what the method expects, not what your "
                "team does."
            ),
            gettext("Train on closed deals as soon as there are any; thirty already change the model noticeably."),
        ]
    lines = [
        *_training_sentences(source),
        *_seller_sentences(posterior),
        _gates_sentence(source.gates),
        *_prior_sentences(posterior),
        *_timing_sentences(posterior),
    ]
    if source.deals < _FEW_DEALS:
        lines.append(
            gettext(
                "With fewer than {few} deals much is still prior: use the intervals, not the means.", few=_FEW_DEALS
            )
        )
    return lines


def _training_sentences(source: Provenance) -> Iterator[str]:
    fields = {
        "deals": source.deals,
        "closed": source.closed,
        "won": source.won / source.counted,
        "period": _period(source.first_day, source.last_day),
    }
    if source.closed is None:
        yield gettext("Learned from {deals} closed deals, {won:.0%} won{period}.", **fields)
    elif source.closed == source.deals:
        yield gettext("Learned from all {deals} closed deals, {won:.0%} won{period}.", **fields)
    else:
        yield gettext("Learned from {deals} of {closed} closed deals, {won:.0%} won{period}.", **fields)
    # In an older file the count of a history's deals is a sum of weights, which open deals share.
    if source.counted < source.deals - 0.5 and (source.closed is not None or source.rows == source.deals):
        yield gettext(
            "{copies:.0f} rows are copies of another except for their id; each record counts once.",
            copies=source.deals - source.counted,
        )
    if source.available > source.deals:
        yield gettext(
            "The table has {available:,} closed deals; {deals:,} of them, drawn at random, were learned from "
            "(setting sampler.most_deals).",
            available=source.available,
            deals=source.deals,
        )


def _seller_sentences(posterior: Posterior) -> Iterator[str]:
    """Whether the seller's own number is a covariate of the model."""
    scaling = posterior.scaling
    names = {field.name for field in scaling.fields} | {column.name for column in scaling.numeric}
    used = [name for name in SELLER_FORECAST if name in names]
    if used:
        yield gettext(
            "The seller's own number is a covariate ({columns}), with a weight and a bias learned from the deals.",
            columns=", ".join(used),
        )


def seller_forecast_sentences(deals: pd.DataFrame, settings: Settings) -> Iterator[str]:
    """Which of the sellers' own numbers a training on these deals does not use, where they were asked for."""
    if not uses_seller_forecast(deals, settings):
        return
    closed = deals[is_closed(deals)]
    known = without_late_forecasts(closed)
    if all(column_or_missing(known, name).isna().all() for name in SELLER_FORECAST):
        yield gettext(
            "seller_forecast is on, but no closed deal has a seller's number from before its close: the model has no "
            "such term."
        )
    for finding in (*late_forecasts(closed), *forecast_set_at_close(known, is_closed(known))):
        yield gettext("warning: {column}: {text}", column=finding.column, text=finding.message)


def _gates_sentence(gates: Mapping[str, float]) -> str:
    return gettext(
        "The draws passed the convergence gates: R-hat {r_hat:.3f}, effective draws >= {ess:.0f}, "
        "{divergent:.1%} divergent.",
        r_hat=gates["r_hat"],
        ess=min(gates["bulk_ess"], gates["tail_ess"]),
        divergent=gates["divergent_share"],
    )


def _timing_sentences(posterior: Posterior) -> Iterator[str]:
    """Training data of the time-to-close model, and whether its draws are reliable."""
    hazards = posterior.hazards
    if hazards is None:
        yield gettext("When deals close was not learned: too few deals have a reading date and a closing date.")
        return
    yield gettext(
        "When deals close was learned from {closed} closed and {still_open} open deals.",
        closed=hazards.closed,
        still_open=hazards.still_open,
    )
    if hazards.recalibrated:
        yield gettext("The first weeks after a reading were recalibrated by what past readings came to.")
    if not hazards.reliable:
        yield gettext(
            "Its posterior draws are imprecise (worth {effective:.0f} independent ones): treat the dates as "
            "approximate until more deals have closed.",
            effective=hazards.effective,
        )


def _period(first: str | None, last: str | None) -> str:
    return gettext(", read {first} to {last}", first=first, last=last) if first else ""


def _prior_sentences(posterior: Posterior) -> Iterator[str]:
    """The roles whose weights were learned, are mostly prior, or have no reading in the training deals."""
    roles = roles_by_grade(posterior)
    if roles.keys() == {NOT_IN_DEALS}:
        yield gettext("The training deals hold no reading of any role's support: the roles' weights are all prior.")
        return
    if roles.keys() == {LEARNED}:
        yield gettext("Every role's weight was learned from the deals, none is mostly prior.")
        return
    if LEARNED in roles:
        yield gettext("Learned from the deals: the weight of {roles}.", roles=roles[LEARNED])
    if MOSTLY_PRIOR in roles:
        yield gettext("Still mostly prior: the weight of {roles}.", roles=roles[MOSTLY_PRIOR])
    if NOT_IN_DEALS in roles:
        yield gettext("Not in your deals, all prior: the weight of {roles}.", roles=roles[NOT_IN_DEALS])


def prior_sheet(settings: Settings | None = None) -> pd.DataFrame:
    """Prior predictive quantiles of interpretable quantities.

    Returns
    -------
    DataFrame with columns ``belief, lower, middle, upper`` (5th, 50th and 95th percentile under the prior), ``setting``
    (the names in ``[priors]`` that govern it).
    """
    settings = settings or Settings()
    draws = sample_prior(empty_scaling(settings).layout, settings.priors, _SHEET_DRAWS, np.random.default_rng(0))
    records = []
    for belief, values, setting in _beliefs(draws, settings.priors):
        lower, middle, upper = np.quantile(values, (TAILS[0], 0.5, TAILS[1]))
        records.append((belief, lower, middle, upper, setting))
    return pd.DataFrame(records, columns=["belief", "lower", "middle", "upper", "setting"])


def _beliefs(draws: dict[str, Array], priors: PriorSettings) -> Iterator[tuple[str, Array, str]]:
    noise = np.random.default_rng(1).standard_normal((7, len(draws["intercept"])))
    steps = np.diff(bin_moments(np.ones(4))[0]).mean()
    weight, reliability = draws["role_weight"], draws["reliability"]
    yield gettext("win rate of a typical deal, of a model without deals"), expit(draws["intercept"]), "intercept"
    mean, sd = priors.intercept_with_deals
    yield (
        gettext("win rate of a typical deal, before the closed deals are seen"),
        expit(mean + sd * noise[3]),
        "intercept_with_deals",
    )
    yield (
        gettext("effect scale, which multiplies the effects of coverage, coach, decision method and roles"),
        draws["effect_scale"],
        "effect_scale",
    )
    yield (
        gettext("odds ratio of one tier more support, one role"),
        np.exp(weight[:, 0, -1] * reliability[:, 1] * steps),
        "role_weight, method_spread",
    )
    yield (
        gettext("a role's weight where the method lets it decide, over that where it does not"),
        weight[:, ROLES.index("approver"), _EXECUTIVE] / weight[:, ROLES.index("approver"), _SCORING],
        "method_lean, method_spread",
    )
    stages = _odds_ratio(draws["stage_effect"])
    yield gettext("odds ratio from the first stage to the last"), stages, "stage_step"
    yield (
        gettext("odds ratio from the first stage to the last, of deals read again and again"),
        stages ** (priors.stage_step_of_readings / priors.stage_step),
        "stage_step_of_readings",
    )
    yield (
        gettext("odds ratio from identified to engaged approver"),
        _odds_ratio(draws["coverage_effect"]),
        "coverage_step",
    )
    yield gettext("odds ratio of any one coach state"), np.exp(draws["coach_effect"][:, 0]), "coach"
    yield gettext("odds ratio of any one decision method"), np.exp(draws["method_effect"][:, 0]), "decision_method"
    yield gettext("reliability of a report, no coach"), reliability[:, 0], "reliability_none_ratio"
    yield gettext("reliability of a report, unvalidated coach"), reliability[:, 1], "reliability_unvalidated_ratio"
    yield gettext("reliability of a report, validated coach"), reliability[:, 2], "reliability_validated"
    yield gettext("mean support of a role not reported, in sds"), draws["unknown_support"][:, 0], "unknown_support"
    field = draws["offset_scale"][:, 0]
    yield (
        gettext("odds ratio of one seller, region or other level"),
        np.exp(field * noise[0]),
        "offset_scale, field_deviation",
    )
    number = draws["numeric_scale"] * np.exp(priors.numeric_deviation * noise[4])
    yield (
        gettext("odds ratio of one sd of a number"),
        np.exp(number * noise[1]),
        "numeric_scale, numeric_deviation",
    )
    yield gettext("odds ratio of one quarter's drift"), np.exp(draws["drift_scale"] * noise[2]), "drift_scale"
    yield gettext("scale of combinations of two facts"), draws["pair_scale"], "pair_scale"
    yield (
        gettext("a role's weight in one team, over that in all (where a column of teams is declared)"),
        np.exp(priors.team_spread * np.abs(noise[5]) * noise[6]),
        "team_spread",
    )


def _odds_ratio(effects: Array) -> Array:
    """(draw,) of the last known level over the first."""
    return np.exp(effects[:, -2] - effects[:, 0])
