"""What the generators of tasks have in common: they plan a move, and drive the robot while they watch the objects."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motion import plan_segment

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


def move_and_rest(
    robot: SimHumanoid,
    joints: Sequence[str],
    goal: NDArray[np.float64],
    seconds: float,
    longest: float,
    until: float,
) -> NDArray[np.float64]:
    """Commands [F, A] of a minimum-jerk move of some joints, then rest; the other joints hold.

    Args:
        joints: J joints that move.
        goal: [J] where they move to.
        seconds, longest: duration of the move, as of `plan_segment`.
        until: seconds of move and rest together.
    """
    columns, now = robot.joints.index(*joints), robot.last_command
    segment = plan_segment(now[columns], goal, robot.joints.max_velocity[columns], seconds, longest)
    commands = np.tile(now, (round(until * CONTROL_HZ), 1))
    commands[:, columns] = [segment.at(tick) for tick in range(1, len(commands) + 1)]
    return commands
