"""What a set of tokens holds, measured: clips and those never used, codes used, takes, what each joint does."""

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

_AT_ONCE = 256  # clips looked at


@dataclass(frozen=True)
class TokenInspection:
    """All of it."""

    name: str
    episodes: int
    takes: int  # stretches without a cut
    frames: int  # with values of the joints
    frame_rate_hz: float
    clips: int
    clip_frames: int
    grid: tuple[int, ...]  # T, h, w of a clip, and channels of latents
    vocabulary: int  # 0 of latents
    codes_used: int
    latents: tuple[float, float] | None  # the smallest and the largest number; None of codes
    partial: int  # clips cut short at the end of an episode
    straddling: int  # clips over a cut
    joints: dict[str, tuple[JointSummary, ...]]  # states, commands

    def remarks(self) -> list[str]:
        """What someone who trains on this should know, a sentence each."""
        found = []
        if self.partial:
            found.append(f"{self.partial} of {self.clips} clips are cut short: never used")
        if self.straddling:
            found.append(f"{self.straddling} of {self.clips} clips straddle a cut: never used")
        return found + joint_remarks(self.joints)


def inspect_tokens(
    name: str, episodes: Iterable[TokenEpisode], joint: Callable[[str], Joint] | None = None
) -> TokenInspection:
    """Read all of a set once.

    Args:
        episodes: of one set.
        joint: units and limits by name, where they are known.

    Raises:
        BadBag: no episodes, codes that the tokenizer does not have, or latents that are not finite.
    """
    seen: list[TokenEpisode] = []
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
        seen.append(one)
    if not seen:
        raise BadBag(f"Token set {name}", expected="episodes", got="none", remedy="Check the path.")
    first_one, takes = seen[0], _takes(seen)
    return TokenInspection(
        name=name,
        episodes=len(seen),
        takes=len(np.unique(takes)),
        frames=len(takes),
        frame_rate_hz=first_one.frame_rate_hz,
        clips=sum(len(one.tokens) for one in seen),
        clip_frames=first_one.clip_frames,
        grid=first_one.tokens.shape[1:],
        vocabulary=first_one.vocabulary,
        codes_used=int(used.sum()),
        latents=(min(extremes), max(extremes)) if extremes else None,
        partial=sum(one.partial_clips for one in seen),
        straddling=sum(one.straddling_clips for one in seen),
        joints=_summarise(seen, takes, joint),
    )


def _takes(episodes: list[TokenEpisode]) -> NDArray[np.int64]:
    """Number of the take of every frame, episode after episode."""
    takes, first = [], 0
    for one in episodes:
        takes.append(first + take_numbers(one.segments))
        first = takes[-1].max(initial=first - 1) + 1
    return np.concatenate(takes)


def _summarise(
    episodes: list[TokenEpisode], takes: NDArray[np.int64], joint: Callable[[str], Joint] | None
) -> dict[str, tuple[JointSummary, ...]]:
    streams = {"states": [one.states for one in episodes], "commands": [one.commands for one in episodes]}
    recorded = {stream: [one for one in some if one is not None] for stream, some in streams.items()}
    return {
        stream: summarise_joints(episodes[0].names, np.concatenate(some), joint, takes)
        for stream, some in recorded.items()
        if len(some) == len(episodes) and len(takes)
    }
