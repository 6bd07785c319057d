"""A residual block over the latents of a clip that is causal in time, and image layers applied to each latent."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


class CausalBlock(nn.Module):
    """Residual block over [B, T, W, h, w]: a 3x3 convolution per latent, then a 1x1 mix of latents t and t - 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.space = PerLatent(norm(width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU())
        self.mix = nn.Conv2d(width, 2 * width, 1)
        for parameter in self.mix.parameters():
            nn.init.zeros_(parameter)  # the block starts as the identity

    def forward(self, clip: Tensor) -> Tensor:
        own, to_next = per_latent(self.mix, self.space(clip)).chunk(2, dim=2)
        from_previous = F.pad(to_next[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))  # latent 0 has no previous latent
        return clip + own + from_previous


class PerLatent(nn.Sequential):
    """Image layers that are applied to each latent of [B, T, C, h, w]."""

    def forward(self, clip: Tensor) -> Tensor:
        return per_latent(super().forward, clip)


def per_latent(layer: Callable[[Tensor], Tensor], clip: Tensor) -> Tensor:
    """Apply an image layer [N, C, h, w] -> [N, C', h, w] to every latent of a clip [B, T, C, h, w]."""
    return layer(clip.flatten(0, 1)).unflatten(0, clip.shape[:2])


def norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(width // 16, width)
