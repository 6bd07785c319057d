"""Corruption of tokens in the training of masked models: random replacement and masking (paper section 2.2)."""

import math

import torch
from torch import Tensor

from hwm_core.rng.batch_rows import integers, uniform, uniform_of_batch


def corrupt(tokens: Tensor, max_rate: float, codebook_size: int, generator: torch.Generator) -> Tensor:
    """Replace tokens by random ones at rate u * max_rate, one u ~ U(0,1) per sample (Copilot4D)."""
    rate = uniform((len(tokens), *[1] * (tokens.ndim - 1)), generator) * max_rate
    random = integers(0, codebook_size, tokens.shape, generator)
    return torch.where(uniform(tokens.shape, generator) < rate, random, tokens)


def future_mask(tokens: Tensor, full_rate: float, generator: torch.Generator) -> Tensor:
    """Mask each latent at its own rate cos(pi/2 * u), u ~ U(0,1) (MaskGIT's cosine schedule).

    A share `full_rate` of the samples is masked entirely: only then do the actions alone determine the future.

    Args:
        tokens: [b, T, ...], the whole batch or, with a RowGenerator, some of its samples.

    Returns:
        [B, T, ...] bool, the masks of the whole batch.
    """
    u = uniform_of_batch((*tokens.shape[:2], *[1] * (tokens.ndim - 2)), generator)
    masked = uniform_of_batch(tokens.shape, generator) < torch.cos(0.5 * math.pi * u)
    if full_rate == 0:
        return masked
    whole = uniform_of_batch((len(tokens),), generator) < full_rate
    return masked | whole.view(-1, *[1] * (tokens.ndim - 1))
