"""The random motion of recorded episodes.

Each arm moves in minimum-jerk segments of 0.5-1.3 s: to or through an object, to a random point above the table, to a
nearby posture, or not at all (`MIX` holds the shares). The neck holds still or moves to random directions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.description import CONTROL_HZ, SIDES
from hwm_core.sim.kinematics import ArmKinematics
from hwm_core.sim.model import SimHumanoid

Vector = NDArray[np.float64]

MIX = {"object": 0.45, "workspace": 0.30, "nearby": 0.15, "hold": 0.10}  # kind of segment -> share of segments
_SEGMENT_SECONDS = (0.5, 1.3)
_NECK_SEGMENT_SECONDS = (0.8, 1.8)
_WORKSPACE = ((0.32, 0.62), (-0.08, 0.32), (0.06, 0.26))  # x; y towards the arm's own side; z above the table, metres
_MIN_JERK_PEAK = 1.875  # peak speed of a minimum-jerk move, in units of its mean speed


@dataclass(frozen=True)
class Segment:
    """A minimum-jerk move of some joints, from rest to rest."""

    start: Vector
    goal: Vector
    ticks: int

    def at(self, tick: int) -> Vector:
        """The position `tick` ticks after the start of the segment; from `ticks` on, the goal."""
        s = min(tick / self.ticks, 1.0)
        return self.start + (self.goal - self.start) * (10 * s**3 - 15 * s**4 + 6 * s**5)


def plan_segment(start: Vector, goal: Vector, max_velocity: Vector, seconds: float, longest: float) -> Segment:
    """A move within `max_velocity`. It may take up to `longest` seconds; a goal farther away is not reached."""
    needed = _MIN_JERK_PEAK * float(np.max(np.abs(goal - start) / max_velocity))
    ticks = max(1, int(np.ceil(min(max(seconds, needed), longest) * CONTROL_HZ)))
    reachable = min(1.0, ticks / CONTROL_HZ / needed) if needed > 0 else 1.0
    return Segment(start, start + reachable * (goal - start), ticks)


class MotionMix:
    """Commands for the whole robot, one per tick.

    Args:
        robot: provides the object positions at the start of each segment.
        seed: of the motion; independent of the robot's random numbers for the same seed.
        fixed_neck: hold the neck still for the whole episode.
    """

    def __init__(self, robot: SimHumanoid, seed: int, fixed_neck: bool) -> None:
        self._robot = robot
        self._rng = np.random.default_rng([seed, 100])
        self._command = np.clip(robot.positions, robot.joints.lower, robot.joints.upper)
        self._kinematics = {side: ArmKinematics(robot, side) for side in SIDES}
        names = robot.joints.names
        self._columns = {side: robot.joints.index(*(n for n in names if n.startswith(side))) for side in SIDES}
        if not fixed_neck:
            self._columns["neck"] = robot.joints.index("neck_yaw", "neck_pitch")
        self._segments: dict[str, Segment] = {}
        self._ages = dict.fromkeys(self._columns, 0)

    def next_command(self) -> Vector:
        """The command [A] for this tick."""
        for group, columns in self._columns.items():
            if group not in self._segments or self._ages[group] >= self._segments[group].ticks:
                self._segments[group] = self._neck_segment() if group == "neck" else self._arm_segment(group)
                self._ages[group] = 0
            self._ages[group] += 1
            self._command[columns] = self._segments[group].at(self._ages[group])
        return self._command.copy()

    # ---------------------------------------------------------------- goals

    def _arm_segment(self, side: str) -> Segment:
        columns, table, rng = self._columns[side], self._robot.joints, self._rng
        start = self._command[columns].copy()
        kind = tuple(MIX)[np.searchsorted(np.cumsum(tuple(MIX.values())), rng.uniform(), side="right")]
        arm = self._arm_goal(kind, side, start[:-1])
        grip = table.upper[columns[-1]] * rng.uniform() if rng.uniform() < 0.5 else start[-1]
        goal = start if kind == "hold" else np.clip(np.append(arm, grip), table.lower[columns], table.upper[columns])
        seconds = rng.uniform(*_SEGMENT_SECONDS)
        return plan_segment(start, goal, table.max_velocity[columns], seconds, longest=_SEGMENT_SECONDS[1])

    def _arm_goal(self, kind: str, side: str, arm: Vector) -> Vector:
        """The goal of the arm's six joints, from the posture `arm`."""
        if kind == "object":
            return self._kinematics[side].reach(arm, self._object_target(side))
        if kind == "workspace":
            return self._kinematics[side].reach(arm, self._workspace_target(side))
        if kind == "nearby":
            nearby = (arm + 0.3 * self._rng.standard_normal(len(arm)) for _ in range(10))
            return next((posture for posture in nearby if self._above_table(side, posture)), arm)
        return arm

    def _neck_segment(self) -> Segment:
        columns, table, rng = self._columns["neck"], self._robot.joints, self._rng
        start = self._command[columns].copy()
        goal = table.home[columns] + rng.uniform((-0.32, -0.14), (0.32, 0.12)) if rng.uniform() < 0.6 else start
        seconds = rng.uniform(*_NECK_SEGMENT_SECONDS)
        return plan_segment(start, goal, table.max_velocity[columns], seconds, longest=_NECK_SEGMENT_SECONDS[1])

    def _object_target(self, side: str) -> Vector:
        """The centre of an object in the arm's reach, or a point some centimetres behind the object from the hand."""
        positions, rng = self._robot.object_positions(), self._rng
        own_side = positions[:, 1] if side == "left" else -positions[:, 1]
        near = positions[own_side > -0.10]
        target = rng.permutation(near if len(near) else positions)[0].copy()
        away = target[:2] - self._robot.palm(side)[:2]
        if rng.uniform() < 0.6:
            target[:2] += away / max(float(np.hypot(*away)), 1e-6) * rng.uniform(0.04, 0.14)
        target[2] = rng.uniform(0.035, 0.07)
        return _inside(target)

    def _above_table(self, side: str, posture: Vector) -> bool:
        """Whether the hand of a posture [6] is above the table: an arm below the table edge would get stuck."""
        x, _, z = self._kinematics[side].palm(posture)
        return bool(x > 0.28 and z > 0.04)

    def _workspace_target(self, side: str) -> Vector:
        low, high = np.array(_WORKSPACE).T
        target = self._rng.uniform(low, high)
        return target if side == "left" else target * (1, -1, 1)


def _inside(target: Vector) -> Vector:
    """Clip a point to the area inside the table's rim, so that no object is pushed over the rim."""
    return np.clip(target, (0.30, -0.38, 0.03), (0.74, 0.38, 0.5))
