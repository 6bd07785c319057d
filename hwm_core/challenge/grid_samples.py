"""Samples of the compression track: past token grids, actions, and the future grids where they are known.

v2.0: 3 past and 3 future grids of 32x32 tokens, 64,000 codes. Three grids are one clip of 17 frames, and each clip is
encoded alone. A test sample has 64 states for its 34 frames: state n belongs to frame n, and the rest is not used.
v1.1: each frame is a grid of 16x16 tokens with 2^18 codes. 1X uses frames at 2 Hz.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.clips import num_frames
from hwm_core.data.episodes.windows import evenly_spaced, take_numbers, takes_of_starts
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import is_token_set, open_tokens, read_spec
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.onex_metadata import COSMOS
from hwm_core.data.tokens.onex_test_set import open_test_samples
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.data.tokens.vocabulary import out_of_vocabulary
from hwm_core.data.tokens.windows import action_frames
from hwm_core.errors import BadBag, BadCheckpoint
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.token_network import TokenConfig, TokenNetwork
from hwm_core.world_model.checkpoint import Checkpoint


@dataclass(frozen=True)
class GridSample:
    """The past and the actions from which future grids are predicted."""

    number: int  # the sample's number in the archive
    take: int  # number of the take over all shards; samples of one take are not independent
    past: NDArray[np.int64]  # [T_past, h, w]
    actions: NDArray[np.float32]  # [F, A] in joint units and manifest order, for the frames that the model counts
    truth: NDArray[np.int64] | None  # [T_future, h, w]; None in a test set


def token_network(model: WorldModelNetwork) -> TokenNetwork:
    """Return `model`. Raises BadCheckpoint if it predicts no tokens."""
    if not isinstance(model, TokenNetwork):
        raise BadCheckpoint(
            "Model",
            expected="a model that gives a distribution over the codes of each token",
            got=type(model).__name__,
            remedy="Train a masked model or an ST-Transformer.",
        )
    return model


def open_samples(path: str | Path, checkpoint: Checkpoint, limit: int | None = None) -> list[GridSample]:
    """Read the samples of a folder: a test set, or windows of a token set (v2.0, v1.1 or hwm's format).

    Frames of v1.1 are skipped to match the model's frame rate.

    Args:
        limit: the maximum number of samples, spread evenly over a token set.

    Raises:
        BadBag: missing, truncated or damaged files; no window fits.
        BadCheckpoint: the model predicts no tokens, or its grid, codes or frame rate differ from the set's.
        BadConfig: the model was trained on codes of another tokenizer.
        RobotMismatch, BadActions: as `ActionManifest.actions_of`.
    """
    path, config, manifest = Path(path), token_network(checkpoint.model).config, checkpoint.manifest
    if is_token_set(path):
        episodes = open_tokens(path)
        _require_tokenizer(path, checkpoint, read_spec(path))
        return list(_windows(episodes, config, manifest, checkpoint.preprocessing.frame_rate_hz, limit))
    samples = _test_samples(path, config, manifest)[:limit]
    _require_tokenizer(path, checkpoint, COSMOS)
    return samples


def _test_samples(path: Path, config: TokenConfig, manifest: ActionManifest) -> list[GridSample]:
    found = open_test_samples(path)
    clip, rows = found.tokens.shape[1], found.states.shape[1]
    frames = _counted(clip, config)
    if config.num_past_latents != clip or frames[-1] >= rows:
        raise _shape_error(f"{clip} past grids, and future frames within the {rows} states of a sample", config)
    _require_grid(found.tokens.shape[2:], COSMOS.vocabulary, config)
    columns = manifest.match(EVE_STATES)
    samples = []
    for number, tokens, states in zip(found.numbers, found.tokens, found.states, strict=True):
        past = _checked_codes(f"sample {number}", tokens, config)
        samples.append(GridSample(int(number), int(number), past, states[frames][:, columns], None))
    return samples


def _windows(
    episodes: Sequence[TokenEpisode],
    config: TokenConfig,
    manifest: ActionManifest,
    frame_rate_hz: float,
    limit: int | None,
) -> Iterator[GridSample]:
    """Windows of whole clips without a cut. No two windows share a frame."""
    per_clip = episodes[0].tokens.shape[1]
    step = _step(episodes[0], config, frame_rate_hz)
    clips, rest = divmod(config.num_latents, per_clip)
    if rest or config.num_past_latents % per_clip:
        raise _shape_error(f"whole clips of {per_clip} grids, in the past and in the future", config)
    _require_grid(episodes[0].tokens.shape[2:], episodes[0].vocabulary, config)
    extent = (clips - 1) * step + 1  # clips from the first to the last of a window
    frames = _counted(per_clip, config) * (step if per_clip == 1 else 1)
    starts = [
        (index, start) for index, one in enumerate(episodes) for start in _disjoint(one.valid_starts(extent), extent)
    ]
    if not starts:
        raise BadBag(
            "Token set",
            expected=f"{extent} consecutive clips without a cut",
            got=f"none in {len(episodes)} shards",
            remedy="Use a model with fewer latents, or more data.",
        )
    chosen = [starts[number] for number in evenly_spaced(limit or len(starts), len(starts))]
    values = [manifest.actions_of(episode) for episode in episodes]
    takes = [take_numbers(episode.segments)[episode.first_frames] for episode in episodes]
    take = takes_of_starts(chosen, takes)
    for number, (index, start) in enumerate(chosen):
        episode = episodes[index]
        tokens = np.asarray(episode.tokens[start : start + extent : step])
        codes = _checked_codes(episode.name, tokens.reshape(-1, *tokens.shape[2:]), config)
        first = int(episode.first_frames[start])
        past = config.num_past_latents
        actions = values[index][first + frames]
        yield GridSample(number, int(take[number]), codes[:past], actions, codes[past:])


def _counted(per_clip: int, config: TokenConfig) -> NDArray[np.int64]:
    """[F] for each frame that the model counts, its index among the frames of the clips."""
    clips = -(-config.num_latents // per_clip)
    total = num_frames(config.num_latents, config.temporal_factor)
    return action_frames(clips, per_clip, config.temporal_factor)[:total]


def _disjoint(starts: NDArray[np.int64], extent: int) -> Iterator[int]:
    """The starts of windows that do not overlap, taken greedily."""
    free = 0
    for start in starts:
        if start >= free:
            free = int(start) + extent
            yield int(start)


def _step(episode: TokenEpisode, config: TokenConfig, frame_rate_hz: float) -> int:
    """Frames of the set per frame of the model."""
    ratio = episode.frame_rate_hz / frame_rate_hz
    step = round(ratio)
    can_skip = config.temporal_factor == 1 and episode.tokens.shape[1] == 1  # each frame has its own grid
    if step < 1 or abs(ratio - step) > 0.02 * step or (step > 1 and not can_skip):
        raise BadCheckpoint(
            "Model",
            expected=f"{episode.frame_rate_hz:g} Hz, the frame rate of the set"
            + (", or that rate divided by a whole number" if can_skip else ""),
            got=f"{frame_rate_hz:g} Hz",
            remedy="Use a model trained at that rate.",
        )
    return step


def _require_tokenizer(path: Path, checkpoint: Checkpoint, of_set: TokenizerSpec) -> None:
    """Raises BadConfig if the model was trained on codes of another tokenizer."""
    if (trained_on := checkpoint.tokenizer_spec) is not None:
        remedy = "Use a checkpoint trained on these codes, or tokenise the store again with the checkpoint's tokenizer."
        trained_on.require(of_set, where=str(path), remedy=remedy)


def _require_grid(grid: Sequence[int], codes: int, config: TokenConfig) -> None:
    if tuple(grid) != tuple(config.grid) or codes != math.prod(config.levels):
        raise _shape_error(f"grids of {grid[0]}x{grid[1]} tokens with {codes} codes", config)


def _checked_codes(name: str, tokens: NDArray, config: TokenConfig) -> NDArray[np.int64]:
    codes, vocabulary = tokens.astype(np.int64), math.prod(config.levels)
    if codes.min() < 0 or codes.max() >= vocabulary:
        raise out_of_vocabulary(name, codes, vocabulary)
    return codes


def _shape_error(expected: str, config: TokenConfig) -> BadCheckpoint:
    return BadCheckpoint(
        "Model",
        expected=expected,
        got=f"{config.num_past_latents} past and {config.num_future_latents} future grids of "
        f"{config.grid[0]}x{config.grid[1]} tokens with {math.prod(config.levels)} codes, "
        f"{config.temporal_factor} frames per grid",
        remedy="Train a model of this shape: num_past_latents, num_future_latents, grid, levels, temporal_factor.",
    )
