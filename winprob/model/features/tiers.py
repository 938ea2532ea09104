"""Moments of a reported tier on the scale of true support: a standard normal cut into bins."""

import numpy as np
from scipy.special import ndtri

from winprob.arrays import Array


def bin_moments(counts: Array) -> tuple[Array, Array]:
    """Mean and variance of a standard normal within each of the bins that hold these shares of it.

    Parameters
    ----------
    counts : (tier,) positive weights, lowest tier first

    Returns
    -------
    mean, variance : (tier,); means increase, variances are in (0, 1), and
        ``sum(share * (mean**2 + variance)) = 1``

    References
    ----------
    Johnson, Kotz, Balakrishnan (1994), Continuous Univariate Distributions 1, section 13.10.1.
    """
    share = counts / counts.sum()
    cut = ndtri(np.clip(np.cumsum(share)[:-1], 0, 1))
    density = np.exp(-(cut**2) / 2) / np.sqrt(2 * np.pi)
    at_edges = np.concatenate([[0.0], density, [0.0]])
    slope_at_edges = np.concatenate([[0.0], cut * density, [0.0]])
    mean = -np.diff(at_edges) / share
    # The variance of a very rare tier is a difference of large numbers: rounding must not make it negative.
    return mean, np.maximum(1 - np.diff(slope_at_edges) / share - mean**2, 0)
