"""What the trainer asks of whatever it trains."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

Batch = Mapping[str, Tensor]  # every tensor [B, ...]


class TrainingTask(Protocol):
    """What is trained: a module, and its loss on a batch."""

    module: nn.Module

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The mean loss over the batch, and numbers to report.

        Every random draw comes from `generator`, through `hwm_core.rng.batch_rows`: it knows that
        `batch` may be some rows of
        a larger one, whose mean loss is the mean of its equal parts'.
        """
        ...

    def tokens(self, batch: Batch) -> int:
        """How many tokens or latent cells the batch is to the module; for the figures of speed."""
        ...
