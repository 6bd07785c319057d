"""The seam between a world model and a family: what it takes in of the past, and how it draws a future."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from hwm_core.models.flow import FlowWorldModel, PastCache
from hwm_core.models.masked import KVCache, MaskedWorldModel
from hwm_core.rng.candidates import Draws
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.decoder import CachedDecoder, Decoder, FullDecoder
from hwm_core.sampling.guidance import guided
from hwm_core.sampling.maskgit import decode
from hwm_core.sampling.ode import integrate

Ask = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Velocity at points [S, T, H, W, C] and times [S], with the conditions of some samples [S] dropped."""


@dataclass(frozen=True)
class Future:
    """The future of S candidates."""

    latents: Tensor  # [S, T, H, W, C]
    tokens: Tensor | None  # [S, T, H, W] codes, of a discrete tokenizer


class Predictor(Protocol):
    """Predicts at most the model's own future. All actions are normalised, and cover whole latents."""

    def observe(self, codes: Tensor, actions: Tensor) -> Any:
        """What the model keeps of B pasts.

        Args:
            codes: of the tokenizer's `encode`, [B, T_past, ...].
            actions: [B, F_past, A].
        """
        ...

    def predict(
        self,
        known: Any,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        draws: Draws,
    ) -> Future:
        """Draw `num_latents` latents.

        Args:
            known: what `observe` gave: one past for all candidates, or one for each.
            actions: [S, F_future, A] of the model's whole future; None drops the stream, of the past too.
        """
        ...

    def varies(self, sampling: Sampling) -> bool:
        """Whether another seed gives another future."""
        ...


@dataclass(frozen=True)
class KnownTokens:
    """B pasts of a masked model."""

    tokens: Tensor  # [B, T_past, h, w, P] by site
    actions: Tensor  # [B, F_past, A]
    cache: KVCache | None  # exact keys and values, with actions heard; None for rows that cannot be cached


class MaskedPredictor:
    """MaskGIT over tokens; every candidate has its own draws."""

    def __init__(self, model: MaskedWorldModel) -> None:
        self.model, self.config = model, model.config

    def observe(self, codes: Tensor, actions: Tensor) -> KnownTokens:
        sites = self.model.to_sites(codes)
        cache = None if self.model.cache_obstacle else self.model.append(sites, actions)
        return KnownTokens(sites, actions, cache)

    def predict(
        self,
        known: KnownTokens,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        draws: Draws,
    ) -> Future:
        decoded = decode(
            self.model,
            self.decoder(known, actions, candidates),
            candidates,
            num_latents,
            sampling,
            draws.uniform,
        )
        return Future(self.model.to_grid(decoded.latents), self.model.to_grid(decoded.tokens))

    def varies(self, sampling: Sampling) -> bool:
        at_once = sampling.parallel or self.config.num_future_latents == 1
        if sampling.steps == 1 and at_once:  # everything is shown together, and nothing hears what was drawn
            return sampling.temperature > 0 and not sampling.soft
        return sampling.temperature > 0 or (sampling.order == "random" and sampling.steps > 1)

    def decoder(self, known: KnownTokens, actions: Tensor | None, candidates: int) -> Decoder:
        """What `maskgit.decode` asks; arguments as of `predict`."""
        if known.cache is None:
            if actions is None:
                return FullDecoder(self.model, known.tokens, None, candidates)
            every = torch.cat([known.actions.expand(candidates, -1, -1), actions], dim=1)
            return FullDecoder(self.model, known.tokens, every, candidates)
        if actions is None:
            return CachedDecoder(self.model, self.model.append(known.tokens, None), None)
        return CachedDecoder(self.model, known.cache, actions)


@dataclass(frozen=True)
class KnownLatents:
    """B pasts of a flow model."""

    latents: Tensor  # [B, T_past, H, W, C]
    actions: Tensor  # [B, F_past, A]
    cache: PastCache | None  # with actions heard; None for rows that cannot be cached


class FlowPredictor:
    """An ODE from noise to latents. Candidates of one seed start from the same noise: they differ by their actions."""

    def __init__(self, model: FlowWorldModel) -> None:
        self.model, self.config = model, model.config

    def observe(self, codes: Tensor, actions: Tensor) -> KnownLatents:
        cache = None if self.model.cache_obstacle else self.model.prefill(codes, actions)
        return KnownLatents(codes, actions, cache)

    def predict(
        self,
        known: KnownLatents,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        draws: Draws,
    ) -> Future:
        noise = draws.noise((candidates, self.config.num_future_latents, *known.latents.shape[2:]))
        ask = self._uncached if known.cache is None else self._cached
        velocity = ask(known, actions, candidates, guides=sampling.guidance_scale != 1)

        def slope(x: Tensor, t: float) -> Tensor:
            def at(x: Tensor, dropped: Tensor | None) -> Tensor:
                return velocity(x, x.new_full((len(x),), t), dropped).float()

            return at(x, None) if sampling.guidance_scale == 1 else guided(at, x, sampling.guidance_scale)

        data = integrate(slope, noise, steps=sampling.steps, solver=sampling.solver)
        return Future(data[:, :num_latents], None)

    def varies(self, sampling: Sampling) -> bool:
        return True

    def _uncached(self, known: KnownLatents, actions: Tensor | None, candidates: int, guides: bool) -> Ask:
        past = _spread(known.latents, candidates, guides)
        every = None
        if actions is not None:
            every = torch.cat([known.actions.expand(candidates, -1, -1), actions], dim=1)
            every = _spread(every, candidates, guides)
        return lambda x, t, dropped: self.model(x, t, past, every, dropped=dropped)

    def _cached(self, known: KnownLatents, actions: Tensor | None, candidates: int, guides: bool) -> Ask:
        cache = known.cache if actions is not None else self.model.prefill(known.latents, None)
        assert cache is not None
        later = None if actions is None else _spread(actions, candidates, guides)
        if guides:
            one = known.latents[:1]
            dropped = torch.ones(1, dtype=torch.bool, device=one.device)
            cache = cache.beside(self.model.prefill(one, None, dropped=dropped), candidates)
        return lambda x, t, dropped: self.model.predict(cache, x, t, later, dropped=dropped)


def _spread(x: Tensor, candidates: int, guides: bool) -> Tensor:
    """One sample for each candidate, and for guidance once more."""
    x = x.expand(candidates, *x.shape[1:])
    return torch.cat([x, x]) if guides else x
