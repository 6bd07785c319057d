"""A dynamics for planning tests that can be solved on paper: joint 0 moves a light spot along a row of cells."""

import numpy as np
import torch
from torch import Tensor

from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.types import Rollout

CELLS, FRAMES_PER_LATENT, LATENTS = 16, 4, 3


class SpotDynamics:
    """A latent shows the spot at joint 0's position in the latent's last frame. A past is the two newest actions."""

    num_joints, horizon_frames = 2, FRAMES_PER_LATENT * LATENTS

    def recent_actions(self, past: Tensor) -> Tensor:
        return past

    def goal(self, image: np.ndarray, start: np.ndarray | None = None) -> Goal:
        pixels = torch.as_tensor(image).float().movedim(-1, 0) / 255
        before = None if start is None else torch.as_tensor(start).float()[..., :1] / 255
        return Goal(pixels, pixels[:1].movedim(0, -1), before)

    def rollout(self, past: Tensor, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        latents = spot(candidates[:, FRAMES_PER_LATENT - 1 :: FRAMES_PER_LATENT, 0])
        first = 0 if last_latents is None else LATENTS - last_latents
        return Rollout(latents[:, first:], first_latent=first)

    def decode(self, past: Tensor, rollout: Rollout) -> Tensor:
        pixels = rollout.latents.repeat_interleave(FRAMES_PER_LATENT, dim=1)
        return pixels.movedim(-1, 2).expand(-1, -1, 3, -1, -1)


def spot(position: Tensor) -> Tensor:
    """Positions [...] in cells, whole or not -> [..., 3, CELLS, 1]: a spot as wide as one cell."""
    distance = torch.arange(CELLS) - position[..., None]
    return torch.exp(-0.5 * distance**2)[..., None, :, None].expand(*position.shape, 3, CELLS, 1)


def goal_at(position: float) -> Goal:
    latent = spot(torch.tensor(position))
    return Goal(latent.movedim(-1, 0).expand(3, -1, -1), latent)


def space(max_velocity: float = 1000.0) -> JointSpace:
    return JointSpace(
        names=("slide", "idle"),
        lower=torch.tensor([0.0, -1.0]),
        upper=torch.tensor([15.0, 1.0]),
        max_velocity=torch.full((2,), max_velocity),
        max_acceleration=torch.full((2,), 100 * max_velocity),  # no limit
        scale=torch.tensor([4.0, 0.5]),
        frame_rate_hz=10.0,
    )
