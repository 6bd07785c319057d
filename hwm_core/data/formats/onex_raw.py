"""The 1X World Model Challenge v2.0 as pictures: a video for each shard in place of its tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwm_core.data.recording.events import CameraFrame, Cut, Event, JointValues, decoded_event
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.data.tokens.onex_files import shard_file, shard_states
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.onex_metadata import read_metadata

_START_NS = 1_000_000_000


@dataclass(frozen=True)
class OneXRawRecording(Recording):
    """One shard. Its segments are takes of their own: no window and no joint value crosses from one to the next."""

    path: Path
    shard: int

    @property
    def name(self) -> str:
        return f"{self.path.name}_{self.shard}"

    @property
    def frame_rate_hz(self) -> float:
        """As the set says. Raises BadBag."""
        return read_metadata(self.path).hz

    def events(self) -> Iterator[Event | Cut]:
        hz = self.frame_rate_hz
        states, segments = shard_states(self.path, self.shard, len(EVE_STATES))
        video = shard_file(self.path, "video", self.shard, "mp4")
        remedy = "It was cut, or belongs to another shard; download it again."
        pictures = VideoSpan(video).decode_exactly(len(states), because="as the metadata say", remedy=remedy)
        for frame, (_, picture) in enumerate(pictures):
            if frame and segments[frame] != segments[frame - 1]:
                yield Cut()
            stamp = _START_NS + round(frame * 1e9 / hz)
            yield decoded_event("states", JointValues(stamp, EVE_STATES, states[frame].astype(np.float64)))
            yield decoded_event("images", CameraFrame(stamp, picture))


def is_raw_set(path: Path) -> bool:
    """Whether `open_raw` should be tried: videos with metadata, or with the states that such a set has."""
    videos = any(path.glob("video_*.mp4")) or any(path.glob("videos/video_*.mp4"))
    states = any(path.glob("states_*.bin")) or any(path.glob("robot_states/states_*.bin"))
    return videos and (states or (path / "metadata.json").exists())


def open_raw(path: str | Path) -> list[OneXRawRecording]:
    """The shards that metadata.json counts. Raises BadBag where it cannot be read."""
    path = Path(path)
    return [OneXRawRecording(path, shard) for shard in range(read_metadata(path).num_shards)]
