"""Is the model any good on the deals it learned from, and who decides, prior or data? Four checks in one table."""

from dataclasses import dataclass

import pandas as pd

from winprob.evaluation.conflict import AGAINST, LEANS, find_conflicts
from winprob.evaluation.leave_one_out import LeaveOneOut, leave_one_out
from winprob.evaluation.power_scaling import PRIOR, scale_power
from winprob.evaluation.predictive import UNLIKE, check_predictions
from winprob.i18n import gettext
from winprob.methodology import label
from winprob.model.posterior import Posterior

_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What the four checks found; see the function of each."""

    predictive: pd.DataFrame
    left_out: LeaveOneOut
    power: pd.DataFrame
    conflicts: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """All of it: ``check, subject, value, lower, upper, verdict``.

        ``predictive``: the observed, on the interval of replicates. ``left out``: log loss per deal. ``power``:
        sensitivity to the prior. ``conflict``: the free role weight.
        """
        predictive = self.predictive.assign(verdict="fits").rename(columns={"quantity": "subject", "observed": "value"})
        predictive.loc[predictive["p"] < UNLIKE, "verdict"] = "unlike the model"
        power = self.power.rename(columns={"parameter": "subject", "prior": "value", "diagnosis": "verdict"})
        conflict = self.conflicts.rename(columns={"mean": "value"})
        conflict["subject"] = conflict["role"] + ", " + conflict["decision_method"]
        found = self.left_out
        reach = 1.645 * found.standard_error
        left = pd.DataFrame(
            {
                "subject": ["log loss"],
                "value": [found.log_loss],
                "lower": [found.log_loss - reach],
                "upper": [found.log_loss + reach],
                "verdict": ["can be trusted" if not found.high_k else f"{found.high_k} deals not to be trusted"],
            }
        )
        parts = {"predictive": predictive, "left out": left, "power": power, "conflict": conflict}
        columns = ["check", "subject", "value", "lower", "upper", "verdict"]
        tables = [part.assign(check=name).reindex(columns=columns) for name, part in parts.items()]
        return pd.concat(tables, ignore_index=True)


def diagnose(posterior: Posterior, deals: pd.DataFrame, *, seed: int) -> Diagnosis:
    """Put a fitted model beside the deals it learned from.

    Raises
    ------
    DealTableError, NotConvergedError, PosteriorError
        The deals are not valid; the fit with free weights failed; the model has seen no deal.
    """
    return Diagnosis(
        predictive=check_predictions(posterior, deals, seed=seed),
        left_out=leave_one_out(posterior, deals),
        power=scale_power(posterior, deals),
        conflicts=find_conflicts(deals, seed=seed, settings=posterior.settings),
    )


def judge(found: Diagnosis) -> list[str]:
    """What to make of it, a sentence a line."""
    return [
        _predictive(found.predictive),
        *_left_out(found.left_out),
        _power(found.power),
        *_conflicts(found.conflicts),
    ]


def _predictive(table: pd.DataFrame) -> str:
    unlike = table.loc[table["p"] < UNLIKE, "quantity"].tolist()
    if not unlike:
        return gettext(
            "Deals drawn from the model look like yours in all {count} quantities compared.", count=len(table)
        )
    return gettext(
        "{unlike} of {count} quantities are unlike what the model gives (chance alone: about {luck:.1f}): {names}.",
        unlike=len(unlike),
        count=len(table),
        luck=UNLIKE * len(table),
        names="; ".join(unlike[:_TOLD]),
    )


def _left_out(found: LeaveOneOut) -> list[str]:
    said = [
        gettext(
            "Predicted without itself, a deal costs a log loss of {out:.3f} (with itself {fitted:.3f}).",
            out=found.log_loss,
            fitted=found.fitted_log_loss,
        )
    ]
    if found.high_k:
        said.append(
            gettext(
                "For {count} of {records} deals that figure cannot be trusted (Pareto k up to {k:.2f}, wanted below "
                "0.7): the model leans on them. Take winprob backtest instead.",
                count=found.high_k,
                records=found.records,
                k=found.worst_k,
            )
        )
    return said


def _power(table: pd.DataFrame) -> str:
    names = table.loc[table["diagnosis"] == PRIOR, "parameter"].tolist()
    if not names:
        return gettext("No main parameter is decided by the prior alone.")
    return gettext(
        "The prior decides {count} of {all} main parameters, first of all: {names}.",
        count=len(names),
        all=len(table),
        names="; ".join(names[:_TOLD]),
    )


def _conflicts(table: pd.DataFrame) -> list[str]:
    said = []
    for row in table.to_dict("records"):
        if row["verdict"] not in (AGAINST, LEANS):
            continue
        words = {
            "role": label("role", row["role"]),
            "method": label("decision_method", row["decision_method"]),
            "negative": row["prob_negative"],
        }
        if row["verdict"] == AGAINST:
            said.append(
                gettext(
                    "The deals speak AGAINST the method: under {method}, more support of the {role} went with fewer "
                    "wins (probability {negative:.0%}). The data may overrule the course: look at these deals.",
                    **words,
                )
            )
        else:
            said.append(
                gettext(
                    "The deals lean against the method: under {method}, support of the {role} may go with fewer wins "
                    "(probability {negative:.0%}).",
                    **words,
                )
            )
    return said or [gettext("Nowhere do the deals speak against the method: no role's support goes with fewer wins.")]
