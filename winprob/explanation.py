"""Why this probability? A deal's log-odds from the base rate, term by term, with a sentence for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.catalog import say
from winprob.errors import DealTableError
from winprob.features import describe
from winprob.intervals import summarise
from winprob.methodology import column_label, label
from winprob.methodology.vocabulary import ROLES
from winprob.posterior import Posterior
from winprob.schema import validate_deals
from winprob.terms import ROLE_TERMS, attenuation, coefficients, iter_terms, support_terms

Array = npt.NDArray[Any]

BASE_RATE, DOUBT = "base_rate", "doubt"


def explain(posterior: Posterior, deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """How a deal's log-odds come about: the base rate, then what sets the deal apart from the training deals.

    Every term is worked out draw by draw, already shrunk by what is not known of support, and told against its
    average over the training deals. The rows' ``log_odds`` add up to the mean log-odds of the deal.

    Parameters
    ----------
    deals : frame in canonical columns that holds the deal; of several readings the last in time counts

    Returns
    -------
    DataFrame with columns ``term, log_odds, lower, upper, text``: ``base_rate`` first, then terms by size, last
    ``doubt``, the pull of what is not known.

    Raises
    ------
    DealTableError
        The frame is not valid, or the deal is not in it.
    """
    row = _find(validate_deals(deals), deal_id)
    contributions = _contributions(posterior, row)
    facts = row.iloc[0]
    records = [(name, *_numbers(draws), _sentence(name, draws, facts)) for name, draws in contributions.items()]
    table = pd.DataFrame(records, columns=["term", "log_odds", "lower", "upper", "text"])
    middle = table.iloc[1:-1]
    order = middle["log_odds"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[[0, *order, len(table) - 1]].reset_index(drop=True)


def _find(deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    rows = deals[deals["deal_id"] == deal_id]
    if rows.empty:
        some = ", ".join(deals["deal_id"].head(5))
        raise DealTableError(
            say(
                "deal {deal!r} is not in the table of {rows} rows; it has {some}, ...",
                deal=deal_id,
                rows=len(deals),
                some=some,
            )
        )
    return rows.sort_values("as_of", kind="stable").tail(1) if "as_of" in rows else rows.tail(1)


def _contributions(posterior: Posterior, row: pd.DataFrame) -> dict[str, Array]:
    """(draw,) log-odds of every term; their sum is the deal's log-odds in every draw."""
    draws, features = posterior.flat, describe(row, posterior.scaling)
    by = coefficients(draws, features, seed=posterior.provenance.seed)
    supports, variance = support_terms(by, features)
    terms = {name: term[0] for name, term in iter_terms(by, features, posterior.scaling)}
    terms |= {name: term[0] for name, term in zip(ROLE_TERMS, supports, strict=True)}
    shrink = attenuation(variance)[0]
    average = dict(zip(posterior.terms, draws["term_mean"].T, strict=True))
    base = draws["base_rate_logit"]
    typical = by.intercept + sum(average.values(), np.zeros_like(base))
    apart = {name: shrink * (term - average.get(name, 0)) for name, term in terms.items()}
    return {BASE_RATE: base, **apart, DOUBT: shrink * typical - base}


def _numbers(draws: Array) -> tuple[float, float, float]:
    mean, lower, upper = summarise(draws)
    return float(mean), float(lower), float(upper)


def _sentence(name: str, draws: Array, facts: pd.Series) -> str:
    if name == BASE_RATE:
        chance, lower, upper = summarise(1 / (1 + np.exp(-draws)))
        return say(
            "Base rate: {chance:.0%} of deals like those learned from are won ({lower:.0%} to {upper:.0%}).",
            chance=chance,
            lower=lower,
            upper=upper,
        )
    if name == DOUBT:
        return _weigh(say("What is not known of support pulls the odds towards even"), draws)
    return _weigh(_fact(name, facts), draws)


def _weigh(fact: str, draws: Array) -> str:
    """The fact, and how it moves the odds against the average training deal: a factor with its interval."""
    mean, lower, upper = (float(np.exp(end)) for end in summarise(draws))
    if lower > 1:
        words = say(
            "raises the odds, about x{mean:.2f} ({lower:.2f} to {upper:.2f})", mean=mean, lower=lower, upper=upper
        )
    elif upper < 1:
        words = say(
            "lowers the odds, about x{mean:.2f} ({lower:.2f} to {upper:.2f})", mean=mean, lower=lower, upper=upper
        )
    else:
        words = say(
            "not clear which way, about x{mean:.2f} ({lower:.2f} to {upper:.2f})", mean=mean, lower=lower, upper=upper
        )
    return say("{fact}: {words}.", fact=fact, words=words)


def _fact(name: str, facts: pd.Series) -> str:
    if name == "quarter":
        return say("The quarter of the reading")
    if name == "combinations":
        return say("How these facts combine")
    if name in ROLE_TERMS:
        return _support(ROLES[ROLE_TERMS.index(name)], facts)
    value = facts.get(name)
    known = pd.notna(value) and value != "unknown"
    words = {"stage": "stage", "coach": "coach", "decision_method": "decision_method", "approver_coverage": "coverage"}
    title = column_label(name) if name in words or name in _CANONICAL else name
    if not known:
        return say("{what} is unknown", what=title)
    if isinstance(value, float):
        return say("{what} is {value}", what=title, value=f"{value:,.6g}")
    return say("{what} is {value}", what=title, value=label(words[name], value) if name in words else value)


_CANONICAL = ("segment", "region", "seller", "product", "competitor", "amount")


def _support(role: str, facts: pd.Series) -> str:
    support = facts.get(f"{role}_support")
    if pd.isna(support):
        return say("Support of the {role} was not reported", role=label("role", role))
    coach = facts.get("coach")
    return say(
        "Support of the {role} is reported as {tier} (coach: {coach})",
        role=label("role", role),
        tier=label("support", support),
        coach=label("coach", coach) if pd.notna(coach) else say("unknown"),
    )
