"""Training windows of token episodes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from hwm_core.clips import num_frames
from hwm_core.data.batches import TokenBatch
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.vocabulary import in_vocabulary, out_of_vocabulary
from hwm_core.errors import BadBag


class TokenWindows(Dataset[TokenBatch]):
    """Windows of neighbouring clips: tokens [latents, h, w(, c)] and the actions of their frames.

    Args:
        episodes: episodes of one tokenizer and robot.
        manifest: which actions, and their normalisation; None gives windows without actions.
        latents: latents of the model. Either the first latents of a clip, which a causal tokenizer gives for the
            shorter clip too, or all latents of several clips. The actions are those of `action_frames`.
        stride: clips between the starts of neighbouring windows.

    Raises:
        RobotMismatch, BadActions: as `ActionManifest.actions_of`.
        BadBag: no window fits, the tokenizers differ, or `latents` is not a multiple of the latents of a clip.
    """

    def __init__(
        self,
        episodes: Sequence[TokenEpisode],
        manifest: ActionManifest | None,
        latents: int,
        stride: int = 1,
    ) -> None:
        self._episodes = list(episodes)
        kinds = {(one.tokens.shape[1:], one.clip_frames, one.vocabulary) for one in episodes}
        if len(kinds) > 1:
            raise BadBag(
                "Token windows",
                expected="episodes of one tokenizer",
                got=sorted(kinds),
                remedy="Train on the episodes of one tokenizer at a time.",
            )
        self._latents = latents
        self._clips, self._frames = _extent(self._episodes, latents)
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
        # A copy: the tokens may be a memory map.
        values = torch.from_numpy(tokens.astype(np.int64 if episode.vocabulary else np.float32))
        return TokenBatch(values, torch.from_numpy(self._actions[number][self._first[number][start] + self._frames]))


def action_frames(clips: int, latents: int, temporal_factor: int) -> NDArray[np.int64]:
    """Index of the frame, within the clips, that gives each frame of the model its action, [F].

    A model counts one frame for its first latent, and `temporal_factor` frames for each further latent. The first
    latent of a further clip holds a single frame, so the action of that frame is repeated.
    """
    clip = num_frames(latents, temporal_factor)
    further = [0] * (temporal_factor - 1) + list(range(clip))
    frames = list(range(clip))
    for number in range(1, clips):
        frames += [number * clip + frame for frame in further]
    return np.array(frames, dtype=np.int64)


def _extent(episodes: Sequence[TokenEpisode], latents: int) -> tuple[int, NDArray[np.int64]]:
    """Clips of a window, and the frames of its actions, counted from the first frame of the window."""
    if not episodes:
        return 1, np.zeros(0, np.int64)
    clip_latents, clip_frames = episodes[0].tokens.shape[1], episodes[0].clip_frames
    factor = (clip_frames - 1) // max(1, clip_latents - 1) or 1
    clips = -(-latents // clip_latents)
    if clips > 1 and latents % clip_latents:
        raise BadBag(
            "Token windows",
            expected=f"a model of at most {clip_latents} latents, the latents of a clip, or of a multiple of them",
            got=f"{latents} latents",
            remedy=f"Tokenise with `--latents {latents}`, or change `num_past_latents` and `num_future_latents`.",
        )
    return clips, action_frames(clips, clip_latents, factor)[: num_frames(latents, factor)]
