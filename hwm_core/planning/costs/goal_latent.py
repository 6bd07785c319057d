"""Distance of the predicted latents to the latent of the goal image. Nothing is decoded."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.blurred_nmse import blurred_nmse


class GoalLatent(Cost):
    """Error of blurred latents; 0 is the goal, 1 is the error of a constant latent."""

    weight: float = Field(default=0.0, ge=0.0, le=1e6, description="factor before the power; 0 disables the term")
    smoothing: float = Field(default=1.5, ge=0.0, description="standard deviation of the blur, in latent cells")
    discount: float = Field(
        default=0.5, ge=0.0, le=1.0, description="weight of a latent relative to the next; 0: only the last counts"
    )

    @property
    def last_latents(self) -> int | None:
        return 1 if self.discount == 0 else None

    def value(self, candidates: Candidates) -> Tensor:
        latents, goal = candidates.rollout.latents.float(), candidates.goal.latent.float()
        return blurred_nmse(latents, goal, self.smoothing, self.discount)
