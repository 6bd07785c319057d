"""Counterfactual ("shuffled") actions: another window's motion, applied to a window's own state.

A model that uses its actions has a larger error under shuffled actions. The motion of the other window is used, not its
absolute joint values: these would make the robot jump, and such a control is far easier to beat.
"""

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.manifest import ActionManifest


def choose_donors(
    groups: NDArray[np.int64],
    starts: NDArray[np.int64],
    length: int,
    seed: int,
    robots: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """For each window, the index [W] of a random donor of motion; -1 if there is none.

    The donor is a window of another group, else a window that shares no frame with the window, else any other window.

    Args:
        groups: [W] episodes or takes.
        starts: [W] first frame of each window within its group.
        length: frames of a window.
        robots: [W] equal numbers if the robots lack the same joints. A donor has the robot of its recipient, because
            another robot's motion lacks joints.
    """
    rng = np.random.default_rng(seed)
    robots = np.zeros_like(groups) if robots is None else robots
    chosen = np.full(len(groups), -1, np.int64)
    for window in range(len(groups)):
        same_robot, same_group = robots == robots[window], groups == groups[window]
        preferred = (
            same_robot & ~same_group,
            same_robot & same_group & (np.abs(starts - starts[window]) >= length),
            same_robot & same_group & (np.arange(len(groups)) != window),
        )
        if fitting := [some for some in preferred if some.any()]:
            chosen[window] = rng.choice(np.flatnonzero(fitting[0]))
    return chosen


def apply_motion(
    newest: NDArray[np.float32], motion: NDArray[np.float32], manifest: ActionManifest
) -> NDArray[np.float32]:
    """Actions that start at `newest` [..., A] and move by `motion` [..., F, A], clipped to the joint limits.

    Args:
        motion: joint values relative to the start of the motion.
    """
    limits = np.asarray(manifest.lower, np.float32), np.asarray(manifest.upper, np.float32)
    return np.clip(newest[..., None, :] + motion, *limits).astype(np.float32)
