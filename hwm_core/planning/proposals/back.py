"""Back to the posture at the start of the goal."""

import torch
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.base import normal, uniform
from hwm_core.planning.proposals.moves import Span, through


class Back:
    """A `Primitive`: all joints move to one posture. Its number is the end of the move as a share of the horizon.

    When an object has been pushed to its goal, the image is nearest to the goal image once the arm is where it was.

    Args:
        posture: [A] the action when the goal was set.
    """

    name, weight = "back", 0.1
    _ENDS = (0.3, 1.0)
    _WIDTH = 0.1  # of the first variation

    def __init__(self, posture: Tensor) -> None:
        self._posture = posture

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        low, high = torch.tensor([self._ENDS], device=generator.device).unbind(dim=1)
        return uniform(count, low, high, generator)

    def vary(self, numbers: Tensor, share: float, generator: torch.Generator) -> Tensor:
        return (numbers + share * self._WIDTH * normal(numbers, generator)).clamp(*self._ENDS)

    def motions(self, numbers: Tensor, recent_actions: Tensor, space: JointSpace, frames: int) -> Tensor:
        columns = torch.arange(len(space.names), device=recent_actions.device)
        posture = self._posture.to(recent_actions).expand(len(numbers), -1)
        return through([posture], [Span(0.0, numbers[:, 0])], columns, recent_actions, space, frames)
