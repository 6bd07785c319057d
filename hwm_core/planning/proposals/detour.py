"""A reach of one hand over the objects between it and its end."""

import torch
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.kinematics import HandKinematics
from hwm_core.planning.proposals.base import normal, uniform
from hwm_core.planning.proposals.hand import Workspace, bounds
from hwm_core.planning.proposals.moves import Span, through


class HandDetour:
    """A `Primitive`: the palm moves to a point over a way point above the table.

    Its numbers are the end [3] in metres, how far along the straight way to it the way point lies (1: right above the
    end), and the height of the way point in metres. A straight way to the end may sweep objects aside.

    Args:
        arm: kinematics of the arm.
        workspace: where the hand may go.
        space: all joints.

    Raises:
        RobotMismatch: a joint of the arm that the model does not have.
    """

    name, weight = "hand detour", 0.5
    _SPANS = (Span(0.0, 0.42), Span(0.24, 0.70))
    _ALONG = (0.3, 1.0)
    _NEAR = 6  # iterations of the kinematics from the way point to the end
    _WIDTHS = (0.04, 0.04, 0.04, 0.1, 0.02)  # of the first variation

    def __init__(self, arm: HandKinematics, workspace: Workspace, space: JointSpace) -> None:
        self._columns = space.index(arm.joints)
        self._arm = arm.to(space.lower.device)
        low, high = workspace.clear_z
        over = (low, high + (high - low))
        self._low, self._high = bounds(space, workspace.x, workspace.y, workspace.z, self._ALONG, over)
        self._widths = torch.tensor(self._WIDTHS, device=space.lower.device)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return uniform(count, self._low, self._high, generator)

    def vary(self, numbers: Tensor, share: float | Tensor, generator: torch.Generator) -> Tensor:
        return numbers + share * self._widths * normal(numbers, generator)

    def ending_at(self, postures: Tensor, stop: Tensor) -> Tensor:
        ends = self._arm.palm(postures[:, self._columns])
        over = ((self._low + self._high) / 2)[3:].expand(len(ends), -1)
        return torch.cat([ends, over], dim=1)

    def motions(self, numbers: Tensor, stop: Tensor) -> Tensor:
        end, along, height = numbers.split([3, 1, 1], dim=1)
        start = stop[-1, self._columns].expand(len(numbers), -1)
        begin = self._arm.palm(start)
        over = torch.cat([torch.lerp(begin, end, along)[:, :2], height.maximum(end[:, 2:])], dim=1)
        posture = self._arm.reach(start, over)
        return through([posture, self._arm.reach(posture, end, self._NEAR)], self._SPANS, self._columns, stop)
