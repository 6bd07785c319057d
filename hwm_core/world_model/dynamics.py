"""A world model as the dynamics that planning knows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.planning.dynamics import Goal
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import Past, Rollout, WorldModel


@dataclass(frozen=True)
class Imagined:
    """The imagined futures of S candidates; pixels are decoded when asked for."""

    world_model: WorldModel
    past: Past
    rollout: Rollout

    @property
    def latents(self) -> Tensor:
        return self.rollout.latents

    def frames(self) -> Tensor:
        return self.world_model.video(self.past, self.rollout)


class WorldModelDynamics:
    """`planning.Dynamics` over a world model. All rollouts use one seed: candidates differ by their actions alone."""

    def __init__(
        self,
        world_model: WorldModel,
        *,
        horizon_frames: int | None = None,
        sampling: Sampling | None = None,
        seed: int = 0,
    ) -> None:
        self.world_model, self.seed = world_model, seed
        self.sampling = sampling or Sampling()
        self.horizon_frames = horizon_frames or world_model.future_frames

    @property
    def num_joints(self) -> int:
        return self.world_model.manifest.dim

    def recent_actions(self, past: Past) -> Tensor:
        return past.actions[0, -2:]

    def goal(self, image: NDArray[np.uint8]) -> Goal:
        pixels = self.world_model.to_video(image[None, None])[0, 0]
        return Goal(pixels, self.world_model.goal_latent(image))

    def rollout(self, past: Past, candidates: Tensor) -> Imagined:
        rollout = self.world_model.rollout(past, candidates, sampling=self.sampling, seed=self.seed)
        return Imagined(self.world_model, past, rollout)
