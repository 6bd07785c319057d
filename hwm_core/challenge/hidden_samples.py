"""Samples of a hidden test set of the sampling track: 17 frames and 77 states each, and no target frame.

1X has not published the layout of its test set. Accepted is the layout of its other test set, one sample per file:
video_NUMBER.mp4 with 17 frames, and states_NUMBER.bin with float32 [77, 25]; without metadata.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.challenge.forecast_samples import LENGTH, PAST_FRAMES, ForecastSample, frames_per_step, used_frames
from hwm_core.data.episodes.windows import evenly_spaced
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.data.tokens.onex_files import read_joint_values, shard_file
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadBag
from hwm_core.world_model.model import WorldModel

FRAME_RATE_HZ = 30.0  # of all sets of 1X


@dataclass(frozen=True)
class HiddenSet:
    """The files of a hidden test set."""

    path: Path
    numbers: tuple[int, ...]  # of the samples, from the file names

    def states(self, number: int) -> NDArray[np.float32]:
        """The states [77, 25] of a sample. Raises BadBag."""
        return read_joint_values(shard_file(self.path, "states", number, "bin"), (LENGTH, len(EVE_STATES)))


def is_hidden_set(path: Path) -> bool:
    """Whether the folder has videos and states, and neither metadata nor segments."""
    more = any(path.rglob("metadata*.json")) or any(path.rglob("segment_idx_*"))
    return not more and any(path.rglob("video_*.mp4")) and any(path.rglob("states_*.bin"))


def open_hidden(path: Path, limit: int | None = None) -> HiddenSet:
    """The samples of the set, at most `limit`, spread evenly. Raises BadBag for a file with another name."""
    numbers = sorted(_number(file) for file in path.rglob("video_*.mp4"))
    return HiddenSet(path, tuple(numbers[index] for index in evenly_spaced(limit or len(numbers), len(numbers))))


def identity(hidden: HiddenSet) -> str:
    """sha256 of the numbers and the states of the samples."""
    digest = hashlib.sha256()
    for number in hidden.numbers:
        digest.update(f"{number}".encode() + hidden.states(number).tobytes())
    return digest.hexdigest()


def cut_hidden_samples(hidden: HiddenSet, world_model: WorldModel, *, side: int) -> Iterator[ForecastSample]:
    """The samples, in the order of their numbers.

    Args:
        side: size of the target frame in pixels.

    Raises:
        BadBag: a file is absent or damaged, a video has not 17 frames, or states have another width.
        BadCheckpoint, BadActions, RobotMismatch: the model does not fit.
    """
    step = frames_per_step(world_model, FRAME_RATE_HZ)
    past, future = used_frames(world_model, step)
    columns = world_model.manifest.match(EVE_STATES)
    target_size = world_model.preprocessing.model_copy(update={"height": side, "width": side})
    for number in hidden.numbers:
        video = VideoSpan(shard_file(hidden.path, "video", number, "mp4"))
        remedy = "It is truncated, or no sample of this track: download it again."
        decoded = video.decode_exactly(PAST_FRAMES, because="of a hidden sample", remedy=remedy)
        images = [image for _, image in decoded]
        values = hidden.states(number)[:, columns]
        yield ForecastSample(
            number=number,
            take=number,
            name=str(number),
            frames=np.stack([world_model.preprocessing.apply(images[frame]) for frame in past]),
            actions=values[np.concatenate([past, future])],
            shuffled=None,
            last=target_size.apply(images[-1]),
            truth=None,
        )


def _number(file: Path) -> int:
    """5 for video_5. Raises BadBag for another name."""
    digits = file.stem.removeprefix("video_")
    if not digits.isdecimal():
        raise BadBag(f"File {file}", expected="video_NUMBER.mp4", got=f"`{file.name}`", remedy="Rename or remove it.")
    return int(digits)
