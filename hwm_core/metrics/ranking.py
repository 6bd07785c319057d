"""Does a predicted cost order candidates as the true cost does?

A planner takes the best of many candidates, so what a world model must get right is the order, not the number.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spearman(predicted: ArrayLike, true: ArrayLike) -> float:
    """Spearman's rank correlation, ties given their mean rank. NaN when either side is constant."""
    a, b = _ranks(np.asarray(predicted, float)), _ranks(np.asarray(true, float))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else float("nan")


def top1_regret(predicted: ArrayLike, true: ArrayLike) -> float:
    """What choosing by prediction loses, as a fraction of the true costs' spread.

    0: the truly best candidate was chosen; 1: the truly worst. A random choice loses about half on even costs.
    """
    costs = np.asarray(true, float)
    spread = costs.max() - costs.min()
    return float((costs[np.argmin(predicted)] - costs.min()) / spread) if spread > 0 else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
