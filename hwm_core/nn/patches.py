"""Latents to patches and back."""

from einops import rearrange
from torch import Tensor


def to_patches(latents: Tensor, size: int) -> Tensor:
    """[B, T, H, W, C] -> [B, T, N, size * size * C], row by row."""
    return rearrange(latents, "b t (h p) (w q) c -> b t (h w) (p q c)", p=size, q=size)


def from_patches(patches: Tensor, size: int, rows: int, columns: int) -> Tensor:
    """The inverse of `to_patches`, for N = rows * columns."""
    return rearrange(patches, "b t (h w) (p q c) -> b t (h p) (w q) c", h=rows, w=columns, p=size, q=size)
