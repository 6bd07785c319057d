"""The frames and actions that a live model predicts from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ContextWindow:
    """The model's input: F frames that end with the newest one, and the action of each frame."""

    frames: NDArray[np.uint8]  # [F, H, W, 3] RGB, preprocessed
    actions: NDArray[np.float32]  # [F, A] in manifest order and units
    stamps_ns: NDArray[np.int64]  # [F] acquisition times in nanoseconds, increasing

    @property
    def stamp_ns(self) -> int:
        """Acquisition time of the newest frame in nanoseconds."""
        return int(self.stamps_ns[-1])

    def same_as(self, other: "ContextWindow | None") -> bool:
        """Whether both windows encode to the same past."""
        return (
            other is not None
            and np.array_equal(self.stamps_ns, other.stamps_ns)
            and np.array_equal(self.actions, other.actions)
        )
