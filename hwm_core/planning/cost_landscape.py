"""The cost around a motion: along each planned joint, and along random directions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.proposals.moves import minimum_jerk


@dataclass(frozen=True)
class CostSlice:
    """Costs along one direction."""

    name: str  # of the joint, or of the random direction
    offsets: tuple[float, ...]  # at the end of the motion: joint units, or joint scales for a random direction
    costs: tuple[float, ...]
    unit_per_scale: float  # of the offsets; 1 for a random direction

    @property
    def minimum(self) -> float:
        """The offset of the lowest cost; 0 if the motion itself is cheapest."""
        return min(zip(self.costs, map(abs, self.offsets), self.offsets))[2]

    @property
    def minimum_in_scales(self) -> float:
        """The same, in joint scales."""
        return self.minimum / self.unit_per_scale


def cost_landscape(
    cost: Callable[[Tensor], Tensor],
    motion: Tensor,
    space: JointSpace,
    planned: Tensor,
    *,
    width: float,
    steps: int,
    directions: int,
    generator: torch.Generator,
) -> list[CostSlice]:
    """Costs of a motion whose end is displaced, from the start on by a growing share of the displacement.

    Args:
        cost: costs [S] of motions [S, F, A].
        motion: [F, A].
        space: scales of the joints.
        planned: [D] columns of the joints that are displaced.
        width: largest displacement in joint scales.
        steps: displacements on each side; the motion itself is between them.
        directions: number of random directions over all planned joints together, each of length 1.
        generator: of the random directions.

    Returns:
        One slice for each joint that moves in the training data, then one for each random direction.
    """
    scales = space.scale[planned]
    moving = planned[scales > 0]
    lines = torch.eye(len(space.names), device=motion.device)[moving]
    random = torch.zeros(directions, len(space.names), device=motion.device)
    random[:, moving] = torch.nn.functional.normalize(
        torch.randn(directions, len(moving), generator=generator, device=motion.device), dim=1
    )
    offsets = torch.linspace(-width, width, 2 * steps + 1, device=motion.device)
    frames = len(motion)
    share = minimum_jerk(torch.arange(1, frames + 1, device=motion.device) / frames)
    slices = []
    for number, line in enumerate(torch.cat([lines, random])):
        displaced = motion + offsets[:, None, None] * share[:, None] * (line * space.scale)
        costs = tuple(cost(displaced).tolist())
        is_joint = number < len(moving)
        unit = float(space.scale[moving[number]]) if is_joint else 1.0
        name = space.names[int(moving[number])] if is_joint else f"direction {number - len(moving) + 1}"
        slices.append(CostSlice(name, tuple((unit * offsets).tolist()), costs, unit))
    return slices
