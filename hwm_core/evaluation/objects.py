"""The positions of the objects in each frame: ground truth that only a simulation provides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MOVED_M = 0.02


@dataclass(frozen=True)
class ObjectTracks:
    """The n objects of one episode in its F frames."""

    positions: NDArray[np.float32]  # [F, n, 3] metres
    labels: NDArray[np.uint8]  # [F, H, W] of the preprocessed frames: 0 is no object, k the k-th object

    def moved(self, since: int, until: int) -> NDArray[np.bool_]:
        """Pixels [H, W] of frame `until` that show an object which moved more than 2 cm since frame `since`."""
        distance = np.linalg.norm(self.positions[until] - self.positions[since], axis=-1)
        return np.isin(self.labels[until], 1 + np.flatnonzero(distance > _MOVED_M))
