"""Classifier-free guidance (Ho & Salimans 2022): away from what is likely without any condition."""

from collections.abc import Callable

import torch
from torch import Tensor


def guided(predict: Callable[[Tensor, Tensor], Tensor], x: Tensor, scale: float) -> Tensor:
    """The prediction pushed from the unconditional one, both computed in one batch.

    Args:
        predict: takes x twice over, [2 S, ...], and which of these samples [2 S] have their conditions dropped.
        x: [S, ...].
        scale: 0 is unconditional, 1 conditional, more pushes further.
    """
    dropped = torch.arange(2 * len(x), device=x.device) >= len(x)
    conditional, unconditional = predict(torch.cat([x, x]), dropped).chunk(2)
    return unconditional + scale * (conditional - unconditional)
