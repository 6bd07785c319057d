"""Masked decoding (MaskGIT, arXiv 2202.04200; paper section 2.2)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.masked_forward import MaskedForward
from hwm_core.sampling.order import Uniform, priority, reveal, revealed_counts
from hwm_core.types import Rollout

RevealCallback = Callable[[int, Tensor, Tensor], None]
"""Receives at each step: index of the first latent, logits [S, n, h, w, V], newly revealed sites [S, n, h, w]."""


def decode(
    model: MaskedWorldModel,
    forward: MaskedForward,
    candidates: int,
    num_latents: int,
    sampling: Sampling,
    uniform: Uniform,
    on_reveal: RevealCallback | None = None,
    truth: Tensor | None = None,
) -> Rollout:
    """Sample `num_latents` latents: one by one, or all together if `sampling.parallel`.

    Args:
        model: provides shapes and vocabulary.
        forward: computes the logits from the past and the actions.
        candidates: S.
        uniform: returns samples of U(0,1) of a given shape.
        on_reveal: receives the distribution from which each site is sampled.
        truth: tokens [S, T, h, w, P] that later latents attend to instead of the sampled ones (teacher forcing over
            time). The latents are then decoded one by one.
    """
    step = num_latents if sampling.parallel and truth is None else 1
    tokens: list[Tensor] = []
    latents: list[Tensor] = []
    for start in range(0, num_latents, step):
        callback = None if on_reveal is None else partial(on_reveal, start)
        new_tokens, new_latents = _decode_together(model, forward, candidates, step, sampling, uniform, callback)
        if start + step < num_latents:
            forward.append(new_tokens if truth is None else truth[:, start : start + 1])
        tokens.append(new_tokens)
        latents.append(new_latents)
    return Rollout(model.to_grid(torch.cat(latents, dim=1)), model.to_grid(torch.cat(tokens, dim=1)))


def _decode_together(
    model: MaskedWorldModel,
    forward: MaskedForward,
    candidates: int,
    num_latents: int,
    sampling: Sampling,
    uniform: Uniform,
    on_reveal: Callable[[Tensor, Tensor], None] | None,
) -> tuple[Tensor, Tensor]:
    """K refinement steps over the next latents: predict every masked site, reveal the best sites, keep the rest masked.

    Returns:
        Tokens [S, n, h, w, P] and latents [S, n, h, w, P, C].
    """
    vocabulary, (height, width) = model.vocabulary, model.config.sites
    device = model.device
    tokens = torch.full(
        (candidates, num_latents, height, width, vocabulary.codes_per_site), vocabulary.mask_token, device=device
    )
    latents = torch.zeros(*tokens.shape, len(vocabulary.levels), device=device)
    revealed = torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=device)
    for count in revealed_counts(height * width, sampling.steps):
        logits = forward.logits(tokens)
        draw = vocabulary.sample(logits, sampling.temperature, uniform)
        now = reveal(priority(sampling.order, draw.log_prob, sampling.temperature, uniform), revealed, count)
        if on_reveal is not None:
            on_reveal(logits, now & ~revealed)
        fresh = (now & ~revealed)[..., None]
        tokens = torch.where(fresh, draw.tokens, tokens)
        latents = torch.where(fresh[..., None], draw.latents, latents)
        revealed = now
    return tokens, latents if sampling.soft else vocabulary.latents(tokens)
