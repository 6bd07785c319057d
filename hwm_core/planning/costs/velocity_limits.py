"""Candidates from elsewhere may ask for more speed than the robot has."""

from torch import Tensor

from hwm_core.planning.costs.base import Cost, Imagined


class VelocityLimits(Cost):
    """Excess of the change per frame over its limit: squares summed over joints, mean over frames, in scales."""

    def value(self, imagined: Imagined) -> Tensor:
        steps = imagined.trajectories()[:, 1:].diff(dim=1).abs()  # [S, F, A], the first from the newest past action
        excess = (steps - imagined.space.max_step).clamp(min=0)
        return imagined.space.in_scales(excess).square().sum(dim=-1).mean(dim=-1)
