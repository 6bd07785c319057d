"""Noise levels of Wan: from 1, noise, to 0, data."""

from typing import TypeVar

import numpy as np
from torch import Tensor

Level = TypeVar("Level", float, Tensor)


def shifted(level: Level, shift: float) -> Level:
    """A noise level in [0, 1], moved towards noise (arXiv 2403.03206, equation 23)."""
    return shift * level / (1 + (shift - 1) * level)


def noise_levels(steps: int, shift: float) -> list[float]:
    """The `steps` + 1 noise levels of a sampling, from 1 to 0; those of diffusers' UniPC with flow sigmas.

    UniPC itself starts at 1 - 1e-6, so that its logarithms are finite.
    """
    return [shifted(float(level), shift) for level in np.linspace(1, 1e-3, steps + 1)[:-1]] + [0.0]
