"""Look: turn the head to where the goal image looks."""

import numpy as np

from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motion import plan_segment
from hwm_core.sim.tasks.task import Candidate, Target, TaskKind, Vector

_JOINTS = ("neck_yaw", "neck_pitch")
_SECONDS = 1.5
_RANGE = ((-0.32, -0.14), (0.32, 0.12))  # rad from home, yaw and pitch: the range of the recorded motions
_MOTION_SECONDS = 1.0


def _attempt(robot: SimHumanoid, rng: np.random.Generator) -> Candidate | None:
    """A minimum-jerk turn of the neck to a random direction, then rest."""
    table, columns = robot.joints, robot.joints.index(*_JOINTS)
    now = robot.last_command
    goal = table.home[columns] + rng.uniform(*_RANGE)
    segment = plan_segment(now[columns], goal, table.max_velocity[columns], _MOTION_SECONDS, _MOTION_SECONDS)
    commands = np.tile(now, (round(_SECONDS * CONTROL_HZ), 1))
    commands[:, columns] = [segment.at(tick) for tick in range(1, len(commands) + 1)]
    for command in commands:
        robot.command(command)
        robot.advance()
    return Candidate(Target(_neck, _neck(robot)), commands, robot.render())


def _neck(robot: SimHumanoid) -> Vector:
    """Positions [2] of the neck in rad."""
    return robot.positions[robot.joints.index(*_JOINTS)]


LOOK = TaskKind(
    name="look",
    joints=_JOINTS,
    seconds=_SECONDS,
    threshold=0.05,
    unit="rad",
    start_errors=(0.15, 1.0),
    attempt=_attempt,
    tries=100,
    stream=201,
)
"""Turn the neck to the direction of the goal image, to within 0.05 rad (3 degrees)."""
