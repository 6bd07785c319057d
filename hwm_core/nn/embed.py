"""Embeddings: of a time, of a token's position, and of the actions of each latent."""

import torch
from torch import Tensor, nn

from hwm_core.clips import num_frames
from hwm_core.nn.block import mlp
from hwm_core.nn.latent_frames import mean_of_latents


def time_features(t: Tensor, dim: int, max_period: float = 10_000.0) -> Tensor:
    """Cosines and sines [B, dim] of times [B] (Ho et al. 2020)."""
    exponent = torch.arange(dim // 2, device=t.device, dtype=torch.float32) / (dim // 2)
    angle = t.float()[:, None] * max_period**-exponent
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class PositionEmbedding(nn.Module):
    """A learned vector for each latent and site, added to video tokens."""

    def __init__(self, num_latents: int, num_sites: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_latents, num_sites, dim))

    def reset_parameters(self, std: float) -> None:
        """Draw from N(0, std)."""
        nn.init.normal_(self.weight, std=std)

    def forward(self, tokens: Tensor, first_latent: int) -> Tensor:
        """Tokens [B, T, N, D] of the latents `first_latent`, `first_latent` + 1, ... -> the same shape."""
        return tokens + self.weight[first_latent : first_latent + tokens.shape[1]]


class SpaceTimePosition(nn.Module):
    """A learned vector for each latent and one for each site, both added to video tokens."""

    def __init__(self, num_latents: int, num_sites: int, dim: int) -> None:
        super().__init__()
        self.time = nn.Parameter(torch.empty(num_latents, 1, dim))
        self.space = nn.Parameter(torch.empty(num_sites, dim))

    def reset_parameters(self, std: float) -> None:
        """Draw from N(0, std)."""
        nn.init.normal_(self.time, std=std)
        nn.init.normal_(self.space, std=std)

    def forward(self, tokens: Tensor, first_latent: int) -> Tensor:
        """Tokens [B, T, N, D] of the latents `first_latent`, `first_latent` + 1, ... -> the same shape."""
        return tokens + self.time[first_latent : first_latent + tokens.shape[1]] + self.space


class ActionEncoder(nn.Module):
    """Actions of frames to one token per latent: linear, position of the frame, GELU, MLP, LayerNorm, mean over frames.

    The position is added before the non-linearity. Added after it, the mean would hide the order of the actions within
    a latent.
    """

    def __init__(self, action_dim: int, num_latents: int, temporal_factor: int, dim: int, mlp_ratio: float) -> None:
        super().__init__()
        self.temporal_factor = temporal_factor
        self.project = nn.Linear(action_dim, dim)
        self.position = nn.Parameter(torch.empty(num_frames(num_latents, temporal_factor), dim))
        self.encode = nn.Sequential(nn.GELU(), mlp(dim, mlp_ratio), nn.LayerNorm(dim))

    def forward(self, actions: Tensor, first_latent: int = 0) -> Tensor:
        """Encode the actions of whole latents.

        Args:
            actions: [B, F, A] normalised; the frames of latents `first_latent`, `first_latent` + 1, ...

        Returns:
            [B, T, 1, D] one token per latent.
        """
        start = num_frames(first_latent, self.temporal_factor) if first_latent else 0
        x = self.encode(self.project(actions) + self.position[start : start + actions.shape[1]])
        return mean_of_latents(x, first_latent, self.temporal_factor)[:, :, None]
