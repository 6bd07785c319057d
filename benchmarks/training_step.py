"""One training step to be timed: loss, backward pass, gradient clipping, AdamW."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def training_step(model: nn.Module, loss: Callable[[], Tensor], *, autocast: bool = False) -> Callable[[], None]:
    """Return a function that takes one training step of `model`.

    Args:
        loss: computes the loss of the model.
        autocast: compute the loss in bfloat16; the weights stay float32.
    """
    device = next(model.parameters()).device.type
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trainable, lr=3e-5, betas=(0.9, 0.95), fused=True)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(trainable, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step
