"""Keeps joints away from their limits."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost


class JointLimits(Cost):
    """Squared distance beyond the joint limits, less a margin: summed over joints, mean over frames."""

    margin: float = Field(
        default=0.02, ge=0.0, lt=0.5, description="width of the margin at either end, as a share of the joint's range"
    )

    @property
    def last_latents(self) -> int:
        return 0

    def value(self, candidates: Candidates) -> Tensor:
        space = candidates.space
        margin = self.margin * (space.upper - space.lower)
        below = (space.lower + margin - candidates.actions).clamp(min=0)
        above = (candidates.actions - space.upper + margin).clamp(min=0)
        return space.normalised(below + above).square().sum(dim=-1).mean(dim=-1)
