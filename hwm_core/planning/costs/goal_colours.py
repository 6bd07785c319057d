"""Distance of the predicted latents to the goal's, seen as colours. Nothing is decoded."""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.likeness import unlikeness
from hwm_core.planning.dynamics import Goal

_RIDGE = 1e-3  # of the mean square of a latent: a map that paints this goal all too well paints nothing else
_FLOOR = 1e-6  # a goal of one colour has no map; it gets none, instead of an error


class GoalColours(Cost):
    """Difference of blurred colours, read off the latents by the linear map that best paints the goal.

    Codes are arbitrary names of what a cell shows, and blurred names mean little. Blurred colours still tell where an
    arm is when it is far from the goal. The map is fitted to the goal image and its own latent.
    """

    smoothing: float = Field(default=3.0, ge=0.0, description="standard deviation of the blur, in latent cells")
    discount: float = Field(
        default=0.5, ge=0.0, le=1.0, description="weight of a latent relative to the next; 0: the last alone"
    )

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.prediction.latents.float(), candidates.goal.latent.float()
        colours = colour_map(candidates.goal)
        return unlikeness(latents @ colours, goal @ colours, self.smoothing, self.discount)


def colour_map(goal: Goal) -> Tensor:
    """[C, 3] so that latents times it, but for a constant, are the mean colours of their cells; least squares."""
    latent = goal.latent.float()
    height, width, channels = latent.shape
    cells = latent.reshape(-1, channels)
    colours = adaptive_avg_pool2d(goal.image.float(), (height, width)).flatten(1).T
    cells, colours = cells - cells.mean(dim=0), colours - colours.mean(dim=0)
    ridge = (_RIDGE * cells.square().sum() / channels + _FLOOR) * torch.eye(channels, device=cells.device)
    return torch.linalg.solve(cells.T @ cells + ridge, cells.T @ colours)
