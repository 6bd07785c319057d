"""Distance of the decoded frames to the goal image: slower than the latents, and in a space that people know."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.likeness import unlikeness


class GoalPixels(Cost):
    """Difference of blurred pixels at the last frame of every latent; 0 is the goal, 1 about as far as plain grey."""

    weight: float = Field(default=0.0, ge=0.0, description="factor before the power; 0 leaves the term out")
    smoothing: float = Field(default=10.0, ge=0.0, description="standard deviation of the blur, in pixels")
    discount: float = Field(
        default=0.5, ge=0.0, le=1.0, description="weight of a latent's frame relative to the next; 0: the last alone"
    )

    def value(self, candidates: Candidates) -> Tensor:
        frames = candidates.prediction.frames()  # [S, F, 3, H, W]
        per_latent = frames.shape[1] // candidates.prediction.latents.shape[1]
        last = frames[:, per_latent - 1 :: per_latent].movedim(-3, -1)
        return unlikeness(last, candidates.goal.image.movedim(0, -1), self.smoothing, self.discount)
