"""Reach: move the right palm to its position in the goal image; no object moves."""

import numpy as np

from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.kinematics import ArmKinematics
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motion import plan_segment
from hwm_core.sim.tasks.drive import drive
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
    table, columns = robot.joints, robot.joints.index(*RIGHT_ARM)
    now = robot.last_command
    low, high = np.array(_GOALS).T
    arm = ArmKinematics(robot, "right").reach(now[columns][:-1], rng.uniform(low, high))
    goal = np.append(arm, now[columns][-1])
    seconds = rng.uniform(*_MOTION_SECONDS)
    segment = plan_segment(now[columns], goal, table.max_velocity[columns], seconds, _MOTION_SECONDS[1])
    commands = np.tile(now, (round(_SECONDS * CONTROL_HZ), 1))
    commands[:, columns] = [segment.at(tick) for tick in range(1, len(commands) + 1)]
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
