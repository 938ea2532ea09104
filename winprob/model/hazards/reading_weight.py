"""What a reading counts: several readings of one deal are not several deals.

The readings of a deal share its close, so that their likelihood as if they were independent is too sharp. How much too
sharp is learned from the data: by how far the scores of a deal's readings add up rather than cancel (the design effect
of cluster sampling; magnitude adjustment of a composite likelihood: Pauli, Racugno and Ventura 2011, Statistica Sinica
21, 149-164; Ribatet, Cooley and Davison 2012, Statistica Sinica 22, 813-845).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from winprob.arrays import Array
from winprob.model.hazards.density import TimingDensity
from winprob.model.hazards.laplace import Mode


def reading_weight(density: TimingDensity, mode: Mode, deal: Array) -> float:
    """What each reading counts, between (deals / readings) and 1, by the design effect at a mode.

    Parameters
    ----------
    deal : (row,) which deal a reading is of, numbered from 0
    """
    rows, deals = len(deal), int(deal.max(initial=-1)) + 1
    if rows == deals:
        return 1.0
    scores = solve_triangular(mode.factor, density.row_scores(mode.point).T, lower=True).T
    sums = np.zeros((deals, scores.shape[1]))
    np.add.at(sums, deal, scores)
    alone, together = float((scores**2).sum()), float((sums**2).sum())
    fitted = float(density.design.weight.mean()) * alone
    # Fitted unknowns take away from the scores, and from those of few deals more.
    correction = (1 - fitted / rows) / max(1 - fitted / deals, 0.5)
    return float(np.clip(alone / (together * correction), deals / rows, 1.0))
