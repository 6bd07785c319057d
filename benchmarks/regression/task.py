"""The training task of the regression U-Net."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.regression.unet import FOLD, RegressionUNet
from hwm_core.data.batches import FrameBatch
from hwm_core.data.episodes.augment import Augmentation
from hwm_core.rng.batch_rows import integers, uniform
from hwm_core.train.tasks import unit


class RegressionTask:
    """Minimise the squared error of the frame at a random horizon of each window.

    Args:
        action_dropout: fraction of the windows whose actions are dropped.
    """

    def __init__(self, module: RegressionUNet, augmentation: Augmentation, action_dropout: float) -> None:
        self.module: nn.Module = module
        self._unet, self._augmentation, self._action_dropout = module, augmentation, action_dropout

    def loss(self, batch: FrameBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss, and no further numbers to report."""
        frames, count = batch.frames, len(batch)
        horizon = integers(1, self._unet.future + 1, (count,), generator)
        target = frames[torch.arange(count), self._unet.past - 1 + horizon]
        window = torch.cat([frames[:, : self._unet.past], target[:, None]], dim=1)
        window = self._augmentation.frames(unit(window), generator)
        actions = self._augmentation.actions(batch.actions, generator)
        with_actions = (uniform((count,), generator) >= self._action_dropout).float()
        predicted = self._unet(window[:, :-1], actions, with_actions, horizon).float()
        return (predicted - window[:, -1]).square().mean(), {}

    def tokens(self, batch: FrameBatch) -> int:
        """Cells of the finest grid in the batch."""
        return len(batch) * batch.frames[0, 0, 0].numel() // FOLD**2
