"""What costs of predicted latents have in common: which times count, and which cells."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Cost
from hwm_core.planning.costs.blurred_nmse import blur
from hwm_core.planning.dynamics import Goal

Discount = Annotated[
    float, Field(ge=0.0, le=1.0, description="weight of a latent relative to the next; 0: only the last counts")
]
"""The field `discount` of a cost."""


class LatentCost(Cost):
    """A cost of latents over the horizon."""

    discount: Discount = 0.0

    @property
    def last_latents(self) -> int | None:
        return 1 if self.discount == 0 else None


class ChangeWeightedCost(LatentCost):
    """A cost of latents in which a cell counts as much as it differs between the start of the goal and the goal."""

    spread: float = Field(default=1.0, ge=0.0, description="standard deviation of the blur of the changes, in cells")
    sharpness: float = Field(default=1.0, ge=0.0, description="exponent of the changes; 0: all cells count alike")
    floor: float = Field(default=0.0, ge=0.0, description="weight of a cell without change; the largest change has 1")

    def _weights(self, goal: Goal) -> Tensor:
        """[H, W] of the cells, of sum 1."""
        return change_weights(goal, self.spread, self.sharpness, self.floor)


def change_weights(goal: Goal, spread: float, sharpness: float, floor: float) -> Tensor:
    """Weights [H, W] of the cells, of sum 1, by how much the goal differs from its start."""
    if goal.start is None or sharpness == 0:
        weights = torch.ones_like(goal.latent[..., 0], dtype=torch.float32)
    else:
        change = (goal.latent.float() - goal.start.float()).square().mean(dim=-1, keepdim=True)
        change = blur(change, spread)[..., 0]
        weights = (change / change.max().clamp(min=1e-12)) ** sharpness + floor
    return weights / weights.sum().clamp(min=1e-12)
