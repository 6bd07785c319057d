"""What a tokenizer makes of its codes: how many it uses, how evenly, and how much of them the past foretells."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.tokenizers import fsq


@dataclass(frozen=True)
class CodeUse:
    """Of N codes seen. Entropies are of the frequencies seen: too small while N is not many times the codes used."""

    seen: int
    size: int
    used: int  # codes seen at least once
    entropy_bits: float  # of a code; log2(size) when all are equally frequent
    evenness: tuple[float, ...]  # of each digit: its entropy over the largest possible, 1 when all levels are alike
    repeated: float  # share of codes that stood at the same site one latent before
    news_bits: float  # sum over digits of the entropy of a digit given the same digit one latent before


def code_use(codes: Tensor, levels: fsq.Levels) -> CodeUse:
    """Of clips of tokens int64 [B, T, h, w]."""
    digits = fsq.codes_to_digits(codes, levels)
    counts = torch.unique(codes, return_counts=True)[1]
    before, after = digits[:, :-1].flatten(0, -2).T, digits[:, 1:].flatten(0, -2).T
    pairs = [
        _entropy(torch.bincount(old * level + new)) - _entropy(torch.bincount(old))
        for old, new, level in zip(before, after, levels)
    ]
    return CodeUse(
        seen=codes.numel(),
        size=fsq.codebook_size(levels),
        used=len(counts),
        entropy_bits=_entropy(counts),
        evenness=digit_evenness(codes, levels),
        repeated=float((codes[:, 1:] == codes[:, :-1]).float().mean()),
        news_bits=sum(pairs),
    )


def digit_evenness(codes: Tensor, levels: fsq.Levels) -> tuple[float, ...]:
    """Of tokens int64 [...]: the entropy of each digit over its largest possible value."""
    digits = fsq.codes_to_digits(codes, levels).flatten(0, -2).T
    return tuple(_entropy(torch.bincount(some)) / math.log2(level) for some, level in zip(digits, levels))


def _entropy(counts: Tensor) -> float:
    """Bits; 0 of nothing."""
    share = counts.double() / counts.sum().clamp(min=1)
    return float(torch.special.entr(share).sum()) / math.log(2.0)
