"""What crosses the borders between rooms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Episode:
    """One recorded run on the checkpoint's frame clock.

    A state is stored with its own frame. A command issued at frame t first moves frame t+1, so `commands[t]` is the
    newest command issued strictly before frame t.
    """

    name: str
    frames: NDArray[np.uint8]  # [F, H, W, 3] RGB, preprocessed; may be a memory map
    stamps_ns: NDArray[np.int64]  # [F] acquisition times
    segments: NDArray[np.int32]  # [F] a window never mixes two values: gaps and clock jumps start a new one
    names: tuple[str, ...]  # A joint names, the columns of states and commands
    states: NDArray[np.float32] | None  # [F, A]
    commands: NDArray[np.float32] | None  # [F, A]

    def __len__(self) -> int:
        return len(self.frames)
