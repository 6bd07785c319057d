"""The motions of recorded episodes: each group of joints moves in minimum-jerk segments, one program after another.

A program is a short list of segments of one arm, such as a push of an object (hwm_core/sim/programs.py). The neck holds
still or moves to random directions.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.sim.description import CONTROL_HZ, SIDES
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.programs import PROGRAMS, Arm, Leg

Vector = NDArray[np.float64]

_SEGMENT_SECONDS = (0.5, 1.3)
_NECK_SEGMENT_SECONDS = (0.8, 1.8)
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
        robot: provides the object positions at the start of each program.
        seed: of the motion; independent of the robot's random numbers for the same seed.
        fixed_neck: hold the neck still for the whole episode.
        mix: {name of a program: its share}.
        still: arms that hold still for the whole episode, "left" or "right".
    """

    def __init__(
        self,
        robot: SimHumanoid,
        seed: int,
        fixed_neck: bool,
        mix: Mapping[str, float],
        still: tuple[str, ...] = (),
    ) -> None:
        self._robot = robot
        self._rng = np.random.default_rng([seed, 100])
        self._programs, self._shares = tuple(mix), np.cumsum(tuple(mix.values()))
        self._command = np.clip(robot.positions, robot.joints.lower, robot.joints.upper)
        moving = [side for side in SIDES if side not in still]
        self._arms = {side: Arm(robot, side) for side in moving}
        self._columns = {side: arm.columns for side, arm in self._arms.items()}
        if not fixed_neck:
            self._columns["neck"] = robot.joints.index("neck_yaw", "neck_pitch")
        self._legs: dict[str, deque[Leg]] = {group: deque() for group in self._columns}
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

    def _arm_segment(self, side: str) -> Segment:
        """The next segment of the arm's program; a new program when it is over."""
        columns, table, rng, legs = self._columns[side], self._robot.joints, self._rng, self._legs[side]
        start = self._command[columns].copy()
        if not legs:
            name = self._programs[int(np.searchsorted(self._shares, rng.uniform(), side="right"))]
            legs.extend(PROGRAMS[name](self._arms[side], start, rng))
        leg = legs.popleft()
        goal = np.clip(leg.goal, table.lower[columns], table.upper[columns])
        seconds = rng.uniform(*_SEGMENT_SECONDS) if leg.seconds is None else leg.seconds
        return plan_segment(start, goal, table.max_velocity[columns], seconds, longest=_SEGMENT_SECONDS[1])

    def _neck_segment(self) -> Segment:
        columns, table, rng = self._columns["neck"], self._robot.joints, self._rng
        start = self._command[columns].copy()
        goal = table.home[columns] + rng.uniform((-0.32, -0.14), (0.32, 0.12)) if rng.uniform() < 0.6 else start
        seconds = rng.uniform(*_NECK_SEGMENT_SECONDS)
        return plan_segment(start, goal, table.max_velocity[columns], seconds, longest=_NECK_SEGMENT_SECONDS[1])
