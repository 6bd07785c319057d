"""How unlikely the goal is under the distributions that a masked model predicts."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.blurred_nmse import discounted_mean
from hwm_core.planning.costs.goal_changes import change_weights


class GoalTokens(Cost):
    """Negative log-likelihood of the goal's tokens, mean over cells, by how much the goal differs from its start.

    0 is certainty, 1 is a choice among all tokens at random. A token beside the right one counts as any other: unlike
    a blurred distance, it does not decrease while an arm comes nearer, so it tells near the goal alone. Masked models
    only, in one further pass, in which all future tokens are masked.
    """

    weight: float = Field(default=0.0, ge=0.0, le=1e6, description="factor before the power; 0 disables the term")
    spread: float = Field(default=1.0, ge=0.0, description="standard deviation of the blur of the changes, in cells")
    sharpness: float = Field(default=1.0, ge=0.0, description="exponent of the changes; 0: all cells count alike")
    floor: float = Field(default=0.0, ge=0.0, description="weight of a cell without change; the largest change has 1")
    discount: float = Field(
        default=0.0, ge=0.0, le=1.0, description="weight of a latent relative to the next; 0: only the last counts"
    )

    @property
    def last_latents(self) -> int | None:
        return 1 if self.discount == 0 else None

    @property
    def compares_scenes(self) -> bool:
        return False  # it needs a prediction

    def value(self, candidates: Candidates) -> Tensor:
        weights = change_weights(candidates.goal, self.spread, self.sharpness, self.floor)
        surprise = candidates.goal_surprise().float()
        return discounted_mean((surprise * weights).sum(dim=(-1, -2)), self.discount)
