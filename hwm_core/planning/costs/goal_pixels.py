"""Distance of the decoded frames to the goal image: slower than latents, and easier to interpret."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost, Weight
from hwm_core.planning.costs.blurred_nmse import blurred_nmse


class GoalPixels(Cost):
    """Error of blurred pixels at the last frame of every latent; 0 is the goal, 1 is the error of a constant image."""

    weight: Weight = 0.0
    smoothing: float = Field(default=10.0, ge=0.0, description="standard deviation of the blur, in pixels")
    discount: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="weight of a latent's frame relative to the next; 0: only the last counts",
    )

    def value(self, candidates: Candidates) -> Tensor:
        frames = candidates.decode()  # [S, F, 3, H, W]
        per_latent = frames.shape[1] // candidates.rollout.latents.shape[1]
        last = frames[:, per_latent - 1 :: per_latent].movedim(-3, -1)
        return blurred_nmse(last, candidates.goal.image.movedim(0, -1), self.smoothing, self.discount)
