"""The smallest distance to the goal at any time of the horizon."""

from torch import Tensor

from hwm_core.planning.costs.base import Weight
from hwm_core.planning.costs.goal_changes import GoalChanges


class ClosestApproach(GoalChanges):
    """As `GoalChanges`, but of the latent nearest to the goal. It needs all latents of the horizon.

    It finds motions that pass the goal, where none can arrive and stay in time.
    """

    weight: Weight = 0.0

    @property
    def last_latents(self) -> None:
        return None

    def _over_time(self, errors: Tensor) -> Tensor:
        return errors.amin(dim=1)
