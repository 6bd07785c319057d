"""Rotary position embeddings (RoPE, Su et al. 2021): attention scores depend on relative positions only."""

import torch
from torch import Tensor


def angles(positions: Tensor, dim: int, theta: float = 10_000.0) -> Tensor:
    """Rotation angles [..., dim/2] of integer `positions` [...], frequencies theta^(-2i/dim)."""
    exponent = torch.arange(0, dim, 2, device=positions.device, dtype=torch.float32) / dim
    return positions.to(torch.float32)[..., None] * theta**-exponent


def time_angles(latents: Tensor, head_dim: int) -> Tensor:
    """1D angles [T, head_dim/2] for latent indices [T]."""
    return angles(latents, head_dim)


def space_angles(height: int, width: int, head_dim: int, device: torch.device) -> Tensor:
    """2D angles [H*W, head_dim/2], sites in row-major order: half of the head follows the row, half the column."""
    row, column = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.cat([angles(row.flatten(), head_dim // 2), angles(column.flatten(), head_dim // 2)], dim=-1)


def volume_angles(latents: Tensor, height: int, width: int, head_dim: int) -> Tensor:
    """3D angles [T, H*W, head_dim/2]: a third of the head each follows the row, the column and the latent index [T]."""
    third = head_dim // 3
    sites = space_angles(height, width, 2 * third, latents.device).expand(len(latents), -1, -1)
    time = angles(latents, third)[:, None].expand(-1, sites.shape[1], -1)
    return torch.cat([sites, time], dim=-1)


def rotate(x: Tensor, angle: Tensor) -> Tensor:
    """Rotate channel pairs (i, i + dim/2) of `x` [..., K, dim] by `angle` [..., dim/2], broadcast over heads K."""
    cos, sin = angle.cos()[..., None, :].to(x.dtype), angle.sin()[..., None, :].to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
