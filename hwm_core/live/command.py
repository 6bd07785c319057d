"""A command to the robot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Command:
    """What the robot is to do."""

    stamp_ns: int  # on the camera's clock
    positions: NDArray[np.float64]  # [A] in the order and units of the model's action manifest
    period_s: float  # until the next command
