"""Smooth moves between postures."""

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.planning.proposals.moves import minimum_jerk


def smooth_move(start: NDArray[np.float32], goal: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Actions [F, A] of a minimum-jerk move from `start` to `goal` [A] (Flash and Hogan 1985)."""
    done = minimum_jerk(torch.arange(1, frames + 1) / frames).numpy()
    return start + (goal - start) * done[:, None]
