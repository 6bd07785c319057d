"""Settings of the limits that plans and commands keep."""

from collections.abc import Sequence

import torch
from pydantic import Field

from hwm_core.config import Config
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.planning.joint_space import SECONDS_TO_FULL_SPEED, JointSpace
from hwm_core.planning.limit_file import read_limits


class Limits(Config):
    """Limits of speed and acceleration; the positions are limited by the model's action manifest, and by the file."""

    max_velocity: float = Field(default=3.0, gt=0, description="speed limit of every joint in rad/s (or m/s)")
    max_acceleration: float = Field(
        default=0.0, ge=0, description="limit of every joint in rad/s^2 (or m/s^2); 0: 0.15 s from rest to full speed"
    )
    file: str = Field(
        default="", description="robot YAML file or URDF with narrower limits of single joints; empty: none"
    )

    def space(
        self,
        manifest: ActionManifest,
        frame_rate_hz: float,
        device: torch.device | str = "cpu",
        own: Sequence[float] | None = None,
    ) -> JointSpace:
        """The joint space of a model's joints.

        Args:
            manifest: of the model.
            frame_rate_hz: of its actions.
            device: of the tensors.
            own: [A] known speed limits of the robot, used without a file.

        Raises:
            RobotMismatch: a file of another robot.
            BadConfig: a file that cannot be read.
        """
        fastest, lower, upper = self.max_velocity, list(manifest.lower), list(manifest.upper)
        if self.file:
            found = read_limits(self.file, manifest, fastest)
            lower, upper, speeds, accelerations = found.lower, found.upper, found.velocity, found.acceleration
        else:
            speeds = [min(speed, fastest) for speed in own or [fastest] * manifest.dim]
            accelerations = [self.max_acceleration or speed / SECONDS_TO_FULL_SPEED for speed in speeds]
        if self.max_acceleration:
            accelerations = [min(acceleration, self.max_acceleration) for acceleration in accelerations]
        limits = (manifest.names, lower, upper, manifest.scale)
        return JointSpace.from_limits(*limits, frame_rate_hz, speeds, device, accelerations)
