"""The values that cross between packages: recorded episodes and predicted rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Episode:
    """One recording at the checkpoint's frame rate.

    A state is stored with its own frame. A command issued at frame t first moves the robot at frame t + 1, so
    `commands[t]` is the newest command issued strictly before frame t.
    """

    name: str
    frames: NDArray[np.uint8]  # [F, H, W, 3] RGB, preprocessed; may be a memory map
    stamps_ns: NDArray[np.int64]  # [F] acquisition times
    segments: NDArray[np.int32]  # [F] segment number: gaps and clock jumps start a new one, a window holds only one
    names: tuple[str, ...]  # A joint names, the columns of states and commands
    states: NDArray[np.float32] | None  # [F, A]
    commands: NDArray[np.float32] | None  # [F, A]

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class Rollout:
    """The predicted futures of S candidates, oldest latent first. Frames are decoded on demand by its maker."""

    latents: Tensor  # float [S, T, H, W, C]
    tokens: Tensor | None = None  # int64 [S, T, H, W], of a discrete tokenizer, if codes were sampled
    video: Tensor | None = None  # float [S, F, 3, H, W] in [0, 1], if already decoded
    detail_transfer: bool = False  # whether decoding restores the detail of the newest observed frame
    first_latent: int = 0  # index of the first of these latents in the future; the earlier ones were left out
    actions: Tensor | None = None  # float [S, F, A] in joint units, if its maker can tell more about this future

    @staticmethod
    def batched(parts: "Sequence[Rollout]") -> "Rollout":
        """Rollouts of different candidates, predicted but not decoded, as one."""
        if len(parts) == 1:
            return parts[0]
        tokens = [part.tokens for part in parts if part.tokens is not None]
        return replace(
            parts[0],
            latents=torch.cat([part.latents for part in parts]),
            tokens=torch.cat(tokens) if tokens else None,
        )

    @staticmethod
    def concatenated(chunks: "Sequence[Rollout]") -> "Rollout":
        """Chunks of the same candidates, one after the other in time."""
        if len(chunks) == 1:
            return chunks[0]

        def join(parts: Sequence[Tensor | None]) -> Tensor | None:
            present = [part for part in parts if part is not None]
            return torch.cat(present, dim=1) if present else None

        return replace(
            chunks[0],
            latents=torch.cat([chunk.latents for chunk in chunks], dim=1),
            tokens=join([chunk.tokens for chunk in chunks]),
            video=join([chunk.video for chunk in chunks]),
        )
