"""Chosen entries along an axis."""

from collections.abc import Sequence

import torch
from torch import Tensor


def take(x: Tensor, indices: Sequence[int], dim: int = 0) -> Tensor:
    """`x` at increasing `indices` (one or more) along `dim`.

    Consecutive ones are a view. No index tensor is made: its copy to a GPU would make the processor wait.
    """
    first, count = indices[0], len(indices)
    if indices[-1] - first + 1 == count:
        return x.narrow(dim, first, count)
    return torch.stack([x.select(dim, index) for index in indices], dim)
