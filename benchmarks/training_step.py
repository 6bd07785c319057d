"""One step of training, for a stopwatch: loss, backward, gradient clipping, AdamW."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def training_step(model: nn.Module, loss: Callable[[], Tensor], *, autocast: bool = False) -> Callable[[], None]:
    """A call that takes one step; `autocast`: in bfloat16 over float32 weights."""
    device = next(model.parameters()).device.type
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(wanted, lr=3e-5, betas=(0.9, 0.95), fused=True)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(wanted, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step
