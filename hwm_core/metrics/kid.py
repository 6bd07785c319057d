"""Kernel distance: the unbiased squared maximum mean discrepancy under a cubic kernel (KID, arXiv 1801.01401).

Unlike the Fréchet distance, it is also unbiased for few frames. Therefore, it may be below zero.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.errors import BadInput


@dataclass(frozen=True)
class KernelDistance:
    """The mean and standard deviation over random subsets."""

    mean: float
    std: float
    subsets: int
    subset_size: int


def kernel_distance(a: Tensor, b: Tensor, *, seed: int, subsets: int = 100, subset_size: int = 1000) -> KernelDistance:
    """The kernel distance between features [N, D] and [M, D]: KID with the Inception network of FID.

    Args:
        seed: of the subsets, which are chosen without replacement. If a set has fewer rows than `subset_size`, every
            subset has as many rows as that set.

    Raises:
        BadInput: fewer than two rows, or different D.
    """
    from torchmetrics.image.kid import poly_mmd  # takes seconds to import

    size = min(subset_size, len(a), len(b))
    if size < 2 or a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise BadInput(
            "Features to compare",
            expected="[N, D] and [M, D], N and M 2 or more",
            got=f"{list(a.shape)} and {list(b.shape)}",
            remedy="Evaluate more frames, and use one extractor for all.",
        )
    generator = torch.Generator().manual_seed(seed)

    def subset(features: Tensor) -> Tensor:
        chosen = torch.randperm(len(features), generator=generator)[:size]
        return features.detach()[chosen.to(features.device)].to("cpu", torch.float64)

    count = 1 if size == len(a) == len(b) else subsets  # all rows form only one subset
    values = torch.stack([poly_mmd(subset(a), subset(b)) for _ in range(count)])
    return KernelDistance(float(values.mean()), float(values.std(unbiased=False)), count, size)
