"""Convergence gates: diagnostics of a run, and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.model.draws import TAILS
from winprob.model.inference.convergence import rank_diagnostics
from winprob.settings import GateSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Diagnostics of one run: the worst over all parameters, and which parameter that is."""

    r_hat: float
    bulk_ess: float
    tail_ess: float
    divergent_share: float
    bfmi: float
    worst: str

    def curable(self, wanted: GateSettings) -> bool:
        """Whether gates were missed that more draws of the same chains may pass: not those of divergences."""
        return bool(self.failures(wanted)) and self.divergent_share <= wanted.divergent_share

    def failures(self, wanted: GateSettings) -> list[str]:
        """In words, each gate that was not passed."""
        checks = (
            (self.r_hat < wanted.r_hat, gettext("R-hat {got:.3f}, wanted < {want}", got=self.r_hat, want=wanted.r_hat)),
            (
                self.bulk_ess > wanted.bulk_ess,
                gettext("bulk ESS {got:.0f}, wanted > {want:.0f}", got=self.bulk_ess, want=wanted.bulk_ess),
            ),
            (
                self.tail_ess > wanted.tail_ess,
                gettext("tail ESS {got:.0f}, wanted > {want:.0f}", got=self.tail_ess, want=wanted.tail_ess),
            ),
            (
                self.divergent_share <= wanted.divergent_share,
                gettext(
                    "{got:.1%} of draws diverged, wanted <= {want:.1%}",
                    got=self.divergent_share,
                    want=wanted.divergent_share,
                ),
            ),
            (
                self.bfmi > wanted.bfmi,
                gettext("energy (BFMI) {got:.2f}, wanted > {want}", got=self.bfmi, want=wanted.bfmi),
            ),
        )
        return [words for passed, words in checks if not passed]


def measure_gates(parameters: Mapping[str, Array], statistics: Any) -> Gates:
    """Diagnostics over every named parameter, each (chain, draw, *dims) (rank-normalised, Vehtari et al. 2021)."""
    from arviz_stats import bfmi

    columns = {f"{name}[{at}]": c for name, v in parameters.items() for at, c in enumerate(_columns(v))}
    draws = np.stack([values for values in columns.values() if values.std() > 0], axis=-1)
    names = [name for name, values in columns.items() if values.std() > 0]
    r_hat, bulk_ess, tail_ess = rank_diagnostics(draws, TAILS)
    return Gates(
        r_hat=float(np.max(r_hat)),
        bulk_ess=float(np.min(bulk_ess)),
        tail_ess=float(np.min(tail_ess)),
        divergent_share=float(statistics["diverging"].mean()),
        bfmi=float(np.min(bfmi(statistics).to_array())),
        worst=names[int(np.argmax(r_hat))],
    )


def _columns(values: Array) -> list[Array]:
    flat = values.reshape(*values.shape[:2], -1)
    return [flat[:, :, at] for at in range(flat.shape[-1])]
