"""Futures of a masked model: MaskGIT over tokens."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.models.token_network import KVCache
from hwm_core.nn.backbone import reject_cache
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.masked_forward import CachedForward, HiddenAfter, MaskedForward, UncachedForward
from hwm_core.sampling.maskgit import decode, token_scores
from hwm_core.sampling.order import Uniform
from hwm_core.sampling.predictor import RevealCallback, TokenPredictor
from hwm_core.types import Rollout


@dataclass(frozen=True)
class PastTokens:
    """B pasts of a masked model."""

    tokens: Tensor  # [B, T_past, h, w, P], P codes per site
    actions: Tensor  # [B, F_past, A]
    cache: KVCache | None  # computed with actions; None for variants that cannot be cached exactly


class MaskedPredictor(TokenPredictor):
    """Samples futures of a masked model. Every candidate samples its own tokens."""

    def __init__(self, model: MaskedWorldModel) -> None:
        self.model, self.config = model, model.config
        self._hidden: HiddenAfter = model.hidden_after

    def compile(self, mode: str) -> None:
        reject_cache(self.model.cache_obstacle)
        self._hidden = torch.compile(self.model.hidden_after, fullgraph=True, dynamic=False, mode=mode)

    def observe(self, codes: Tensor, actions: Tensor) -> PastTokens:
        tokens = self.model.to_sites(codes)
        cache = None if self.model.cache_obstacle else self.model.append(tokens, actions)
        return PastTokens(tokens, actions, cache)

    def decode(
        self,
        past: PastTokens,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        uniform: Uniform,
        on_reveal: RevealCallback | None = None,
        truth: Tensor | None = None,
        skip: int = 0,
    ) -> Rollout:
        """As `TokenPredictor.decode`."""
        forward = self.forward(past, actions, candidates)
        return decode(self.model, forward, candidates, num_latents, sampling, uniform, on_reveal, truth, skip)

    def token_scores(
        self, past: PastTokens, actions: Tensor, *, num_latents: int, tokens: Tensor | None, skip: int = 0
    ) -> Tensor:
        """As `TokenPredictor.token_scores`."""
        forward = self.forward(past, actions, len(actions))
        return token_scores(self.model, forward, len(actions), num_latents, skip, tokens)

    def varies(self, sampling: Sampling) -> bool:
        at_once = sampling.parallel or self.config.num_future_latents == 1
        if sampling.steps == 1 and at_once:  # all sites are revealed together, so no logits depend on sampled tokens
            return sampling.temperature > 0 and not sampling.soft
        return sampling.temperature > 0 or (sampling.order == "random" and sampling.steps > 1)

    def forward(self, past: PastTokens, actions: Tensor | None, candidates: int) -> MaskedForward:
        """The forward passes that `maskgit.decode` needs; arguments as for `predict`."""
        if past.cache is None:
            if actions is not None:
                actions = torch.cat([past.actions.expand(candidates, -1, -1), actions], dim=1)
            return UncachedForward(self.model, past.tokens, actions, candidates)
        if actions is None:
            return CachedForward(self.model, self.model.append(past.tokens, None), None, self._hidden)
        return CachedForward(self.model, past.cache, actions, self._hidden)
