"""The raw set of the 1X World Model Challenge v2.0: one video for each shard, in place of tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwm_core.data.recording.events import START_NS, AnyEvent, CameraFrame, Cut, JointValues, decoded_event
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.data.tokens.onex_files import shard_file, shard_states
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.onex_metadata import read_metadata


@dataclass(frozen=True)
class OneXRawRecording(Recording):
    """One shard. Each of its segments is a take: windows and joint values never cross a segment boundary."""

    path: Path
    shard: int

    @property
    def name(self) -> str:
        return f"{self.path.name}_{self.shard}"

    @property
    def origin(self) -> str:
        return f"{self.path.resolve()}, shard {self.shard}"

    @property
    def frame_rate_hz(self) -> float:
        """The rate in metadata.json. Raises BadBag."""
        return read_metadata(self.path).hz

    def events(self) -> Iterator[AnyEvent]:
        hz = self.frame_rate_hz
        states, segments = shard_states(self.path, self.shard, len(EVE_STATES))
        video = shard_file(self.path, "video", self.shard, "mp4")
        remedy = "It is truncated, or belongs to another shard; download it again."
        images = VideoSpan(video).decode_exactly(len(states), because="as in the metadata", remedy=remedy)
        for frame, (_, rgb) in enumerate(images):
            if frame and segments[frame] != segments[frame - 1]:
                yield Cut()
            stamp_ns = START_NS + round(frame * 1e9 / hz)
            yield decoded_event("states", JointValues(stamp_ns, EVE_STATES, states[frame].astype(np.float64)))
            yield decoded_event("images", CameraFrame(stamp_ns, rgb))


def is_raw_set(path: Path) -> bool:
    """Whether `path` looks like a raw set: videos, with metadata.json or with files of states."""
    videos = any(path.glob("video_*.mp4")) or any(path.glob("videos/video_*.mp4"))
    states = any(path.glob("states_*.bin")) or any(path.glob("robot_states/states_*.bin"))
    return videos and (states or (path / "metadata.json").exists())


def open_raw(path: str | Path) -> list[OneXRawRecording]:
    """All shards of a raw set, as counted in metadata.json. Raises BadBag where this file cannot be read."""
    path = Path(path)
    return [OneXRawRecording(path, shard) for shard in range(read_metadata(path).num_shards)]
