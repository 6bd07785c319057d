"""The optimiser (AdamW, or Muon with AdamW), and the moving average of the weights."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hwm_core.train.config import TrainingConfig

_MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@runtime_checkable
class DeclaresInputOutputLayers(Protocol):
    """A module that declares which of its layers read or write pixels, codes, logits or conditions."""

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """These layers (with all layers inside them) are optimised by AdamW, even where the optimiser is Muon."""
        ...


def build_optimisers(module: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Optimisers over the parameters that require a gradient; weight decay applies as `config.decayed` states.

    "muon" (https://kellerjordan.github.io/posts/muon) optimises the matrices of the hidden linear layers and the
    kernels of the hidden convolutions. Its update is scaled to the size of AdamW's, so both use one learning rate.
    AdamW optimises the rest: embeddings, vectors, and declared input and output layers.
    """
    matrices = hidden_weights(module, nn.Linear) if config.optimiser == "muon" else []
    kernels = hidden_weights(module, nn.Conv2d) if config.optimiser == "muon" else []
    taken = {id(p) for p in matrices + kernels}
    rest = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
    decayed = {id(p) for p in _decayed(module, config)}
    groups = [
        {"params": [p for p in rest if id(p) in decayed], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if id(p) not in decayed], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]  # torch cannot restore several states with empty groups
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
    ]
    muon: dict[str, Any] = {
        "lr": config.learning_rate,
        "weight_decay": config.weight_decay,
        "adjust_lr_fn": "match_rms_adamw",
    }
    if matrices:
        optimisers.append(torch.optim.Muon(matrices, **muon))
    if kernels:
        optimisers.append(KernelMuon(kernels, **muon))
    return optimisers


class KernelMuon(torch.optim.Muon):
    """Muon for convolution kernels, each as a matrix [out, in * height * width]."""

    def __init__(self, kernels: Sequence[Tensor], **options: Any) -> None:
        super().__init__([kernel.detach().flatten(1) for kernel in kernels], **options)
        self.param_groups[0]["params"] = list(kernels)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of the kernels, through matrices that share their memory; the state stays keyed by kernel."""
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


def build_average(module: nn.Module, decay: float) -> AveragedModel:
    """A copy of the module whose parameters are an exponential moving average (EMA) of the module's."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        # A smaller decay at first: otherwise the random initial weights dominate the average for 1 / (1 - decay) steps.
        done = float(updates)
        torch._foreach_lerp_(list(averages), list(current), 1.0 - min(decay, (1.0 + done) / (10.0 + done)))

    return AveragedModel(module, multi_avg_fn=update, use_buffers=False)


def _decayed(module: nn.Module, config: TrainingConfig) -> list[Tensor]:
    """The weights with weight decay. An embedding that is also an output matrix counts as an embedding."""
    if config.decayed == "tables_too":
        return [p for p in module.parameters() if p.ndim >= 2]
    return [part.weight for part in module.modules() if isinstance(part, _MATRICES)]


def hidden_weights(module: nn.Module, kind: type[nn.Linear] | type[nn.Conv2d]) -> list[Tensor]:
    """Weights of the layers of a kind that are not declared as input or output layers."""
    excluded = {
        layer
        for part in module.modules()
        if isinstance(part, DeclaresInputOutputLayers)
        for declared in part.input_output_layers
        for layer in declared.modules()
    }
    layers = (part for part in module.modules() if isinstance(part, kind) and part not in excluded)
    return [layer.weight for layer in layers if layer.weight.requires_grad]
