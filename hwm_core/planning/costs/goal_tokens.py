"""How unlikely the goal is under the distributions that a masked model predicts."""

from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Weight
from hwm_core.planning.costs.blurred_nmse import discounted_mean
from hwm_core.planning.costs.latent_cost import ChangeWeightedCost


class GoalTokens(ChangeWeightedCost):
    """Negative log-likelihood of the goal's tokens, mean over cells, by how much the goal differs from its start.

    0 is certainty, 1 is a choice among all tokens at random. A token beside the right one counts as any other: unlike
    a blurred distance, it does not decrease while an arm comes nearer, so it tells near the goal alone. Masked models
    only, in one further pass, in which all future tokens are masked.
    """

    weight: Weight = 0.0

    @property
    def compares_scenes(self) -> bool:
        return False  # it needs a prediction

    def value(self, candidates: Candidates) -> Tensor:
        weights = self._weights(candidates.goal)
        surprise = candidates.goal_surprise().float()
        return discounted_mean((surprise * weights).sum(dim=(-1, -2)), self.discount)
