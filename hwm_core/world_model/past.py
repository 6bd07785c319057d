"""The encoded past that rollouts start from."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Past:
    """B encoded contexts: one for all candidates, or one per candidate when a rollout continues."""

    latents: Tensor  # [B, T_past, H, W, C]
    actions: Tensor  # [B, F_past, A] in joint units
    video: Tensor  # [B, F_past, 3, H, W] in [0, 1]
    encoded: Any  # output of the predictor's `observe`: codes, and a KV cache if the variant allows one
