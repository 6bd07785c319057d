"""Distance of the predicted latents to the latent of the goal image. Nothing is decoded."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost, discounted_mean
from hwm_core.planning.costs.blur import blur


class GoalLatent(Cost):
    """Mean squared difference of blurred latents."""

    smoothing: float = Field(default=1.5, ge=0.0, description="standard deviation of the blur, in latent cells")
    discount: float = Field(
        default=0.5, ge=0.0, le=1.0, description="weight of a latent relative to the next; 0: the last alone"
    )

    def value(self, candidates: Candidates) -> Tensor:
        difference = candidates.prediction.latents.float() - candidates.goal.latent.float()
        error = blur(difference, self.smoothing).square().mean(dim=(-3, -2, -1))  # [S, T]
        return discounted_mean(error, self.discount)
