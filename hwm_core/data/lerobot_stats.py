"""Statistics in the form LeRobot keeps them: per episode and feature, and pooled over episodes."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

STATISTICS = ("min", "max", "mean", "std", "count")
FeatureStats = dict[str, list]  # by these names; pictures as [3, 1, 1] in [0, 1]


def column_stats(values: NDArray) -> FeatureStats:
    """Of rows [N] or [N, A]."""
    rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    return {
        "min": rows.min(axis=0).tolist(),
        "max": rows.max(axis=0).tolist(),
        "mean": rows.mean(axis=0).tolist(),
        "std": rows.std(axis=0).tolist(),
        "count": [len(rows)],
    }


def picture_stats(pictures: Sequence[NDArray[np.uint8]]) -> FeatureStats:
    """Of pictures [H, W, 3], per colour channel."""
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures]).astype(np.float64) / 255
    flat = column_stats(pixels)
    shaped: FeatureStats = {key: [[[value]] for value in flat[key]] for key in ("min", "max", "mean", "std")}
    return {**shaped, "count": [len(pictures)]}


def pooled(parts: Sequence[Mapping[str, list]]) -> FeatureStats:
    """Of the episodes taken together: exact mean and standard deviation, not means of them."""
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)
    mean, std = (np.array([part[key] for part in parts], dtype=np.float64) for key in ("mean", "std"))
    weights = (counts / counts.sum()).reshape(-1, *[1] * (mean.ndim - 1))
    total = (weights * mean).sum(axis=0)
    variance = (weights * (std**2 + (mean - total) ** 2)).sum(axis=0)
    return {
        "min": np.min([part["min"] for part in parts], axis=0).tolist(),
        "max": np.max([part["max"] for part in parts], axis=0).tolist(),
        "mean": total.tolist(),
        "std": np.sqrt(variance).tolist(),
        "count": [int(counts.sum())],
    }
