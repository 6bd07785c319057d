"""One rosbag2 as a recording."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwm_core.data.recording.events import AnyEvent
from hwm_core.data.recording.recording import Recording
from hwm_core.data.rosbag2.reader import StampSource, bag_events, bag_topics
from hwm_core.data.rosbag2.topics import Topics


@dataclass(frozen=True)
class BagRecording(Recording):
    """One rosbag2.

    Args:
        path: rosbag2 folder, or one .mcap or .db3 file.
        topics: topics to read.
        stamps: time of a message: its header's stamp, or when it was received.
    """

    path: Path
    topics: Topics
    stamps: StampSource = "header"

    @property
    def name(self) -> str:
        return self.path.name if self.path.is_dir() else self.path.stem

    def events(self) -> Iterator[AnyEvent]:
        return bag_events(self.path, self.topics, stamps=self.stamps)

    def joint_events(self) -> Iterator[AnyEvent]:
        return bag_events(self.path, self.topics, stamps=self.stamps, images=False)

    def extras(self) -> tuple[str, ...]:
        read = {
            *self.topics.model_dump().values(),
            *(f"{self.topics.image}/{form}" for form in ("compressed", "ffmpeg")),
        }
        return tuple(f"topic {topic}" for topic in bag_topics(self.path) if topic not in read)
