"""Recordings of any format as a sequence of events: readers yield them; episodes and exports are made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadInput

Channel = Literal["images", "states", "commands"]
# Stamp of time 0 in formats that count from 0. In ROS, a stamp of 0 means "not stamped".
START_NS = 1_000_000_000


@dataclass(frozen=True)
class CameraFrame:
    """One image of the camera."""

    stamp_ns: int
    rgb: NDArray[np.uint8]  # [H, W, 3] as recorded
    camera: str = ""  # the frame_id of its message; empty: not stated


@dataclass(frozen=True)
class JointValues:
    """Measured or commanded joint positions at one time."""

    stamp_ns: int
    names: tuple[str, ...]
    positions: NDArray[np.float64]  # one per name
    publisher: int | None = None  # number of its publisher; None: the recording has no publishers


@dataclass(frozen=True)
class Event:
    """One message. `load` decodes it and raises BadInput when this message is bad."""

    channel: Channel
    load: Callable[[], CameraFrame | JointValues]


@dataclass(frozen=True)
class Cut:
    """Ends a take: the events that follow belong to another take in the same file."""


@dataclass(frozen=True)
class Notice:
    """What a reader found about its source as a whole. A fault means that data are missing or contradict each other."""

    level: Literal["fault", "note"]
    text: str


AnyEvent = Event | Cut | Notice  # what readers yield


def decoded_event(channel: Channel, content: CameraFrame | JointValues) -> Event:
    """An event whose content is already decoded."""
    return Event(channel, lambda: content)


def failed_event(channel: Channel, fault: BadInput) -> Event:
    """An event whose content cannot be used: loading it raises `fault`."""

    def load() -> CameraFrame | JointValues:
        raise fault

    return Event(channel, load)
