"""From values of frames to values of latents: latent 0 has one frame, each other one `temporal_factor` frames."""

import torch
from torch import Tensor


def mean_of_latents(frames: Tensor, first_latent: int, temporal_factor: int) -> Tensor:
    """Means [B, T, ...] over the frames [B, F, ...] of latents `first_latent`, `first_latent` + 1, ..."""
    if first_latent:
        return frames.unflatten(1, (-1, temporal_factor)).mean(2)
    head, tail = frames[:, :1], frames[:, 1:]
    return torch.cat([head, tail.unflatten(1, (-1, temporal_factor)).mean(2)], dim=1)


def last_of_latents(frames: Tensor, first_latent: int, temporal_factor: int) -> Tensor:
    """The last frame [B, T, ...] of each latent; `frames` [B, F, ...] as in `mean_of_latents`."""
    return frames[:, temporal_factor - 1 if first_latent else 0 :: temporal_factor]
