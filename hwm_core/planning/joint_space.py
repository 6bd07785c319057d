"""The action space of a robot: joint limits, speed limits, and the scale of each joint."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import RobotMismatch


@dataclass(frozen=True)
class JointSpace:
    """Limits and scales of A joints, in joint units (rad, or m for prismatic joints); every tensor is [A]."""

    names: tuple[str, ...]
    lower: Tensor
    upper: Tensor
    max_step: Tensor  # the largest change from one frame to the next
    scale: Tensor  # standard deviation in the training data; 0 for a joint that never moved
    frame_rate_hz: float

    @classmethod
    def from_manifest(
        cls, manifest: ActionManifest, frame_rate_hz: float, max_velocity: float, device: torch.device | str = "cpu"
    ) -> "JointSpace":
        """Limits and scales of the manifest, with one speed limit (joint units per second) for all joints."""
        limits = (manifest.names, manifest.lower, manifest.upper, manifest.scale)
        return cls.from_limits(*limits, frame_rate_hz, max_velocity, device)

    @classmethod
    def from_limits(
        cls,
        names: Sequence[str],
        lower: Sequence[float],
        upper: Sequence[float],
        scale: Sequence[float],
        frame_rate_hz: float,
        max_velocity: float,
        device: torch.device | str = "cpu",
    ) -> "JointSpace":
        """A joint space from sequences over A joints, with one speed limit (joint units per second) for all joints."""
        low, high, deviation = (
            torch.as_tensor(values, dtype=torch.float32, device=device) for values in (lower, upper, scale)
        )
        max_step = torch.full_like(low, max_velocity / frame_rate_hz)
        return cls(tuple(names), low, high, max_step, deviation, frame_rate_hz)

    def index(self, names: tuple[str, ...]) -> Tensor:
        """Columns of these joints. Raises RobotMismatch for a joint that the model does not have."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise RobotMismatch(
                "joints to plan",
                expected=f"names among {', '.join(self.names)}",
                got=", ".join(unknown),
                remedy="Correct the list of planned joints.",
            )
        return torch.tensor([self.names.index(name) for name in names], device=self.lower.device)

    def project(self, actions: Tensor, start: Tensor) -> Tensor:
        """Clamp trajectories to speed and joint limits, frame by frame.

        Args:
            actions: [..., F, A].
            start: [A] the action before the first one.
        """
        clamped, previous = [], start
        for action in actions.unbind(-2):
            previous = action.clamp(previous - self.max_step, previous + self.max_step).clamp(self.lower, self.upper)
            clamped.append(previous)
        return torch.stack(clamped, dim=-2)

    def normalised(self, difference: Tensor) -> Tensor:
        """Differences of actions [..., A] divided by each joint's scale, so that rad and m can be added."""
        return difference / torch.where(self.scale > 0, self.scale, torch.ones_like(self.scale))
