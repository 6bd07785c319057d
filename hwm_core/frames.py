"""Frames as they are stored (uint8, channels last) <-> video as networks take it (float in [0, 1], channels first)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_video(frames: NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """uint8 [..., H, W, 3] -> float32 [..., 3, H, W] in [0, 1] on the device."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(device).movedim(-1, -3).float() / 255


def to_frames(video: Tensor) -> NDArray[np.uint8]:
    """Video [..., 3, H, W], clamped to [0, 1] -> uint8 [..., H, W, 3], rounded."""
    rounded = video.float().clamp(0, 1).mul(255).round().to(torch.uint8)
    return rounded.movedim(-3, -1).contiguous().cpu().numpy()
