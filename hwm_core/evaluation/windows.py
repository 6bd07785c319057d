"""Which windows are judged, and whose motion plays in which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.manifest import ActionManifest
from hwm_core.data.windows import spread, valid_starts
from hwm_core.errors import BadBag
from hwm_core.types import Episode

Indices = Sequence[int] | NDArray[np.int64]  # of windows

_CAMERA_JOINTS = ("neck", "head")  # parts of the names of joints that carry the camera
_STILL = 0.01  # rad; a held joint sags by less under the arms' motion


class EvaluationWindows:
    """Windows of `past_frames` seen and `future_frames` predicted, every `stride` frames; W in all.

    Args:
        at_most: of more windows, so many are kept, spread evenly.

    Raises:
        BadBag: no window fits.
        RobotMismatch: an episode lacks joints of the manifest.
        BadActions: an episode lacks the manifest's kind of actions.
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        manifest: ActionManifest,
        past_frames: int,
        future_frames: int,
        stride: int,
        at_most: int | None = None,
    ) -> None:
        self.past_frames, self.future_frames = past_frames, future_frames
        self._frames = [episode.frames for episode in episodes]
        self._actions = [manifest.actions_of(episode) for episode in episodes]
        self._limits = np.asarray(manifest.lower, np.float32), np.asarray(manifest.upper, np.float32)
        starts = [valid_starts(episode, past_frames + future_frames, stride) for episode in episodes]
        self.episode = np.repeat(np.arange(len(episodes)), [len(some) for some in starts])  # [W]
        self.start = np.concatenate([np.empty(0, np.int64), *starts])  # [W] first frame seen
        if at_most is not None and len(self) > at_most:
            kept = spread(at_most, len(self))
            self.episode, self.start = self.episode[kept], self.start[kept]
        if len(self) == 0:
            raise BadBag(
                "Evaluation",
                expected=f"{past_frames} frames seen and {future_frames} predicted, without a gap",
                got=f"{len(episodes)} episodes of {[len(episode) for episode in episodes]} frames",
                remedy="Record longer, check the camera's rate, or ask for a shorter horizon.",
            )

    def __len__(self) -> int:
        return len(self.start)

    def frames(self, windows: Indices) -> NDArray[np.uint8]:
        """Frames seen and to come, [B, past + future, H, W, 3]."""
        return np.stack([self._frames[self.episode[w]][self._span(w)] for w in windows])

    def actions(self, windows: Indices) -> NDArray[np.float32]:
        """Actions of the same frames, [B, past + future, A] in joint units and manifest order."""
        return np.stack([self._actions[self.episode[w]][self._span(w)] for w in windows])

    def borrowed(self, windows: Indices, lenders: Indices) -> NDArray[np.float32]:
        """The lenders' future motion played from the windows' own state, [B, future, A], kept within the joint limits.

        Motion, not pose: the lenders' absolute values would make the robot jump, which is a far easier control.
        """
        own, other = self.actions(windows), self.actions(lenders)
        newest = self.past_frames - 1
        return self._from_here(own, other[:, newest + 1 :] - other[:, newest, None])

    def backwards(self, windows: Indices) -> NDArray[np.float32]:
        """Their own future motion, last frame first, played from their own state, kept within the joint limits."""
        own, newest = self.actions(windows), self.past_frames - 1
        return self._from_here(own, own[:, newest:-1][:, ::-1] - own[:, -1, None])

    def held(self, windows: Indices) -> NDArray[np.float32]:
        """Their newest action, held: no motion."""
        own = self.actions(windows)
        return np.repeat(own[:, self.past_frames - 1, None], self.future_frames, axis=1)

    def _from_here(self, own: NDArray[np.float32], motion: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(own[:, self.past_frames - 1, None] + motion, *self._limits).astype(np.float32)

    def _span(self, window: int) -> slice:
        start = int(self.start[window])
        return slice(start, start + self.past_frames + self.future_frames)


def lenders(windows: EvaluationWindows, seed: int) -> NDArray[np.int64]:
    """For every window the window [W] whose motion it borrows, drawn at random: of another episode where there is one.

    Raises:
        BadBag: there is only one window.
    """
    if len(windows) < 2:
        raise BadBag("Evaluation", expected="two windows", got="one", remedy="Record longer, or use a smaller stride.")
    rng = np.random.default_rng(seed)
    episode, start = windows.episode, windows.start
    length = windows.past_frames + windows.future_frames
    answer = np.empty(len(windows), np.int64)
    for window in range(len(windows)):
        elsewhere = episode != episode[window]
        preferred = (
            elsewhere,
            np.abs(start - start[window]) >= length,
            np.arange(len(windows)) != window,
        )
        answer[window] = rng.choice(np.flatnonzero(next(some for some in preferred if some.any())))
    return answer


def has_still_camera(episode: Episode) -> bool:
    """Whether no joint that carries the camera moves. An episode without such joints has a still camera."""
    values = episode.states if episode.commands is None else episode.commands
    columns = [i for i, name in enumerate(episode.names) if any(part in name.lower() for part in _CAMERA_JOINTS)]
    return values is None or not columns or float(np.ptp(values[:, columns], axis=0).max()) < _STILL
