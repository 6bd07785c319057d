"""How a tokenizer uses its codebook: how many codes, how evenly, and how predictable they are from the past."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.tokenizers import fsq


@dataclass(frozen=True)
class CodebookUsage:
    """Statistics of `num_codes` codes.

    Entropies come from the observed frequencies. They are too small unless `num_codes` is many times `codes_used`.
    """

    num_codes: int
    codebook_size: int
    codes_used: int  # codes that occur at least once
    entropy_bits: float  # per code; log2(codebook_size) if all codes are equally frequent
    digit_evenness: tuple[float, ...]  # entropy of each digit, divided by its maximum
    repeated: float  # share of codes that equal the code at the same site one latent earlier
    conditional_entropy_bits: float  # per code: sum over digits of the entropy given the same digit one latent earlier


def codebook_usage(codes: Tensor, levels: fsq.Levels) -> CodebookUsage:
    """Statistics of clips of tokens int64 [B, T, h, w]."""
    digits = fsq.codes_to_digits(codes, levels)
    counts = torch.unique(codes, return_counts=True)[1]
    earlier, later = digits[:, :-1].flatten(0, -2).T, digits[:, 1:].flatten(0, -2).T
    conditional = [
        _entropy(torch.bincount(old * level + new)) - _entropy(torch.bincount(old))
        for old, new, level in zip(earlier, later, levels)
    ]
    return CodebookUsage(
        num_codes=codes.numel(),
        codebook_size=fsq.codebook_size(levels),
        codes_used=len(counts),
        entropy_bits=_entropy(counts),
        digit_evenness=digit_evenness(codes, levels),
        repeated=float((codes[:, 1:] == codes[:, :-1]).float().mean()),
        conditional_entropy_bits=sum(conditional),
    )


def digit_evenness(codes: Tensor, levels: fsq.Levels) -> tuple[float, ...]:
    """Entropy of each digit of tokens int64 [...], divided by its maximum: 1 if all levels are equally frequent."""
    digits = fsq.codes_to_digits(codes, levels).flatten(0, -2).T
    return tuple(_entropy(torch.bincount(digit)) / math.log2(level) for digit, level in zip(digits, levels))


def _entropy(counts: Tensor) -> float:
    """Entropy in bits of observed counts; 0 without counts."""
    share = counts.double() / counts.sum().clamp(min=1)
    return float(torch.special.entr(share).sum()) / math.log(2.0)
