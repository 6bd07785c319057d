"""A recording that is ready to be appended to a LeRobot dataset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.lerobot.losses import RecordingLosses
from hwm_core.data.lerobot.stats import FeatureStats
from hwm_core.data.recording.recording import Recording


@dataclass(frozen=True)
class DatasetFeatures:
    """What all recordings of a dataset have in common."""

    state_names: tuple[str, ...]
    command_names: tuple[str, ...]
    image_shape: tuple[int, ...]  # [H, W, 3]


@dataclass(frozen=True)
class StagedEpisode:
    """A part of a recording without a gap."""

    states: NDArray[np.float32] | None  # [F, A]
    commands: NDArray[np.float32] | None  # [F, A]
    frames: int
    video: Path  # in the folder of `Staging`
    image_stats: FeatureStats
    frame_tasks: tuple[str, ...]  # of each frame


@dataclass(frozen=True)
class StagedRecording:
    """A whole recording."""

    recording: Recording
    tasks: tuple[str, ...]
    features: DatasetFeatures
    episodes: tuple[StagedEpisode, ...]
    losses: RecordingLosses
