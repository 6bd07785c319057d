"""Back to the posture at the start of the goal."""

import torch
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.base import normal
from hwm_core.planning.proposals.moves import Span, through


class Back:
    """A `Primitive`: all joints move to one posture. Its number is the end of the move as a share of the horizon.

    When an object has been pushed to its goal, the image is nearest to the goal image once the arm is where it was.

    Args:
        posture: [A] the action when the goal was set.
        space: the joints.
    """

    name, weight = "back", 0.1
    _ENDS = (0.3, 1.0)
    _WIDTH = 0.1  # of the first variation

    def __init__(self, posture: Tensor, space: JointSpace) -> None:
        self._posture, self._columns = posture.to(space.lower), space.index(space.names)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        low, high = self._ENDS
        return low + (high - low) * torch.rand(count, 1, generator=generator, device=generator.device)

    def vary(self, numbers: Tensor, share: float | Tensor, generator: torch.Generator) -> Tensor:
        return (numbers + share * self._WIDTH * normal(numbers, generator)).clamp(*self._ENDS)

    def ending_at(self, postures: Tensor, stop: Tensor) -> None:
        return None

    def motions(self, numbers: Tensor, stop: Tensor) -> Tensor:
        posture = self._posture.expand(len(numbers), -1)
        return through([posture], [Span(0.0, numbers[:, 0])], self._columns, stop)
