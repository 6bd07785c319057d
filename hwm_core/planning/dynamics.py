"""The only door between planning and a model."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

PastT_contra = TypeVar("PastT_contra", contravariant=True)


@dataclass(frozen=True)
class Goal:
    """What the camera shall see, as the dynamics sees it."""

    image: Tensor  # [3, H, W] in [0, 1]
    latent: Tensor  # [h, w, C]


class Prediction(Protocol):
    """The futures of S candidates."""

    @property
    def latents(self) -> Tensor:
        """[S, T, h, w, C] float, oldest first."""
        ...

    def frames(self) -> Tensor:
        """[S, F, 3, H, W] in [0, 1]. Decoding costs more than predicting: only who needs pixels calls it."""
        ...


class Dynamics(Protocol[PastT_contra]):
    """Predicts what actions lead to. What it knows of the past is its own affair: planning only hands it on."""

    @property
    def num_joints(self) -> int:
        """A, the width of one action."""
        ...

    @property
    def horizon_frames(self) -> int:
        """F, the number of future actions of one rollout; a multiple of the frames in one latent."""
        ...

    def recent_actions(self, past: PastT_contra) -> Tensor:
        """The two newest actions of the past, [2, A] in joint units, newest last."""
        ...

    def goal(self, image: NDArray[np.uint8]) -> Goal:
        """Encode a goal image, uint8 [H, W, 3] RGB, preprocessed."""
        ...

    def rollout(self, past: PastT_contra, candidates: Tensor) -> Prediction:
        """Predict the futures of candidates, float [S, F, A] in joint units; row 0 acts on the first future frame."""
        ...
