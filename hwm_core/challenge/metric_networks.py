"""LPIPS and FID of the sampling track, with local networks; without them the columns are unavailable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.metrics.extractors import Extractor
from hwm_core.metrics.frechet import FrechetStatistics, frechet_distance
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.unavailable import Unavailable, or_unavailable

Frame = NDArray[np.uint8]
TRUTH = "truth"
_NO_LPIPS = Unavailable("LPIPS", "no network is given", "Add --lpips KIND=FILE.")
_NO_FID = Unavailable("FID", "no network is given", "Add --extractor inception=FILE.")


@dataclass(frozen=True)
class MetricNetworks:
    """The networks of the metrics that need one."""

    lpips: Lpips | Unavailable = field(default=_NO_LPIPS)
    extractor: Extractor | Unavailable = field(default=_NO_FID)

    @property
    def identities(self) -> dict[str, str | None]:
        """Names and sha256 of the networks; None where there is none."""
        named = {"lpips": self.lpips, "extractor": self.extractor}
        return {name: None if isinstance(one, Unavailable) else one.identity for name, one in named.items()}

    def distances(self, frames: Mapping[str, Frame], truth: Frame) -> dict[str, float]:
        """LPIPS of every condition [H, W, 3] from the true frame; empty without a network."""
        if isinstance(self.lpips, Unavailable):
            return {}
        true = _batch([truth])
        return {name: float(self.lpips.distance(_batch([frame]), true)[0]) for name, frame in frames.items()}

    def features(self, frames: Mapping[str, Frame], truth: Frame) -> dict[str, NDArray[np.float32]]:
        """Features [D] of every condition and of the true frame; empty without a network."""
        if isinstance(self.extractor, Unavailable):
            return {}
        named = {**frames, TRUTH: truth}
        return dict(zip(named, self.extractor.features(_batch(list(named.values()))).numpy()))

    def frechet(self, features: Sequence[Mapping[str, NDArray[np.float32]]], condition: str) -> float | Unavailable:
        """The Fréchet distance of a condition's frames from the true frames, over the features of all samples."""
        if isinstance(self.extractor, Unavailable):
            return self.extractor
        sets = []
        for name in (condition, TRUTH):
            statistics = FrechetStatistics(self.extractor.identity)
            statistics.update(torch.from_numpy(np.stack([one[name] for one in features])))
            sets.append(statistics)
        return or_unavailable(self.extractor.metric, lambda: frechet_distance(*sets))


def _batch(frames: Sequence[Frame]) -> torch.Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()
