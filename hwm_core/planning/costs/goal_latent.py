"""Distance of the predicted latents to the latent of the goal image. Nothing is decoded."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Weight
from hwm_core.planning.costs.blurred_nmse import blurred_nmse
from hwm_core.planning.costs.latent_cost import Discount, LatentCost


class GoalLatent(LatentCost):
    """Error of blurred latents; 0 is the goal, 1 is the error of a constant latent."""

    weight: Weight = 0.0
    smoothing: float = Field(default=1.5, ge=0.0, description="standard deviation of the blur, in latent cells")
    discount: Discount = 0.5

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.rollout.latents.float(), candidates.goal.latent.float()
        return blurred_nmse(latents, goal, self.smoothing, self.discount)
