"""One episode of a LeRobot dataset as a recording."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import INDEX_COLUMNS, is_video
from hwm_core.data.lerobot.tables import read_joints
from hwm_core.data.lerobot.tasks import tasks_or_none
from hwm_core.data.recording.events import AnyEvent, CameraFrame, Channel, Event, JointValues, decoded_event
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
        joints = read_joints(dataset, number)
        stamps = joints.stamps_ns
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
            state, command = (None if values is None else values[row] for values in (joints.states, joints.commands))
            yield LeRobotFrame(int(stamps[row]), rgb, state, command)

    def events(self) -> Iterator[AnyEvent]:
        """For each row: the state, the image, then the command. Raises as `frames`."""
        state_names, command_names = self.dataset.state_names, self.dataset.command_names
        for row, frame in enumerate(self.frames()):
            if frame.state is not None:
                yield self._joints("states", row, frame.stamp_ns, state_names, frame.state)
            yield decoded_event("images", CameraFrame(frame.stamp_ns, frame.rgb))
            if frame.command is not None:
                yield self._joints("commands", row, frame.stamp_ns, command_names, frame.command)

    def _joints(
        self, channel: Channel, row: int, stamp_ns: int, names: tuple[str, ...], values: NDArray[np.float64]
    ) -> Event:
        """The values of one row. A row without any value is a bad message: it is counted, and its reason reported."""
        if not np.isnan(values).all():
            return decoded_event(channel, JointValues(stamp_ns, names, values))
        fault = BadBag(
            f"Row {row} of {self.name}",
            expected=f"{channel} in {' and '.join(self._columns(channel))}",
            got="null",
            remedy="The row is left out. Store a value in it if the robot had one.",
        )

        def load() -> JointValues:
            raise fault

        return Event(channel, load)

    def _columns(self, channel: Channel) -> tuple[str, ...]:
        return self.dataset.states.columns if channel == "states" else self.dataset.commands.columns

    def extras(self) -> tuple[str, ...]:
        read = {*self._columns("states"), *self._columns("commands"), "timestamp", *INDEX_COLUMNS}
        columns = [key for key, feature in self.dataset.info["features"].items() if not is_video(feature)]
        cameras = [key for key in self.dataset.cameras if key != self.dataset.camera(self.camera)]
        return (*(f"column {key}" for key in columns if key not in read), *(f"camera {key}" for key in cameras))

    def labels(self) -> Labels:
        tasks = tasks_or_none(self.dataset, self.episode)
        return Labels(self.dataset.camera(self.camera), str(self.dataset.info.get("robot_type") or ""), tasks)
