"""Clip arithmetic: how many frames make how many latents (1 + k * temporal_factor <-> 1 + k)."""

import torch
from torch import Tensor

from hwm_core.errors import BadInput


def num_frames(latents: int, temporal_factor: int) -> int:
    """Frames of a clip of `latents` latents: the first latent holds one frame, each further one `temporal_factor`."""
    return 1 + (latents - 1) * temporal_factor


def num_latents(frames: int, temporal_factor: int) -> int:
    """Latents of a clip of `frames` frames. Raises BadInput unless frames = 1 + k * temporal_factor."""
    groups, rest = divmod(frames - 1, temporal_factor)
    if frames < 1 or rest:
        raise BadInput(
            "clip length",
            expected=f"1 + k * {temporal_factor} frames",
            got=f"{frames} frames",
            remedy="Cut the clip so that its newest frame completes a latent.",
        )
    return 1 + groups


def hold_last(actions: Tensor, frames: int) -> Tensor:
    """Pad actions [S, F, A] to [S, frames, A] with the last action."""
    return torch.cat([actions, actions[:, -1:].expand(-1, frames - actions.shape[1], -1)], dim=1)
