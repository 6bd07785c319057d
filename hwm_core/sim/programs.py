"""Programs of one arm in recorded episodes: short lists of legs, each a move from rest to rest.

Programs read the true positions of the objects. Recordings hold only what a robot would record: images, joints and
commands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.kinematics import ArmKinematics
from hwm_core.sim.model import SimHumanoid

Vector = NDArray[np.float64]

_WORKSPACE = ((0.32, 0.62), (-0.08, 0.32), (0.06, 0.26))  # x; y towards the arm's own side; z above the table, metres
_SWEEPS = ((0.30, 0.66), (-0.14, 0.32))  # x, and y towards the arm's own side, of sweeps over the table, metres
_LOW = (0.03, 0.07)  # heights of a palm that touches objects
_HIGH = (0.15, 0.22)  # heights of a palm above all objects
_BEHIND = (0.075, 0.12)  # from an object's centre to a palm that is about to push it
_CONTACT = 0.065  # from an object's centre to a palm that pushes it
_OPEN = 0.045  # metres of finger travel


@dataclass(frozen=True)
class Leg:
    """One move from rest to rest."""

    goal: Vector  # [7] six joints of the arm, and the gripper
    seconds: float | None = None  # None: a random duration


class Arm:
    """One arm of the robot, as its programs see it."""

    def __init__(self, robot: SimHumanoid, side: str) -> None:
        self.side, self._robot, self._kinematics = side, robot, ArmKinematics(robot, side)
        self.columns = robot.joints.index(*(name for name in robot.joints.names if name.startswith(side)))
        self.home = robot.joints.home[self.columns]
        self.widest = float(robot.joints.upper[self.columns[-1]])

    def reach(self, posture: Vector, target: Vector) -> Vector:
        """A posture [6] near `posture` that brings the palm to the target [3]."""
        return self._kinematics.reach(posture, target)

    def palm(self, posture: Vector) -> Vector:
        """Palm position [3] of a posture [6]."""
        return self._kinematics.palm(posture)

    def measured_palm(self) -> Vector:
        """Where the palm is now, [3]: it lags behind the posture that was commanded last."""
        return self._robot.palm(self.side)

    def mirrored(self, point: Vector) -> Vector:
        """A point whose y counts towards the arm's own side, in the robot's axes."""
        return point if self.side == "left" else point * np.array([1.0, -1.0, 1.0])[: len(point)]

    def an_object(self, rng: np.random.Generator) -> Vector:
        """The centre [3] of a random object in the arm's reach."""
        positions = self._robot.object_positions()
        own_side = positions[:, 1] if self.side == "left" else -positions[:, 1]
        near = positions[own_side > -0.10]
        return rng.permutation(near if len(near) else positions)[0].copy()

    def above_table(self, posture: Vector) -> bool:
        """Whether the hand of a posture [6] is above the table: an arm below the table edge would get stuck."""
        x, _, z = self.palm(posture)
        return bool(x > 0.28 and z > 0.04)


Program = Callable[[Arm, Vector, np.random.Generator], list[Leg]]


def _to_object(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """To the centre of an object, or to a point some centimetres behind it from the hand."""
    target = arm.an_object(rng)
    away = target[:2] - arm.measured_palm()[:2]
    if rng.uniform() < 0.6:
        target[:2] += away / max(float(np.hypot(*away)), 1e-6) * rng.uniform(0.04, 0.14)
    target[2] = rng.uniform(0.035, 0.07)
    return _single(arm, arm.reach(start[:-1], _inside(target)), start, rng)


def _to_workspace(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """To a random point above the table."""
    low, high = np.array(_WORKSPACE).T
    return _single(arm, arm.reach(start[:-1], arm.mirrored(rng.uniform(low, high))), start, rng)


def _nearby(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """To a nearby posture."""
    nearby = (start[:-1] + 0.3 * rng.standard_normal(6) for _ in range(10))
    return _single(arm, next((posture for posture in nearby if arm.above_table(posture)), start[:-1]), start, rng)


def _hold(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """Stay."""
    _single(arm, start[:-1], start, rng)  # draws as many random numbers as the other programs
    return [Leg(start)]


def _push(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """Go behind an object, push it some centimetres in a random direction, and often withdraw."""
    target, direction = arm.an_object(rng)[:2], _direction(rng)
    behind = target - rng.uniform(*_BEHIND) * direction
    to = target + (rng.uniform(0.03, 0.18) - _CONTACT) * direction
    height = rng.uniform(*_LOW)
    legs = _stroke(arm, start, behind, to, height, rng)
    if rng.uniform() < 0.5:
        end = np.append(to - 0.06 * direction, height + rng.uniform(0.04, 0.14))
        legs.append(_reach(arm, legs[-1].goal, end, rng.uniform(0.3, 0.8)))
    return legs


def _sweep(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """A straight stroke over the table between two random points; it may meet an object."""
    low, high = np.array(_SWEEPS).T
    begin = arm.mirrored(rng.uniform(low, high))
    to = begin + rng.uniform(0.05, 0.26) * _direction(rng)
    return _stroke(arm, start, begin, to, rng.uniform(*_LOW), rng)


def _pick(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """Close the gripper around an object, lift it, put it down at another place."""
    target = arm.an_object(rng)
    low, high = np.array(_SWEEPS).T
    place = arm.mirrored(rng.uniform(low, high))
    above, lift = rng.uniform(0.17, 0.2), rng.uniform(*_HIGH)
    legs = [_reach(arm, np.append(start[:-1], _OPEN), np.append(target[:2], above), None)]
    legs.append(_reach(arm, legs[-1].goal, np.append(target[:2], rng.uniform(0.035, 0.06)), None))
    legs.append(Leg(np.append(legs[-1].goal[:-1], 0.0), 0.4))
    legs.append(_reach(arm, legs[-1].goal, np.append(target[:2], lift), None))
    legs.append(_reach(arm, legs[-1].goal, np.append(place, lift), None))
    legs.append(_reach(arm, legs[-1].goal, np.append(place, 0.06), None))
    legs.append(Leg(np.append(legs[-1].goal[:-1], _OPEN), 0.3))
    legs.append(_reach(arm, legs[-1].goal, np.append(place, lift), None))
    return legs


def _joints(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """Two random moves in joint space, without regard to the hand."""
    legs, posture = [], start
    for _ in range(2):
        offsets = (rng.uniform(0.1, 0.5) * rng.standard_normal(6) for _ in range(10))
        arm_goal = next((p for p in (posture[:-1] + o for o in offsets) if arm.above_table(p)), posture[:-1])
        posture = np.append(arm_goal, posture[-1])
        legs.append(Leg(posture, rng.uniform(0.4, 1.0)))
    return legs


def _correct(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """Small moves around a rest."""
    size = rng.uniform(0.01, 0.12)
    goals = [np.append(start[:-1] + size * rng.standard_normal(6), start[-1]) for _ in range(rng.integers(1, 4))]
    return [Leg(goal, rng.uniform(0.2, 0.6)) for goal in goals]


def _retreat(arm: Arm, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """Back to a posture around home."""
    return [Leg(np.append(arm.home[:-1] + 0.14 * rng.standard_normal(6), start[-1]))]


PROGRAMS: Mapping[str, Program] = {
    "object": _to_object,
    "workspace": _to_workspace,
    "nearby": _nearby,
    "hold": _hold,
    "push": _push,
    "sweep": _sweep,
    "pick": _pick,
    "joints": _joints,
    "correct": _correct,
    "retreat": _retreat,
}
"""Every program by name: (arm, start [7], random generator) -> its legs."""


def _single(arm: Arm, goal: Vector, start: Vector, rng: np.random.Generator) -> list[Leg]:
    """One leg to a posture [6]; in half of the cases the gripper moves too."""
    grip = arm.widest * rng.uniform() if rng.uniform() < 0.5 else start[-1]
    return [Leg(np.append(goal, grip))]


def _stroke(arm: Arm, start: Vector, begin: Vector, to: Vector, height: float, rng: np.random.Generator) -> list[Leg]:
    """To a point [2] at a height, often from above, and straight on to another point [2]."""
    legs: list[Leg] = []
    posture = start
    if rng.uniform() < 0.7:
        legs.append(_reach(arm, posture, np.append(begin, rng.uniform(*_HIGH)), rng.uniform(0.4, 0.9)))
        posture = legs[-1].goal
    legs.append(_reach(arm, posture, np.append(begin, height), rng.uniform(0.3, 0.9)))
    legs.append(_reach(arm, legs[-1].goal, np.append(to, height), rng.uniform(0.3, 1.0)))
    return legs


def _reach(arm: Arm, posture: Vector, target: Vector, seconds: float | None) -> Leg:
    """A leg that brings the palm to a target [3]; the gripper keeps its opening."""
    return Leg(np.append(arm.reach(posture[:-1], _inside(target)), posture[-1]), seconds)


def _direction(rng: np.random.Generator) -> Vector:
    angle = rng.uniform(-np.pi, np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _inside(target: Vector) -> Vector:
    """Clip a point to the area inside the table's rim, so that no object is pushed over the rim."""
    return np.clip(target, (0.30, -0.38, 0.03), (0.74, 0.38, 0.5))
