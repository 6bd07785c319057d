"""What the trainer trains: a module with its loss on batches of windows."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hwm_core.data.augment import Augmentation
from hwm_core.train.trainer import Batch


def unit(frames: Tensor) -> Tensor:
    """Frames uint8 -> float32 in [0, 1]."""
    return frames.float() / 255.0


class TokenizerTrainee:
    """A tokenizer learns to rebuild the frames of a window."""

    def __init__(self, tokenizer: nn.Module) -> None:
        self.module = tokenizer

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.module.loss(unit(batch["frames"]), generator)


class WorldModelTrainee:
    """A world model learns to predict the codes that a frozen tokenizer gives the (augmented) frames of a window."""

    def __init__(self, model: nn.Module, tokenizer: nn.Module, augmentation: Augmentation) -> None:
        self.module, self.tokenizer, self.augmentation = model, tokenizer, augmentation

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        frames = self.augmentation.frames(unit(batch["frames"]), generator)
        actions = self.augmentation.actions(batch["actions"], generator)
        return self.module.loss(self.tokenizer.encode(frames), actions, generator)
