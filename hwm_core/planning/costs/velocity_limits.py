"""Limits joint speeds. hwm's planner keeps the limits, but candidates from other sources may exceed them."""

from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost


class VelocityLimits(Cost):
    """Squared excess of the change per frame over its limit: summed over joints, mean over frames."""

    @property
    def last_latents(self) -> int:
        return 0

    def value(self, candidates: Candidates) -> Tensor:
        steps = candidates.trajectories()[:, 1:].diff(dim=1).abs()  # [S, F, A], the first from the newest past action
        excess = (steps - candidates.space.max_step).clamp(min=0)
        return candidates.space.normalised(excess).square().sum(dim=-1).mean(dim=-1)
