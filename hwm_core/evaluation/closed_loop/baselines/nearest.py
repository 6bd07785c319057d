"""No learning: replay the recorded motion whose start and end look most like now and the goal."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hwm_core.data.episodes.windows import window_starts
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.closed_loop.controller import Decision, Situation
from hwm_core.evaluation.counterfactual import apply_motion
from hwm_core.evaluation.sim_observer import SimObservation
from hwm_core.types import Episode

_LENGTHS = (8, 16, 32)  # frames of the motions to choose from
_STRIDE = 4  # frames between the starts of neighbouring motions
_CELLS = 8  # rows and columns of the blurred images
_CHANGE_WEIGHT = 10.0  # of what the motion changes, against how it starts: rooms differ in colour


class MotionLibrary:
    """All windows of recorded episodes, by how they look at start and end.

    Args:
        episodes: with frames, and with actions of the manifest's kind.
        manifest: joints and kind of the actions.
    """

    def __init__(self, episodes: Sequence[Episode], manifest: ActionManifest) -> None:
        self._actions = [manifest.actions_of(episode) for episode in episodes]
        self._manifest = manifest
        index, keys = [], []
        for number, episode in enumerate(episodes):
            small = np.stack([_blurred(frame) for frame in episode.frames[::_STRIDE]])
            for length in _LENGTHS:
                starts = window_starts(episode.segments, length + 1)
                starts = starts[starts % _STRIDE == 0]
                index += [(number, start, length) for start in starts]
                keys.append(_key(small[starts // _STRIDE], small[(starts + length) // _STRIDE]))
        self._index, self._keys = np.array(index), np.concatenate(keys).astype(np.float16)

    def nearest(
        self, now: NDArray[np.uint8], goal: NDArray[np.uint8], newest: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The motion whose start and end are nearest to two images [H, W, 3], as actions [F, A] from `newest` [A]."""
        return self.nearest_of(now, goal, newest, 1)[0]

    def nearest_of(
        self, now: NDArray[np.uint8], goal: NDArray[np.uint8], newest: NDArray[np.float32], count: int
    ) -> list[NDArray[np.float32]]:
        """The `count` nearest motions, as `nearest`, the nearest first; fewer where there are fewer."""
        key = _key(_blurred(now)[None], _blurred(goal)[None])[0]
        chunks = np.array_split(self._keys, max(1, len(self._keys) // 4096))  # bounds the memory
        distances = np.concatenate([np.square(chunk - key).sum(axis=1, dtype=np.float32) for chunk in chunks])
        motions = []
        for number, start, length in self._index[np.argsort(distances, kind="stable")[:count]]:
            actions = self._actions[number][start : start + length + 1]
            motions.append(apply_motion(newest, actions[1:] - actions[0], self._manifest))
        return motions


class NearestMotion:
    """Replays the nearest motion; looks again when it is over."""

    def __init__(self, situation: Situation, library: MotionLibrary) -> None:
        self._goal, self._library = situation.goal, library
        self.replan_frames = 1

    def decide(self, observation: SimObservation) -> Decision:
        actions = self._library.nearest(observation.frames[-1], self._goal, observation.actions[-1])
        self.replan_frames = len(actions)
        return Decision(actions)


def _blurred(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean colours [_CELLS * _CELLS * 3] in [0, 1] of an image [H, W, 3]."""
    small = cv2.resize(frame, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return (small.reshape(-1) / 255).astype(np.float32)


def _key(start: NDArray[np.float32], end: NDArray[np.float32]) -> NDArray[np.float32]:
    """[n, D] whose distances compare starts and changes."""
    return np.concatenate([start, _CHANGE_WEIGHT * (end - start)], axis=1)
