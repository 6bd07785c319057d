"""A planned run as a video: the camera's frames next to the predicted frames of the current plan."""

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


def plan_video(
    path: str | Path,
    world_model: WorldModel,
    episode: Episode,
    plans: Sequence[TimedPlan],
    goal: NDArray[np.uint8],
    captions: Sequence[str],
    sampling: Sampling,
) -> None:
    """Write an MP4 of the episode, from its first plan to its end, at the model's rate. The file is written atomically.

    Args:
        episode: with the model's preprocessing, and with commands.
        plans: in order of time.
        goal: [H, W, 3] preprocessed.
        captions: a line for every frame of the episode.
    """
    predicted = _predicted(world_model, episode, plans, sampling)
    first, last = min(predicted), len(episode) - 1
    with new_file(path) as partial, VideoWriter(partial, world_model.frame_rate_hz) as video:
        for frame in range(first, last + 1):
            of_frame, at_the_end = predicted[frame]
            panels = {
                "camera": episode.frames[frame],
                "predicted": of_frame,
                "predicted end of plan": at_the_end,
                "goal": goal,
            }
            video.write(side_by_side(panels, captions[frame], (frame - first) / max(1, last - first), height=240))


def _predicted(
    world_model: WorldModel, episode: Episode, plans: Sequence[TimedPlan], sampling: Sampling
) -> dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """{frame: the prediction of the current plan for this frame, and for the end of the plan}."""
    actions = world_model.manifest.actions_of(episode)
    predicted = {}
    for plan in plans:
        newest = int(np.searchsorted(episode.stamps_ns, plan.stamp_ns))
        seen = slice(newest + 1 - world_model.past_frames, newest + 1)
        past = world_model.observe(np.asarray(episode.frames[seen]), actions[seen])
        rollout = world_model.rollout(past, plan.actions[None], sampling=sampling)
        frames = world_model.frames(past, rollout)[0]
        for ahead in range(min(len(frames), len(episode) - 1 - newest)):
            predicted[newest + 1 + ahead] = frames[ahead], frames[-1]
    return predicted
