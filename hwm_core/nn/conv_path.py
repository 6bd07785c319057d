"""Convolutions over the cells of each latent, before and after a transformer over patches of cells.

A U-ViT ("simple diffusion", Hoogeboom et al. 2023, arXiv 2301.11093). The convolutions model what is finer than a
patch, and motion of less than a patch.
"""

from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

NORM_GROUPS = 8  # the width must be a multiple


class ConvBlock(nn.Module):
    """Residual block: norm, 3x3 convolution, norm that a condition shifts and scales, 3x3 convolution."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(NORM_GROUPS, width), nn.GroupNorm(NORM_GROUPS, width)
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.modulation = nn.Linear(dim, 2 * width)

    def reset_parameters(self) -> None:
        """Start as the identity, whatever the condition."""
        for layer in (self.second, self.modulation):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Features [B or 1, T, W, h, w] -> [B, T, W, h, w].

        Args:
            condition: [B, T, D], what shifts and scales the second norm.
        """
        inner = _each(self.second_norm, _each(self.first, F.silu(_each(self.first_norm, features))))
        shift, scale = self.modulation(condition)[..., None, None].chunk(2, dim=2)
        return features + _each(self.second, F.silu(inner * (1 + scale) + shift))


class ConvPath(nn.Module):
    """From noisy future latents to tokens of the transformer, and from its tokens to predicted future latents.

    Each future latent has all past latents beside it as channels. The output is a change of the newest past latent;
    it starts as zero.
    """

    def __init__(
        self, *, channels: int, num_past: int, patch: int, width: int, blocks: int, dim: int, map_channels: int = 0
    ) -> None:
        super().__init__()
        self.patch = patch
        self.stem = nn.Conv2d(channels * (1 + num_past) + map_channels, width, 3, padding=1)
        self.before, self.after = (nn.ModuleList(ConvBlock(width, dim) for _ in range(blocks)) for _ in range(2))
        self.to_tokens, self.from_tokens = nn.Linear(width * patch**2, dim), nn.Linear(dim, width * patch**2)
        self.norm, self.head = nn.GroupNorm(NORM_GROUPS, width), nn.Conv2d(width, channels, 3, padding=1)

    @property
    def input_output_layers(self) -> tuple[nn.Module, ...]:
        """Layers for AdamW, see `train.optimiser`."""
        return self.stem, self.head

    def reset_parameters(self) -> None:
        """Start with blocks that are the identity, and the newest past latent as the prediction."""
        for block in self.modules():
            if isinstance(block, ConvBlock):
                block.reset_parameters()
        nn.init.zeros_(self.head.weight)

    def encode(
        self, noisy: Tensor, past: Tensor, condition: Tensor, maps: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """From noisy latents to tokens.

        Args:
            noisy: [B or 1, T, H, W, C].
            past: [B or 1, T_past, H, W, C].
            condition: [B or 1, T or 1, D].
            maps: [B, T, `map_channels`, H, W] further input.

        Returns:
            Tokens [B, T, N, D], and features [B, T, W, H, W] that `decode` continues from (a skip connection).
        """
        batch, latents = max(len(noisy), len(past), 0 if maps is None else len(maps)), noisy.shape[1]
        context = rearrange(past, "b s h w c -> b 1 h w (s c)").expand(batch, latents, -1, -1, -1)
        channels = [noisy.expand(batch, -1, -1, -1, -1), context]
        if maps is not None:
            channels.append(maps.expand(batch, -1, -1, -1, -1).movedim(2, -1))
        dtype = noisy.dtype if maps is None else maps.dtype
        # Channels are last in memory in all that follows: convolutions in bfloat16 then need no copies.
        features = _each(self.stem, torch.cat([one.to(dtype) for one in channels], dim=-1).movedim(-1, 2))
        for block in self.before:
            features = block(features, condition)
        patches = rearrange(features, "b t c (h p) (w q) -> b t (h w) (p q c)", p=self.patch, q=self.patch)
        return self.to_tokens(patches), features

    def decode(self, tokens: Tensor, features: Tensor, past: Tensor, condition: Tensor) -> Tensor:
        """From tokens [B, T, N, D] and the features of `encode` to predicted latents [B, T, H, W, C]."""
        change = rearrange(
            self.from_tokens(tokens),
            "b t (h w) (p q c) -> b t (h p) (w q) c",
            h=features.shape[-2] // self.patch,
            p=self.patch,
            q=self.patch,
        )
        features = features + change.movedim(-1, 2)
        for block in self.after:
            features = block(features, condition)
        change = _each(self.head, F.silu(_each(self.norm, features)))
        return past[:, -1:] + change.movedim(2, -1)


def _each(layer: nn.Module, latents: Tensor) -> Tensor:
    """Apply an image layer to each latent [B, T, W, h, w]."""
    return cast(Tensor, layer(latents.flatten(0, 1))).unflatten(0, latents.shape[:2])
