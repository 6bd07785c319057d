"""Space and time of a video as channels (pixel unshuffle), and back."""

import torch
from einops import rearrange
from torch import Tensor

from hwm_core.clips import num_latents
from hwm_core.errors import BadInput


def fold(frames: Tensor, temporal_factor: int, spatial_factor: int) -> tuple[Tensor, Tensor]:
    """Move the pixels of each site into channels.

    Args:
        frames: [B, F, 3, H, W].

    Returns:
        The first frame [B, 1, 3 s s, h, w] and the groups after it [B, k, factor 3 s s, h, w].

    Raises:
        BadInput: F is not 1 + k * temporal_factor, or spatial_factor does not divide H and W.
    """
    check_clip(frames, temporal_factor, spatial_factor)
    first = rearrange(frames[:, :1], "b t c (h y) (w x) -> b t (c y x) h w", y=spatial_factor, x=spatial_factor)
    groups = rearrange(
        frames[:, 1:],
        "b (t f) c (h y) (w x) -> b t (f c y x) h w",
        f=temporal_factor,
        y=spatial_factor,
        x=spatial_factor,
    )
    return first, groups


def unfold(first: Tensor, groups: Tensor, temporal_factor: int, spatial_factor: int) -> Tensor:
    """The inverse of `fold`: frames [B, F, 3, H, W]."""
    size = {"c": 3, "y": spatial_factor, "x": spatial_factor}
    still = rearrange(first, "b t (c y x) h w -> b t c (h y) (w x)", **size)
    moving = rearrange(groups, "b t (f c y x) h w -> b (t f) c (h y) (w x)", f=temporal_factor, **size)
    return torch.cat([still, moving], dim=1)


def check_clip(frames: Tensor, temporal_factor: int, spatial_factor: int) -> None:
    """Raises BadInput if F of frames [B, F, 3, H, W] is not 1 + k * temporal_factor, or H or W is no multiple."""
    num_latents(frames.shape[1], temporal_factor)
    height, width = frames.shape[-2:]
    if height % spatial_factor or width % spatial_factor:
        raise BadInput(
            "frame size",
            expected=f"multiples of {spatial_factor}",
            got=f"{height}x{width}",
            remedy="Resize the frames in the preprocessing.",
        )
