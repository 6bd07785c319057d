"""A world for planning tests that can be solved on paper: joint 0 moves a light spot along a row of cells."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace

CELLS, FRAMES_PER_LATENT, LATENTS = 16, 4, 3


@dataclass(frozen=True)
class SpotPrediction:
    latents: Tensor

    def frames(self) -> Tensor:
        pixels = self.latents.repeat_interleave(FRAMES_PER_LATENT, dim=1)
        return pixels.movedim(-1, 2).expand(-1, -1, 3, -1, -1)


class SpotWorld:
    """A latent shows the spot where joint 0 stands at the latent's last frame. The past is the two newest actions."""

    num_joints, horizon_frames = 2, FRAMES_PER_LATENT * LATENTS

    def recent_actions(self, past: Tensor) -> Tensor:
        return past

    def goal(self, image: np.ndarray) -> Goal:
        pixels = torch.as_tensor(image).float().movedim(-1, 0) / 255
        return Goal(pixels, pixels[:1].movedim(0, -1))

    def rollout(self, past: Tensor, candidates: Tensor) -> SpotPrediction:
        return SpotPrediction(spot(candidates[:, FRAMES_PER_LATENT - 1 :: FRAMES_PER_LATENT, 0]))


def spot(position: Tensor) -> Tensor:
    """[...] cells -> [..., 3, CELLS, 1]: a spot of one cell's width, between cells too."""
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
        max_step=torch.full((2,), max_velocity / 10),
        scale=torch.tensor([4.0, 0.5]),
        frame_rate_hz=10.0,
    )
