"""Laplace approximation: a mode of the log density, the normal about it, and the mass of that normal."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky

from winprob.arrays import Array
from winprob.model.hazards.density import Slopes

_STEPS = 200
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode, its log density, and the lower Cholesky factor of the precision (negative Hessian) there."""

    point: Array
    value: float
    factor: Array

    @property
    def evidence(self) -> float:
        """Log of the Laplace approximation of the mass around the mode, up to a constant."""
        return float(self.value - np.log(np.diag(self.factor)).sum())


def find_mode(slopes: Callable[[Array], Slopes], start: Array) -> Mode:
    """Mode by Newton's method, damped where the density is not concave or a step overshoots."""
    point, here, damping = start, slopes(start), 0.0
    for _ in range(_STEPS):
        size = np.eye(len(point)) * damping
        try:
            step = cho_solve(cho_factor(size - here.hessian), here.gradient)
        except np.linalg.LinAlgError:
            damping = max(10 * damping, 1e-3)
            continue
        gain = float(step @ here.gradient)
        if gain < _TOLERANCE and damping == 0:
            break
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            there = slopes(point + step)
        if np.isfinite(there.value) and there.value >= here.value + 1e-4 * gain - 1e-12 * abs(here.value):
            point, here, damping = point + step, there, 0.0 if damping < 1e-3 else damping / 10
        else:
            damping = max(10 * damping, 1e-3)
    return Mode(point=point, value=here.value, factor=cholesky(-here.hessian, lower=True))
