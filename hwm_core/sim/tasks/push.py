"""Push: bring an object to where the goal image shows it. In that image the arm is back at its start posture.

So the goal image does not show where the arm must go, and reading a posture from it does not solve the task.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.kinematics import ArmKinematics
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motion import plan_segment
from hwm_core.sim.tasks.drive import STILL_M, drive
from hwm_core.sim.tasks.reach import RIGHT_ARM
from hwm_core.sim.tasks.task import Candidate, Target, TaskKind, Vector
from hwm_core.sim.variation import OBJECTS

_SECONDS = 5.0
_DISTANCE_M = (0.10, 0.14)  # that the object moves
_AREA = ((0.36, 0.62), (-0.34, 0.10))  # x and y of objects and of their goals, in metres: in reach of the right arm
_BEHIND_M = 0.095  # from the object's centre to the palm before the stroke
_CONTACT_M = 0.06  # from the object's centre to the palm during the stroke
_HEIGHT_M = (0.035, 0.06)  # of the palm during the stroke
_ABOVE_M = 0.17  # height of a palm above all objects
_APPROACH_SECONDS, _DOWN_SECONDS, _STROKE_SECONDS, _BACK_SECONDS = 0.6, 0.4, 0.9, 1.0
_REST_SECONDS = 1.0
_LONGEST_SECONDS = 2.0  # of one leg, where the speed limits ask for more time
_WAY_POINTS = 6  # of a stroke, which is straight for the palm and curved for the joints
_PALM_ERROR_M = 0.015  # of the inverse kinematics
_BACK_M, _BACK_RAD = 0.01, 0.03  # palm and joints at the goal, from their start
_UPRIGHT = 0.98  # cosine of the largest tilt of the object
_VISIBLE = 0.003  # share of the image that shows the object
_UNHIDDEN = 0.6  # of the pixels at the start, that the goal image shows


def _attempt(robot: SimHumanoid, rng: np.random.Generator) -> Candidate | None:
    """Push a random object with the right palm, bring the arm back, and look."""
    number = int(rng.integers(len(OBJECTS)))
    centre = robot.object_positions()[number]
    angle, distance, height = rng.uniform(-np.pi, np.pi), rng.uniform(*_DISTANCE_M), rng.uniform(*_HEIGHT_M)
    direction = np.array([np.cos(angle), np.sin(angle), 0.0])
    if not (_in_area(centre) and _in_area(centre + distance * direction)):
        return None
    begin, end = centre - _BEHIND_M * direction, centre + (distance - _CONTACT_M) * direction
    begin[2] = end[2] = height
    legs = _push_and_return(robot, begin, end)
    if legs is None:
        return None
    push, back = legs
    seen = int((robot.object_mask() == number + 1).sum())
    palm, posture = robot.palm("right"), robot.positions
    others = [k for k in range(len(OBJECTS)) if k != number]
    if not drive(robot, push, others):
        return None
    pushed = robot.object_positions()[number]
    if not drive(robot, back, [*others, number]):  # the arm leaves the object where it is
        return None
    at_goal = robot.object_positions()[number]
    mask = robot.object_mask() == number + 1
    accepted = (
        _DISTANCE_M[0] <= np.linalg.norm(at_goal[:2] - centre[:2]) <= _DISTANCE_M[1]
        and np.linalg.norm(at_goal - pushed) < STILL_M
        and robot.object_tilts()[number] > _UPRIGHT
        and np.linalg.norm(robot.palm("right") - palm) < _BACK_M
        and np.abs(robot.positions - posture).max() < _BACK_RAD
        and seen >= _VISIBLE * mask.size
        and mask.sum() >= max(_VISIBLE * mask.size, _UNHIDDEN * seen)
    )
    if not accepted:
        return None
    target = Target(partial(_object_xy, number=number), at_goal[:2])
    return Candidate(target, push, robot.render())


def _push_and_return(robot: SimHumanoid, begin: Vector, end: Vector) -> tuple[Vector, Vector] | None:
    """Commands [F, A] that push from palm position `begin` to `end` [3], and commands that bring the arm back.

    None where the arm cannot reach a point.
    """
    columns, arm = robot.joints.index(*RIGHT_ARM), ArmKinematics(robot, "right")
    now = robot.last_command
    start = now[columns]
    above = np.array([*begin[:2], _ABOVE_M])
    points = [above, *(begin + s * (end - begin) for s in np.linspace(0, 1, _WAY_POINTS))]
    postures, posture = [], start[:-1]
    for point in points:
        posture = arm.reach(posture, point)
        if np.linalg.norm(arm.palm(posture) - point) > _PALM_ERROR_M:
            return None
        postures.append(np.append(posture, start[-1]))
    lifted = np.append(arm.reach(posture, np.array([*(end - 0.4 * (end - begin))[:2], _ABOVE_M])), start[-1])
    limits = robot.joints.max_velocity[columns]
    legs = [
        _leg(start, postures[0], limits, _APPROACH_SECONDS),
        _leg(postures[0], postures[1], limits, _DOWN_SECONDS),
        _stroke(np.array(postures[1:]), limits),
    ]
    back = [
        _leg(postures[-1], lifted, limits, _DOWN_SECONDS),
        _leg(lifted, start, limits, _BACK_SECONDS),
        np.tile(start, (round(_REST_SECONDS * CONTROL_HZ), 1)),
    ]
    return _commands(now, columns, legs), _commands(now, columns, back)


def _leg(start: Vector, goal: Vector, limits: Vector, seconds: float) -> Vector:
    """Postures [F, 7] of a minimum-jerk move."""
    segment = plan_segment(start, goal, limits, seconds, _LONGEST_SECONDS)
    return np.array([segment.at(tick) for tick in range(1, segment.ticks + 1)])


def _stroke(postures: Vector, limits: Vector) -> Vector:
    """Postures [F, 7] through way points [n, 7], from rest to rest, within the speed limits."""
    progress = np.linspace(0, 1, len(postures))
    steepest = np.abs(np.diff(postures, axis=0)) * (len(postures) - 1)  # change per unit of progress
    fastest = (limits / steepest.max(axis=0).clip(min=1e-9)).min()  # progress per second
    unit = plan_segment(np.zeros(1), np.ones(1), np.array([fastest]), _STROKE_SECONDS, _LONGEST_SECONDS)
    s = np.array([unit.at(tick)[0] for tick in range(1, unit.ticks + 1)])
    return np.stack([np.interp(s, progress, column) for column in postures.T], axis=1)


def _commands(now: Vector, columns: NDArray[np.intp], legs: list[Vector]) -> Vector:
    """Commands [F, A] of the whole robot, whose other joints hold."""
    postures = np.concatenate(legs)
    commands = np.tile(now, (len(postures), 1))
    commands[:, columns] = postures
    return commands


def _in_area(point: Vector) -> bool:
    return all(low <= value <= high for value, (low, high) in zip(point, _AREA))


def _object_xy(robot: SimHumanoid, number: int) -> Vector:
    """Position [2] of an object on the table in metres."""
    return robot.object_positions()[number, :2]


PUSH = TaskKind(
    name="push",
    joints=RIGHT_ARM,
    seconds=_SECONDS,
    threshold=0.04,
    unit="m",
    start_errors=_DISTANCE_M,
    attempt=_attempt,
    tries=200,
    stream=202,
)
"""Push an object to its place in the goal image, to within 4 cm; the arm may be anywhere at the end."""
