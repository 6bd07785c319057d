"""Recordings of any format as a sequence of events: readers yield them; episodes and exports are made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Channel = Literal["images", "states", "commands"]
# Stamp of time 0 in formats that count from 0. In ROS, a stamp of 0 means "not stamped".
START_NS = 1_000_000_000


@dataclass(frozen=True)
class CameraFrame:
    """One image of the camera."""

    stamp_ns: int
    rgb: NDArray[np.uint8]  # [H, W, 3] as recorded


@dataclass(frozen=True)
class JointValues:
    """Measured or commanded joint positions at one time."""

    stamp_ns: int
    names: tuple[str, ...]
    positions: NDArray[np.float64]  # one per name


@dataclass(frozen=True)
class Event:
    """One message. `load` decodes it and raises BadInput when this message is bad."""

    channel: Channel
    load: Callable[[], CameraFrame | JointValues]


@dataclass(frozen=True)
class Cut:
    """Ends a take: the events that follow belong to another take in the same file."""


def decoded_event(channel: Channel, content: CameraFrame | JointValues) -> Event:
    """An event whose content is already decoded."""
    return Event(channel, lambda: content)
