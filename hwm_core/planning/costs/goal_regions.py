"""Distance to the goal by regions: an object that moved counts as much as an arm that covers more cells."""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import max_pool2d

from hwm_core.planning.costs.base import Weight
from hwm_core.planning.costs.goal_changes import GoalChanges
from hwm_core.planning.costs.latent_cost import change_weights
from hwm_core.planning.dynamics import Goal


class GoalRegions(GoalChanges):
    """As `GoalChanges`, but all regions in which the goal differs from its start count alike.

    A region is a connected set of cells: an object's old place, its new place, an arm. Its error is divided by its
    error at the start. With `GoalChanges`, the region that is largest and changes most decides.
    """

    weight: Weight = 0.0
    least_change: float = Field(
        default=0.05, gt=0.0, le=1.0, description="change of a cell of a region, as a share of the largest change"
    )

    def _weights(self, goal: Goal) -> Tensor:
        weights = super()._weights(goal)
        if goal.start is None:
            return weights
        inside = change_weights(goal, self.spread, 1.0, 0.0)
        labels = regions(inside >= self.least_change * inside.max())
        errors = weights * (goal.latent.float() - goal.start.float()).square().mean(dim=-1)  # at the start
        sums = errors.new_zeros(labels.numel() + 1).scatter_add(0, labels.flatten(), errors.flatten())
        alike = torch.where(labels > 0, weights / sums[labels].clamp(min=1e-12), 0.0)
        return alike / alike.sum().clamp(min=1e-12)


def regions(inside: Tensor) -> Tensor:
    """Labels [H, W] of connected cells (8 neighbours) of a mask [H, W]: 0 outside, a number above 0 for each region.

    Every cell takes the largest number among its neighbours, and then the number of the cell with that number. Nothing
    waits for the GPU: the number of steps depends on the size alone.
    """
    height, width = inside.shape
    labels = torch.arange(1, 1 + inside.numel(), device=inside.device).view(height, width) * inside
    for _ in range(height + width):
        near = max_pool2d(labels[None].float(), 3, stride=1, padding=1)[0].long() * inside
        labels = torch.cat([near.new_zeros(1), near.flatten()])[near]
    return labels
