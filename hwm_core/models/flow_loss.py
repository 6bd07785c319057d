"""What the loss of a flow model counts: which latents of a window, and how much each channel and cell."""

import torch
from torch import Tensor

from hwm_core.models.flow_config import FlowConfig

_LARGEST_CHANGE = 2.0  # in standard deviations of a latent; a larger change has no more weight


def latents_of_step(config: FlowConfig, generator: torch.Generator) -> list[int]:
    """The future latents that a training step predicts, the same for all windows of a batch."""
    count = config.num_future_latents
    if config.future == "joint" or config.latents_per_step >= count:
        return list(range(count))
    if config.last_latent_rate:  # no number is drawn otherwise
        chance = torch.rand((), generator=generator, device=generator.device)
        if float(chance) < config.last_latent_rate:
            return [count - 1]
    order = torch.randperm(count, generator=generator, device=generator.device)
    return sorted(order[: config.latents_per_step].tolist())


def weighted_square(error: Tensor, change: Tensor, channel_weights: Tensor, change_weight: float) -> Tensor:
    """Weighted mean square of an error.

    Args:
        error: [B, T, H, W, C].
        change: [B, T, H, W, C], true latents minus the newest past latent.
        channel_weights: [C] of mean 1.
        change_weight: additional weight of a cell that changes by one standard deviation.
    """
    squares = error.square() * channel_weights
    if not change_weight:
        return squares.mean()
    size = change.square().mean(dim=-1, keepdim=True).sqrt().clamp(max=_LARGEST_CHANGE)
    weights = 1 + change_weight * size
    return (squares * weights).mean() / weights.mean()
