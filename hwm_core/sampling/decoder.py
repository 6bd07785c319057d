"""Two ways to ask a masked model for the next latents: with the settled latents cached, or all computed anew."""

from typing import Protocol

import torch
from torch import Tensor

from hwm_core.models.masked import KVCache, MaskedWorldModel


class Decoder(Protocol):
    """Walks through the future, latent after latent."""

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits [S, n, h, w, V] of the next n latents, given their tokens [S, n, h, w, P] so far."""
        ...

    def append(self, tokens: Tensor) -> None:
        """Take [S, n, h, w, P] as final and move on to the latents after them."""
        ...


class CachedDecoder:
    """Computes only the latents asked for; the past's keys and values are shared by all candidates."""

    def __init__(self, model: MaskedWorldModel, past: KVCache, actions: Tensor | None) -> None:
        """`actions` [S, F, A] are those of the future frames; None drops the stream."""
        self._model, self._cache, self._actions = model, past, actions
        self._first = past.num_latents

    def logits(self, tokens: Tensor) -> Tensor:
        return self._model.predict(self._cache, tokens, self._next_actions(tokens.shape[1]))

    def append(self, tokens: Tensor) -> None:
        self._cache = self._model.append(tokens, self._next_actions(tokens.shape[1]), self._cache)

    def _next_actions(self, latents: int) -> Tensor | None:
        if self._actions is None:
            return None
        factor = self._model.config.temporal_factor
        start = (self._cache.num_latents - self._first) * factor
        return self._actions[:, start : start + latents * factor]


class FullDecoder:
    """Computes every latent at every step: for rows whose past hears the future, and to test the cache against."""

    def __init__(self, model: MaskedWorldModel, past: Tensor, actions: Tensor | None, candidates: int) -> None:
        """`past` [1 or S, T, h, w, P] by site, `actions` [S, F, A] of all frames, past ones too; None drops them."""
        self._model, self._actions = model, actions
        shape = (candidates, model.config.num_latents, *past.shape[2:])
        self._tokens = torch.full(shape, model.vocabulary.mask_token, device=past.device)
        self._tokens[:, : past.shape[1]] = past
        self._next = past.shape[1]

    def logits(self, tokens: Tensor) -> Tensor:
        end = self._next + tokens.shape[1]
        self._tokens[:, self._next : end] = tokens
        first = self._model.config.num_past_latents
        return self._model(self._tokens, self._actions)[:, self._next - first : end - first]

    def append(self, tokens: Tensor) -> None:
        self._tokens[:, self._next : self._next + tokens.shape[1]] = tokens
        self._next += tokens.shape[1]
