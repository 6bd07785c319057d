"""Another's motion, played from one's own state: the control that a model which hears its actions must beat.

Motion, not pose: another's absolute values would make the robot jump, which is a far easier control.
"""

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.manifest import ActionManifest


def donors(
    groups: NDArray[np.int64],
    starts: NDArray[np.int64],
    length: int,
    seed: int,
    robots: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """For every window the window [W] whose motion it borrows, drawn at random; -1 where none fits.

    Of another group where there is one; else one that shares no frame with it; else any other.

    Args:
        groups: [W] episodes or takes.
        starts: [W] first frame of each, within its group.
        length: frames of a window.
        robots: [W] robots that lack unlike joints, by number; one lends to its like alone, whose motion it can play.
    """
    rng = np.random.default_rng(seed)
    robots = np.zeros_like(groups) if robots is None else robots
    answer = np.full(len(groups), -1, np.int64)
    for window in range(len(groups)):
        like, own = robots == robots[window], groups == groups[window]
        preferred = (
            like & ~own,
            like & own & (np.abs(starts - starts[window]) >= length),
            like & own & (np.arange(len(groups)) != window),
        )
        if fitting := [some for some in preferred if some.any()]:
            answer[window] = rng.choice(np.flatnonzero(fitting[0]))
    return answer


def played_from(
    newest: NDArray[np.float32], motion: NDArray[np.float32], manifest: ActionManifest
) -> NDArray[np.float32]:
    """`motion` [..., F, A], relative to where it began, from the state `newest` [..., A]; kept within the limits."""
    limits = np.asarray(manifest.lower, np.float32), np.asarray(manifest.upper, np.float32)
    return np.clip(newest[..., None, :] + motion, *limits).astype(np.float32)
