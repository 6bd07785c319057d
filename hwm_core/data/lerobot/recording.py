"""One episode of a LeRobot dataset as a recording."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.tables import read_joints
from hwm_core.data.recording.events import CameraFrame, Cut, Event, JointValues, decoded_event
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.recording import Recording
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class LeRobotFrame:
    """One row: a picture, the state with it, and the command issued at it."""

    stamp_ns: int
    rgb: NDArray[np.uint8]  # [H, W, 3]
    state: NDArray[np.float64] | None  # [A]
    command: NDArray[np.float64] | None  # [A]


@dataclass(frozen=True)
class LeRobotRecording(Recording):
    """One episode of a LeRobot dataset."""

    dataset: LeRobotDataset
    episode: int
    camera: str | None = None

    @property
    def name(self) -> str:
        return f"{self.dataset.path.name}_{self.episode:06d}"

    def frames(self) -> Iterator[LeRobotFrame]:
        """The rows in order.

        Raises:
            BadBag: files are missing, damaged, or of different lengths; the last is known only at the end.
        """
        dataset, number = self.dataset, self.episode
        stamps, states, commands = read_joints(dataset, number)
        key = dataset.camera(self.camera)
        clip = dataset.entry(number).clips.get(key)
        if clip is None:
            raise BadBag(
                f"Episode {number} of {dataset.path}", expected=f"a video of `{key}`", got="none", remedy="Download it."
            )
        remedy = "The video or the table was cut; download it again."
        because = f"one for each row of episode {number}"
        for row, (_, picture) in enumerate(clip.decode_exactly(len(stamps), because=because, remedy=remedy)):
            state, command = (None if some is None else some[row] for some in (states, commands))
            yield LeRobotFrame(int(stamps[row]), picture, state, command)

    def events(self) -> Iterator[Event | Cut]:
        """The state at a picture, the picture, the command issued at it. Raises as `frames`."""
        for frame in self.frames():
            if frame.state is not None:
                yield decoded_event("states", JointValues(frame.stamp_ns, self.dataset.state_names, frame.state))
            yield decoded_event("images", CameraFrame(frame.stamp_ns, frame.rgb))
            if frame.command is not None:
                yield decoded_event("commands", JointValues(frame.stamp_ns, self.dataset.command_names, frame.command))

    def extras(self) -> tuple[str, ...]:
        read = {"observation.state", "action", "timestamp", "frame_index", "episode_index", "index", "task_index"}
        others = [key for key, feature in self.dataset.info["features"].items() if feature.get("dtype") != "video"]
        cameras = [key for key in self.dataset.cameras if key != self.dataset.camera(self.camera)]
        return (*(f"column {key}" for key in others if key not in read), *(f"camera {key}" for key in cameras))

    def labels(self) -> Labels:
        tasks = tuple(task for task in self.dataset.entry(self.episode).tasks if task)
        return Labels(self.dataset.camera(self.camera), str(self.dataset.info.get("robot_type") or ""), tasks)
