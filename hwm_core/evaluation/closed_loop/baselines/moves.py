"""Smooth moves between postures."""

import numpy as np
from numpy.typing import NDArray


def smooth_move(start: NDArray[np.float32], goal: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Actions [F, A] of a minimum-jerk move from `start` to `goal` [A] (Flash and Hogan 1985)."""
    s = np.arange(1, frames + 1, dtype=np.float32)[:, None] / frames
    return (start + (goal - start) * (10 * s**3 - 15 * s**4 + 6 * s**5)).astype(np.float32)
