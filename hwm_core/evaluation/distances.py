"""Distances between the set of predicted frames and the set of true frames, over the features of a local network.

The features of a batch are stored with its other results. The distances are computed from them batch by batch, in
order, so that they do not depend on the number of ranks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.metrics.extractors import Extractor
from hwm_core.metrics.frechet import FrechetStatistics, frechet_distance
from hwm_core.metrics.kid import KernelDistance, kernel_distance
from hwm_core.metrics.unavailable import Unavailable, or_unavailable

Distances = Mapping[str, Mapping[str, float | KernelDistance]]
"""{metric: {condition: distance of its frames from the true frames}}; Fréchet distances are squared."""

FeatureArrays = Mapping[str, Mapping[str, NDArray[np.float32]]]
"""{condition or TRUTH: {metric: [W, R, D]}}: R is the number of frames of a window, or 1 for networks of clips."""

TRUTH = "truth"
_WITHOUT = ("shuffled", "none", "zero", "reversed")  # their frames look as good as the model's
_MAX_ROWS = 21_000  # the number of frames in the paper; 172 MB per condition, with 2048 features


class Features:
    """The networks that accept clips of this size. `unavailable` has the reasons for the other networks.

    Args:
        clip: (F, H, W) of the clips.

    Raises:
        BadConfig: two networks whose distances have the same name.
    """

    def __init__(self, extractors: Sequence[Extractor], clip: tuple[int, int, int]) -> None:
        metrics = [extractor.metric for extractor in extractors]
        if twice := {metric for metric in metrics if metrics.count(metric) > 1}:
            raise BadConfig(
                "Extractors",
                expected="a different metric for each extractor",
                got=f"{' and '.join(sorted(twice))} more than once",
                remedy="Use each kind once, or rename a file.",
            )
        probe = np.random.default_rng(0).integers(0, 256, (1, *clip, 3), dtype=np.uint8)
        tried = {e: or_unavailable(e.metric, partial(_features, e, probe)) for e in extractors}
        self.extractors = [e for e, outcome in tried.items() if not isinstance(outcome, Unavailable)]
        self.unavailable = tuple(
            replace(outcome, metric=metric)
            for e, outcome in tried.items()
            if isinstance(outcome, Unavailable)
            for metric in (e.metric, e.kernel_metric)
        )

    def of(self, condition: str, frames: NDArray[np.uint8]) -> FeatureArrays:
        """Features of frames [B, F, H, W, 3] of a condition or TRUTH; empty for conditions without distances."""
        if condition in _WITHOUT or not self.extractors:
            return {}
        return {condition: {e.metric: _features(e, frames).numpy() for e in self.extractors}}

    def distances(
        self, conditions: Sequence[str], batches: Iterable[FeatureArrays], *, windows: int, seed: int
    ) -> Distances:
        """Fréchet and kernel distances of every condition that has features.

        Args:
            batches: in the order of the windows.
            windows: number of windows in all batches.
            seed: seed of the random subsets of the kernel distance.
        """
        evaluated = [condition for condition in conditions if condition not in _WITHOUT]
        sets = {(e, name): _FeatureSet(e, windows, seed) for e in self.extractors for name in (TRUTH, *evaluated)}
        for batch in batches:
            for (extractor, name), features in sets.items():
                features.update(torch.from_numpy(batch[name][extractor.metric]))
        distances: dict[str, Mapping[str, float | KernelDistance]] = {}
        for extractor in self.extractors:
            truth, predicted = sets[extractor, TRUTH], {name: sets[extractor, name] for name in evaluated}
            true = truth.subset()
            distances[extractor.metric] = {
                name: frechet_distance(features.statistics, truth.statistics) for name, features in predicted.items()
            }
            distances[extractor.kernel_metric] = {
                name: kernel_distance(features.subset(), true, seed=seed) for name, features in predicted.items()
            }
        return distances


class _FeatureSet:
    """The features of one condition: their statistics, and a random subset of at most _MAX_ROWS."""

    def __init__(self, extractor: Extractor, windows: int, seed: int) -> None:
        self.statistics = FrechetStatistics(extractor.identity)
        self._windows, self._seed = windows, seed
        self._position, self._chosen = 0, torch.empty(0, dtype=torch.bool)
        self._kept: list[Tensor] = []

    def update(self, features: Tensor) -> None:
        """Add the features of the next windows, [B, R, D]."""
        if not self._position:
            self._chosen = _choose(self._windows * features.shape[1], self._seed)
        rows = features.flatten(0, 1)
        self.statistics.update(rows)
        self._kept.append(rows[self._chosen[self._position : self._position + len(rows)]])
        self._position += len(rows)

    def subset(self) -> Tensor:
        """[at most _MAX_ROWS, D]."""
        return torch.cat(self._kept)


def _features(extractor: Extractor, frames: NDArray[np.uint8]) -> Tensor:
    """Features [B, R, D] of frames [B, F, H, W, 3]: a row for each frame, or one row for each clip."""
    clips = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 1, 4, 2, 3)
    features = extractor.features(clips if extractor.takes_clips else clips.flatten(0, 1))
    return features.unflatten(0, (len(clips), -1))


def _choose(count: int, seed: int) -> Tensor:
    """A mask, bool [count], of _MAX_ROWS random rows, or of all rows."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order < _MAX_ROWS
