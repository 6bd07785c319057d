"""Checks the arguments of a world model's public methods. Internal functions do not check theirs again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.data.robot.joint_limits import LARGEST_VALUE
from hwm_core.errors import BadActions, BadConfig, BadImage


def check_context(
    frames: NDArray[np.uint8], actions: NDArray[np.float32], clip: tuple[int, int, int, int], joints: int
) -> None:
    """Check frames [F, H, W, 3] of shape `clip` and actions [F, A], with or without a leading batch axis.

    Raises BadImage or BadActions.
    """
    if frames.shape[-4:] != clip or frames.ndim > 5 or frames.dtype != np.uint8:
        raise BadImage(
            "context frames",
            expected=f"uint8 {list(clip)}, or a batch of these",
            got=f"{frames.dtype} {list(frames.shape)}",
            remedy="Apply the checkpoint's preprocessing to the newest frames.",
        )
    if actions.shape != (expected := (*frames.shape[:-3], joints)):
        raise BadActions(
            "context actions",
            expected=list(expected),
            got=list(actions.shape),
            remedy="Pass one row per context frame, in manifest order.",
        )


def check_future_actions(actions: Tensor, past_actions: Tensor) -> None:
    """Check candidate actions [S, F, A] after past actions [B, F_past, A]. Raises BadActions.

    NaN is allowed for joints that are NaN in the newest past action: the robot lacks them.
    """
    joints = past_actions.shape[-1]
    if actions.ndim != 3 or 0 in actions.shape or actions.shape[2] != joints:
        raise BadActions(
            "future actions",
            expected=f"[S, F, {joints}] (candidates, frames, joints)",
            got=list(actions.shape),
            remedy="Pass one row of joint values per future frame, in manifest order.",
        )
    absent = past_actions[:, -1:].isnan()
    if not ((actions.abs() <= LARGEST_VALUE) | (actions.isnan() & absent)).all():
        raise BadActions(
            "future actions",
            expected=f"finite joint values of at most {LARGEST_VALUE:g}",
            got="NaN, infinity or a larger value",
            remedy="Remove this candidate.",
        )


def check_seeds(seed: int | Sequence[int], candidates: int) -> None:
    """Check that there is one seed, or one per candidate. Raises BadConfig."""
    if not isinstance(seed, int) and len(seed) != candidates:
        raise BadConfig(
            "seeds", expected=f"one, or {candidates}", got=len(seed), remedy="Pass one seed for each candidate."
        )
