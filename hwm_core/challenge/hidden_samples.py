"""Samples of a hidden test set of the sampling track: 17 frames and 77 states each, and no target frame.

1X has not published the layout of its test set. Accepted is the layout of its other test set, one sample per file:
video_NUMBER.mp4 with 17 frames, and states_NUMBER.bin with float32 [77, 25], in any sub-folder; without metadata.
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
from hwm_core.data.tokens.onex_files import read_joint_values
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadBag
from hwm_core.pretrained import file_sha256
from hwm_core.world_model.model import WorldModel

FRAME_RATE_HZ = 30.0  # of all sets of 1X


@dataclass(frozen=True)
class HiddenSample:
    """The files of one sample."""

    number: int  # from the file names
    video: Path
    states_file: Path

    def states(self) -> NDArray[np.float32]:
        """The states [77, 25]. Raises BadBag."""
        return read_joint_values(self.states_file, (LENGTH, len(EVE_STATES)))


def is_hidden_set(path: Path) -> bool:
    """Whether the folder has videos and states, and neither metadata nor segments."""
    more = any(path.rglob("metadata*.json")) or any(path.rglob("segment_idx_*"))
    return not more and any(path.rglob("video_*.mp4")) and any(path.rglob("states_*.bin"))


def open_hidden(path: Path, limit: int | None = None) -> tuple[HiddenSample, ...]:
    """The samples of the set in the order of their numbers, at most `limit`, spread evenly.

    Raises BadBag: a file with another name, two files of one number, or a video without states, or the reverse.
    """
    videos, states = _files(path, "video", "mp4"), _files(path, "states", "bin")
    if alone := sorted(videos.keys() ^ states.keys()):
        number = alone[0]
        raise BadBag(
            f"Set {path}",
            expected=f"video_{number}.mp4 and states_{number}.bin of sample {number}",
            got=f"only {(videos.get(number) or states[number]).name}",
            remedy="Download the set again, completely.",
        )
    numbers = sorted(videos)
    chosen = (numbers[index] for index in evenly_spaced(limit or len(numbers), len(numbers)))
    return tuple(HiddenSample(number, videos[number], states[number]) for number in chosen)


def identity(samples: tuple[HiddenSample, ...]) -> str:
    """sha256 of the numbers, states and videos of the samples."""
    digest = hashlib.sha256()
    for one in samples:
        digest.update(f"{one.number} {file_sha256(one.video)}".encode() + one.states().tobytes())
    return digest.hexdigest()


def cut_hidden_samples(
    samples: tuple[HiddenSample, ...], world_model: WorldModel, *, side: int
) -> Iterator[ForecastSample]:
    """The samples with their past frames and actions, in the given order.

    Args:
        side: size of the target frame in pixels.

    Raises:
        BadBag: a file is damaged, a video has not 17 frames, or states have another width.
        BadCheckpoint, BadActions, RobotMismatch: the model does not fit.
    """
    step = frames_per_step(world_model, FRAME_RATE_HZ)
    past, future = used_frames(world_model, step)
    columns = world_model.manifest.match(EVE_STATES)
    target_size = world_model.preprocessing.model_copy(update={"height": side, "width": side})
    remedy = "It is truncated, or no sample of this track: download it again."
    for one in samples:
        decoded = VideoSpan(one.video).decode_exactly(PAST_FRAMES, because="of a hidden sample", remedy=remedy)
        images = [image for _, image in decoded]
        values = one.states()[:, columns]
        yield ForecastSample(
            number=one.number,
            take=one.number,
            name=str(one.number),
            frames=np.stack([world_model.preprocessing.apply(images[frame]) for frame in past]),
            actions=values[np.concatenate([past, future])],
            shuffled=None,
            last=target_size.apply(images[-1]),
            truth=None,
        )


def _files(path: Path, what: str, suffix: str) -> dict[int, Path]:
    """{number: file} of the files WHAT_NUMBER.SUFFIX. Raises BadBag for another name, or a number that repeats."""
    files: dict[int, Path] = {}
    for file in sorted(path.rglob(f"{what}_*.{suffix}")):
        digits = file.stem.removeprefix(f"{what}_")
        if not digits.isdecimal():
            raise BadBag(
                f"File {file}",
                expected=f"{what}_NUMBER.{suffix}",
                got=f"`{file.name}`",
                remedy="Rename or remove it.",
            )
        if (first := files.setdefault(int(digits), file)) != file:
            raise BadBag(
                f"Set {path}",
                expected=f"one file with the {what} of sample {int(digits)}",
                got=f"{first} and {file}",
                remedy="Remove one of them.",
            )
    return files
