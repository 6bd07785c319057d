"""The smallest distance to the goal at any time of the horizon."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.goal_changes import GoalChanges


class ClosestApproach(GoalChanges):
    """As `GoalChanges`, but of the latent nearest to the goal. It needs all latents of the horizon.

    It finds motions that pass the goal, where none can arrive and stay in time.
    """

    weight: float = Field(default=0.0, ge=0.0, le=1e6, description="factor before the power; 0 disables the term")

    @property
    def last_latents(self) -> None:
        return None

    def _over_time(self, errors: Tensor) -> Tensor:
        return errors.amin(dim=1)
