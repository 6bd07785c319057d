"""How far the pictures of a row are from the true ones as a set, over the features of a local network.

Features of a batch go where its numbers go; the statistics are made from them batch by batch, in the order of the
batches, so that they are the same on any number of ranks.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.evaluation.ledger import Numbers
from hwm_core.metrics.extractors import Extractor
from hwm_core.metrics.frechet import FrechetStatistics, frechet_distance

_MARK, _TRUTH = "features", "truth"
_UNJUDGED = (
    "shuffled",
    "none",
    "zero",
    "reversed",
)  # controls of the actions: their pictures are as good as the model's


class Features:
    """Networks to compare pictures by."""

    def __init__(self, extractors: Sequence[Extractor]) -> None:
        self.extractors = extractors

    def identities(self) -> list[str]:
        """Names and sha256, for the record."""
        return [extractor.identity for extractor in self.extractors]

    def of(self, row: str | None, frames: NDArray[np.uint8]) -> Numbers:
        """Features of frames [B, F, H, W, 3] of a row, None for the truth, by the names they are kept by."""
        if row in _UNJUDGED:
            return {}
        clips = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 1, 4, 2, 3)
        numbers = {}
        for index, extractor in enumerate(self.extractors):
            features = extractor.features(clips if extractor.takes_clips else clips.flatten(0, 1))
            numbers[f"{row or _TRUTH}/{_MARK}/{index}"] = features.unflatten(0, (len(clips), -1)).numpy()
        return numbers

    def distances(self, rows: Sequence[str], parts: Iterable[Numbers]) -> dict[str, dict[str, float]]:
        """{metric: {row: squared Fréchet distance to the truth}}."""
        judged = [row for row in rows if row not in _UNJUDGED]
        gathered = {
            (index, row): FrechetStatistics(extractor.identity)
            for index, extractor in enumerate(self.extractors)
            for row in (_TRUTH, *judged)
        }
        for part in parts:
            for (index, row), statistics in gathered.items():
                statistics.update(torch.from_numpy(part[f"{row}/{_MARK}/{index}"]).flatten(0, 1))
        return {
            extractor.metric: {row: frechet_distance(gathered[index, row], gathered[index, _TRUTH]) for row in judged}
            for index, extractor in enumerate(self.extractors)
        }


def without_features(part: Numbers) -> Numbers:
    """The numbers that are kept in memory for all windows."""
    return {name: values for name, values in part.items() if f"/{_MARK}/" not in name}
