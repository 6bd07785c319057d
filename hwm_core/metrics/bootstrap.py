"""Confidence intervals of differences: paired bootstrap over episodes.

Windows of one episode are similar, so whole episodes are resampled (cluster bootstrap: Davison & Hinkley,
Bootstrap Methods and their Application, 1997, section 3.8). With few episodes, percentile intervals are too narrow: for
normally distributed episode means a 95 % interval contains the true mean 51 % of the time with 2 episodes, 74 % with 3,
81 % with 4, 84 % with 5 and 91 % with 12. Below MIN_EPISODES no interval is given.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_EPISODES = 5
"""The smallest number of episodes for an interval."""


@dataclass(frozen=True)
class Interval:
    """A mean with its percentile interval. The bounds are None for fewer than MIN_EPISODES episodes."""

    mean: float
    low: float | None
    high: float | None


def paired_bootstrap(
    differences: NDArray[np.float64],
    episodes: NDArray[np.int64],
    seed: int,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Interval of the mean difference over windows, resampling whole episodes with replacement.

    Args:
        differences: [W] condition A minus condition B of the same window; NaN windows do not count.
        episodes: [W] the episode of each window, or another cluster of similar windows.

    Returns:
        The mean over all windows with its interval. The mean is NaN if no window counts.
    """
    counted = ~np.isnan(differences)
    if not counted.any():
        return Interval(float("nan"), None, None)
    _, cluster = np.unique(episodes[counted], return_inverse=True)
    totals = np.bincount(cluster, weights=differences[counted])
    counts = np.bincount(cluster)
    mean = float(totals.sum() / counts.sum())
    if len(counts) < MIN_EPISODES:
        return Interval(mean, None, None)
    resampled = np.random.default_rng(seed).integers(len(counts), size=(resamples, len(counts)))
    means = totals[resampled].sum(axis=1) / counts[resampled].sum(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, float(low), float(high))
