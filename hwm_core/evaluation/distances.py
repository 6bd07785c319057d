"""How far the pictures of a row are from the true ones as a set, over the features of a local network.

Features of a batch go where its numbers go; the distances are made from them batch by batch, in the order of the
batches, so that they are the same on any number of ranks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.evaluation.table import digits
from hwm_core.io.resumable import Numbers
from hwm_core.metrics.extractors import Extractor
from hwm_core.metrics.frechet import FrechetStatistics, frechet_distance
from hwm_core.metrics.kid import KernelDistance, kernel_distance
from hwm_core.metrics.unavailable import Unavailable, or_unavailable

Distances = Mapping[str, Mapping[str, float | KernelDistance]]
"""{metric: {row: of its pictures from the true ones}}; Fréchet distances are squared."""

_MARK, _TRUTH = "features", "truth"
_NOT_EVALUATED = (
    "shuffled",
    "none",
    "zero",
    "reversed",
)  # controls of the actions: their pictures are as good as the model's
_MOST = 21_000  # the frames of the paper; 172 MB a row, of 2048 features


class Features:
    """Networks to compare pictures by: those that take clips of this size; of the others, why not.

    Args:
        clip: (F, H, W) of the clips to come.

    Raises:
        BadConfig: two networks whose distances have one name.
    """

    def __init__(self, extractors: Sequence[Extractor], clip: tuple[int, int, int]) -> None:
        metrics = [extractor.metric for extractor in extractors]
        if twice := {metric for metric in metrics if metrics.count(metric) > 1}:
            raise BadConfig(
                "Extractors",
                expected="a metric of its own for each",
                got=f"{' and '.join(sorted(twice))} more than once",
                remedy="Name each kind once, or rename a file.",
            )
        probe = np.random.default_rng(0).integers(0, 256, (1, *clip, 3), dtype=np.uint8)
        tried = {e: or_unavailable(e.metric, partial(_features, e, probe)) for e in extractors}
        self.extractors = [e for e, found in tried.items() if not isinstance(found, Unavailable)]
        self.unavailable = tuple(
            replace(found, metric=metric)
            for e, found in tried.items()
            if isinstance(found, Unavailable)
            for metric in (e.metric, e.kernel_metric)
        )

    def of(self, row: str | None, frames: NDArray[np.uint8]) -> Numbers:
        """Features of frames [B, F, H, W, 3] of a row, None for the truth, by the names they are kept by."""
        if row in _NOT_EVALUATED:
            return {}
        return {_key(row or _TRUTH, extractor): _features(extractor, frames).numpy() for extractor in self.extractors}

    def distances(self, rows: Sequence[str], parts: Iterable[Numbers], *, windows: int, seed: int) -> Distances:
        """By Fréchet and by kernel distance.

        Args:
            parts: in the order of the windows.
            windows: how many all parts have.
            seed: of what the kernel distance draws.
        """
        evaluated = [row for row in rows if row not in _NOT_EVALUATED]
        gathered = {(e, row): _Gathered(e, windows, seed) for e in self.extractors for row in (_TRUTH, *evaluated)}
        for part in parts:
            for (extractor, row), features in gathered.items():
                features.update(torch.from_numpy(part[_key(row, extractor)]))
        found: dict[str, Mapping[str, float | KernelDistance]] = {}
        for extractor in self.extractors:
            truth, sets = gathered[extractor, _TRUTH], {row: gathered[extractor, row] for row in evaluated}
            true = truth.drawn()
            found[extractor.metric] = {
                row: frechet_distance(features.statistics, truth.statistics) for row, features in sets.items()
            }
            found[extractor.kernel_metric] = {
                row: kernel_distance(features.drawn(), true, seed=seed) for row, features in sets.items()
            }
        return found


class _Gathered:
    """What is kept of a row's features: their statistics, and at most _MOST of them, drawn by the seed."""

    def __init__(self, extractor: Extractor, windows: int, seed: int) -> None:
        self.statistics = FrechetStatistics(extractor.identity)
        self._windows, self._seed = windows, seed
        self._at, self._wanted = 0, torch.empty(0, dtype=torch.bool)
        self._drawn: list[Tensor] = []

    def update(self, features: Tensor) -> None:
        """Take in those of the next windows, [B, R, D]."""
        if not self._at:
            self._wanted = _wanted(self._windows * features.shape[1], self._seed)
        rows = features.flatten(0, 1)
        self.statistics.update(rows)
        self._drawn.append(rows[self._wanted[self._at : self._at + len(rows)]])
        self._at += len(rows)

    def drawn(self) -> Tensor:
        """[at most _MOST, D]."""
        return torch.cat(self._drawn)


def without_features(part: Numbers) -> Numbers:
    """The numbers that are kept in memory for all windows."""
    return {name: values for name, values in part.items() if f"/{_MARK}/" not in name}


def distance_plain(found: float | KernelDistance) -> dict[str, float]:
    """JSON-able, to six digits: many of these numbers are far below 1."""
    if isinstance(found, KernelDistance):
        return {key: value if isinstance(value, int) else float(f"{value:.6g}") for key, value in asdict(found).items()}
    return {"distance": float(f"{found:.6g}")}


def distance_words(found: float | KernelDistance) -> str:
    """For people; a kernel distance with its deviation over subsets, where there are several."""
    if not isinstance(found, KernelDistance):
        return digits(found)
    return digits(found.mean) if found.subsets == 1 else f"{digits(found.mean)} ± {found.std:.2g}"


def _features(extractor: Extractor, frames: NDArray[np.uint8]) -> Tensor:
    """Of frames [B, F, H, W, 3]: [B, R, D], a row for each frame or one for each clip."""
    clips = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 1, 4, 2, 3)
    features = extractor.features(clips if extractor.takes_clips else clips.flatten(0, 1))
    return features.unflatten(0, (len(clips), -1))


def _wanted(count: int, seed: int) -> Tensor:
    """bool [count], _MOST of them or all."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order < _MOST


def _key(row: str, extractor: Extractor) -> str:
    return f"{row}/{_MARK}/{extractor.metric}"
