"""What updates the weights: AdamW or Muon, decay on matrices only; and the moving average of what is trained."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hwm_core.train.config import TrainingConfig


def build_optimisers(module: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Optimisers that share out the parameters that want a gradient; biases, norms and other vectors do not decay.

    "muon" (https://kellerjordan.github.io/posts/muon) takes the matrices of the hidden linear layers, its update scaled
    to AdamW's size so that one learning rate serves both; embeddings, heads, convolutions and vectors stay AdamW's.
    """
    hidden = _hidden_matrices(module) if config.optimiser == "muon" else []
    taken = {id(p) for p in hidden}
    rest = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]  # torch reads back the states of several without empty ones
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
    ]
    if hidden:
        optimisers.append(
            torch.optim.Muon(
                hidden, lr=config.learning_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
            )
        )
    return optimisers


def _hidden_matrices(module: nn.Module) -> list[Tensor]:
    linear = (part for name, part in module.named_modules() if isinstance(part, nn.Linear) and "head" not in name)
    return [part.weight for part in linear if part.weight.requires_grad]


def build_average(module: nn.Module, decay: float) -> AveragedModel:
    """A second module whose parameters are an exponential moving average of the first's."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        # A short memory at first, or the random start would weigh on the average for 1 / (1 - decay) steps.
        done = float(updates)
        torch._foreach_lerp_(list(averages), list(current), 1.0 - min(decay, (1.0 + done) / (10.0 + done)))

    return AveragedModel(module, multi_avg_fn=update, use_buffers=False)
