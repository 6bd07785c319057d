"""A small regression task for the tests of the trainer."""

from dataclasses import dataclass

import torch
from torch import nn

from hwm_core.data.batches import Batch
from hwm_core.rng.batch_rows import normal
from hwm_core.train.config import TrainingConfig
from hwm_core.train.trainer import Trainer


@dataclass(frozen=True)
class Points(Batch):
    x: torch.Tensor  # [B, 2]
    y: torch.Tensor  # [B, 1]


class Lines(torch.utils.data.Dataset):
    """Sixteen points of a line."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> Points:
        x = torch.tensor([index / 16.0, 1.0])
        return Points(x, 3.0 * x[:1] - 1.0)


class Regression:
    """A training task with dropout, and with noise from the generator."""

    def __init__(self, dropout: float = 0.5, noise: float = 0.1) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.Dropout(dropout), nn.Linear(8, 1))
        self.noise = noise

    def loss(self, batch, generator):
        noise = self.noise * normal(batch.x.shape, generator)
        loss = (self.module(batch.x + noise) - batch.y).square().mean()
        return loss, {"error": loss.detach()}

    def tokens(self, batch):
        return 2 * len(batch.x)


def config(**changes) -> TrainingConfig:
    values = {
        "steps": 7,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "ema_decay": 0.9,
        "precision": "float32",
    }
    return TrainingConfig.parse({**values, **changes})


def stop_after(trainer: Trainer, step: int):
    return lambda: trainer.step >= step


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])
