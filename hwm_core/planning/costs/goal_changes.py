"""Distance of the predicted latents to the goal's latent, where the goal differs from the scene at its start."""

import torch
from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates
from hwm_core.planning.costs.blurred_nmse import blur, discounted_mean
from hwm_core.planning.costs.latent_cost import ChangeWeightedCost


class GoalChanges(ChangeWeightedCost):
    """Squared error of the latents; a cell counts as much as it differs between the start of the goal and the goal.

    0 is the goal, 1 is the scene when the goal was set. In the goal image of a push the arm is where it was at the
    start: so the arm, which covers most of the changing image, does not count, but the object's old and new place do.
    A goal without a start counts all cells alike.

    A blur lets the error decrease towards the goal when an arm is still beside its place. The difference is weighted
    first and blurred then, so that an arm beside the changes does not leak into them.
    """

    smoothings: tuple[float, ...] = Field(
        default=(0.75,), min_length=1, description="standard deviations of the blurs, in latent cells: scales"
    )

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.rollout.latents.float(), candidates.goal.latent.float()
        weights = self._weights(candidates.goal)
        error = self._over_time(self._error(latents, goal, weights))
        start = candidates.goal.start
        reference = goal.mean(dim=(0, 1)).expand_as(goal) if start is None else start.float()
        return error / self._error(reference[None, None], goal, weights)[:, 0].clamp(min=1e-6)

    def _over_time(self, errors: Tensor) -> Tensor:
        """[S, T] -> [S]."""
        return discounted_mean(errors, self.discount)

    def _error(self, latents: Tensor, goal: Tensor, weights: Tensor) -> Tensor:
        """Weighted error [S, T] of latents [S, T, H, W, C], the mean over scales."""
        difference = (latents - goal) * weights.sqrt()[..., None]
        errors = [blur(difference, smoothing).square().mean(dim=-1).sum(dim=(-1, -2)) for smoothing in self.smoothings]
        return torch.stack(errors).mean(dim=0)
