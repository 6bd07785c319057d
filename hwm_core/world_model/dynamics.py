"""The `Dynamics` protocol of planning, implemented with a world model."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.planning.dynamics import Goal
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.types import Rollout
from hwm_core.world_model.memory import bytes_per_candidate
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past


class WorldModelDynamics:
    """Rolls out candidates over the model's own future, all with one seed: they differ only by their actions.

    Args:
        world_model: predicts and decodes.
        sampling: how futures are sampled; default: one pass.
        seed: seed of every rollout.
        memory: bytes that a rollout may use beside weights and past; more candidates are rolled out in parts.
        approximate: leave out latents that are not needed even where the others attend to them. `hwm bench speed` tells
            whether a model still ranks as before. Without, only models that predict each latent on its own leave out.
        before_pass: called before each part of a rollout; an exception that it raises ends the rollout.
    """

    def __init__(
        self,
        world_model: WorldModel,
        *,
        sampling: Sampling | None = None,
        seed: int = 0,
        memory: int = 2**31,
        approximate: bool = False,
        before_pass: Callable[[], None] = lambda: None,
    ) -> None:
        self.world_model, self.sampling, self.seed, self.memory = world_model, sampling or Sampling(), seed, memory
        self._before_pass = before_pass
        self._leaves_out = approximate or world_model.model.separate_latents

    @property
    def num_joints(self) -> int:
        return self.world_model.manifest.dim

    @property
    def horizon_frames(self) -> int:
        return self.world_model.future_frames

    def recent_actions(self, past: Past) -> Tensor:
        return past.actions[0, -2:]

    def goal(self, image: NDArray[np.uint8], start: NDArray[np.uint8] | None = None) -> Goal:
        pixels = self.world_model.to_video(image[None, None])[0, 0]
        before = None if start is None else self.world_model.goal_latent(start)
        return Goal(pixels, self.world_model.goal_latent(image), before)

    def rollout(self, past: Past, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        model = self.world_model
        total = model.model.config.num_future_latents
        num_latents = min(last_latents, total) if last_latents is not None and self._leaves_out else total
        generator, parts = CandidateGenerator(self.seed, model.device), []
        batch, count = self.batch(num_latents), len(candidates)
        candidates = candidates.to(model.device)
        if model.compiled_batch is not None:  # all parts have one size
            candidates = torch.cat([candidates, candidates[-1:].expand(-count % batch, -1, -1)])
        for part in candidates.split(batch):
            self._before_pass()
            parts.append(
                model.predict(
                    past,
                    part,
                    num_latents=num_latents,
                    sampling=self.sampling,
                    generator=generator,
                    skip=total - num_latents,
                )
            )
            generator = generator.further()
        rollout = Rollout.batched(parts)
        tokens = None if rollout.tokens is None else rollout.tokens[:count]
        return replace(rollout, latents=rollout.latents[:count], tokens=tokens)

    def batch(self, num_latents: int) -> int:
        """How many candidates of `num_latents` latents are rolled out at once: as compiled, or within the memory."""
        if self.world_model.compiled_batch is not None:
            return self.world_model.compiled_batch
        return max(1, self.memory // bytes_per_candidate(self.world_model.model, num_latents, self.world_model.dtype))

    def decode(self, past: Past, rollout: Rollout) -> Tensor:
        return self.world_model.decode(past, rollout)
