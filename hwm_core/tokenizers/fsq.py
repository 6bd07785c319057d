"""Finite scalar quantisation (arXiv 2309.15505): a code is one digit per latent dimension, in mixed radix.

Digit 0 is the fastest, as in Cosmos: code = d0 + d1 * l0 + d2 * l0 * l1 + ...
Digit d of a dimension with l levels stands for the value 2 d / (l - 1) - 1, so every dimension spans [-1, 1].
The levels stay Python numbers: a tensor of them would be copied to the GPU at each call.
"""

from itertools import accumulate
from math import prod
from operator import mul

import torch
from torch import Tensor

Levels = tuple[int, ...]


def codebook_size(levels: Levels) -> int:
    return prod(levels)


def codes_to_digits(codes: Tensor, levels: Levels) -> Tensor:
    """Codes int64 [...] -> digits int64 [..., L]."""
    return torch.stack([codes // radix % level for radix, level in zip(_radix(levels), levels)], dim=-1)


def digits_to_codes(digits: Tensor, levels: Levels) -> Tensor:
    """Digits int64 [..., L] -> codes int64 [...]."""
    return torch.stack([digits[..., i] * radix for i, radix in enumerate(_radix(levels))], dim=-1).sum(-1)


def digit_values(levels: Levels) -> tuple[Tensor, ...]:
    """The values of the digits of each of the L dimensions: float [l] from -1 to 1."""
    return tuple(torch.linspace(-1.0, 1.0, level) for level in levels)


def digits_to_latents(digits: Tensor, levels: Levels) -> Tensor:
    """Digits int64 [..., L] -> latents float [..., L] in [-1, 1]."""
    return torch.stack([digits[..., i] * (2.0 / (level - 1)) - 1.0 for i, level in enumerate(levels)], dim=-1)


def latents_to_digits(latents: Tensor, levels: Levels) -> Tensor:
    """The nearest digits int64 [..., L] of latents [..., L]; values outside [-1, 1] are clamped."""
    shares = (latents.float().clamp(-1.0, 1.0) + 1.0) * 0.5
    return torch.stack([shares[..., i] * (level - 1) for i, level in enumerate(levels)], dim=-1).round().long()


def quantise(unbounded: Tensor, levels: Levels) -> Tensor:
    """Bound by tanh and round to the nearest level; the gradient is that of tanh (straight-through).

    Args:
        unbounded: the encoder's output, float [..., L].

    Returns:
        Latents float32 [..., L], each exactly one of `digit_values`.
    """
    bounded = torch.tanh(unbounded.float())
    rounded = digits_to_latents(latents_to_digits(bounded.detach(), levels), levels)
    # Not bounded + (rounded - bounded).detach(): that sum is one rounding error off the grid.
    return rounded + (bounded - bounded.detach())


def _radix(levels: Levels) -> tuple[int, ...]:
    return (1, *accumulate(levels[:-1], mul))
