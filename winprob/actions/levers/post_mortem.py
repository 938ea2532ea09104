"""Post-mortem of a lost deal: the difference in log-odds to the same deal, covered, term by term.

Covered: every role's support at least *supportive*, the coach validated, the approver engaged; all else as recorded,
including what is better than that.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.actions.levers.loss_patterns import SUPPORTIVE, described_patterns, tier_of
from winprob.actions.levers.what_if import Change
from winprob.arrays import Array
from winprob.data.schema import last_reading, validate_deals
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.methodology import ROLES, column_label, label
from winprob.model.draws import summarise, to_win_prob
from winprob.model.features import describe
from winprob.model.posterior import Posterior
from winprob.model.win.terms import ROLE_TERMS, attenuation, coefficients, iter_terms, logits, support_terms

DOUBT = "doubt"
_LOST = ("lost", "no_decision")
#: Number of terms named in the sentence on the largest costs.
_NAMED = 3
#: The least cost in log-odds that is named: a quarter more or less in odds.
_LARGE = np.log(1.25)


def post_mortem(posterior: Posterior, deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """The cost in log-odds of a lost deal's facts relative to the same deal covered, draw by draw.

    Covered: every role at least supportive, the coach validated, the approver engaged, all else as recorded.

    Parameters
    ----------
    deals : frame in canonical columns that holds the deal; of several readings the last in time counts

    Returns
    -------
    DataFrame with columns ``term, log_odds_cost, lower, upper, text``, the largest cost first: the terms in which the
    two differ and ``doubt``, the attenuation from knowing support less well. Their sum is the difference in log-odds.

    Raises
    ------
    DealTableError
        The frame is not valid, the deal is not in it, or it was not lost.
    """
    row = _lost_reading(validate_deals(deals), deal_id)
    twin = covered_twin(row)
    records = [
        (name, *(float(end) for end in summarise(draws)), _text(name, draws, row.iloc[0], twin.iloc[0]))
        for name, draws in term_differences(posterior, row, twin)
    ]
    table = pd.DataFrame(records, columns=["term", "log_odds_cost", "lower", "upper", "text"])
    return table.sort_values("log_odds_cost", ascending=False, kind="stable", ignore_index=True)


def covered_twin(row: pd.DataFrame) -> pd.DataFrame:
    """The deal of a row (one, valid) with all its roles covered."""
    facts = row.iloc[0]
    changes = [Change(column="coach", value="validated"), Change(column="approver_coverage", value="engaged")]
    for role in ROLES:
        if not tier_of(facts, role) >= SUPPORTIVE:
            changes.append(Change(column=f"{role}_support", value=SUPPORTIVE))
    for change in changes:
        row = change.apply(row)
    return row


def _lost_reading(valid: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """The last reading of a deal that was lost or ended without a decision.

    Raises
    ------
    DealTableError
        The deal is not in the table, or it ended otherwise.
    """
    row = last_reading(valid, deal_id)
    outcome = row["outcome"].iloc[0] if "outcome" in row else None
    if outcome in _LOST:
        return row
    if outcome == "won":
        raise DealTableError(
            gettext(
                "deal {deal!r} was won: there is no loss to review. winprob explain shows its terms.",
                deal=deal_id,
            )
        )
    raise DealTableError(
        gettext(
            "deal {deal!r} is not known to be lost (outcome: {outcome}). For an open deal use winprob levers.",
            deal=deal_id,
            outcome=label("outcome", outcome),
        )
    )


def post_mortem_sentences(posterior: Posterior, deals: pd.DataFrame, deal_id: str, table: pd.DataFrame) -> list[str]:
    """The result of ``post_mortem`` in sentences, for a review."""
    valid = validate_deals(deals)
    row = _lost_reading(valid, deal_id)
    twin = covered_twin(row)
    recorded, covered, lift = _chances(posterior, row, twin)
    patterns = described_patterns(valid, row.iloc[0])
    costs = dict(term_differences(posterior, row, twin))
    lines = [_with_odds(sentence, terms, costs) for sentence, terms in patterns]
    if not patterns:
        lines = [
            gettext("The record shows neither of the two classic losses, by the decision method or by the approver.")
        ]
    lines.append(
        gettext(
            "As recorded {recorded:.0%} to win; covered, {covered:.0%}: {lift:+.0f} points "
            "({lower:+.0f} to {upper:+.0f}).",
            recorded=recorded,
            covered=covered,
            lift=100 * lift[0],
            lower=100 * lift[1],
            upper=100 * lift[2],
        )
    )
    return [*lines, _largest_costs(table)]


def _largest_costs(table: pd.DataFrame) -> str:
    """The largest costs that are large enough to be named."""
    large = (table["log_odds_cost"] >= _LARGE) & (table["lower"] > 0) & (table["term"] != DOUBT)
    if not large.any():
        return gettext("No single fact costs enough, or surely enough, to be named.")
    named = [
        gettext("{what} (odds x{odds})", what=_title(str(row["term"])), odds=f"{np.exp(-row['log_odds_cost']):.2f}")
        for _, row in table[large].head(_NAMED).iterrows()
    ]
    return gettext("Largest costs: {terms}.", terms=gettext(", ").join(named))


def _with_odds(sentence: str, terms: tuple[str, ...], costs: dict[str, Array]) -> str:
    """A pattern's sentence and the odds ratio of its terms in the model; without terms the sentence alone."""
    of_terms = [costs[term] for term in terms if term in costs]
    if not of_terms:
        return sentence
    mean, lower, upper = (float(np.exp(end)) for end in summarise(np.sum(of_terms, axis=0)))
    odds_ratio = gettext(
        "In the model these facts go with x{mean:.2f} in odds ({lower:.2f} to {upper:.2f}).",
        mean=mean,
        lower=lower,
        upper=upper,
    )
    return f"{sentence} {odds_ratio}"


def _chances(
    posterior: Posterior, row: pd.DataFrame, twin: pd.DataFrame
) -> tuple[float, float, tuple[float, float, float]]:
    """Mean win probability as recorded and covered, and their difference with its interval."""
    features = describe(pd.concat([row, twin], ignore_index=True), posterior.scaling)
    chance = to_win_prob(logits(coefficients(posterior.flat, features, seed=posterior.provenance.seed), features))
    mean, lower, upper = summarise(chance[1] - chance[0])
    return float(chance[0].mean()), float(chance[1].mean()), (float(mean), float(lower), float(upper))


def term_differences(posterior: Posterior, row: pd.DataFrame, twin: pd.DataFrame) -> Iterator[tuple[str, Array]]:
    """(draw,) difference of every term in which two deals (one row each) differ, the second minus the first.

    With ``doubt`` they sum to the difference in log-odds, apart from what waiting says.

    With log-odds ``s * T`` (attenuation times predictor),
    ``s2 * T2 - s1 * T1 = (s1 + s2) / 2 * (T2 - T1) + (s2 - s1) * (T1 + T2) / 2``: the first part is attributed to the
    terms of T, the second to doubt.
    """
    features = describe(pd.concat([row, twin], ignore_index=True), posterior.scaling)
    coefs = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    supports, variance = support_terms(coefs, features)
    terms = dict(iter_terms(coefs, features, posterior.scaling)) | dict(zip(ROLE_TERMS, supports, strict=True))
    shrink = attenuation(variance)
    middle = shrink.mean(axis=0)
    for name, term in terms.items():
        if (term[0] != term[1]).any():
            yield name, middle * (term[1] - term[0])
    total = coefs.intercept + sum(terms.values(), np.zeros_like(shrink))
    yield DOUBT, (shrink[1] - shrink[0]) * total.mean(axis=0)


def _text(name: str, draws: Array, facts: pd.Series, twin: pd.Series) -> str:
    mean, lower, upper = (float(np.exp(end)) for end in summarise(draws))
    times = {"mean": mean, "lower": lower, "upper": upper}
    if name == DOUBT:
        return gettext(
            "Support known with less certainty: about x{mean:.2f} in odds ({lower:.2f} to {upper:.2f}).", **times
        )
    was, would = _shown(name, facts), _shown(name, twin)
    if was == would:
        return gettext(
            "{what}: {was}, given more weight with a validated coach; about x{mean:.2f} in odds "
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
