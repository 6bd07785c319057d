"""Kernel distance: the unbiased squared maximum mean discrepancy under a cubic kernel (KID, arXiv 1801.01401).

Unbiased also for few frames, where the Fréchet distance is not; it may fall below zero.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.errors import BadInput


@dataclass(frozen=True)
class KernelDistance:
    """The mean over subsets, and their standard deviation."""

    mean: float
    std: float
    subsets: int
    subset_size: int


def kernel_distance(a: Tensor, b: Tensor, *, seed: int, subsets: int = 100, subset_size: int = 1000) -> KernelDistance:
    """Between features [N, D] and [M, D]; called KID over the FID's Inception network alone.

    Args:
        seed: of the draws without replacement; where a set is smaller than `subset_size`, that many rows are drawn.

    Raises:
        BadInput: fewer than two rows, or unlike numbers of dimensions.
    """
    from torchmetrics.image.kid import poly_mmd  # takes seconds to import

    size = min(subset_size, len(a), len(b))
    if size < 2 or a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise BadInput(
            "Features to compare",
            expected="[N, D] and [M, D], N and M 2 or more",
            got=f"{list(a.shape)} and {list(b.shape)}",
            remedy="Judge more frames, with one extractor.",
        )
    generator = torch.Generator().manual_seed(seed)
    a, b = (features.detach().to("cpu", torch.float64) for features in (a, b))
    drawn = 1 if size == len(a) == len(b) else subsets  # there is one subset of everything

    def subset(features: Tensor) -> Tensor:
        return features[torch.randperm(len(features), generator=generator)[:size]]

    values = torch.stack([poly_mmd(subset(a), subset(b)) for _ in range(drawn)])
    return KernelDistance(float(values.mean()), float(values.std(unbiased=False)), drawn, size)
