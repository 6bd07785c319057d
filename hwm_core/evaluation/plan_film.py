"""A planned run as a film: what the camera saw beside what the plan of that moment expected it to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.io.atomic import new_file
from hwm_core.sampling.config import Sampling
from hwm_core.types import Episode
from hwm_core.visualization import VideoWriter, side_by_side
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class TimedPlan:
    """Actions [F, A] in manifest order; row 0 is the command of the frame at `stamp_ns`."""

    stamp_ns: int
    actions: NDArray[np.float32]


def plan_film(
    path: str | Path,
    world_model: WorldModel,
    episode: Episode,
    plans: Sequence[TimedPlan],
    goal: NDArray[np.uint8],
    captions: Sequence[str],
    sampling: Sampling,
) -> None:
    """Write an MP4, whole or not at all, of the episode from its first plan on, at the model's rate.

    Args:
        episode: preprocessed as the model wants it, with commands.
        plans: in order of time.
        goal: [H, W, 3] preprocessed.
        captions: a line for every frame of the episode.
    """
    expected = _expected(world_model, episode, plans, sampling)
    first, last = min(expected), len(episode) - 1
    with new_file(path) as partial, VideoWriter(partial, world_model.frame_rate_hz) as video:
        for frame in range(first, last + 1):
            next_frame, at_the_end = expected[frame]
            panels = {
                "camera": episode.frames[frame],
                "as planned": next_frame,
                "the plan's end": at_the_end,
                "goal": goal,
            }
            video.write(side_by_side(panels, captions[frame], (frame - first) / max(1, last - first), height=240))


def _expected(
    world_model: WorldModel, episode: Episode, plans: Sequence[TimedPlan], sampling: Sampling
) -> dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """{frame: what the plan in force expected there, and at its end}."""
    actions = world_model.manifest.actions_of(episode)
    expected = {}
    for plan in plans:
        newest = int(np.searchsorted(episode.stamps_ns, plan.stamp_ns))
        seen = slice(newest + 1 - world_model.past_frames, newest + 1)
        past = world_model.observe(np.asarray(episode.frames[seen]), actions[seen])
        rollout = world_model.rollout(past, plan.actions[None], sampling=sampling)
        frames = world_model.frames(past, rollout)[0]
        for ahead in range(min(len(frames), len(episode) - 1 - newest)):
            expected[newest + 1 + ahead] = frames[ahead], frames[-1]
    return expected
