"""The interface of recordings of every format."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.alignment import CommandTime
from hwm_core.data.recording.clock import rounded_rate_hz
from hwm_core.data.recording.episode_reader import read_episode, read_timeline
from hwm_core.data.recording.events import AnyEvent, CameraFrame, Event
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.read_report import ReadReport
from hwm_core.data.recording.timeline import AlignedJoints, Timeline
from hwm_core.errors import BadBag, BadInput, NoImages
from hwm_core.types import Episode


class Recording(ABC):
    """One recorded run of any format."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    def number(self) -> int | None:
        """The number at the end of the name."""
        return number_in(self.name)

    @property
    def origin(self) -> str | None:
        """The real path of what is read, without links; None: unknown. Recordings of one origin are one recording."""
        return None

    @property
    def joins_joints(self) -> bool:
        """Whether states and commands have joints of their own, which the recording declares: an episode has both."""
        return False

    @abstractmethod
    def events(self) -> Iterator[AnyEvent]:
        """All events, in order of arrival. Raises BadInput."""

    def joint_events(self) -> Iterator[AnyEvent]:
        """The events without images; also of a recording that has none. Raises BadInput."""
        return (event for event in self.events() if not (isinstance(event, Event) and event.channel == "images"))

    def extras(self) -> tuple[str, ...]:
        """Topics or columns that the events do not contain; conversions report them as lost."""
        return ()

    def labels(self) -> Labels:
        """Camera, robot and tasks. Raises BadInput."""
        return Labels()

    def frame_tasks(self, stamps_ns: NDArray[np.int64]) -> tuple[str, ...]:
        """The task of each frame with these stamps [F]; empty where the recording has no task for each frame."""
        return ()

    def read(
        self,
        preprocessing: Preprocessing,
        names: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> tuple[Episode, ReadReport]:
        """Decode the recording into one episode.

        Args:
            preprocessing: applied to every image.
            names: joints wanted, in this order; None takes all joints of the states, else of the commands.
            aliases: {name a message may use: name wanted}, from an action manifest.

        Returns:
            The episode, and a report of the messages and frames that are not in it.

        Raises:
            BadInput: the recording is damaged, or one channel has no usable message; the first fault found.
        """
        return read_episode(self.name, self.events(), preprocessing, names, aliases, self.joins_joints)

    def timeline(
        self, commands: CommandTime, rate_hz: float = 30.0, names: Sequence[str] | None = None
    ) -> tuple[Timeline, ReadReport]:
        """Read times and joint values without keeping images; arguments as `read_timeline`. Raises BadInput."""
        return read_timeline(self.name, self.events(), rate_hz, commands, names)

    def aligned_joints(self, names: Sequence[str] | None = None) -> AlignedJoints:
        """States and commands at the frames of 30 Hz, in the columns that `read` gives them. Raises as `read`."""
        timeline, _ = self.timeline("before_frame", names=None if self.joins_joints else names)
        return self.columns_of(timeline, names)

    def columns_of(self, timeline: Timeline, names: Sequence[str] | None = None) -> AlignedJoints:
        """The joint values of a timeline of this recording, in the columns that `read` gives them."""
        if not self.joins_joints:
            return timeline.aligned_joints()
        joints = timeline.joined_joints()
        return joints if names is None else joints.select(names, {})

    def camera_frames(self) -> Iterator[CameraFrame]:
        """The images that decode, in order of arrival.

        Raises:
            BadInput: the recording cannot be read, or no image decodes: the fault of the first image.
            BadBag: there are no images.
        """
        fault: BadInput | None = None
        empty = True
        for event in self.events():
            if isinstance(event, Event) and event.channel == "images":
                try:
                    content = event.load()
                except BadInput as error:
                    fault = fault or error
                    continue
                assert isinstance(content, CameraFrame)
                empty = False
                yield content
        if empty:
            raise fault or NoImages(f"Recording {self.name}", expected="images", got="none", remedy="Check the camera.")

    def first_image(self) -> NDArray[np.uint8]:
        """The first image that decodes, as recorded, uint8 [H, W, 3]. Raises as `camera_frames`."""
        return next(self.camera_frames()).rgb

    def camera_rate_hz(self, count: int = 60) -> float:
        """Rate of the camera, from the median interval of its first `count` images; whole numbers within 2 % are exact.

        Raises:
            BadInput: as `camera_frames`.
            BadBag: the stamps of the images do not advance.
        """
        stamps = [frame.stamp_ns for frame in islice(self.camera_frames(), count)]
        if len(stamps) < 2 or (interval := float(np.median(np.diff(stamps)))) <= 0:
            raise BadBag(
                f"Recording {self.name}",
                expected="two or more images whose stamps advance",
                got=f"{len(stamps)} images",
                remedy="State the rate.",
            )
        return rounded_rate_hz(interval)


def first_aspect(recordings: Iterable[Recording]) -> float:
    """Width / height of the images of the first usable recording.

    Raises:
        BadInput: no recording has a usable image; the fault of the first recording.
    """
    fault: BadInput | None = None
    for recording in recordings:
        try:
            height, width = recording.first_image().shape[:2]
            return width / height
        except BadInput as error:
            fault = fault or error
    raise fault or BadBag("Recordings", expected="at least one", got="none", remedy="Check the paths.")


def require_unique_names(recordings: Iterable[Recording]) -> None:
    """Raises BadBag when two recordings share a name, or are one recording under two names.

    Results are stored by name, so one would be lost; and one recording in both splits would spoil the validation.
    """
    recordings = list(recordings)
    counts = Counter(recording.name for recording in recordings)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise BadBag(
            "Recordings",
            expected="each name once, for training or for validation",
            got=f"{len(repeated)} names twice, the first `{repeated[0]}`",
            remedy="Keep validation recordings out of the training folders, or rename recordings that share a name.",
        )
    names: dict[str, str] = {}
    for one in recordings:
        if one.origin is not None and (other := names.setdefault(one.origin, one.name)) != one.name:
            raise BadBag(
                "Recordings",
                expected="each recording once",
                got=f"`{other}` and `{one.name}`, which are both {one.origin}",
                remedy="Remove one of them: a link, or a bag and its file.",
            )


def number_in(name: str) -> int | None:
    """The number at the end of a name, if any."""
    digits = re.search(r"\d+$", name)
    return int(digits[0]) if digits else None
