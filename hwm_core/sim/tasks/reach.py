"""Reach: move the right palm to its position in the goal image; no object moves."""

import numpy as np

from hwm_core.sim.kinematics import ArmKinematics
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.drive import drive, move_and_rest
from hwm_core.sim.tasks.task import Candidate, Target, TaskKind, Vector
from hwm_core.sim.variation import OBJECTS

RIGHT_ARM = (
    "right_shoulder_pitch",
    "right_shoulder_roll",
    "right_shoulder_yaw",
    "right_elbow_pitch",
    "right_wrist_roll",
    "right_wrist_pitch",
    "right_gripper",
)
_SECONDS = 2.0
_MOTION_SECONDS = (0.8, 1.5)
_GOALS = ((0.34, 0.60), (-0.32, 0.06), (0.07, 0.20))  # x, y, z of the goal in metres, in the camera's view


def _attempt(robot: SimHumanoid, rng: np.random.Generator) -> Candidate | None:
    """A minimum-jerk move of the right arm to a random point, then rest."""
    now = robot.last_command[robot.joints.index(*RIGHT_ARM)]
    low, high = np.array(_GOALS).T
    goal = np.append(ArmKinematics(robot, "right").reach(now[:-1], rng.uniform(low, high)), now[-1])
    seconds = rng.uniform(*_MOTION_SECONDS)
    commands = move_and_rest(robot, RIGHT_ARM, goal, seconds, _MOTION_SECONDS[1], _SECONDS)
    if not drive(robot, commands, still=range(len(OBJECTS))):
        return None
    return Candidate(Target(_palm, _palm(robot)), commands, robot.render())


def _palm(robot: SimHumanoid) -> Vector:
    """Position [3] of the right palm in metres."""
    return robot.palm("right")


REACH = TaskKind(
    name="reach",
    joints=RIGHT_ARM,
    seconds=_SECONDS,
    threshold=0.05,
    unit="m",
    start_errors=(0.18, 0.35),
    attempt=_attempt,
    tries=300,
    stream=200,
)
"""Move the right palm to its position in the goal image, to within 5 cm."""
