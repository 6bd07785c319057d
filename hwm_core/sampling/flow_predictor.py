"""Futures of a flow model: an ODE from noise to latents."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.models.conditioning import PastCache
from hwm_core.models.flow import FlowWorldModel
from hwm_core.nn.backbone import reject_cache
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.guidance import guided
from hwm_core.sampling.ode import integrate
from hwm_core.types import Rollout

ConditionalVelocity = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Velocity at points [S, T, H, W, C] and times [S]; a bool mask [S] drops the conditions of some samples."""


@dataclass(frozen=True)
class PastLatents:
    """B pasts of a flow model."""

    latents: Tensor  # [B, T_past, H, W, C]
    actions: Tensor  # [B, F_past, A]
    cache: PastCache | None  # computed with actions; None for variants that cannot be cached exactly


class FlowPredictor:
    """Samples futures of a flow model. With a single seed, all candidates start from the same noise."""

    def __init__(self, model: FlowWorldModel) -> None:
        self.model, self.config = model, model.config
        self._predict: Callable[..., Tensor] = model.predict

    def compile(self, mode: str) -> None:
        reject_cache(self.model.cache_obstacle)
        self._predict = torch.compile(self.model.predict, fullgraph=True, dynamic=False, mode=mode)

    def observe(self, codes: Tensor, actions: Tensor) -> PastLatents:
        cache = None if self.model.cache_obstacle else self.model.prefill(codes, actions)
        return PastLatents(codes, actions, cache)

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
        guidance = sampling.guidance_scale != 1
        # Latents that attend to each other are predicted to the end, and cut afterwards.
        end = skip + num_latents if self.model.separate_latents else self.config.num_future_latents
        noise = generator.normal((candidates, self.config.num_future_latents, *past.latents.shape[2:]))[:, skip:end]
        conditional = self._uncached if past.cache is None else self._cached
        velocity = conditional(past, actions, candidates, guidance=guidance, latents=range(skip, end))

        def derivative(x: Tensor, t: float) -> Tensor:
            def at(x: Tensor, dropped: Tensor | None) -> Tensor:
                return velocity(x, x.new_full((len(x),), t), dropped).float()

            return guided(at, x, sampling.guidance_scale) if guidance else at(x, None)

        start = noise.expand(candidates, -1, -1, -1, -1) if guidance else noise
        data = integrate(derivative, start, steps=sampling.steps, solver=sampling.solver)
        return Rollout(data[:, :num_latents].expand(candidates, -1, -1, -1, -1), first_latent=skip)

    def varies(self, sampling: Sampling) -> bool:
        return True

    def _uncached(
        self, past: PastLatents, actions: Tensor | None, candidates: int, guidance: bool, latents: range
    ) -> ConditionalVelocity:
        known = _per_sample(past.latents, candidates, guidance)
        if actions is not None:
            actions = torch.cat([past.actions.expand(candidates, -1, -1), actions], dim=1)
            actions = _per_sample(actions, candidates, guidance)
        return lambda x, t, dropped: self.model(x, t, known, actions, drop_context=dropped, latents=latents)

    def _cached(
        self, past: PastLatents, actions: Tensor | None, candidates: int, guidance: bool, latents: range
    ) -> ConditionalVelocity:
        cache = past.cache if actions is not None else self.model.prefill(past.latents, None)
        assert cache is not None
        future = None if actions is None else _per_sample(actions, candidates, guidance)
        if guidance:
            first = past.latents[:1]
            dropped = torch.ones(1, dtype=torch.bool, device=first.device)
            cache = cache.concat_batch(self.model.prefill(first, None, drop_context=dropped), candidates)
        return lambda x, t, dropped: self._predict(cache, x, t, future, drop_actions=dropped, latents=latents)


def _per_sample(x: Tensor, candidates: int, guidance: bool) -> Tensor:
    """With guidance one row per candidate, for the conditional and again for the unconditional half of the batch."""
    if not guidance:
        return x
    x = x.expand(candidates, *x.shape[1:])
    return torch.cat([x, x])
