"""Jerky commands wear robots out, and leave the motions that the model has seen."""

from pydantic import Field
from torch import Tensor

from hwm_core.planning.costs.base import Candidates, Cost


class Smoothness(Cost):
    """Mean squared acceleration over frames and joints, in (joint scales per second squared) squared.

    The two newest past actions belong to the trajectory: going on with a motion costs nothing, a sudden start does.
    """

    weight: float = Field(default=1e-5, ge=0.0, description="factor before the power; 0 leaves the term out")

    def value(self, candidates: Candidates) -> Tensor:
        trajectories = candidates.space.in_scales(candidates.trajectories())
        acceleration = trajectories.diff(n=2, dim=1) * candidates.space.frame_rate_hz**2
        return acceleration.square().mean(dim=(1, 2))
