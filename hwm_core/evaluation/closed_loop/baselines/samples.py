"""Random pairs of frames of recorded episodes, with what happened between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadActions
from hwm_core.frames import to_video
from hwm_core.types import Episode

CHUNK_FRAMES = 8
"""Actions that an inverse model predicts."""
LONGEST_FRAMES = 32
"""Frames between the two images of a pair, at most."""


@dataclass(frozen=True)
class FramePairs:
    """B pairs of images of the same episode, 1 to LONGEST_FRAMES frames apart; joints in z-scores."""

    now: Tensor  # float [B, 3, H, W] in [0, 1]
    later: Tensor  # [B, 3, H, W]
    states: Tensor  # [B, A] measured at the first image
    action: Tensor  # [B, A] the newest action at the first image
    chunk: Tensor  # [B, CHUNK_FRAMES, A] the next actions, relative to `action`; held where the second image is nearer
    frames: Tensor  # [B] frames between the images


class PairSampler:
    """Draws pairs with equal chance over all frames.

    Raises:
        BadActions: the episodes lack states, or actions of the manifest's kind.
        RobotMismatch: the episodes lack joints of the manifest.
    """

    def __init__(self, episodes: Sequence[Episode], manifest: ActionManifest, seed: int) -> None:
        self._frames = [episode.frames for episode in episodes]
        self._actions = [manifest.normalise(manifest.actions_of(episode)) for episode in episodes]
        self._states = [manifest.normalise(_states(episode, manifest)) for episode in episodes]
        self._ends = [_segment_ends(episode) for episode in episodes]
        starts = [
            np.stack([np.full(int((ends - np.arange(len(ends)) > 1).sum()), number), _with_a_later(ends)])
            for number, ends in enumerate(self._ends)
        ]
        self._starts = np.concatenate(starts, axis=1).T  # [N, 2] episode, frame
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._starts)

    def draw(self, count: int) -> FramePairs:
        """`count` random pairs."""
        rows = []
        for number, frame in self._starts[self._rng.integers(len(self._starts), size=count)]:
            last = min(self._ends[number][frame] - 1, frame + LONGEST_FRAMES)
            later = int(self._rng.integers(frame + 1, last + 1))
            ahead = np.minimum(np.arange(frame + 1, frame + 1 + CHUNK_FRAMES), later)
            actions = self._actions[number]
            rows.append(
                (
                    self._frames[number][frame],
                    self._frames[number][later],
                    self._states[number][frame],
                    actions[frame],
                    actions[ahead] - actions[frame],
                    float(later - frame),
                )
            )
        now, later_image, states, action, chunk, frames = (np.stack(part) for part in zip(*rows, strict=True))
        return FramePairs(
            to_video(now),
            to_video(later_image),
            *(torch.from_numpy(part).float() for part in (states, action, chunk, frames)),
        )


def _states(episode: Episode, manifest: ActionManifest) -> np.ndarray:
    """Measured positions [F, A] in manifest order."""
    if episode.states is None:
        raise BadActions(
            f"Episode {episode.name}",
            expected="measured joint positions, for the posture read-out",
            got="none recorded",
            remedy="Record the joint states too.",
        )
    return episode.states[:, manifest.match(episode.names)].astype(np.float32)


def _segment_ends(episode: Episode) -> np.ndarray:
    """For every frame, the first frame after its segment, [F]."""
    bounds = [*(np.flatnonzero(np.diff(episode.segments)) + 1), len(episode)]
    return np.array(bounds)[np.searchsorted(bounds, np.arange(len(episode)), side="right")]


def _with_a_later(ends: np.ndarray) -> np.ndarray:
    """The frames that are not the last of their segment."""
    return np.flatnonzero(ends - np.arange(len(ends)) > 1)
