"""What did a lost deal lack? Term by term against the same deal, covered."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.actions.levers.covered import covered_twin, tier_of
from winprob.actions.levers.loss_patterns import LossPattern, loss_patterns
from winprob.arrays import Array
from winprob.data.schema import last_reading, latest_places, validate_deals
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.methodology import column_label, label
from winprob.model.draws import summarise, to_win_prob
from winprob.model.features import describe
from winprob.model.posterior import Posterior
from winprob.model.win.terms import ROLE_TERMS, attenuation, coefficients, iter_terms, logits, support_terms

DOUBT = "doubt"
_LOST = ("lost", "no_decision")
#: So many terms are named in the sentence on what cost most.
_NAMED = 3
#: Won deals are told as a share from so many on, and no more than so many are looked at.
_ENOUGH_WON, _COMPARED = 10, 1000


def post_mortem(posterior: Posterior, deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """What a lost deal's facts cost against the same deal covered, in log-odds, draw by draw.

    Covered: every role at least supportive, the coach validated, the approver engaged, all else as it was.

    Parameters
    ----------
    deals : frame in canonical columns that holds the deal; of several readings the last in time counts

    Returns
    -------
    DataFrame with columns ``term, log_odds_cost, lower, upper, text``, the dearest first: the terms in which the two
    differ and ``doubt``, what knowing support less well takes off. Their sum is the difference in log-odds.

    Raises
    ------
    DealTableError
        The frame is not valid, the deal is not in it, or it was not lost.
    """
    row = lost_reading(deals, deal_id)
    twin = covered_twin(row)
    records = [
        (name, *(float(end) for end in summarise(draws)), _text(name, draws, row.iloc[0], twin.iloc[0]))
        for name, draws in _costs(posterior, row, twin)
    ]
    table = pd.DataFrame(records, columns=["term", "log_odds_cost", "lower", "upper", "text"])
    return table.sort_values("log_odds_cost", ascending=False, kind="stable", ignore_index=True)


def lost_reading(deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """The last reading of a deal that was lost or ended without a decision.

    Raises
    ------
    DealTableError
        The frame is not valid, the deal is not in it, or it ended otherwise.
    """
    row = last_reading(validate_deals(deals), deal_id)
    outcome = row["outcome"].iloc[0] if "outcome" in row else None
    if outcome in _LOST:
        return row
    if outcome == "won":
        raise DealTableError(
            gettext(
                "deal {deal!r} was won: there is no loss to review. winprob explain says what it stood on.",
                deal=deal_id,
            )
        )
    raise DealTableError(
        gettext(
            "deal {deal!r} is not known to be lost (outcome: {outcome}). "
            "For an open deal ask winprob levers what to do.",
            deal=deal_id,
            outcome=label("outcome", outcome),
        )
    )


def post_mortem_sentences(posterior: Posterior, deals: pd.DataFrame, deal_id: str, table: pd.DataFrame) -> list[str]:
    """What a reviewer would write under ``post_mortem``'s table."""
    row = lost_reading(deals, deal_id)
    stood, covered, lift = _chances(posterior, row)
    lines = [
        gettext(
            "As it stood {stood:.0%} to win; covered, {covered:.0%}: {lift:+.0f} points "
            "({lower:+.0f} to {upper:+.0f}).",
            stood=stood,
            covered=covered,
            lift=100 * lift[0],
            lower=100 * lift[1],
            upper=100 * lift[2],
        )
    ]
    dearest = table[(table["log_odds_cost"] > 0) & (table["term"] != DOUBT)].head(_NAMED)
    if len(dearest):
        lines.append(gettext("What cost most: {terms}.", terms=", ".join(_title(term) for term in dearest["term"])))
    patterns = loss_patterns(row.iloc[0])
    if not patterns:
        lines.append(
            gettext("The record shows neither of the two classic losses, by the decision method or by the approver.")
        )
    costs = dict(_costs(posterior, row, covered_twin(row)))
    won = _won_deals(deals)
    return lines + [line for pattern in patterns for line in (pattern.sentence, _weighed(pattern, costs, won))]


def _won_deals(deals: pd.DataFrame) -> pd.DataFrame:
    """Won deals to compare with, the last of them where there are very many."""
    valid = validate_deals(deals)
    won = valid[valid["outcome"] == "won"]
    return won.iloc[latest_places(won)].tail(_COMPARED)


def _weighed(pattern: LossPattern, costs: dict[str, Array], won: pd.DataFrame) -> str:
    """What the model puts on a classic loss, and how many deals were won all the same."""
    price = [costs[term] for term in pattern.terms if term in costs]
    mean, lower, upper = (float(np.exp(end)) for end in summarise(np.sum(price, axis=0)))
    said = gettext(
        "The model puts x{mean:.2f} in odds on that ({lower:.2f} to {upper:.2f}).", mean=mean, lower=lower, upper=upper
    )
    if len(won) < _ENOUGH_WON:
        return said
    same = sum(any(found.id == pattern.id for found in loss_patterns(facts)) for _, facts in won.iterrows())
    return f"{said} " + gettext(
        "Of the {count} won deals here {share:.0%} show the same.", count=len(won), share=same / len(won)
    )


def _chances(posterior: Posterior, row: pd.DataFrame) -> tuple[float, float, tuple[float, float, float]]:
    """Mean chance as it stood and covered, and their difference with its interval."""
    features = describe(pd.concat([row, covered_twin(row)], ignore_index=True), posterior.scaling)
    chance = to_win_prob(logits(coefficients(posterior.flat, features, seed=posterior.provenance.seed), features))
    mean, lower, upper = summarise(chance[1] - chance[0])
    return float(chance[0].mean()), float(chance[1].mean()), (float(mean), float(lower), float(upper))


def _costs(posterior: Posterior, row: pd.DataFrame, twin: pd.DataFrame) -> Iterator[tuple[str, Array]]:
    """(draw,) cost of every term in which the two deals differ; together their difference in log-odds, exactly.

    With log-odds ``s * T``, ``s2 * T2 - s1 * T1 = (s1 + s2) / 2 * (T2 - T1) + (s2 - s1) * (T1 + T2) / 2``: the first
    part goes to the terms of T, the second is doubt.
    """
    features = describe(pd.concat([row, twin], ignore_index=True), posterior.scaling)
    by = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    supports, variance = support_terms(by, features)
    terms = dict(iter_terms(by, features, posterior.scaling)) | dict(zip(ROLE_TERMS, supports, strict=True))
    shrink = attenuation(variance)
    middle = shrink.mean(axis=0)
    for name, term in terms.items():
        if (term[0] != term[1]).any():
            yield name, middle * (term[1] - term[0])
    total = by.intercept + sum(terms.values(), np.zeros_like(shrink))
    yield DOUBT, (shrink[1] - shrink[0]) * total.mean(axis=0)


def _text(name: str, draws: Array, facts: pd.Series, twin: pd.Series) -> str:
    mean, lower, upper = (float(np.exp(end)) for end in summarise(draws))
    times = {"mean": mean, "lower": lower, "upper": upper}
    if name == DOUBT:
        return gettext("Support known less surely: about x{mean:.2f} in odds ({lower:.2f} to {upper:.2f}).", **times)
    was, would = _shown(name, facts), _shown(name, twin)
    if was == would:
        return gettext(
            "{what}: {was}, believed more with a validated coach; about x{mean:.2f} in odds "
            "({lower:.2f} to {upper:.2f}).",
            what=_title(name),
            was=was,
            **times,
        )
    return gettext(
        "{what}: {was}, covered it would be {would}; about x{mean:.2f} in odds ({lower:.2f} to {upper:.2f}).",
        what=_title(name),
        was=was,
        would=would,
        **times,
    )


def _title(name: str) -> str:
    return column_label(name)


def _shown(name: str, facts: pd.Series) -> str:
    if name in ROLE_TERMS:
        tier = tier_of(facts, name.removesuffix("_support"))
        return label("support", tier if np.isnan(tier) else float(round(tier)))
    return label("coverage" if name == "approver_coverage" else name, facts.get(name))
