"""Convolutions over the cells of each latent, before and after a transformer over its patches: a U-ViT (Hoogeboom
et al. 2023, arXiv 2301.11093, "simple diffusion"). What is finer than a patch, and moves by less than one, is theirs.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

GROUPS = 8  # of the norms; the width is a multiple of it


class ConvBlock(nn.Module):
    """Residual: norm, 3x3 convolution, norm shifted and scaled by a condition, 3x3 convolution."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(GROUPS, width), nn.GroupNorm(GROUPS, width)
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.modulation = nn.Linear(dim, 2 * width)

    def reset_parameters(self) -> None:
        """The identity at first, whatever the condition."""
        for layer in (self.second, self.modulation):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, cells: Tensor, condition: Tensor) -> Tensor:
        """Cells [N, W, h, w] and conditions [N, D] to cells."""
        inner = self.first(F.silu(self.first_norm(cells)))
        shift, scale = self.modulation(condition)[:, :, None, None].chunk(2, dim=1)
        return cells + self.second(F.silu(self.second_norm(inner) * (1 + scale) + shift))


class ConvPath(nn.Module):
    """Around the transformer: from noisy future latents to tokens, and from tokens to future latents.

    Every future latent sees the whole past beside it, cell by cell, and what comes out is what it differs by from the
    newest past latent: at first nothing.
    """

    def __init__(self, *, channels: int, num_past: int, patch: int, width: int, blocks: int, dim: int) -> None:
        super().__init__()
        self.patch = patch
        self.stem = nn.Conv2d(channels * (1 + num_past), width, 3, padding=1)
        self.before, self.after = (nn.ModuleList(ConvBlock(width, dim) for _ in range(blocks)) for _ in range(2))
        self.to_tokens, self.from_tokens = nn.Linear(width * patch**2, dim), nn.Linear(dim, width * patch**2)
        self.norm, self.head = nn.GroupNorm(GROUPS, width), nn.Conv2d(width, channels, 3, padding=1)

    def reset_parameters(self) -> None:
        """Every block the identity, and the newest past latent the prediction."""
        for block in self._blocks():
            block.reset_parameters()
        nn.init.zeros_(self.head.weight)

    def enter(self, noisy: Tensor, past: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Into the transformer.

        Args:
            noisy: [B, T, H, W, C].
            past: [B or 1, T_past, H, W, C].
            condition: [B or 1, T or 1, D].

        Returns:
            Tokens [B, T, N, D], and the cells [B * T, W, H, W] to leave with.
        """
        batch, latents = noisy.shape[:2]
        seen = rearrange(past, "b s h w c -> b 1 h w (s c)").expand(batch, latents, -1, -1, -1)
        cells = self.stem(_images(torch.cat([noisy, seen.to(noisy.dtype)], dim=-1)))
        cells = self._through(self.before, cells, condition, batch, latents)
        patches = rearrange(cells, "(b t) c (h p) (w q) -> b t (h w) (p q c)", b=batch, p=self.patch, q=self.patch)
        return self.to_tokens(patches), cells

    def leave(self, tokens: Tensor, cells: Tensor, past: Tensor, condition: Tensor) -> Tensor:
        """Latents [B, T, H, W, C] out of the tokens [B, T, N, D] that `enter` gave, as the transformer left them."""
        batch, latents = tokens.shape[:2]
        cells = cells + rearrange(
            self.from_tokens(tokens),
            "b t (h w) (p q c) -> (b t) c (h p) (w q)",
            h=cells.shape[-2] // self.patch,
            p=self.patch,
            q=self.patch,
        )
        cells = self._through(self.after, cells, condition, batch, latents)
        change = self.head(F.silu(self.norm(cells)))
        return past[:, -1:] + rearrange(change, "(b t) c h w -> b t h w c", b=batch)

    def _through(
        self, blocks: Iterable[nn.Module], cells: Tensor, condition: Tensor, batch: int, latents: int
    ) -> Tensor:
        condition = condition.expand(batch, latents, -1).flatten(0, 1)
        for block in blocks:
            cells = block(cells, condition)
        return cells

    def _blocks(self) -> Iterable[ConvBlock]:
        return (part for part in self.modules() if isinstance(part, ConvBlock))


def _images(latents: Tensor) -> Tensor:
    """[B, T, H, W, C] -> [B * T, C, H, W]."""
    return latents.flatten(0, 1).permute(0, 3, 1, 2)
