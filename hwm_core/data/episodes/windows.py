"""Training windows: consecutive frames with the action of each frame."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from hwm_core.data.batches import FrameBatch
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadBag
from hwm_core.types import Episode


def window_starts(segments: NDArray[np.integer], length: int, stride: int = 1) -> NDArray[np.int64]:
    """First frames of the windows of `length` frames that stay within one segment.

    Args:
        segments: segment number of each frame, [F]; a change is a cut, so a number may occur again later.
        length: frames of a window.
        stride: frames between the starts of neighbouring windows of a segment.
    """
    bounds = [0, *(np.flatnonzero(np.diff(segments)) + 1), len(segments)]
    return np.concatenate(
        [np.arange(first, end - length + 1, stride, dtype=np.int64) for first, end in pairwise(bounds)]
    )


def take_numbers(segments: NDArray[np.integer]) -> NDArray[np.int64]:
    """Take number of each frame [F], counted from 0: each change of the segment number starts a take."""
    return np.cumsum(np.diff(segments, prepend=segments[:1]) != 0)


def takes_of_starts(starts: Sequence[tuple[int, int]], takes: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
    """Take of each window, counted over all episodes that have one.

    Args:
        starts: episode and start of each window [W].
        takes: for each episode, the take number at each start.
    """
    _, take = np.unique([(episode, takes[episode][start]) for episode, start in starts], axis=0, return_inverse=True)
    return take.reshape(-1)  # numpy 2.0 returns [W, 1]


def evenly_spaced(count: int, of: int) -> NDArray[np.int64]:
    """`count` indices below `of`, evenly spaced from the first to the last; all of them when there are fewer."""
    return np.unique(np.linspace(0, of - 1, min(count, of)).round().astype(np.int64))


class Windows(Dataset[FrameBatch]):
    """Windows of all episodes: frames of past and future, and their actions.

    Args:
        episodes: episodes of one robot and preprocessing.
        manifest: which actions, and their normalisation; None gives windows without actions.
        past_frames, future_frames: frames before and after the present; their sum is F.
        stride: frames between the starts of neighbouring windows.

    Raises:
        RobotMismatch: an episode lacks joints of the manifest.
        BadActions: an episode lacks the manifest's kind of actions.
        BadBag: no episode is long enough for a window.
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        manifest: ActionManifest | None,
        past_frames: int,
        future_frames: int,
        stride: int = 1,
    ) -> None:
        self.length = past_frames + future_frames
        self._episodes = list(episodes)
        self._actions = [
            np.zeros((len(one), 0), np.float32) if manifest is None else manifest.normalise(manifest.actions_of(one))
            for one in episodes
        ]
        starts = [window_starts(episode.segments, self.length, stride) for episode in episodes]
        self.index = np.array(
            [(number, start) for number, some in enumerate(starts) for start in some], dtype=np.int64
        ).reshape(-1, 2)  # [windows, 2]: episode, first frame
        if len(self.index) == 0:
            longest = max((np.bincount(episode.segments).max() for episode in episodes if len(episode)), default=0)
            raise BadBag(
                "Windows",
                expected=f"a segment of at least {self.length} frames",
                got=f"{len(self._episodes)} episodes, the longest segment {longest}",
                remedy="Record longer, check the rate of the camera, or use a shorter window.",
            )

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> FrameBatch:
        number, start = self.index[item]
        clip = slice(start, start + self.length)
        # A copy: the frames may be a memory map.
        frames = torch.tensor(self._episodes[number].frames[clip]).permute(0, 3, 1, 2)
        return FrameBatch(frames, torch.from_numpy(self._actions[number][clip]))
