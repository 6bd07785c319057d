"""One rosbag2 as a recording."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwm_core.data.recording.events import AnyEvent
from hwm_core.data.recording.recording import Recording
from hwm_core.data.rosbag2.compressed_file import ZSTD_SUFFIX
from hwm_core.data.rosbag2.metadata import METADATA
from hwm_core.data.rosbag2.reader import bag_events, bag_topics
from hwm_core.data.rosbag2.stamps import HEADER_STAMPS, Stamps, StampSource
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.io.named_path import named_path


@dataclass(frozen=True)
class BagRecording(Recording):
    """One rosbag2.

    Args:
        path: rosbag2 folder, or one .mcap or .db3 file.
        topics: topics to read.
        stamps: times of the messages.
    """

    path: Path
    topics: Topics
    stamps: Stamps | StampSource = HEADER_STAMPS

    @property
    def name(self) -> str:
        path = named_path(self.path)
        return path.name if path.is_dir() else path.name.removesuffix(ZSTD_SUFFIX).rpartition(".")[0]

    @property
    def origin(self) -> str:
        path = self.path.resolve()
        return str(path.parent if (path.parent / METADATA).exists() else path)

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
