"""The only interface between planning and a model."""

from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

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
    start: Tensor | None = (
        None  # [h, w, C] latent of the scene when the goal was set, `latent` if it is the same scene;
    )
    # None: unknown
    tokens: Tensor | None = None  # int64 [h, w] of a discrete tokenizer
    encoder: str = ""  # identifies the tokenizer that made the latents; empty: unknown


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


@runtime_checkable
class UncertainDynamics(Protocol[PastT_contra]):
    """Dynamics that also tell how sure a prediction is."""

    def uncertainty(self, past: PastT_contra, rollout: Rollout, samples: int, steps: int) -> Tensor:
        """How unsure the model is of every cell of a rollout from `past`, [S, T, h, w], about 0 (sure) to 1.

        Args:
            past: the starting point of the rollout.
            rollout: as `rollout` returned it.
            samples: futures that are sampled and compared; models that predict distributions need none.
            steps: of the sampling of one future.
        """
        ...


@runtime_checkable
class TokenDynamics(Protocol[PastT_contra]):
    """Dynamics that predict distributions of tokens."""

    def goal_surprise(self, past: PastT_contra, rollout: Rollout, goal: Goal) -> Tensor:
        """Negative log-likelihood of the goal's token in every cell of a rollout, [S, T, h, w].

        0 is certainty, 1 is a choice among all tokens at random.
        """
        ...


@runtime_checkable
class GradedDynamics(Protocol[PastT_contra]):
    """Dynamics that also predict at a lower cost, less exactly."""

    def at_steps(self, steps: int) -> "Dynamics[PastT_contra]":
        """Dynamics of the same pasts in `steps` steps; with no fewer steps than now, cheaper in another way."""
        ...
