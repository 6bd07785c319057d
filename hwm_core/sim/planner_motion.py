"""Motion as a planner tries it: the search's own primitives within its limits, begun at any time, cut, and replanned.

A planner asks its model about such motions only, and most of them it asks about near objects. A model that has seen
other motions alone must extrapolate exactly where it decides.
"""

from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.back import Back
from hwm_core.planning.proposals.base import Primitive
from hwm_core.planning.proposals.hand import HandReach, HandStroke
from hwm_core.sim.arm_chain import simulated_arm
from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.primitives import WORKSPACES

_RATE_HZ, _FRAMES = 15.0, 32  # of plans: 2.1 s
_LEFT = 0.25  # share of the episodes that move the left arm
_SHARES = {"stroke at an object": 0.50, "stroke": 0.12, "reach": 0.12, "back": 0.16, "hold": 0.10}
_WHOLE = 0.6  # share of the strokes that are not cut
_BEHIND_M = (0.06, 0.13)  # from an object's centre to the palm before the stroke
_BEYOND_M = (-0.04, 0.10)  # from an object's centre to the palm after it
_BESIDE_M = 0.02  # standard deviation of the line of the stroke from the object's centre
_LOW_M, _HIGH_M = (0.035, 0.06), (0.15, 0.20)  # heights of the palm on the stroke, and above all objects


class PlannerMotion:
    """Commands for the whole robot, one per control tick. One arm moves.

    Args:
        robot: provides the object positions at the start of each stroke.
        seed: of the motion; independent of the robot's random numbers for the same seed.
    """

    def __init__(self, robot: SimHumanoid, seed: int) -> None:
        self._robot, self._rng = robot, np.random.default_rng([seed, 102])
        self._generator = torch.Generator().manual_seed(int(self._rng.integers(2**31)))
        self._side = "left" if self._rng.uniform() < _LEFT else "right"
        table, start = robot.joints, np.clip(robot.positions, robot.joints.lower, robot.joints.upper)
        self._space = JointSpace.from_limits(
            table.names,
            table.lower.tolist(),
            table.upper.tolist(),
            np.ones_like(start).tolist(),
            _RATE_HZ,
            table.max_velocity.tolist(),
        )
        first = torch.from_numpy(start).float()
        arm, workspace = simulated_arm(self._side), WORKSPACES[self._side]
        self._reach = HandReach(arm, workspace, self._space)
        self._stroke = HandStroke(arm, workspace, self._space)
        self._back = Back(first, self._space)
        self._recent = first.expand(2, -1)
        self._commands: deque[NDArray[np.float64]] = deque()

    def next_command(self) -> NDArray[np.float64]:
        """The command [A] for this tick."""
        if not self._commands:
            self._plan()
        return self._commands.popleft()

    def _plan(self) -> None:
        """Draw a motion, keep a part of it, and add its commands."""
        stop = self._space.stop(self._recent, _FRAMES)
        match self._rng.choice(list(_SHARES), p=list(_SHARES.values())):
            case "stroke at an object":
                motion, frames = self._moved(self._stroke, self._at_object(), stop), self._stroke_frames()
            case "stroke":
                motion, frames = self._drawn(self._stroke, stop), self._stroke_frames()
            case "reach":
                motion, frames = self._drawn(self._reach, stop), self._frames(8, _FRAMES)
            case "back":
                motion, frames = self._drawn(self._back, stop), self._frames(8, _FRAMES)
            case _:
                motion, frames = stop, self._frames(4, 16)
        path = torch.cat([self._recent[-1:], motion[:frames]])
        self._recent = path[-2:]
        ticks = round(CONTROL_HZ / _RATE_HZ)
        for before, after in zip(path[:-1].double(), path[1:].double(), strict=True):
            self._commands.extend(torch.lerp(before, after, tick / ticks).numpy() for tick in range(1, ticks + 1))

    def _stroke_frames(self) -> int:
        return _FRAMES if self._rng.uniform() < _WHOLE else self._frames(6, _FRAMES)

    def _frames(self, low: int, high: int) -> int:
        return int(self._rng.integers(low, high))

    def _drawn(self, primitive: Primitive, stop: Tensor) -> Tensor:
        return self._moved(primitive, primitive.sample(1, self._generator), stop)

    def _moved(self, primitive: Primitive, numbers: Tensor, stop: Tensor) -> Tensor:
        """The motion [F, A] of numbers [1, P]."""
        return self._space.project(primitive.motions(numbers, stop), self._recent, stop)[0]

    def _at_object(self) -> Tensor:
        """Numbers [1, 6] of a stroke that meets a random object in the arm's reach."""
        rng, positions = self._rng, self._robot.object_positions()[:, :2]
        (x, y), own = positions.T, 1.0 if self._side == "left" else -1.0
        near = positions[(x > 0.30) & (x < 0.70) & (own * y > -0.16) & (own * y < 0.38)]
        centre = rng.permutation(near if len(near) else positions)[0]
        angle = rng.uniform(-np.pi, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        line = centre + rng.normal(0.0, _BESIDE_M) * np.array([-along[1], along[0]])
        begin, end = line - rng.uniform(*_BEHIND_M) * along, line + rng.uniform(*_BEYOND_M) * along
        return torch.tensor([[*begin, *end, rng.uniform(*_LOW_M), rng.uniform(*_HIGH_M)]], dtype=torch.float32)
