"""Distributions over codes of four independent digits, and their log-probabilities by brute force."""

import math

import torch

from hwm_core.tokenizers.fsq import codes_to_digits

LEVELS = (4, 3, 5, 2)  # 120 codes


def digit_log_probs(levels, *shape: int, seed: int = 0, sharpness: float = 2.0) -> list[torch.Tensor]:
    """Random log-probabilities of each digit, [*shape, level] each."""
    generator = torch.Generator().manual_seed(seed)
    return [(sharpness * torch.randn(*shape, level, generator=generator)).log_softmax(-1) for level in levels]


def brute_force(digits: list[torch.Tensor], levels) -> torch.Tensor:
    """Log-probability of every code, [..., codebook]."""
    of_codes = codes_to_digits(torch.arange(math.prod(levels)), levels)
    return torch.stack([part[..., of_codes[:, i]] for i, part in enumerate(digits)]).sum(0)
