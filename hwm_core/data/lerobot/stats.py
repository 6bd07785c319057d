"""Statistics of features as LeRobot stores them: of one episode, and pooled over episodes."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

STATISTICS = ("min", "max", "mean", "std", "count")
# {statistic: values}: STATISTICS, and quantiles q01 .. q99 where LeRobot computed them. Image statistics are
# [3, 1, 1] in [0, 1].
FeatureStats = dict[str, list]


def quantiles_of(stats: Iterable[str]) -> list[str]:
    """The names of the statistics that are quantiles."""
    return [name for name in stats if re.fullmatch(r"q\d\d", name)]


def column_stats(values: NDArray, quantiles: Iterable[str] = ()) -> FeatureStats:
    """Statistics of rows [N] or [N, A], of the finite values; `quantiles` are names such as "q01"."""
    rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    if not (finite := np.isfinite(rows)).all():
        columns = [
            column_stats(column[known], quantiles) if known.any() else None for column, known in zip(rows.T, finite.T)
        ]
        stated = next((one for one in columns if one), column_stats(np.zeros(1), quantiles))
        joined = {key: [one[key][0] if one else 0.0 for one in columns] for key in stated if key != "count"}
        return {**joined, "count": [len(rows)]}
    return {
        "min": rows.min(axis=0).tolist(),
        "max": rows.max(axis=0).tolist(),
        "mean": rows.mean(axis=0).tolist(),
        "std": rows.std(axis=0).tolist(),
        "count": [len(rows)],
        **{name: np.quantile(rows, int(name[1:]) / 100, axis=0).tolist() for name in quantiles},
    }


def image_stats(images: Sequence[NDArray[np.uint8]]) -> FeatureStats:
    """Statistics of images [H, W, 3], for each colour channel."""
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]).astype(np.float64) / 255
    flat = column_stats(pixels)
    shaped: FeatureStats = {key: [[[value]] for value in flat[key]] for key in ("min", "max", "mean", "std")}
    return {**shaped, "count": [len(images)]}


def pool_stats(parts: Sequence[Mapping[str, list]]) -> FeatureStats:
    """Statistics of several episodes together.

    Mean and standard deviation are exact. Exact quantiles need all rows, so quantiles are means weighted by count, as
    in LeRobot, and only quantiles that all episodes have are pooled.
    """
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)
    mean, std = (np.array([part[key] for part in parts], dtype=np.float64) for key in ("mean", "std"))
    weights = (counts / counts.sum()).reshape(-1, *[1] * (mean.ndim - 1))
    total = (weights * mean).sum(axis=0)
    quantiles = [name for name in quantiles_of(parts[0]) if all(name in part for part in parts)]
    variance = (weights * (std**2 + (mean - total) ** 2)).sum(axis=0)
    return {
        "min": np.min([part["min"] for part in parts], axis=0).tolist(),
        "max": np.max([part["max"] for part in parts], axis=0).tolist(),
        "mean": total.tolist(),
        "std": np.sqrt(variance).tolist(),
        "count": [int(counts.sum())],
        **{name: (weights * np.array([part[name] for part in parts])).sum(axis=0).tolist() for name in quantiles},
    }
