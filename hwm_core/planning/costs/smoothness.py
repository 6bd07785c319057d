"""Prefers smooth motions: jerky commands wear out a robot, and differ from the training data."""

from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost, Weight


class Smoothness(Cost):
    """Mean squared acceleration over frames and joints, in (joint scales per second squared) squared.

    The two newest past actions are part of the trajectory: a continued motion has no cost, but a sudden start has.
    """

    weight: Weight = 1e-5

    @property
    def last_latents(self) -> int:
        return 0

    def value(self, candidates: Candidates) -> Tensor:
        trajectories = candidates.space.normalised(candidates.trajectories())
        acceleration = trajectories.diff(n=2, dim=1) * candidates.space.frame_rate_hz**2
        return acceleration.square().mean(dim=(1, 2))
