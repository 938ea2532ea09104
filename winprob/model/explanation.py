"""Decomposition of a deal's log-odds into additive terms relative to the training deals, with a sentence for each."""

from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import COLUMNS, ELAPSED, elapsed, last_reading, validate_deals, without_late_forecasts
from winprob.i18n import gettext
from winprob.methodology import ROLES, column_label, label
from winprob.model.draws import summarise
from winprob.model.features import as_known, describe, former_column, numeric_values, with_former
from winprob.model.posterior import Posterior
from winprob.model.waiting import WAITING, describe_waiting
from winprob.model.win.terms import ROLE_TERMS, attenuation, coefficients, iter_terms, support_terms

BASE_RATE, DOUBT = "base_rate", "doubt"
#: The entry of a deal's facts that names the columns behind the companion, and how many it names.
_MOVED, _COLUMNS = "columns of the companion", 3
ENDS = ("mean", "lower", "upper")


def explain(posterior: Posterior, deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """Explain a deal's log-odds: the base rate, then the contribution of every term relative to the training deals.

    Contributions are computed draw by draw, attenuated by the uncertainty of true support, and relative to the average
    over the training deals. The rows' ``log_odds`` add up to the mean log-odds of the deal.

    Parameters
    ----------
    deals : frame in canonical columns that holds the deal; of several readings the latest is used

    Returns
    -------
    DataFrame with columns ``term, log_odds, lower, upper, text``: ``base_rate`` first, then terms by size, last
    ``doubt``, the attenuation towards even odds by uncertain support.

    Raises
    ------
    DealTableError
        The frame is not valid, or the deal is not in it.
    """
    row = without_late_forecasts(last_reading(validate_deals(deals), deal_id))
    contributions = _contributions(posterior, row)
    facts, only = with_former(row, posterior.scaling.fields).iloc[0], posterior.provenance.prior_only
    if posterior.scaling.companion is not None:
        facts = pd.concat([facts, pd.Series({_MOVED: _moved_most(posterior, row)})])
    records = [
        (name, *_numbers(draws), _sentence(name, draws, facts, prior_only=only))
        for name, draws in contributions.items()
    ]
    table = pd.DataFrame(records, columns=["term", "log_odds", "lower", "upper", "text"])
    middle = table.iloc[1:-1]
    order = middle["log_odds"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[[0, *order, len(table) - 1]].reset_index(drop=True)


def _contributions(posterior: Posterior, row: pd.DataFrame) -> dict[str, Array]:
    """(draw,) log-odds of every term; their sum is the deal's log-odds in every draw."""
    draws, features = posterior.flat, describe_waiting(posterior, row)
    coefs = coefficients(draws, features, seed=posterior.provenance.seed)
    supports, variance = support_terms(coefs, features)
    terms = {name: term[0] for name, term in iter_terms(coefs, features, posterior.scaling)}
    terms |= {name: term[0] for name, term in zip(ROLE_TERMS, supports, strict=True)}
    shrink = attenuation(variance)[0]
    average = dict(zip(posterior.terms, draws["term_mean"].T, strict=True))
    base = draws["base_rate_logit"]
    typical = coefs.intercept + sum(average.values(), np.zeros_like(base))
    relative = {name: shrink * (term - average.get(name, 0)) for name, term in terms.items()}
    waiting = {WAITING: np.full_like(base, features.waiting[0])} if features.waiting[0] else {}
    return {BASE_RATE: base, **relative, **waiting, DOUBT: shrink * typical - base}


def _moved_most(posterior: Posterior, row: pd.DataFrame) -> str:
    """The columns that move the trees' log-odds of this deal most, by their exact contributions."""
    scaling = posterior.scaling
    if scaling.companion is None:
        return ""
    numbers = numeric_values(as_known(row, scaling), scaling.numeric)
    inputs = scaling.companion.inputs(describe(row, scaling).level, numbers)[0]
    shares = scaling.companion.contributions(inputs)
    most = np.argsort(-np.abs(shares), kind="stable")[:_COLUMNS]
    names = [scaling.companion.columns[at] for at in most if shares[at] != 0]
    return gettext(", ").join(column_label(name) if name in COLUMNS else name for name in names)


def _numbers(draws: Array) -> tuple[float, float, float]:
    mean, lower, upper = summarise(draws)
    return float(mean), float(lower), float(upper)


def _sentence(name: str, draws: Array, facts: pd.Series, *, prior_only: bool) -> str:
    if name == BASE_RATE:
        return _base_rate(draws, prior_only=prior_only)
    times = {end: float(np.exp(value)) for end, value in zip(ENDS, summarise(draws), strict=True)}
    if name == DOUBT:
        return gettext(
            "Not knowing support exactly draws all this towards even: x{mean:.2f} against the typical deal "
            "({lower:.2f} to {upper:.2f}).",
            **times,
        )
    if times["lower"] > 1:
        return gettext(
            "{fact}; raises the odds, about x{mean:.2f} ({lower:.2f} to {upper:.2f}).", fact=fact(name, facts), **times
        )
    if times["upper"] < 1:
        return gettext(
            "{fact}; lowers the odds, about x{mean:.2f} ({lower:.2f} to {upper:.2f}).", fact=fact(name, facts), **times
        )
    return gettext(
        "{fact}; unclear which way, about x{mean:.2f} ({lower:.2f} to {upper:.2f}).", fact=fact(name, facts), **times
    )


def _base_rate(draws: Array, *, prior_only: bool) -> str:
    chance = dict(zip(ENDS, (float(end) for end in summarise(1 / (1 + np.exp(-draws)))), strict=True))
    if prior_only:
        return gettext(
            "Base rate: before any deal is seen, {mean:.0%} of typical deals are won ({lower:.0%} to {upper:.0%}).",
            **chance,
        )
    return gettext(
        "Base rate: {mean:.0%} of deals like those learned from are won ({lower:.0%} to {upper:.0%}).", **chance
    )


def fact(name: str, facts: pd.Series) -> str:
    """The recorded fact behind a term: ``Buying stage: Evaluation``."""
    if name in ROLE_TERMS:
        return _support(ROLES[ROLE_TERMS.index(name)], facts)
    if name == "companion" and facts.get(_MOVED):
        return gettext("{what}: mostly {columns}", what=term_title(name), columns=facts[_MOVED])
    if name in _UNVALUED:
        return term_title(name)
    if name == "rep_probability":
        return gettext("{what}: {value}", what=term_title(name), value=_share(facts.get(name)))
    if (column := former_column(name)) is not None:
        then = facts.get(name)
        value = gettext("not read then") if pd.isna(then) else _value(column, then)
    else:
        value = _value(name, _days(name, facts) if name in ELAPSED else facts.get(name))
    return gettext("{what}: {value}", what=term_title(name), value=value)


#: Terms without a recorded value.
_UNVALUED = ("quarter", "combinations", "companion", WAITING)


def term_title(name: str) -> str:
    """The name of a term as a user reads it: ``Buying stage``."""
    titles = {
        "quarter": gettext("Quarter of the reading"),
        "combinations": gettext("How these facts combine"),
        "companion": gettext("Pattern of the other columns"),
        "age": gettext("Days open"),
        "rep_probability": gettext("Seller's own number"),
        WAITING: gettext("Still open so long after the reading"),
    }
    if name in titles:
        return titles[name]
    if name in ELAPSED:
        return gettext("Days to the seller's close date")
    if (column := former_column(name)) is not None:
        return gettext("{what} as read before {day}", what=column_label(column), day=name.rpartition(" ")[2])
    return column_label(name) if name in COLUMNS else name


def _days(name: str, facts: pd.Series) -> Any:
    """Elapsed days as the model was given them: a column of the table, or computed from the dates."""
    dates = {column: [facts.get(column, pd.NaT)] for column in ("opened_on", "as_of", "expected_close_on")}
    return elapsed(pd.DataFrame({**dates, **({name: [facts[name]]} if name in facts else {})}), name).iloc[0]


def _share(value: Any) -> str:
    return gettext("unknown") if pd.isna(value) else f"{value:.0%}"


def _value(name: str, value: Any) -> str:
    if pd.isna(value):
        return gettext("unknown")
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
    if name.endswith("_support"):
        return label("support", float(value))
    return label(_CATEGORIES[name], str(value)) if name in _CATEGORIES else str(value)


#: Terms whose values are categories of the method.
_CATEGORIES = {
    "stage": "stage",
    "coach": "coach",
    "decision_method": "decision_method",
    "approver_coverage": "coverage",
    "rep_category": "rep_category",
}


def _support(role: str, facts: pd.Series) -> str:
    support, coach = facts.get(f"{role}_support"), facts.get("coach")
    if pd.isna(support):
        return gettext("Support of the {role}: not reported", role=label("role", role))
    return gettext(
        "Support of the {role}: {tier} (coach: {coach})",
        role=label("role", role),
        tier=label("support", support),
        coach=label("coach", coach) if pd.notna(coach) else gettext("unknown"),
    )
