"""Hidden states of a masked model's next latents: with a KV cache, or recomputed from scratch."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.models.token_network import KVCache

HiddenAfter = Callable[[KVCache, Tensor, Tensor | None, int], Tensor]
"""`MaskedWorldModel.hidden_after`."""


class MaskedForward(Protocol):
    """Forward passes of a masked model over the future, latent by latent."""

    def hidden(self, tokens: Tensor) -> Tensor:
        """Hidden states [S, n, h, w, D] of the next n latents, given their current tokens [S, n, h, w, P]."""
        ...

    def skip(self, latents: int) -> None:
        """Leave out the next latents, before the first `hidden`. They stay masked, or are not computed at all."""
        ...

    def append(self, tokens: Tensor) -> None:
        """Append final tokens [S, n, h, w, P] to the context and continue with the latents after them."""
        ...


class CachedForward:
    """Computes only the next latents; all candidates share the KV cache of the past."""

    def __init__(
        self,
        model: MaskedWorldModel,
        past: KVCache,
        actions: Tensor | None,
        hidden_after: HiddenAfter | None = None,
    ) -> None:
        """`actions` [S, F, A] belong to the future frames; None drops the action stream.

        `hidden_after` is the model's, or a compiled version of it.
        """
        self._model, self._cache, self._actions = model, past, actions
        self._hidden_after = hidden_after or model.hidden_after
        self._first, self._skipped = past.num_latents, 0

    def hidden(self, tokens: Tensor) -> Tensor:
        actions = self._next_actions(self._skipped + tokens.shape[1])
        return self._hidden_after(self._cache, tokens, actions, self._skipped)

    def skip(self, latents: int) -> None:
        self._skipped = latents

    def append(self, tokens: Tensor) -> None:
        self._cache = self._model.append(tokens, self._next_actions(tokens.shape[1]), self._cache)

    def _next_actions(self, latents: int) -> Tensor | None:
        if self._actions is None:
            return None
        factor = self._model.config.temporal_factor
        start = (self._cache.num_latents - self._first) * factor
        return self._actions[:, start : start + latents * factor]


class UncachedForward:
    """Computes every latent at every step. For variants whose past attends to the future, and to verify the cache."""

    def __init__(self, model: MaskedWorldModel, past: Tensor, actions: Tensor | None, candidates: int) -> None:
        """`past` is [1 or S, T, h, w, P]; `actions` [S, F, A] belong to past and future frames, None drops them."""
        self._model, self._actions = model, actions
        shape = (candidates, model.config.num_latents, *past.shape[2:])
        self._tokens = torch.full(shape, model.vocabulary.mask_token, device=past.device)
        self._tokens[:, : past.shape[1]] = past
        self._next = past.shape[1]

    def hidden(self, tokens: Tensor) -> Tensor:
        end = self._next + tokens.shape[1]
        self._tokens[:, self._next : end] = tokens
        first = self._model.config.num_past_latents
        hidden = self._model.hidden(self._tokens, self._actions)[:, self._next - first : end - first]
        return hidden.unflatten(2, self._model.config.sites)

    def skip(self, latents: int) -> None:
        self._next += latents

    def append(self, tokens: Tensor) -> None:
        self._tokens[:, self._next : self._next + tokens.shape[1]] = tokens
        self._next += tokens.shape[1]
