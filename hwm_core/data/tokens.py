"""Episodes of tokens in place of pictures, and windows of them: what 1X publishes, and what `tokenise` makes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from hwm_core.data.manifest import ActionManifest
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class TokenEpisode:
    """One recorded run as clips that were tokenised one by one, each without seeing the others.

    Clip c covers the frames c * clip_frames .. (c + 1) * clip_frames - 1; a last one that is cut short has too few.
    """

    name: str
    tokens: NDArray[np.integer]  # [C, T, h, w] clips, latents of a clip, grid; may be a memory map
    clip_frames: int  # 17 for a tokenizer of 1 + 8 + 8 frames, 1 for one of single pictures
    vocabulary: int
    frame_rate_hz: float
    segments: NDArray[np.int32]  # [F]; a change is a cut of the recording
    names: tuple[str, ...]  # A joint names
    states: NDArray[np.float32] | None  # [F, A]
    commands: NDArray[np.float32] | None = None  # [F, A], as of Episode

    def valid_starts(self, clips: int = 1, stride: int = 1) -> NDArray[np.int64]:
        """First clips of the runs of `clips` neighbours that are whole and straddle no cut, every `stride` clips."""
        cuts = np.concatenate([[0], np.cumsum(np.diff(self.segments) != 0)])  # numbers may come again: count changes
        whole = min(len(self.tokens), len(self.segments) // self.clip_frames)
        starts = np.arange(0, whole - clips + 1, stride, dtype=np.int64)
        first, last = starts * self.clip_frames, (starts + clips) * self.clip_frames - 1
        return starts[cuts[first] == cuts[last]]


class TokenWindows(Dataset):
    """Windows of neighbouring clips: `{"tokens": int64 [clips * T, h, w], "actions": float32 [frames, A] normalised}`.

    Args:
        episodes: of one tokenizer and robot.
        manifest: which actions, and their normalisation; None for windows without "actions".
        clips: neighbouring clips to a window.
        stride: clips between the starts of neighbouring windows.

    Raises:
        RobotMismatch, BadActions: as `ActionManifest.actions_of`.
        BadBag: no window fits, or the episodes are of unlike tokenizers.
    """

    def __init__(
        self, episodes: Sequence[TokenEpisode], manifest: ActionManifest | None, clips: int = 1, stride: int = 1
    ) -> None:
        self._episodes, self._clips = list(episodes), clips
        kinds = {(one.tokens.shape[1:], one.clip_frames, one.vocabulary) for one in episodes}
        if len(kinds) > 1:
            raise BadBag(
                "Token windows", expected="episodes of one tokenizer", got=sorted(kinds), remedy="Keep them apart."
            )
        self._actions = None
        if manifest is not None:
            self._actions = [manifest.normalise(manifest.actions_of(episode)) for episode in episodes]
        self.index = np.array(
            [(number, start) for number, one in enumerate(episodes) for start in one.valid_starts(clips, stride)],
            dtype=np.int64,
        ).reshape(-1, 2)  # [windows, 2]: episode, first clip
        if len(self.index) == 0:
            raise BadBag(
                "Token windows",
                expected=f"{clips} neighbouring clips without a cut",
                got=f"none in {len(self._episodes)} episodes",
                remedy="Use shorter windows, or more data.",
            )

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        number, start = self.index[item]
        episode = self._episodes[number]
        tokens = np.asarray(episode.tokens[start : start + self._clips], dtype=np.int64)
        if tokens.min() < 0 or tokens.max() >= episode.vocabulary:
            raise out_of_vocabulary(episode.name, tokens, episode.vocabulary)
        window = {"tokens": torch.from_numpy(tokens.reshape(-1, *tokens.shape[2:]))}
        if self._actions is not None:
            frames = slice(start * episode.clip_frames, (start + self._clips) * episode.clip_frames)
            window["actions"] = torch.from_numpy(self._actions[number][frames])
        return window


def out_of_vocabulary(name: str, tokens: NDArray[np.integer], vocabulary: int) -> BadBag:
    """The error for codes that the tokenizer does not have."""
    return BadBag(
        f"Tokens of {name}",
        expected=f"codes 0 to {vocabulary - 1}",
        got=f"{tokens.min()} to {tokens.max()}",
        remedy="The file is damaged, or of another type or tokenizer; download or tokenise it again.",
    )
