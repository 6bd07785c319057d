"""Writes recordings of any format as one LeRobot dataset, v2.1 or v3.0."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import Field

from hwm_core.config import Config
from hwm_core.data.lerobot.dataset_writer import DatasetWriter
from hwm_core.data.lerobot.losses import RecordingLosses, loss_sentences
from hwm_core.data.lerobot.staging import Staging
from hwm_core.data.lerobot.versions import Version, convert_version
from hwm_core.data.recording.conversion import Conversion, convert_each
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_encoder import Codec
from hwm_core.errors import BadInput
from hwm_core.io.atomic import new_folder


class LeRobotOptions(Config):
    """How the dataset is written."""

    version: Version = "v3.0"
    fps: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="frames a second; default: the first camera's rate"
    )
    codec: Codec = "av1"
    camera: str | None = Field(
        default=None, description="video key; default: the source's, or else `observation.images.head`"
    )
    task: str | None = Field(default=None, description="what the robot does; default: as the source says")
    robot: str | None = Field(default=None, description="its name; default: the source's, or else `unknown`")


def write_lerobot(recordings: Sequence[Recording], path: str | Path, options: LeRobotOptions) -> Conversion:
    """Write one dataset; the folder appears whole or not at all.

    Each part of a recording without a gap becomes an episode. Damaged recordings are left out, and so are recordings
    whose joints or image size differ from the first recording's.

    Args:
        recordings: in the order of the episodes.
        path: folder to create.
        options: how to write it.

    Returns:
        What was lost, and the recordings left out. `codec="lossless"` keeps every frame and row of a recording that
        has a fixed rate.

    Raises:
        BadInput: no recording is usable, or `path` exists.
    """
    fps = options.fps or _first_rate_hz(recordings)
    asked = Labels(options.camera or "", options.robot or "", () if options.task is None else (options.task,))
    labels = _dataset_labels(recordings, asked)
    losses: list[RecordingLosses] = []
    with new_folder(path) as folder:
        old = folder / "v2.1"
        writer = DatasetWriter(old, fps, options.codec, labels.camera, labels.robot)
        staging = Staging(folder / "staged", fps, options.codec, labels, asked)

        def write(recording: Recording) -> None:
            staged = staging.stage(recording, writer.features)
            writer.append(staged)
            losses.append(staged.losses)

        left_out = convert_each(recordings, write)
        writer.finish()
        numbers = _recording_numbers(writer.sources) if options.version == "v3.0" else {}
        sentences = loss_sentences(losses, options.codec, [] if numbers else _renumbered(writer.sources))
        if options.version == "v3.0":
            regrouped = convert_version(old, folder / "v3.0", "v3.0", numbers)
            sentences, left_out = sentences + regrouped.losses, left_out + regrouped.left_out
        for part in (folder / options.version).iterdir():
            part.rename(folder / part.name)
        for leftover in ("staged", "v2.1", "v3.0"):
            shutil.rmtree(folder / leftover, ignore_errors=True)
    return Conversion(sentences, left_out)


def _first_rate_hz(recordings: Sequence[Recording]) -> float:
    """The camera rate of the first recording that has one."""
    faults: list[BadInput] = []
    for recording in recordings:
        try:
            return recording.camera_rate_hz()
        except BadInput as fault:
            faults.append(fault)
    raise faults[0]


def _dataset_labels(recordings: Sequence[Recording], asked: Labels) -> Labels:
    """The labels asked for, or else the first that a recording has."""
    found: list[Labels] = []
    for recording in recordings:
        with suppress(BadInput):  # raised again when the recording is read
            found.append(recording.labels())
    camera = next((one.camera for one in found if one.camera), "observation.images.head")
    robot = next((one.robot for one in found if one.robot), "unknown")
    return Labels(asked.camera or camera, asked.robot or robot, asked.tasks)


def _recording_numbers(sources: Sequence[Recording]) -> dict[int, int]:
    """{episode: number of its recording}; empty where a recording has no number, or two episodes share one."""
    numbers = {index: one.number for index, one in enumerate(sources) if one.number is not None}
    return numbers if len(set(numbers.values())) == len(sources) else {}


def _renumbered(sources: Sequence[Recording]) -> list[str]:
    """The episodes whose number is not the number of their recording."""
    return [
        f"{index} is {one.name}" for index, one in enumerate(sources) if one.number is not None and one.number != index
    ]
