"""Distance of the decoded frames to the goal image: slower than `goal_latent`, and in a space that people know."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost, discounted_mean
from hwm_core.planning.costs.blur import blur


class GoalPixels(Cost):
    """Mean squared difference of blurred pixels, at the last frame of every latent."""

    weight: float = Field(default=0.0, ge=0.0, description="factor before the power; 0 leaves the term out")
    smoothing: float = Field(default=6.0, ge=0.0, description="standard deviation of the blur, in pixels")
    discount: float = Field(
        default=0.5, ge=0.0, le=1.0, description="weight of a latent's frame relative to the next; 0: the last alone"
    )

    def value(self, candidates: Candidates) -> Tensor:
        frames = candidates.prediction.frames()  # [S, F, 3, H, W]
        per_latent = frames.shape[1] // candidates.prediction.latents.shape[1]
        difference = frames[:, per_latent - 1 :: per_latent] - candidates.goal.image
        error = blur(difference.movedim(-3, -1), self.smoothing).square().mean(dim=(-3, -2, -1))
        return discounted_mean(error, self.discount)
