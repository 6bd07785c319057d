"""Prefers motions that are short and arrive early: only the end of a prediction is compared with the goal."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost


class Lateness(Cost):
    """Distance of the joints from their own end, in joint scales: mean over frames and joints. Holding still has 0."""

    weight: float = Field(default=0.05, ge=0.0, le=1e6, description="factor before the power; 0 disables the term")

    @property
    def last_latents(self) -> int:
        return 0

    def value(self, candidates: Candidates) -> Tensor:
        actions = candidates.actions
        return candidates.space.normalised(actions - actions[:, -1:]).abs().mean(dim=(1, 2))
