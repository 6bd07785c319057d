"""One episode of a LeRobot dataset as a recording."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import ACTION, INDEX_COLUMNS, STATE, is_video
from hwm_core.data.lerobot.tables import read_joints
from hwm_core.data.recording.events import AnyEvent, CameraFrame, JointValues, decoded_event
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.recording import Recording
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class LeRobotFrame:
    """One row: an image, the state measured with it, and the command issued at it."""

    stamp_ns: int
    rgb: NDArray[np.uint8]  # [H, W, 3]
    state: NDArray[np.float64] | None  # [A]
    command: NDArray[np.float64] | None  # [A]


@dataclass(frozen=True)
class LeRobotRecording(Recording):
    """One episode of a LeRobot dataset.

    Args:
        dataset: the opened dataset.
        episode: its number.
        camera: video key; None is enough where the dataset has one camera.
    """

    dataset: LeRobotDataset
    episode: int
    camera: str | None = None

    @property
    def name(self) -> str:
        return f"{self.dataset.path.name}_{self.episode:06d}"

    def frames(self) -> Iterator[LeRobotFrame]:
        """The rows in order.

        Raises:
            BadBag: files are missing or damaged. Different lengths of table and video are found at the end.
        """
        dataset, number = self.dataset, self.episode
        stamps, states, commands = read_joints(dataset, number)
        key = dataset.camera(self.camera)
        video = dataset.entry(number).videos.get(key)
        if video is None:
            raise BadBag(
                f"Episode {number} of {dataset.path}", expected=f"a video of `{key}`", got="none", remedy="Download it."
            )
        images = video.decode_exactly(
            len(stamps),
            because=f"one for each row of episode {number}",
            remedy="The video or the table is truncated; download it again.",
        )
        for row, (_, rgb) in enumerate(images):
            state, command = (None if values is None else values[row] for values in (states, commands))
            yield LeRobotFrame(int(stamps[row]), rgb, state, command)

    def events(self) -> Iterator[AnyEvent]:
        """For each row: the state, the image, then the command. Raises as `frames`."""
        for frame in self.frames():
            if frame.state is not None:
                yield decoded_event("states", JointValues(frame.stamp_ns, self.dataset.state_names, frame.state))
            yield decoded_event("images", CameraFrame(frame.stamp_ns, frame.rgb))
            if frame.command is not None:
                yield decoded_event("commands", JointValues(frame.stamp_ns, self.dataset.command_names, frame.command))

    def extras(self) -> tuple[str, ...]:
        read = {STATE, ACTION, "timestamp", *INDEX_COLUMNS}
        columns = [key for key, feature in self.dataset.info["features"].items() if not is_video(feature)]
        cameras = [key for key in self.dataset.cameras if key != self.dataset.camera(self.camera)]
        return (*(f"column {key}" for key in columns if key not in read), *(f"camera {key}" for key in cameras))

    def labels(self) -> Labels:
        tasks = tuple(task for task in self.dataset.entry(self.episode).tasks if task)
        return Labels(self.dataset.camera(self.camera), str(self.dataset.info.get("robot_type") or ""), tasks)
