"""What updates the weights: AdamW or Muon, decay on matrices only; and the moving average of what is trained."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hwm_core.train.config import TrainingConfig


def build_optimisers(module: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Optimisers that share out the parameters that want a gradient; biases, norms and other vectors do not decay.

    "muon" (https://kellerjordan.github.io/posts/muon) takes the matrices of the hidden linear layers and the kernels of
    the hidden convolutions, its update scaled to AdamW's size so that one learning rate serves both. AdamW's stay
    embeddings, vectors, and layers whose names say that they meet pixels, codes or logits (`_ENDS`).
    """
    hidden = _hidden(module, nn.Linear) if config.optimiser == "muon" else []
    kernels = _hidden(module, nn.Conv2d) if config.optimiser == "muon" else []
    taken = {id(p) for p in hidden + kernels}
    rest = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]  # torch reads back the states of several without empty ones
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
    ]
    muon: dict[str, Any] = {
        "lr": config.learning_rate,
        "weight_decay": config.weight_decay,
        "adjust_lr_fn": "match_rms_adamw",
    }
    if hidden:
        optimisers.append(torch.optim.Muon(hidden, **muon))
    if kernels:
        optimisers.append(KernelMuon(kernels, **muon))
    return optimisers


class KernelMuon(torch.optim.Muon):
    """Muon for the kernels of convolutions, each as the matrix [out, in * height * width] that it is."""

    def __init__(self, kernels: Sequence[Tensor], **options: Any) -> None:
        super().__init__([kernel.detach().flatten(1) for kernel in kernels], **options)
        self.param_groups[0]["params"] = list(kernels)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update. For its duration every kernel is a matrix that shares its memory; state is kept by kernel."""
        group = self.param_groups[0]
        kernels = group["params"]
        group["params"] = matrices = [kernel.detach().flatten(1) for kernel in kernels]
        for kernel, matrix in zip(kernels, matrices):
            matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)
            self.state[matrix] = self.state.pop(kernel, {})
        loss = super().step(closure)
        group["params"] = kernels
        for kernel, matrix in zip(kernels, matrices):
            self.state[kernel] = self.state.pop(matrix)
        return loss


_ENDS = ("head", "stem", "latents")  # in their names


def _hidden(module: nn.Module, kind: type[nn.Linear] | type[nn.Conv2d]) -> list[Tensor]:
    layers = (
        part for name, part in module.named_modules() if isinstance(part, kind) and not any(e in name for e in _ENDS)
    )
    return [part.weight for part in layers if part.weight.requires_grad]


def build_average(module: nn.Module, decay: float) -> AveragedModel:
    """A second module whose parameters are an exponential moving average of the first's."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        # A short memory at first, or the random start would weigh on the average for 1 / (1 - decay) steps.
        done = float(updates)
        torch._foreach_lerp_(list(averages), list(current), 1.0 - min(decay, (1.0 + done) / (10.0 + done)))

    return AveragedModel(module, multi_avg_fn=update, use_buffers=False)
