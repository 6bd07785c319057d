"""Distance of the predicted latents to the goal's latent, projected to colours. Nothing is decoded."""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from hwm_core.planning.costs.base import Candidates, Weight
from hwm_core.planning.costs.blurred_nmse import blurred_nmse
from hwm_core.planning.costs.latent_cost import Discount, LatentCost
from hwm_core.planning.dynamics import Goal

_RIDGE = 1e-3  # share of the mean squared latent; an unregularised fit to one image does not transfer to other images
_FLOOR = 1e-6  # keeps the fit solvable for a goal of a single colour: its projection is zero


class GoalColours(LatentCost):
    """Error of blurred colours. A linear map, fitted to the goal image and its latent, projects latents to colours.

    Averages of latents over neighbouring cells have little meaning. Averages of colours still show where an arm is,
    even if it is far from the goal.
    """

    weight: Weight = 0.0
    smoothing: float = Field(default=3.0, ge=0.0, description="standard deviation of the blur, in latent cells")
    discount: Discount = 0.5

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.rollout.latents.float(), candidates.goal.latent.float()
        projection = colour_projection(candidates.goal)
        return blurred_nmse(latents @ projection, goal @ projection, self.smoothing, self.discount)


def colour_projection(goal: Goal) -> Tensor:
    """[C, 3], by ridge regression: latents times it are the mean colours of their cells, up to a constant."""
    latent = goal.latent.float()
    height, width, channels = latent.shape
    cells = latent.reshape(-1, channels)
    colours = adaptive_avg_pool2d(goal.image.float(), (height, width)).flatten(1).T
    cells, colours = cells - cells.mean(dim=0), colours - colours.mean(dim=0)
    ridge = (_RIDGE * cells.square().sum() / channels + _FLOOR) * torch.eye(channels, device=cells.device)
    # Not `solve`: it waits for the GPU to learn whether the matrix is singular, which the ridge excludes.
    return torch.linalg.solve_ex(cells.T @ cells + ridge, cells.T @ colours).result
