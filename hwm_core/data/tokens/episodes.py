"""Token episodes: recordings whose images a tokenizer has encoded, clip by clip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.episodes.windows import take_numbers
from hwm_core.data.robot.joint_names import match_names


@dataclass(frozen=True)
class TokenEpisode:
    """A recording of F frames as C clips. Each clip was encoded without the other clips.

    Clip c covers the `clip_frames` frames from `first_frames[c]`. The last clip of a 1X shard may be partial: the
    recording ends within it.
    """

    name: str
    tokens: NDArray  # [C, T, h, w] codes, or [C, T, h, w, c] latents; may be a memory map
    clip_frames: int  # 17 for a tokenizer of 1 + 8 + 8 frames, 1 for an image tokenizer
    vocabulary: int  # number of codes; 0 for latents
    frame_rate_hz: float
    segments: NDArray[np.int32]  # [F]; a change is a cut of the recording
    names: tuple[str, ...]  # A joint names
    states: NDArray[np.float32] | None  # [F, A]
    commands: NDArray[np.float32] | None = None  # [F, A], as in Episode
    starts: NDArray[np.int64] | None = None  # [C] rising first frames; None when each clip begins where one ends

    @property
    def first_frames(self) -> NDArray[np.int64]:
        """First frame of each clip, [C]."""
        return np.arange(len(self.tokens), dtype=np.int64) * self.clip_frames if self.starts is None else self.starts

    def with_joints(self, names: Sequence[str]) -> "TokenEpisode":
        """The episode with these joints, in this order. Raises RobotMismatch when joints are missing."""
        columns = match_names(names, self.names, whose=f"episode {self.name}")
        states, commands = (None if some is None else some[:, columns] for some in (self.states, self.commands))
        return replace(self, names=tuple(names), states=states, commands=commands)

    @property
    def partial_clips(self) -> int:
        """Number of clips that extend beyond the last frame."""
        return int((self.first_frames + self.clip_frames > len(self.segments)).sum())

    @property
    def straddling_clips(self) -> int:
        """Number of complete clips that contain a cut."""
        return len(self.tokens) - self.partial_clips - len(self.valid_starts())

    def valid_starts(self, clips: int = 1, stride: int = 1) -> NDArray[np.int64]:
        """First clips of all runs of neighbouring complete clips without a cut.

        Args:
            clips: clips of a run. Two clips are neighbours when one begins where the other ends.
            stride: take every `stride`-th clip of each segment.
        """
        first = self.first_frames
        first = first[first + self.clip_frames <= len(self.segments)]
        takes = take_numbers(self.segments)
        runs = np.arange(len(first) - clips + 1, dtype=np.int64)
        apart = np.concatenate([[0], np.cumsum(np.diff(first) != self.clip_frames)])  # rises where clips do not meet
        last = runs + clips - 1
        valid = (apart[runs] == apart[last]) & (takes[first[runs]] == takes[first[last] + self.clip_frames - 1])
        _, begin, of = np.unique(takes[first], return_index=True, return_inverse=True)
        place = np.arange(len(first)) - begin[of] if len(first) else runs  # within its segment
        return runs[valid & (place[: len(runs)] % stride == 0)]
