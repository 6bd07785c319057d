"""Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598)."""

from collections.abc import Callable

import torch
from torch import Tensor


def guided(predict: Callable[[Tensor, Tensor], Tensor], x: Tensor, scale: float) -> Tensor:
    """unconditional + scale * (conditional - unconditional), both predicted in one batch.

    Args:
        predict: prediction at x [2 S, ...] with the conditions of some samples dropped, a bool mask [2 S].
        x: [S, ...].
        scale: 0: unconditional; 1: conditional; above 1: the conditions have a larger weight.
    """
    dropped = torch.arange(2 * len(x), device=x.device) >= len(x)
    conditional, unconditional = predict(torch.cat([x, x]), dropped).chunk(2)
    return unconditional + scale * (conditional - unconditional)
