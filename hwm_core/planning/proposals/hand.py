"""Motions of one hand through way points above a table, lifted to joints by kinematics."""

import torch
from pydantic import Field, model_validator
from torch import Tensor

from hwm_core.config import Config
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.kinematics import HandKinematics
from hwm_core.planning.proposals.base import normal, uniform
from hwm_core.planning.proposals.moves import Span, through

Interval = tuple[float, float]


class Workspace(Config):
    """Where a hand moves, in metres in the robot's frame (a URDF's root link): x forward, y left, z up."""

    x: Interval = Field(default=(0.28, 0.72), description="way points, forward, in metres")
    y: Interval = Field(default=(-0.40, 0.20), description="way points, to the left, in metres")
    z: Interval = Field(default=(0.04, 0.24), description="end of a reach, upward, in metres")
    stroke_z: Interval = Field(
        default=(0.035, 0.06), description="height of a stroke, where objects are touched, in metres"
    )
    clear_z: Interval = Field(default=(0.15, 0.20), description="height above all objects, in metres")
    stroke: Interval = Field(default=(0.08, 0.26), description="length of a stroke, in metres")

    @model_validator(mode="after")
    def _intervals_rise(self) -> "Workspace":
        for name, (low, high) in self:
            if not low <= high:
                raise ValueError(f"`{name}`: [lower, upper] in metres, lower <= upper")
        return self


class HandReach:
    """A `Primitive`: the palm moves to a point. Its numbers are the point, [3] in metres.

    Args:
        arm: kinematics of the arm.
        workspace: where the hand may go.
        space: all joints.

    Raises:
        RobotMismatch: a joint of the arm that the model does not have.
    """

    name, weight = "hand reach", 1.0
    _SPAN = Span(0.0, 0.6)
    _WIDTH = 0.04  # metres, of the first variation

    def __init__(self, arm: HandKinematics, workspace: Workspace, space: JointSpace) -> None:
        self._columns = space.index(arm.joints)
        self._arm = arm.to(space.lower.device)
        self._low, self._high = bounds(space, workspace.x, workspace.y, workspace.z)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return uniform(count, self._low, self._high, generator)

    def vary(self, numbers: Tensor, share: float | Tensor, generator: torch.Generator) -> Tensor:
        return numbers + share * self._WIDTH * normal(numbers, generator)

    def ending_at(self, postures: Tensor, stop: Tensor) -> Tensor:
        return self._arm.palm(postures[:, self._columns])

    def motions(self, numbers: Tensor, stop: Tensor) -> Tensor:
        start = stop[-1, self._columns].expand(len(numbers), -1)
        return through([self._arm.reach(start, numbers)], [self._SPAN], self._columns, stop)


class HandStroke:
    """A `Primitive`: from above to a point, a straight stroke to another point, and up.

    Its numbers are x and y of both points, the height of the stroke, and the height above all objects, [6] in metres.

    Args:
        arm: kinematics of the arm.
        workspace: where the hand may go.
        space: all joints.

    Raises:
        RobotMismatch: a joint of the arm that the model does not have.
    """

    name, weight = "hand stroke", 1.0
    # At a horizon of 2.1 s: down at the first point after 1.1 s, a stroke of 0.6 s, and up in 0.5 s. With a faster
    # approach, the speed limits of the simulated arm bend most strokes.
    _SPANS = (Span(0.0, 0.36), Span(0.25, 0.50), Span(0.50, 0.78), Span(0.76, 1.0))
    _NEAR = 6  # iterations of the kinematics from one way point to the next
    _BACK = 0.08  # metres that the hand goes back while it goes up
    _WIDTHS = (0.03, 0.03, 0.03, 0.03, 0.01, 0.01)  # metres, of the first variation

    def __init__(self, arm: HandKinematics, workspace: Workspace, space: JointSpace) -> None:
        self._columns = space.index(arm.joints)
        self._arm = arm.to(space.lower.device)
        x, y, low, high = workspace.x, workspace.y, workspace.stroke_z, workspace.clear_z
        self._drawn = bounds(space, x, y, (-torch.pi, torch.pi), workspace.stroke, low, high)
        floor = (low[0], torch.inf)
        self._allowed = bounds(space, x, y, x, y, floor, floor)
        self._widths = torch.tensor(self._WIDTHS, device=space.lower.device)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        begin, angle, length, heights = uniform(count, *self._drawn, generator).split([2, 1, 1, 2], dim=1)
        end = begin + length * torch.cat([angle.cos(), angle.sin()], dim=1)
        return self._inside(torch.cat([begin, end, heights], dim=1))

    def vary(self, numbers: Tensor, share: float | Tensor, generator: torch.Generator) -> Tensor:
        return self._inside(numbers + share * self._widths * normal(numbers, generator))

    def ending_at(self, postures: Tensor, stop: Tensor) -> None:
        return None

    def motions(self, numbers: Tensor, stop: Tensor) -> Tensor:
        begin, end, low, high = numbers.split([2, 2, 1, 1], dim=1)
        direction = torch.nn.functional.normalize(end - begin, dim=1)
        way_points = (
            torch.cat([begin, high], dim=1),
            torch.cat([begin, low], dim=1),
            torch.cat([end, low], dim=1),
            torch.cat([end - self._BACK * direction, high], dim=1),
        )
        posture = stop[-1, self._columns].expand(len(numbers), -1)
        posture = self._arm.reach(posture, way_points[0])
        postures = [posture]
        for point in way_points[1:]:  # each near the one before
            posture = self._arm.reach(posture, point, self._NEAR)
            postures.append(posture)
        return through(postures, self._SPANS, self._columns, stop)

    def _inside(self, numbers: Tensor) -> Tensor:
        """Both points within the workspace, both heights above the lowest height of a stroke."""
        low, high = self._allowed
        return numbers.maximum(low).minimum(high)


def bounds(space: JointSpace, *intervals: Interval) -> tuple[Tensor, Tensor]:
    """Lower and upper ends, each [P], on the device of the space."""
    low, high = torch.tensor(intervals, device=space.lower.device).unbind(dim=1)
    return low, high
