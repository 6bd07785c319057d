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

    A ceiling keeps what hides or erases the object from costing more than the object that is not there yet: an arm over
    the goal, or an arm that passes above another object and that a model lets vanish.

    A blur lets the error decrease towards the goal when an arm is still beside its place. The difference is weighted
    first and blurred then, so that an arm beside the changes does not leak into them.
    """

    smoothings: tuple[float, ...] = Field(
        default=(0.75,), min_length=1, description="standard deviations of the blurs, in latent cells: scales"
    )

    ceiling: float = Field(
        default=1.0,
        ge=0.0,
        description="the error of a cell counts up to this multiple of its error at the start; 0: without limit",
    )

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.rollout.latents.float(), candidates.goal.latent.float()
        start, weights = candidates.goal.start, self._weights(candidates.goal)
        reference = goal.mean(dim=(0, 1)).expand_as(goal) if start is None else start.float()
        at_start = self._errors(reference[None, None], goal, weights)
        errors = self._errors(latents, goal, weights)
        if self.ceiling and start is not None:
            errors = torch.minimum(errors, self.ceiling * at_start)
        return self._over_time(_total(errors)) / _total(at_start)[:, 0].clamp(min=1e-6)

    def _over_time(self, errors: Tensor) -> Tensor:
        """[S, T] -> [S]."""
        return discounted_mean(errors, self.discount)

    def _errors(self, latents: Tensor, goal: Tensor, weights: Tensor) -> Tensor:
        """Weighted error [scales, S, T, H, W] of each cell of latents [S, T, H, W, C]."""
        difference = (latents - goal) * weights.sqrt()[..., None]
        return torch.stack([blur(difference, smoothing).square().mean(dim=-1) for smoothing in self.smoothings])


def _total(errors: Tensor) -> Tensor:
    """Sum over cells and mean over scales, [scales, S, T, H, W] -> [S, T]."""
    return errors.sum(dim=(-1, -2)).mean(dim=0)
