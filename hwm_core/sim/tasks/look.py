"""Look: turn the head to where the goal image looks."""

import numpy as np

from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.drive import drive, move_and_rest
from hwm_core.sim.tasks.task import Candidate, Target, TaskKind, Vector

_JOINTS = ("neck_yaw", "neck_pitch")
_SECONDS = 1.5
_RANGE = ((-0.32, -0.14), (0.32, 0.12))  # rad from home, yaw and pitch: the range of the recorded motions
_MOTION_SECONDS = 1.0


def _attempt(robot: SimHumanoid, rng: np.random.Generator) -> Candidate | None:
    """A minimum-jerk turn of the neck to a random direction, then rest."""
    goal = robot.joints.home[robot.joints.index(*_JOINTS)] + rng.uniform(*_RANGE)
    commands = move_and_rest(robot, _JOINTS, goal, _MOTION_SECONDS, _MOTION_SECONDS, _SECONDS)
    drive(robot, commands, still=())
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
