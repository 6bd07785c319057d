"""What controllers without a world model see of the simulated robot."""

from dataclasses import dataclass

import numpy as np

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.sim.description import ROBOT, joints

_SPREAD = 0.12  # standard deviation of a joint as a share of its range, about that of recorded motions


@dataclass(frozen=True)
class PlainView:
    """Frame rate, images and joints; the fields of a `View`."""

    frame_rate_hz: float
    past_frames: int
    preprocessing: Preprocessing
    manifest: ActionManifest


def plain_view(frame_rate_hz: float = 15.0, image_size: int = 64, past_frames: int = 9) -> PlainView:
    """Square images and commands of all joints of the simulated robot."""
    table = joints()
    manifest = ActionManifest(
        robot=ROBOT,
        kind="commands",
        names=table.names,
        units=table.units,
        lower=tuple(table.lower),
        upper=tuple(table.upper),
        mean=tuple(table.home),
        std=tuple(_SPREAD * (table.upper - table.lower)),
        constant=tuple(np.zeros(len(table), bool).tolist()),
    )
    preprocessing = Preprocessing(source_aspect=1.0, height=image_size, width=image_size, frame_rate_hz=frame_rate_hz)
    return PlainView(frame_rate_hz, past_frames, preprocessing, manifest)
