"""Convergence gates: diagnostics of a run, and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.model.draws import TAILS
from winprob.model.inference.convergence import rank_diagnostics
from winprob.settings import GateSettings

#: Decimals with which a diagnostic is shown, and so compared.
_R_HAT, _ESS, _SHARE, _BFMI = 3, 0, 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """R-hat and the smaller ESS of one number among the parameters: element ``at`` of the parameter ``name``."""

    name: str
    at: int
    r_hat: float
    bulk_ess: float
    tail_ess: float

    @property
    def ess(self) -> float:
        """The smaller effective sample size."""
        return min(self.bulk_ess, self.tail_ess)

    def distance(self, wanted: GateSettings) -> float:
        """How far it misses its gates: 1 at a limit, more beyond; 0 where it passes all, as they are shown."""
        passed = (
            _at_most(self.r_hat, wanted.r_hat, _R_HAT)
            and _at_most(wanted.bulk_ess, self.bulk_ess, _ESS)
            and _at_most(wanted.tail_ess, self.tail_ess, _ESS)
        )
        shares = (
            (self.r_hat - 1) / (wanted.r_hat - 1),
            wanted.bulk_ess / max(self.bulk_ess, 1.0),
            wanted.tail_ess / max(self.tail_ess, 1.0),
        )
        return 0.0 if passed else float(np.nanmax([*shares, 1.0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Diagnostics of one run: the worst over all parameters, which parameter that is, and those of each."""

    r_hat: float
    bulk_ess: float
    tail_ess: float
    divergent_share: float
    bfmi: float
    worst: str
    each: tuple[Diagnostic, ...] = field(default=(), repr=False)

    def curable(self, wanted: GateSettings) -> bool:
        """Whether gates were missed that more draws of the same chains may pass: not those of divergences."""
        return bool(self.failures(wanted)) and _at_most(self.divergent_share, wanted.divergent_share, _SHARE)

    def missed(self, wanted: GateSettings) -> list[Diagnostic]:
        """The numbers that miss a gate of R-hat or ESS, the worst first."""
        distances = [(one.distance(wanted), one) for one in self.each]
        return [one for distance, one in sorted(distances, key=lambda pair: -pair[0]) if distance > 0]

    def failures(self, wanted: GateSettings) -> list[str]:
        """In words, each gate that was not passed: a figure passes where it does so in the digits that are shown."""
        checks = (
            (
                _at_most(self.r_hat, wanted.r_hat, _R_HAT),
                gettext("R-hat {got:.3f}, wanted at most {want:.3f}", got=self.r_hat, want=wanted.r_hat),
            ),
            (
                _at_most(wanted.bulk_ess, self.bulk_ess, _ESS),
                gettext("bulk ESS {got:.0f}, wanted at least {want:.0f}", got=self.bulk_ess, want=wanted.bulk_ess),
            ),
            (
                _at_most(wanted.tail_ess, self.tail_ess, _ESS),
                gettext("tail ESS {got:.0f}, wanted at least {want:.0f}", got=self.tail_ess, want=wanted.tail_ess),
            ),
            (
                _at_most(self.divergent_share, wanted.divergent_share, _SHARE),
                gettext(
                    "{got:.2%} of draws diverged, wanted at most {want:.2%}",
                    got=self.divergent_share,
                    want=wanted.divergent_share,
                ),
            ),
            (
                _at_most(wanted.bfmi, self.bfmi, _BFMI),
                gettext("energy (BFMI) {got:.2f}, wanted at least {want:.2f}", got=self.bfmi, want=wanted.bfmi),
            ),
        )
        return [words for passed, words in checks if not passed]


def _at_most(low: float, high: float, decimals: int) -> bool:
    """Whether the one is at most the other, both as they are shown; false for NaN."""
    return round(float(low), decimals) <= round(float(high), decimals)


def measure_gates(parameters: Mapping[str, Array], statistics: Any) -> Gates:
    """Diagnostics over every named parameter, each (chain, draw, *dims) (rank-normalised, Vehtari et al. 2021)."""
    from arviz_stats import bfmi

    flat = {name: values.reshape(*values.shape[:2], -1) for name, values in parameters.items()}
    draws = np.concatenate(list(flat.values()), axis=-1)
    places = [(name, at) for name, values in flat.items() for at in range(values.shape[-1])]
    varies = np.flatnonzero(draws.std(axis=(0, 1)) > 0)
    diagnostics = rank_diagnostics(draws[..., varies], TAILS)
    r_hat, bulk_ess, tail_ess = (values.tolist() for values in diagnostics)
    each = tuple(
        Diagnostic(name=places[column][0], at=places[column][1], r_hat=r, bulk_ess=bulk, tail_ess=tail)
        for column, r, bulk, tail in zip(varies.tolist(), r_hat, bulk_ess, tail_ess, strict=True)
    )
    worst = each[int(np.argmax(diagnostics[0]))]
    return Gates(
        r_hat=float(np.max(diagnostics[0])),
        bulk_ess=float(np.min(diagnostics[1])),
        tail_ess=float(np.min(diagnostics[2])),
        divergent_share=float(statistics["diverging"].mean()),
        bfmi=float(np.min(bfmi(statistics).to_array())),
        worst=f"{worst.name}[{worst.at}]",
        each=each,
    )
