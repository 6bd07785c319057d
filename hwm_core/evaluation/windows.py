"""The windows of an evaluation, and the actions of its conditions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.episodes.windows import evenly_spaced, window_starts
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadBag
from hwm_core.evaluation.counterfactual import apply_motion, choose_donors
from hwm_core.types import Episode

Indices = Sequence[int] | NDArray[np.int64]  # of windows

_CAMERA_JOINTS = ("neck", "head")  # parts of the names of joints that carry the camera
_STILL = 0.01  # rad; a held joint sags by less while the arms move


class EvaluationWindows:
    """W windows of `past_frames` and `future_frames`, one every `stride` frames.

    Args:
        at_most: maximum number of windows, spread evenly.

    Raises:
        BadBag: there is no episode, or no window fits.
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
        if not episodes:
            raise BadBag(
                "Evaluation",
                expected="episodes to evaluate",
                got="none",
                remedy="Hold some out from training: `hwm prepare --validation-nth N`, or --validation.",
            )
        self.past_frames, self.future_frames = past_frames, future_frames
        self._frames = [episode.frames for episode in episodes]
        self._actions = [manifest.actions_of(episode) for episode in episodes]
        self._manifest = manifest
        self._lacking = np.stack([np.isnan(values).any(axis=0) for values in self._actions])  # [episodes, A]
        starts = [window_starts(episode.segments, past_frames + future_frames, stride) for episode in episodes]
        self.episode = np.repeat(np.arange(len(episodes)), [len(some) for some in starts])  # [W]
        self.start = np.concatenate([np.empty(0, np.int64), *starts])  # [W] first frame of the past
        if at_most is not None and len(self) > at_most:
            kept = evenly_spaced(at_most, len(self))
            self.episode, self.start = self.episode[kept], self.start[kept]
        if len(self) == 0:
            raise BadBag(
                "Evaluation",
                expected=f"{past_frames} past and {future_frames} future frames, without a gap",
                got=f"{len(episodes)} episodes of {[len(episode) for episode in episodes]} frames",
                remedy="Record longer, check the camera's rate, or use a shorter horizon.",
            )

    def __len__(self) -> int:
        return len(self.start)

    def frames(self, windows: Indices) -> NDArray[np.uint8]:
        """Past and future frames, [B, past + future, H, W, 3]."""
        return np.stack([self._frames[self.episode[w]][self._span(w)] for w in windows])

    def actions(self, windows: Indices) -> NDArray[np.float32]:
        """The actions of the same frames, [B, past + future, A] in joint units and manifest order."""
        return np.stack([self._actions[self.episode[w]][self._span(w)] for w in windows])

    def shuffled_actions(self, windows: Indices, donors: Indices) -> NDArray[np.float32]:
        """The future motion of the donors, applied to the windows' own state: [B, future, A], within the joint limits.

        `counterfactual` explains why the motion is used, not the pose.
        """
        own, other = self.actions(windows), self.actions(donors)
        newest = self.past_frames - 1
        return apply_motion(own[:, newest], other[:, newest + 1 :] - other[:, newest, None], self._manifest)

    def reversed_actions(self, windows: Indices) -> NDArray[np.float32]:
        """The windows' own future motion, last frame first, applied to their own state, within the joint limits."""
        own, newest = self.actions(windows), self.past_frames - 1
        return apply_motion(own[:, newest], own[:, newest:-1][:, ::-1] - own[:, -1, None], self._manifest)

    def held_actions(self, windows: Indices) -> NDArray[np.float32]:
        """The windows' newest action, repeated: no motion."""
        own = self.actions(windows)
        return np.repeat(own[:, self.past_frames - 1, None], self.future_frames, axis=1)

    @property
    def robot(self) -> NDArray[np.int64]:
        """[W] equal numbers for windows of robots that lack the same joints."""
        _, number = np.unique(self._lacking, axis=0, return_inverse=True)
        return number.reshape(-1)[self.episode]

    def lacked(self, window: int) -> list[str]:
        """Names of the joints that the window's robot lacks."""
        lacking = self._lacking[self.episode[window]]
        return [name for name, is_so in zip(self._manifest.names, lacking, strict=True) if is_so]

    def _span(self, window: int) -> slice:
        start = int(self.start[window])
        return slice(start, start + self.past_frames + self.future_frames)


def donor_windows(windows: EvaluationWindows, seed: int) -> NDArray[np.int64]:
    """For each window, the index [W] of the window that provides the shuffled motion (see `choose_donors`).

    Raises:
        BadBag: there is only one window, or only one of a robot with these joints.
    """
    if len(windows) < 2:
        raise BadBag("Evaluation", expected="two windows", got="one", remedy="Record longer, or use a smaller stride.")
    length = windows.past_frames + windows.future_frames
    donors = choose_donors(windows.episode, windows.start, length, seed, windows.robot)
    if (alone := donors < 0).any():
        lacked = ", ".join(windows.lacked(int(np.flatnonzero(alone)[0])))
        raise BadBag(
            "Evaluation",
            expected="two windows of every robot, so that each has a donor of shuffled actions",
            got=f"one of a robot that lacks {lacked}" if lacked else "one of a robot that has every joint",
            remedy="Record more of that robot, use a smaller stride, or leave its episode out.",
        )
    return donors


def has_still_camera(episode: Episode) -> bool:
    """Whether no joint that moves the camera changes. True for an episode without such joints.

    Also true if the robot lacks these joints (NaN in an embodiment of several robots).
    """
    values = episode.states if episode.commands is None else episode.commands
    columns = [i for i, name in enumerate(episode.names) if any(part in name.lower() for part in _CAMERA_JOINTS)]
    if values is None or not columns:
        return True
    moves = np.ptp(values[:, columns], axis=0)
    return float(moves.max(initial=0, where=~np.isnan(moves))) < _STILL
