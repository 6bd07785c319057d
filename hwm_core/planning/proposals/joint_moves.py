"""Moves of some joints to random postures around the present one."""

import torch
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.base import normal
from hwm_core.planning.proposals.moves import Span, through

_WIDTH = 0.3  # of the first variation, as a share of the spread


class JointMoves:
    """A `Primitive`: one minimum-jerk move. Its numbers are the offsets of J joints, in joint scales.

    Args:
        joints: that move.
        space: all joints.
        spread: standard deviation of the offsets, in joint scales.
        end: when the move ends, as a share of the horizon.

    Raises:
        RobotMismatch: a joint that the model does not have.
    """

    name, weight = "joint move", 1.0

    def __init__(self, joints: tuple[str, ...], space: JointSpace, spread: float = 1.0, end: float = 0.6) -> None:
        self._space, self._columns = space, space.index(joints)
        self._spread, self._span = spread, Span(0.0, end)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        shape = (count, len(self._columns))
        return self._spread * torch.randn(shape, generator=generator, device=generator.device)

    def vary(self, numbers: Tensor, share: float | Tensor, generator: torch.Generator) -> Tensor:
        return numbers + share * _WIDTH * self._spread * normal(numbers, generator)

    def ending_at(self, postures: Tensor, stop: Tensor) -> Tensor:
        return self._space.normalised(postures - stop[-1])[:, self._columns]

    def motions(self, numbers: Tensor, stop: Tensor) -> Tensor:
        space, columns = self._space, self._columns
        goal = stop[-1, columns] + numbers * space.scale[columns]
        goal = goal.maximum(space.lower[columns]).minimum(space.upper[columns])
        return through([goal], [self._span], columns, stop)
