"""The order in which the sites of a latent are revealed."""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

Uniform = Callable[[torch.Size], Tensor]
"""Returns samples of U(0,1) of a given shape, on the device of the tokens."""


def revealed_counts(sites: int, steps: int) -> list[int]:
    """Number of revealed sites after each of `steps` steps, by MaskGIT's cosine schedule; at the end all sites."""
    counts = [sites - math.floor(sites * math.cos(0.5 * math.pi * k / steps)) for k in range(1, steps)]
    return [*counts, sites]


@cache  # 1,024 sites take 40 ms
def halton_rank(height: int, width: int) -> Tensor:
    """Rank [height * width] of each site in a 2D Halton sequence (bases 2, 3): any prefix covers the image evenly."""
    rank: dict[tuple[int, int], int] = {}
    index = 1
    while len(rank) < height * width:
        site = int(_radical_inverse(index, 2) * height), int(_radical_inverse(index, 3) * width)
        rank.setdefault(site, len(rank))
        index += 1
    return torch.tensor([rank[row, column] for row in range(height) for column in range(width)])


def _radical_inverse(index: int, base: int) -> float:
    """The digits of `index` mirrored at the radix point."""
    value, scale = 0.0, 1.0
    while index:
        index, digit = divmod(index, base)
        scale /= base
        value += digit * scale
    return value


def priority(order: str, log_prob: Tensor, temperature: float, uniform: Uniform) -> Tensor:
    """Priority of each site; the highest is revealed first.

    Args:
        order: "random", "confidence" (`log_prob` plus Gumbel noise), or "halton".
        log_prob: [S, n, h, w] of the token sampled at each site.
        temperature: of the Gumbel noise.
        uniform: returns samples of U(0,1) of a given shape.
    """
    if order == "random":
        return uniform(log_prob.shape)
    if order == "confidence":
        if temperature == 0:
            return log_prob
        return log_prob - temperature * torch.log(-torch.log(uniform(log_prob.shape).clamp(1e-9, 1 - 1e-7)))
    return _halton_priority(*log_prob.shape[-2:], log_prob.device).expand_as(log_prob)


@cache  # a copy to a GPU would make the processor wait
def _halton_priority(height: int, width: int, device: torch.device) -> Tensor:
    """The priority [height, width] of each site in float32, on a device."""
    return -halton_rank(height, width).to(device, torch.float32).unflatten(0, (height, width))


def reveal(priorities: Tensor, revealed: Tensor, count: int) -> Tensor:
    """The `count` sites of highest priority in each latent, [S, n, h, w]; revealed sites stay revealed."""
    ranked = priorities.masked_fill(revealed, torch.inf).flatten(2)
    chosen = torch.zeros_like(ranked, dtype=torch.bool).scatter(-1, ranked.topk(count, dim=-1).indices, True)
    return chosen.unflatten(-1, revealed.shape[2:])
