"""Drives the robot through commands while the generators of tasks watch the objects."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.model import SimHumanoid

STILL_M = 0.01
"""An object that moves less counts as not moved."""


def drive(robot: SimHumanoid, commands: NDArray[np.float64], still: Sequence[int]) -> bool:
    """Send commands [F, A], one per control tick.

    Args:
        still: the objects that must not move by more than STILL_M.

    Returns:
        False as soon as one of them moved; the other commands are not sent.
    """
    before = robot.object_positions()[list(still)]
    for command in commands:
        robot.command(command)
        robot.advance()
        if len(before) and np.abs(robot.object_positions()[list(still)] - before).max() > STILL_M:
            return False
    return True
