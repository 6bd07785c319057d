"""Reads the events of one recording as an episode, or as a timeline without images."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.alignment import Alignment, CommandTime
from hwm_core.data.recording.clock import FrameClock
from hwm_core.data.recording.events import AnyEvent
from hwm_core.data.recording.preprocessing import Preprocessing, require_aspect, require_rgb
from hwm_core.data.recording.read_report import ReadReport
from hwm_core.data.recording.timeline import Timeline
from hwm_core.types import Episode

_NO_PIXELS = np.empty((0, 0, 3), dtype=np.uint8)


def read_episode(
    name: str,
    events: Iterable[AnyEvent],
    preprocessing: Preprocessing,
    names: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
    joined: bool = False,
) -> tuple[Episode, ReadReport]:
    """Read events as an episode.

    Args:
        name: name of the episode.
        events: all events of one recording, in order of arrival.
        preprocessing: applied to every image.
        names: joints wanted, in this order; None takes all joints of the states, else of the commands.
        aliases: {name a message may use: name wanted}.
        joined: states and commands have joints of their own, as `Timeline.joined_joints`.

    Returns:
        The episode, and a report of what was left out.

    Raises:
        BadInput: as `Alignment.timeline`.
        RobotMismatch: `names` is None, and the commands lack joints of the states.
    """
    of_messages = (None, None) if joined else (names, aliases)
    alignment = Alignment(name, preprocessing, *of_messages).feed(events)
    timeline = alignment.timeline("before_frame")
    joints = timeline.joined_joints() if joined else timeline.aligned_joints()
    if joined and names is not None:
        joints = joints.select(names, aliases or {})
    episode = Episode(
        name=name,
        frames=alignment.pixels(timeline),
        stamps_ns=timeline.stamps_ns,
        segments=timeline.segments,
        names=joints.names,
        states=joints.states,
        commands=joints.commands,
    )
    return episode, alignment.report(timeline)


def read_timeline(
    name: str,
    events: Iterable[AnyEvent],
    rate_hz: float,
    commands: CommandTime,
    names: Sequence[str] | None = None,
) -> tuple[Timeline, ReadReport]:
    """Read events without keeping or resizing an image. Bad images are still found and left out.

    Args:
        name: name of the recording.
        events: all events of one recording, in order of arrival.
        rate_hz: frame rate.
        commands: which command belongs to a frame.
        names: joints wanted, in this order; None takes all joints of each channel.

    Returns:
        The timeline, and a report of what was left out.

    Raises:
        BadInput: as `Alignment.timeline`.
    """
    alignment = Alignment(name, _Discard(rate_hz), names).feed(events)
    timeline = alignment.timeline(commands)
    return timeline, alignment.report(timeline)


class _Discard:
    """Checks that images are of one aspect, and discards their pixels."""

    def __init__(self, frame_rate_hz: float) -> None:
        self.frame_rate_hz = frame_rate_hz
        self._aspect: float | None = None

    def clock(self) -> FrameClock:
        return FrameClock(self.frame_rate_hz)

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        require_rgb(rgb)
        self._aspect = self._aspect or rgb.shape[1] / rgb.shape[0]
        require_aspect(rgb, self._aspect)
        return _NO_PIXELS

    def is_repeat(self, pixels: NDArray[np.uint8], previous: NDArray[np.uint8] | None) -> bool:
        return False
