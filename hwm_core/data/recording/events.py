"""A recording of any format as a sequence of events: what its reader yields, and what everything else is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Channel = Literal["images", "states", "commands"]


@dataclass(frozen=True)
class CameraFrame:
    """One picture of the camera."""

    stamp_ns: int
    rgb: NDArray[np.uint8]  # [H, W, 3] as recorded


@dataclass(frozen=True)
class JointValues:
    """Joints as measured, or as commanded, at one time."""

    stamp_ns: int
    names: tuple[str, ...]
    positions: NDArray[np.float64]  # one per name


@dataclass(frozen=True)
class Event:
    """One message, not decoded yet: `load` may raise BadInput, and then this message alone is bad."""

    channel: Channel
    load: Callable[[], CameraFrame | JointValues]


@dataclass(frozen=True)
class Cut:
    """What follows does not continue what came before: another take, in the same file."""


def decoded_event(channel: Channel, content: CameraFrame | JointValues) -> Event:
    """An event that is decoded already."""
    return Event(channel, lambda: content)
