"""Inspects a token set: clips and unusable clips, codes used, takes, and joint values."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.checks.joint_summary import JointSummary, joint_remarks, summarise_joints
from hwm_core.data.episodes.windows import take_numbers
from hwm_core.data.robot.description import Joint
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.vocabulary import in_vocabulary, out_of_vocabulary
from hwm_core.errors import BadBag

_AT_ONCE = 256  # clips read at once


@dataclass(frozen=True)
class TokenInspection:
    """Measurements of one token set."""

    name: str
    episodes: int
    takes: int
    frames: int  # with joint values
    frame_rate_hz: float
    clips: int
    clip_frames: int
    grid: tuple[int, ...]  # T, h, w of a clip, and the channels of latents
    vocabulary: int  # 0 for latents
    codes_used: int
    latents: tuple[float, float] | None  # smallest and largest value; None for codes
    partial: int  # clips that extend beyond the last frame of an episode
    straddling: int  # complete clips that contain a cut
    joints: dict[str, tuple[JointSummary, ...]]  # by channel: states, commands

    def remarks(self) -> list[str]:
        """What matters for training on this set, a sentence each."""
        found = []
        if self.partial:
            found.append(f"{self.partial} of {self.clips} clips are partial: never used")
        if self.straddling:
            found.append(f"{self.straddling} of {self.clips} clips contain a cut: never used")
        return found + joint_remarks(self.joints)


def inspect_tokens(
    name: str, episodes: Iterable[TokenEpisode], joint: Callable[[str], Joint] | None = None
) -> TokenInspection:
    """Read a set once and measure it.

    Args:
        name: name of the set.
        episodes: all episodes of the set.
        joint: unit and limits of a joint by its name, if known.

    Raises:
        BadBag: there are no episodes, or tokens are not in the vocabulary.
    """
    read: list[TokenEpisode] = []
    used, extremes = np.zeros(0, dtype=bool), []
    for one in episodes:
        for first in range(0, len(one.tokens), _AT_ONCE):
            codes = np.asarray(one.tokens[first : first + _AT_ONCE])
            if not in_vocabulary(codes, one.vocabulary):
                raise out_of_vocabulary(one.name, codes, one.vocabulary)
            if one.vocabulary:
                used = np.pad(used, (0, max(0, int(codes.max()) + 1 - len(used))))
                used[codes.reshape(-1)] = True
            else:
                extremes += [float(codes.min()), float(codes.max())]
        read.append(one)
    if not read:
        raise BadBag(f"Token set {name}", expected="episodes", got="none", remedy="Check the path.")
    takes = _takes(read)
    return TokenInspection(
        name=name,
        episodes=len(read),
        takes=len(np.unique(takes)),
        frames=len(takes),
        frame_rate_hz=read[0].frame_rate_hz,
        clips=sum(len(one.tokens) for one in read),
        clip_frames=read[0].clip_frames,
        grid=read[0].tokens.shape[1:],
        vocabulary=read[0].vocabulary,
        codes_used=int(used.sum()),
        latents=(min(extremes), max(extremes)) if extremes else None,
        partial=sum(one.partial_clips for one in read),
        straddling=sum(one.straddling_clips for one in read),
        joints=_summarise(read, takes, joint),
    )


def _takes(episodes: list[TokenEpisode]) -> NDArray[np.int64]:
    """Take number of every frame of all episodes; takes of different episodes get different numbers."""
    takes, first = [], 0
    for one in episodes:
        takes.append(first + take_numbers(one.segments))
        first = takes[-1].max(initial=first - 1) + 1
    return np.concatenate(takes)


def _summarise(
    episodes: list[TokenEpisode], takes: NDArray[np.int64], joint: Callable[[str], Joint] | None
) -> dict[str, tuple[JointSummary, ...]]:
    channels = {"states": [one.states for one in episodes], "commands": [one.commands for one in episodes]}
    recorded = {channel: [one for one in some if one is not None] for channel, some in channels.items()}
    return {
        channel: summarise_joints(episodes[0].names, np.concatenate(some), joint, takes)
        for channel, some in recorded.items()
        if len(some) == len(episodes) and len(takes)
    }
