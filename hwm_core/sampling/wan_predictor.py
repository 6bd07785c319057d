"""Futures of a Wan model: from noise to latents along Wan's noise levels, the past latents held at every step."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.models.wan import TIMESTEPS, WanWorldModel
from hwm_core.models.wan_schedule import noise_levels
from hwm_core.nn.backbone import reject_cache
from hwm_core.pretrained import import_extra
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.flow_predictor import PastLatents
from hwm_core.sampling.guidance import guided
from hwm_core.types import Rollout

Velocity = Callable[[Tensor, float], Tensor]
"""Noise minus data at a point [S, T, H, W, C] and a timestep from 0 to 1000."""


class WanPredictor:
    """Samples futures of a Wan model. With a single seed, all candidates start from the same noise."""

    def __init__(self, model: WanWorldModel) -> None:
        self.model, self.config = model, model.config

    def compile(self, mode: str) -> None:
        reject_cache(self.model.cache_obstacle)

    def observe(self, codes: Tensor, actions: Tensor) -> PastLatents:
        return PastLatents(codes, actions, None)

    def predict(
        self,
        past: PastLatents,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        generator: CandidateGenerator,
        skip: int = 0,
    ) -> Rollout:
        noise = generator.normal((candidates, self.config.num_future_latents, *past.latents.shape[2:]))
        known = past.latents.expand(candidates, -1, -1, -1, -1)
        if actions is not None:
            actions = torch.cat([past.actions.expand(candidates, -1, -1), actions], dim=1)
        guidance = sampling.guidance_scale != 1 and actions is not None
        if guidance and actions is not None:
            known, actions = torch.cat([known, known]), torch.cat([actions, actions])

        def velocity(x: Tensor, timestep: float) -> Tensor:
            def at(x: Tensor, dropped: Tensor | None) -> Tensor:
                times = x.new_full((len(x),), timestep)
                return self.model(x, times, known, actions, drop_actions=dropped).float()

            return guided(at, x, sampling.guidance_scale) if guidance else at(x, None)

        start = noise.float().expand(candidates, -1, -1, -1, -1)
        solve = _SOLVERS.get(sampling.solver)
        if solve is None:
            raise BadConfig(
                "sampling: key `solver`",
                expected=" or ".join(_SOLVERS),
                got=f"`{sampling.solver}`, which Wan models lack",
                remedy="Set one of these.",
            )
        data = solve(velocity, start, sampling.steps, sampling.shift)
        return Rollout(data[:, skip : skip + num_latents], first_latent=skip)

    def varies(self, sampling: Sampling) -> bool:
        return True


def euler(velocity: Velocity, x: Tensor, steps: int, shift: float) -> Tensor:
    """Order 1: one evaluation per step."""
    levels = noise_levels(steps, shift)
    for level, following in pairwise(levels):
        x = x + (following - level) * velocity(x, TIMESTEPS * level)
    return x


def unipc(velocity: Velocity, x: Tensor, steps: int, shift: float) -> Tensor:
    """UniPC of order 2 (Zhao et al. 2023, arXiv 2302.04867), Wan's own solver: one evaluation per step."""
    scheduler = import_extra("diffusers.schedulers.scheduling_unipc_multistep").UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=TIMESTEPS, flow_shift=shift
    )
    scheduler.set_timesteps(steps)
    for timestep in scheduler.timesteps:
        x = scheduler.step(velocity(x, float(timestep)), timestep, x, return_dict=False)[0]
    return x


_SOLVERS: dict[str, Callable[[Velocity, Tensor, int, float], Tensor]] = {"euler": euler, "unipc": unipc}
