"""One episode of a LeRobot dataset as a recording."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import INDEX_COLUMNS, INFO, is_video
from hwm_core.data.lerobot.pictures import decode_picture, read_pictures
from hwm_core.data.lerobot.tables import EpisodeJoints, read_joints
from hwm_core.data.lerobot.tasks import row_tasks, tasks_or_none
from hwm_core.data.recording.events import (
    AnyEvent,
    CameraFrame,
    Channel,
    Event,
    JointValues,
    decoded_event,
    failed_event,
)
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.recording import Recording
from hwm_core.data.robot.joint_names import require_distinct_names
from hwm_core.errors import BadBag

_LoadImage = Callable[[], NDArray[np.uint8]]
_SAME_RATE = 1.05  # a video within this factor of `fps` has one frame a row, whose times are rounded or irregular


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
        camera: key of the pictures; None is enough where the dataset has one camera.
    """

    dataset: LeRobotDataset
    episode: int
    camera: str | None = None

    @property
    def name(self) -> str:
        return f"{self.dataset.path.name}_{self.episode:06d}"

    @property
    def origin(self) -> str:
        return f"{self.dataset.path.resolve()}, episode {self.episode}"

    @property
    def joins_joints(self) -> bool:
        states, commands = self.dataset.state_names, self.dataset.command_names
        return bool(states and commands) and set(states) != set(commands)

    def frames(self) -> Iterator[LeRobotFrame]:
        """The rows in order.

        Raises:
            BadImage: a picture in the table does not decode.
            BadBag: files are missing or damaged. Different lengths of table and video are found at the end.
        """
        joints = read_joints(self.dataset, self.episode)
        for row, load in enumerate(self._images(len(joints.stamps_ns))):
            state, command = (None if values is None else values[row] for values in (joints.states, joints.commands))
            yield LeRobotFrame(int(joints.stamps_ns[row]), load(), state, command)

    def events(self) -> Iterator[AnyEvent]:
        """For each row: the state, the image, then the command. Raises as `frames`, except for pictures in tables:
        a bad one is a bad message."""
        joints = read_joints(self.dataset, self.episode)
        return self._events(joints, self._images(len(joints.stamps_ns)))

    def joint_events(self) -> Iterator[AnyEvent]:
        joints = read_joints(self.dataset, self.episode)
        return self._events(joints, repeat(None, len(joints.stamps_ns)))

    def _events(self, joints: EpisodeJoints, images: Iterable[_LoadImage | None]) -> Iterator[AnyEvent]:
        state_names, command_names = self.dataset.state_names, self.dataset.command_names
        for columns, names in ((self.dataset.states, state_names), (self.dataset.commands, command_names)):
            whose = f"{' and '.join(columns.columns)} in {INFO} of {self.dataset.path.name}"
            require_distinct_names(names, whose, "Rename one of them in this file.")
        for row, image in enumerate(images):
            stamp_ns = int(joints.stamps_ns[row])
            if joints.states is not None:
                yield self._joints("states", row, stamp_ns, state_names, joints.states[row])
            if image is not None:
                yield Event("images", partial(_camera_frame, stamp_ns, image))
            if joints.commands is not None:
                yield self._joints("commands", row, stamp_ns, command_names, joints.commands[row])

    def _images(self, count: int) -> Iterator[_LoadImage]:
        """The image of each of `count` rows; decoded already in videos. Raises as `frames`."""
        dataset, number = self.dataset, self.episode
        key = dataset.camera(self.camera)
        if key in dataset.picture_keys:
            feature = dataset.info["features"][key]
            for row, stored in enumerate(read_pictures(dataset, number, key)):
                where = f"Picture `{key}` of row {row} of {self.name}"
                yield partial(decode_picture, stored.as_py(), feature, dataset.path, where)
            return
        video = dataset.entry(number).videos.get(key)
        if video is None:
            raise BadBag(
                f"Episode {number} of {dataset.path}", expected=f"a video of `{key}`", got="none", remedy="Download it."
            )
        images = video.decode_exactly(
            count,
            because=f"one for each row of episode {number}",
            remedy="The video or the table is truncated; download it again.",
        )
        times: list[float] = []
        for seconds, rgb in images:
            times.append(seconds)
            yield partial(_same, rgb)
        if len(times) > 1:
            self._require_rate((len(times) - 1) / max(times[-1] - times[0], 1e-9), video.path)

    def _require_rate(self, rate_hz: float, path: Path) -> None:
        """Raises BadBag for a video of another rate than the rows: LeRobot takes the frame at the time of a row."""
        fps = self.dataset.fps
        if not 1 / _SAME_RATE < rate_hz / fps < _SAME_RATE:
            raise BadBag(
                f"Video {path}",
                expected=f"{fps:g} frames per second, the `fps` of info.json",
                got=f"{rate_hz:.4g}",
                remedy="Correct `fps`, or download the video again.",
            )

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
        return failed_event(channel, fault)

    def _columns(self, channel: Channel) -> tuple[str, ...]:
        return self.dataset.states.columns if channel == "states" else self.dataset.commands.columns

    def _camera(self) -> str:
        """The key of the pictures; empty where the dataset has none. Raises BadBag where the choice is open."""
        return self.dataset.camera(self.camera) if self.dataset.cameras else ""

    def extras(self) -> tuple[str, ...]:
        pictures = self.dataset.picture_keys
        read = {*self._columns("states"), *self._columns("commands"), "timestamp", *INDEX_COLUMNS, *pictures}
        columns = [key for key, feature in self.dataset.info["features"].items() if not is_video(feature)]
        cameras = [key for key in (*self.dataset.cameras, *self.dataset.depth_keys) if key != self._camera()]
        return (*(f"column {key}" for key in columns if key not in read), *(f"camera {key}" for key in cameras))

    def frame_tasks(self, stamps_ns: NDArray[np.int64]) -> tuple[str, ...]:
        tasks = row_tasks(self.dataset, self.episode)
        if not any(tasks):
            return ()
        known = dict(zip(read_joints(self.dataset, self.episode).stamps_ns.tolist(), tasks, strict=True))
        return tuple(known.get(stamp, "") for stamp in stamps_ns.tolist())

    def labels(self) -> Labels:
        tasks = tasks_or_none(self.dataset, self.episode)
        return Labels(self._camera(), str(self.dataset.info.get("robot_type") or ""), tasks)


def _camera_frame(stamp_ns: int, load: _LoadImage) -> CameraFrame:
    return CameraFrame(stamp_ns, load())


def _same(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rgb
