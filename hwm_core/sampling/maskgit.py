"""Masked decoding (MaskGIT, arXiv 2202.04200; paper section 2.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.decoder import Decoder
from hwm_core.sampling.order import Uniform, priority, reveal, revealed_counts


@dataclass(frozen=True)
class Decoded:
    """Future latents of S candidates."""

    tokens: Tensor  # [S, T, h, w, P] codes by site
    latents: Tensor  # [S, T, h, w, P, C] what to show or score: mean latents, or those of the codes


def decode(
    model: MaskedWorldModel, decoder: Decoder, candidates: int, num_latents: int, sampling: Sampling, uniform: Uniform
) -> Decoded:
    """Decode `num_latents` latents: one after the other, or all at once when `sampling.parallel`."""
    at_once = num_latents if sampling.parallel else 1
    parts: list[Decoded] = []
    for start in range(0, num_latents, at_once):
        parts.append(_decode_together(model, decoder, candidates, at_once, sampling, uniform))
        if start + at_once < num_latents:
            decoder.settle(parts[-1].tokens)
    return Decoded(torch.cat([p.tokens for p in parts], dim=1), torch.cat([p.latents for p in parts], dim=1))


def _decode_together(
    model: MaskedWorldModel, decoder: Decoder, candidates: int, num_latents: int, sampling: Sampling, uniform: Uniform
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
        draw = vocabulary.draw(decoder.logits(tokens), sampling.temperature, uniform)
        grown = reveal(priority(sampling.order, draw.log_prob, sampling.temperature, uniform), known, count)
        fresh = (grown & ~known)[..., None]
        tokens = torch.where(fresh, draw.tokens, tokens)
        latents = torch.where(fresh[..., None], draw.latents, latents)
        known = grown
    return Decoded(tokens, latents if sampling.soft else vocabulary.latents(tokens))
