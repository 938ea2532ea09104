"""Model checks in one table: posterior and prior predictive checks, LOO, power scaling, prior-data conflict."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.agreement import ABOVE, BELOW, share_agreement
from winprob.evaluation.reweighting import LeaveOneOut, leave_one_out, scale_power, training_of
from winprob.i18n import gettext, language
from winprob.methodology import DECISION_METHODS, ROLES, column_label, label
from winprob.model.draws import TAILS, summarise
from winprob.model.inference import Training, learn, read_training
from winprob.model.posterior import Posterior
from winprob.model.win.terms import coefficients, logits
from winprob.settings import Settings

#: Verdict on a quantity outside the interval of replicates, and the share of such quantities by chance alone.
OUTSIDE, EXPECTED_OUTSIDE = "outside the interval", 0.1
#: Posterior probability of a negative role weight from which data conflict with the method.
_AGAINST, _LEANS = 0.95, 0.8
#: Below this the 90 % interval of the weight is above zero: the data agree.
_WITH = 0.05
AGAINST, LEANS, WITH, SILENT = "data against the method", "data lean against it", "data agree", "data do not say"
_LEVEL_COLUMNS = ("stage", "decision_method", "coach", "approver_coverage", *(f"{role}_support" for role in ROLES))
_SPREAD_COLUMNS = ("seller", "segment")
_LEAST_DEALS = 5

#: (draw,) a statistic of replicated outcomes (deal, draw).
Statistic = Callable[[Array], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Results of the four checks; see the function of each."""

    predictive: pd.DataFrame
    left_out: LeaveOneOut
    power: pd.DataFrame
    conflicts: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """All results: ``check, subject, value, lower, upper, verdict``.

        ``predictive``: the observed value and the interval of replicates. ``left out``: log loss per deal. ``power``:
        sensitivity to the prior. ``conflict``: the unconstrained role weight.
        """
        predictive = self.predictive.rename(columns={"quantity": "subject", "observed": "value"})
        power = self.power.rename(columns={"parameter": "subject", "prior": "value", "diagnosis": "verdict"})
        conflict = self.conflicts.rename(columns={"mean": "value"})
        conflict["subject"] = conflict["role"] + ", " + conflict["decision_method"]
        loo = self.left_out
        reach = 1.645 * loo.standard_error
        left = pd.DataFrame(
            {
                "subject": ["log loss"],
                "value": [loo.log_loss],
                "lower": [loo.log_loss - reach],
                "upper": [loo.log_loss + reach],
                "verdict": ["can be trusted" if not loo.high_k else f"{loo.high_k} deals not to be trusted"],
            }
        )
        parts = {"predictive": predictive, "left out": left, "power": power, "conflict": conflict}
        columns = ["check", "subject", "value", "lower", "upper", "verdict"]
        tables = [part.assign(check=name).reindex(columns=columns) for name, part in parts.items()]
        return pd.concat(tables, ignore_index=True)


def diagnose(posterior: Posterior, deals: pd.DataFrame, *, seed: int) -> Diagnosis:
    """Check a fitted model against its training deals.

    Raises
    ------
    DealTableError, NotConvergedError, PosteriorError
        The deals are not valid; the fit with unconstrained weights failed; the model was not trained on any deal.
    """
    return Diagnosis(
        predictive=check_predictions(posterior, deals, seed=seed),
        left_out=leave_one_out(posterior, deals),
        power=scale_power(posterior, deals),
        conflicts=find_conflicts(deals, seed=seed, settings=posterior.settings),
    )


def check_predictions(posterior: Posterior, deals: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Posterior and prior predictive check: observed and replicated win rates of the training deals.

    Returns
    -------
    DataFrame with columns ``quantity`` (win rate of a level; spread of win rates over sellers, segments), ``deals``,
    ``observed``; ``lower, mean, upper`` of posterior predictive replicates (90 %); ``prior_lower, prior_mean,
    prior_upper`` of prior predictive replicates; ``p``, the two-sided posterior predictive p-value; ``verdict`` by the
    rule of `agreement`: ``agrees``, ``outside the interval`` or ``too few deals to judge``. The check is in sample:
    misfit here shows a wrong model, fit here does not prove a right one.

    References
    ----------
    Gelman, Meng, Stern (1996), Posterior predictive assessment of model fitness via realized discrepancies.
    """
    training = training_of(posterior, deals)
    rng = np.random.default_rng(seed)
    replicates, prior_replicates = (
        _replicates(draws, posterior, training, rng) for draws in (posterior.flat, posterior.prior)
    )
    records = []
    for quantity, count, statistic in _quantities(training):
        observed, after = float(statistic(training.won[:, None])[0]), statistic(replicates)
        records.append(
            {
                "quantity": quantity,
                "deals": count,
                "observed": observed,
                **_ends(after, ""),
                **_ends(statistic(prior_replicates), "prior_"),
                "p": float(min(1, 2 * min((after >= observed).mean(), (after <= observed).mean()))),
            }
        )
    table = pd.DataFrame(records)
    found = share_agreement(*(table[name].to_numpy(dtype=float) for name in ("observed", "lower", "upper")))
    return table.assign(verdict=[OUTSIDE if one in (BELOW, ABOVE) else one for one in found])


def _replicates(
    draws: Mapping[str, Array], posterior: Posterior, training: Training, rng: np.random.Generator
) -> Array:
    """(deal, draw) outcomes drawn from the model."""
    coefs = coefficients(draws, training.features, seed=posterior.provenance.seed)
    chance = 1 / (1 + np.exp(-logits(coefs, training.features)))
    return np.asarray(rng.random(chance.shape) < chance, dtype=np.float32)


def _quantities(training: Training) -> Iterator[tuple[str, int, Statistic]]:
    """Name, number of deals and statistic of every compared quantity."""
    weight = training.weight
    yield "win rate", len(weight), _rate_over(np.ones(len(weight), dtype=bool), weight)
    for column in _LEVEL_COLUMNS:
        if column in training.closed:
            for level, rows in _levels(training.closed[column]):
                yield f"win rate, {column}={level}", int(rows.sum()), _rate_over(rows, weight)
    for column in _SPREAD_COLUMNS:
        if column in training.closed:
            groups = [rows for _, rows in _levels(training.closed[column])]
            if len(groups) > 1:
                yield f"spread of win rates, {column}", len(weight), _spread_over(groups, weight)


def quantity_title(quantity: str) -> str:
    """The name of a compared quantity, ``win rate, stage=approval``, in the current language."""
    if language() == "en":
        return quantity
    kind, _, rest = quantity.partition(", ")
    column, _, level = rest.partition("=")
    titles = {"win rate": gettext("win rate"), "spread of win rates": gettext("spread of win rates")}
    if kind not in titles:
        return quantity
    if not column:
        return titles[kind]
    if not level:
        return gettext("{what}: {value}", what=titles[kind], value=column_label(column))
    word = "support" if column.endswith("_support") else column.replace("approver_coverage", "coverage")
    value = gettext("unknown") if level == "unknown" else label(word, level)
    return gettext("{what}: {column} {value}", what=titles[kind], column=column_label(column), value=value)


def _levels(values: pd.Series) -> Iterator[tuple[str, Array]]:
    text = values.astype("str").where(values.notna(), "unknown").str.removesuffix(".0").to_numpy()
    for level in np.unique(text):
        rows = text == level
        if rows.sum() >= _LEAST_DEALS:
            yield str(level), rows


def _rate_over(rows: Array, weight: Array) -> Statistic:
    return lambda won: np.asarray(np.average(won[rows], axis=0, weights=weight[rows]))


def _spread_over(groups: list[Array], weight: Array) -> Statistic:
    rates = [_rate_over(rows, weight) for rows in groups]
    return lambda won: np.asarray(np.std([rate(won) for rate in rates], axis=0))


def _ends(values: Array, prefix: str) -> dict[str, float]:
    lower, upper = np.quantile(values, TAILS)
    return {f"{prefix}lower": float(lower), f"{prefix}mean": float(values.mean()), f"{prefix}upper": float(upper)}


def find_conflicts(deals: pd.DataFrame, *, seed: int, settings: Settings | None = None) -> pd.DataFrame:
    """Prior-data conflict over the sign constraint that more support helps: a refit with unconstrained role weights.

    Parameters
    ----------
    deals : closed deals in canonical columns

    Returns
    -------
    DataFrame with columns ``role, decision_method``; ``reported``, the number of deals that report the role's support
    under the method; ``mean, lower, upper`` of the unconstrained weight (log-odds per unit of support, prior centred at
    zero); ``prob_negative``; ``verdict``

    Raises
    ------
    DealTableError, NotConvergedError
        As ``fit``.
    """
    settings = settings or Settings()
    training = read_training(deals, settings, seed=seed)
    weights = learn(training, settings, seed=seed, unconstrained=True).parameters["role_weight"]
    flat = weights.reshape(-1, *weights.shape[2:])
    records = []
    for at, role in enumerate(ROLES):
        for method, name in enumerate(DECISION_METHODS):
            reported = (training.features.method == method) & (training.features.readers[:, at] > 0)
            draws = flat[:, at, method]
            negative = float((draws < 0).mean())
            ends = dict(zip(("mean", "lower", "upper"), map(float, summarise(draws)), strict=True))
            records.append(
                {
                    "role": role,
                    "decision_method": name,
                    "reported": int(reported.sum()),
                    **ends,
                    "prob_negative": negative,
                    "verdict": _conflict(negative),
                }
            )
    return pd.DataFrame(records)


def _conflict(negative: float) -> str:
    edges = [(_AGAINST, AGAINST), (_LEANS, LEANS), (_WITH, SILENT), (-np.inf, WITH)]
    return next(label for least, label in edges if negative > least)
