"""Measures how well a predicted cost ranks candidates, compared with the true cost.

A planner chooses the best of many candidates, so the world model must predict the order of the costs, not their values.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spearman(predicted: ArrayLike, true: ArrayLike) -> float:
    """Spearman's rank correlation; ties have their mean rank. NaN if either side is constant."""
    a, b = _ranks(np.asarray(predicted, float)), _ranks(np.asarray(true, float))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else float("nan")


def top1_regret(predicted: ArrayLike, true: ArrayLike) -> float:
    """The excess true cost of the candidate with the lowest predicted cost, as a fraction of the true costs' range.

    0: the best candidate was chosen; 1: the worst. A random choice has about 0.5 if the costs are evenly spread.
    """
    costs = np.asarray(true, float)
    spread = costs.max() - costs.min()
    return float((costs[np.argmin(predicted)] - costs.min()) / spread) if spread > 0 else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
