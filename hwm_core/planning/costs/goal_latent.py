"""Distance of the predicted latents to the latent of the goal image. Nothing is decoded."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.likeness import unlikeness


class GoalLatent(Cost):
    """Difference of blurred latents; 0 is the goal, 1 about as far as a plain picture."""

    weight: float = Field(default=0.0, ge=0.0, description="factor before the power; 0 leaves the term out")
    smoothing: float = Field(default=1.5, ge=0.0, description="standard deviation of the blur, in latent cells")
    discount: float = Field(
        default=0.5, ge=0.0, le=1.0, description="weight of a latent relative to the next; 0: the last alone"
    )

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.prediction.latents.float(), candidates.goal.latent.float()
        return unlikeness(latents, goal, self.smoothing, self.discount)
