"""What the trainer needs of whatever it trains."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from hwm_core.data.batches import Batch

B_contra = TypeVar("B_contra", bound=Batch, contravariant=True)


class TrainingTask(Protocol[B_contra]):
    """A module, and its loss on a batch."""

    module: nn.Module

    def loss(self, batch: B_contra, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The mean loss over the batch, and metrics to report.

        `batch` may be a part of a larger batch. Every random number comes from `generator` through
        `hwm_core.rng.batch_rows`, which draws for the larger batch: so its loss is the mean over its equal parts.
        """
        ...

    def tokens(self, batch: B_contra) -> int:
        """The number of tokens (or latent positions) in the batch, for the throughput."""
        ...
