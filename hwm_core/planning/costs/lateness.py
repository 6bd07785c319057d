"""Prefers motions that are short and arrive early: only the end of a prediction is compared with the goal."""

from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost, Weight


class Lateness(Cost):
    """Distance of the joints from their own end, in joint scales: mean over frames and joints. Holding still has 0."""

    weight: Weight = 0.05

    @property
    def last_latents(self) -> int:
        return 0

    def value(self, candidates: Candidates) -> Tensor:
        actions = candidates.actions
        return candidates.space.normalised(actions - actions[:, -1:]).abs().mean(dim=(1, 2))
