"""Masked decoding (MaskGIT, arXiv 2202.04200; paper section 2.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.decoder import Decoder
from hwm_core.sampling.order import Uniform, priority, reveal, revealed_counts

Watch = Callable[[int, Tensor, Tensor], None]
"""Receives the first latent being decoded, the logits [S, n, h, w, V] of a step, its revealed sites [S, n, h, w]."""


@dataclass(frozen=True)
class Decoded:
    """Future latents of S candidates."""

    tokens: Tensor  # [S, T, h, w, P] codes by site
    latents: Tensor  # [S, T, h, w, P, C] what to show or score: mean latents, or those of the codes


def decode(
    model: MaskedWorldModel,
    decoder: Decoder,
    candidates: int,
    num_latents: int,
    sampling: Sampling,
    uniform: Uniform,
    watch: Watch | None = None,
    truth: Tensor | None = None,
) -> Decoded:
    """Decode `num_latents` latents: one after the other, or all at once when `sampling.parallel`.

    Args:
        watch: sees the distribution under which each site was drawn.
        truth: [S, T, h, w, P] codes that later latents hear in place of those drawn (teacher forcing over time);
            latents are decoded one after the other then.
    """
    at_once = num_latents if sampling.parallel and truth is None else 1
    parts: list[Decoded] = []
    for start in range(0, num_latents, at_once):
        heard = None if watch is None else partial(watch, start)
        parts.append(_decode_together(model, decoder, candidates, at_once, sampling, uniform, heard))
        if start + at_once < num_latents:
            decoder.append(parts[-1].tokens if truth is None else truth[:, start : start + 1])
    return Decoded(torch.cat([p.tokens for p in parts], dim=1), torch.cat([p.latents for p in parts], dim=1))


def _decode_together(
    model: MaskedWorldModel,
    decoder: Decoder,
    candidates: int,
    num_latents: int,
    sampling: Sampling,
    uniform: Uniform,
    watch: Callable[[Tensor, Tensor], None] | None,
) -> Decoded:
    """K steps: predict every masked site, reveal the best of them, mask the rest again."""
    vocabulary, (height, width) = model.vocabulary, model.config.sites
    device = model.position.device
    tokens = torch.full(
        (candidates, num_latents, height, width, vocabulary.codes_per_site), vocabulary.mask_token, device=device
    )
    latents = torch.zeros(*tokens.shape, len(vocabulary.levels), device=device)
    known = torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=device)
    for count in revealed_counts(height * width, sampling.steps):
        logits = decoder.logits(tokens)
        draw = vocabulary.draw(logits, sampling.temperature, uniform)
        grown = reveal(priority(sampling.order, draw.log_prob, sampling.temperature, uniform), known, count)
        if watch is not None:
            watch(logits, grown & ~known)
        fresh = (grown & ~known)[..., None]
        tokens = torch.where(fresh, draw.tokens, tokens)
        latents = torch.where(fresh[..., None], draw.latents, latents)
        known = grown
    return Decoded(tokens, latents if sampling.soft else vocabulary.latents(tokens))
