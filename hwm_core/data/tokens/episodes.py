"""Episodes of codes in place of pictures, and windows of them: what 1X publishes, and what `tokenise` makes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from hwm_core.clips import num_frames
from hwm_core.data.batches import TokenBatch
from hwm_core.data.episodes.windows import take_numbers
from hwm_core.data.robot.joint_names import match_names
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.tokenizer_spec import in_vocabulary
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class TokenEpisode:
    """One recorded run as clips that were encoded one by one, each without seeing the others.

    Clip c covers the `clip_frames` frames from `first_frames[c]`; a last one that is cut short has too few.
    """

    name: str
    tokens: NDArray  # [C, T, h, w] clips, latents of a clip, grid; [C, T, h, w, c] latents themselves; may be mapped
    clip_frames: int  # 17 for a tokenizer of 1 + 8 + 8 frames, 1 for one of single pictures
    vocabulary: int  # 0 of latents
    frame_rate_hz: float
    segments: NDArray[np.int32]  # [F]; a change is a cut of the recording
    names: tuple[str, ...]  # A joint names
    states: NDArray[np.float32] | None  # [F, A]
    commands: NDArray[np.float32] | None = None  # [F, A], as of Episode
    starts: NDArray[np.int64] | None = None  # [C] first frames, rising, where clips overlap or leave frames out

    @property
    def first_frames(self) -> NDArray[np.int64]:
        """First frame of each clip, [C]; without `starts` one clip begins where the one before it ends."""
        return np.arange(len(self.tokens), dtype=np.int64) * self.clip_frames if self.starts is None else self.starts

    def with_joints(self, names: Sequence[str]) -> "TokenEpisode":
        """With these joints, in this order. Raises RobotMismatch where some are missing."""
        columns = match_names(names, self.names, whose=f"episode {self.name}")
        states, commands = (None if some is None else some[:, columns] for some in (self.states, self.commands))
        return replace(self, names=tuple(names), states=states, commands=commands)

    @property
    def partial_clips(self) -> int:
        """How many are cut short at the end."""
        return int((self.first_frames + self.clip_frames > len(self.segments)).sum())

    @property
    def straddling_clips(self) -> int:
        """How many are whole and straddle a cut."""
        return len(self.tokens) - self.partial_clips - len(self.valid_starts())

    def valid_starts(self, clips: int = 1, stride: int = 1) -> NDArray[np.int64]:
        """First clips of the runs of `clips` neighbours that are whole and straddle no cut.

        Of each segment every `stride`-th clip. Neighbours are clips of which one begins where the other ends.
        """
        first = self.first_frames
        first = first[first + self.clip_frames <= len(self.segments)]
        cuts = take_numbers(self.segments)
        runs = np.arange(len(first) - clips + 1, dtype=np.int64)
        apart = np.concatenate([[0], np.cumsum(np.diff(first) != self.clip_frames)])  # changes where clips do not meet
        last = runs + clips - 1
        sound = (apart[runs] == apart[last]) & (cuts[first[runs]] == cuts[first[last] + self.clip_frames - 1])
        _, begin, of = np.unique(cuts[first], return_index=True, return_inverse=True)
        place = np.arange(len(first)) - begin[of] if len(first) else runs  # within its segment
        return runs[sound & (place[: len(runs)] % stride == 0)]


def frames_counted(clips: int, latents: int, temporal_factor: int) -> NDArray[np.int64]:
    """For each frame that a model of clips * latents latents counts, which frame of the clips it is; [F].

    A model counts one frame for the first latent and `temporal_factor` for each other. Where a further clip begins, its
    first latent holds a single frame, which is counted that often.
    """
    clip = num_frames(latents, temporal_factor)
    further = [0] * (temporal_factor - 1) + list(range(clip))
    counted = list(range(clip))
    for number in range(1, clips):
        counted += [number * clip + frame for frame in further]
    return np.array(counted, dtype=np.int64)


class TokenWindows(Dataset[TokenBatch]):
    """Windows of neighbouring clips: tokens [clips * T, h, w(, c)] and the actions of their frames.

    Args:
        episodes: of one tokenizer and robot.
        manifest: which actions, and their normalisation; None for windows without actions.
        clips: neighbouring clips to a window.
        stride: clips between the starts of neighbouring windows.
        latents: for a model of so many, in place of `clips`: the first ones of a clip (which are those of the shorter
            clip, of a causal tokenizer), or all of several clips. Its windows have the actions of the frames that the
            model counts, `frames_counted`.

    Raises:
        RobotMismatch, BadActions: as `ActionManifest.actions_of`.
        BadBag: no window fits, the episodes are of unlike tokenizers, or `latents` is no multiple of a clip's.
    """

    def __init__(
        self,
        episodes: Sequence[TokenEpisode],
        manifest: ActionManifest | None,
        clips: int = 1,
        stride: int = 1,
        latents: int | None = None,
    ) -> None:
        self._episodes = list(episodes)
        kinds = {(one.tokens.shape[1:], one.clip_frames, one.vocabulary) for one in episodes}
        if len(kinds) > 1:
            raise BadBag(
                "Token windows", expected="episodes of one tokenizer", got=sorted(kinds), remedy="Keep them apart."
            )
        self._clips, self._latents, self._frames = _extent(self._episodes, clips, latents)
        self._actions = [
            np.zeros((len(one.segments), 0), np.float32)
            if manifest is None
            else manifest.normalise(manifest.actions_of(one))
            for one in episodes
        ]
        self.index = np.array(
            [(number, start) for number, one in enumerate(episodes) for start in one.valid_starts(self._clips, stride)],
            dtype=np.int64,
        ).reshape(-1, 2)  # [windows, 2]: episode, first clip
        if len(self.index) == 0:
            raise BadBag(
                "Token windows",
                expected=f"{self._clips} neighbouring clips without a cut",
                got=f"none in {len(self._episodes)} episodes",
                remedy="Use shorter windows, more data, or clips of more latents.",
            )
        self._first = [episode.first_frames for episode in episodes]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> TokenBatch:
        number, start = self.index[item]
        episode = self._episodes[number]
        tokens = np.asarray(episode.tokens[start : start + self._clips])
        tokens = tokens.reshape(-1, *tokens.shape[2:])[: self._latents]
        if not in_vocabulary(tokens, episode.vocabulary):
            raise out_of_vocabulary(episode.name, tokens, episode.vocabulary)
        # A copy: the tokens may be mapped.
        values = torch.from_numpy(tokens.astype(np.int64 if episode.vocabulary else np.float32))
        return TokenBatch(values, torch.from_numpy(self._actions[number][self._first[number][start] + self._frames]))


def _extent(
    episodes: Sequence[TokenEpisode], clips: int, latents: int | None
) -> tuple[int, int, NDArray[np.int64] | int]:
    """Clips and latents of a window, and which frames' actions it has, counted from its first one."""
    if not episodes:
        return clips, 0, 0
    clip_latents, clip_frames = episodes[0].tokens.shape[1], episodes[0].clip_frames
    if latents is None:
        return clips, clips * clip_latents, np.arange(clips * clip_frames)
    factor = (clip_frames - 1) // max(1, clip_latents - 1) or 1
    clips = -(-latents // clip_latents)
    if clips > 1 and latents % clip_latents:
        raise BadBag(
            "Token windows",
            expected=f"a model of at most {clip_latents} latents, as the clips have, or of a multiple of them",
            got=f"{latents} latents",
            remedy=f"Tokenise with `--latents {latents}`, or change `num_past_latents` and `num_future_latents`.",
        )
    return clips, latents, frames_counted(clips, clip_latents, factor)[: num_frames(latents, factor)]


def out_of_vocabulary(name: str, tokens: NDArray, vocabulary: int) -> BadBag:
    """The error for codes that the tokenizer does not have."""
    return BadBag(
        f"Tokens of {name}",
        expected=f"codes 0 to {vocabulary - 1}" if vocabulary else "finite latents",
        got=f"{tokens.min()} to {tokens.max()}",
        remedy="The file is damaged, or of another type or tokenizer; download or tokenise it again.",
    )
