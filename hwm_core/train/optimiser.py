"""AdamW with decay on matrices only, and the moving average of what it trains."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hwm_core.train.config import TrainingConfig


def build_optimiser(module: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW over the parameters that want a gradient; biases, norms and other vectors do not decay."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def build_average(module: nn.Module, decay: float) -> AveragedModel:
    """A second module whose parameters are an exponential moving average of the first's."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        # A short memory at first, or the random start would weigh on the average for 1 / (1 - decay) steps.
        done = float(updates)
        torch._foreach_lerp_(list(averages), list(current), 1.0 - min(decay, (1.0 + done) / (10.0 + done)))

    return AveragedModel(module, multi_avg_fn=update, use_buffers=False)
