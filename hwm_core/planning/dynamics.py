"""The only interface between planning and a model."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.types import Rollout

PastT_contra = TypeVar("PastT_contra", contravariant=True)


@dataclass(frozen=True)
class Goal:
    """A goal image, encoded by the dynamics."""

    image: Tensor  # [3, H, W] in [0, 1]
    latent: Tensor  # [h, w, C]
    start: Tensor | None = None  # [h, w, C] latent of the scene when the goal was set; None: unknown


class Dynamics(Protocol[PastT_contra]):
    """Predicts the futures of candidate actions. Planning does not use the content of a past; it only passes it on."""

    @property
    def num_joints(self) -> int:
        """A, the number of joints in one action."""
        ...

    @property
    def horizon_frames(self) -> int:
        """F, the number of future actions of one rollout; a multiple of the frames in one latent."""
        ...

    def recent_actions(self, past: PastT_contra) -> Tensor:
        """The two newest actions of the past, [2, A] in joint units, newest last."""
        ...

    def goal(self, image: NDArray[np.uint8], start: NDArray[np.uint8] | None = None) -> Goal:
        """Encode a goal image, and the image of the scene when the goal is set: uint8 [H, W, 3] RGB, preprocessed."""
        ...

    def rollout(self, past: PastT_contra, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        """Predict the futures of candidates.

        Args:
            past: the starting point of all candidates.
            candidates: float [S, F, A] in joint units, finite, F = `horizon_frames`; action 0 acts on the first future
                frame.
            last_latents: the number of latents at the end of the horizon that are needed; the rollout may have these
                alone, at a fraction of the computation, and then cannot be decoded. None: all.
        """
        ...

    def decode(self, past: PastT_contra, rollout: Rollout) -> Tensor:
        """Frames [S, F, 3, H, W] in [0, 1] of a rollout from `past`. Slower than `rollout`: use it only for pixels."""
        ...
