"""Recordings of any kind behind one face: rosbag2 folders and files, and the episodes of LeRobot datasets."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwm_core.data.bag import Topics
from hwm_core.data.bag_reader import StampSource, bag_events, bag_name
from hwm_core.data.events import Cut, Event
from hwm_core.data.lerobot import LeRobotDataset, episode_name, lerobot_events, open_lerobot
from hwm_core.data.recording import Recording
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class BagRecording(Recording):
    """One rosbag2."""

    path: Path
    topics: Topics
    stamps: StampSource = "header"

    @property
    def name(self) -> str:
        return bag_name(self.path)

    def events(self) -> Iterator[Event | Cut]:
        return bag_events(self.path, self.topics, stamps=self.stamps)


@dataclass(frozen=True)
class LeRobotRecording(Recording):
    """One episode of a LeRobot dataset."""

    dataset: LeRobotDataset
    episode: int
    camera: str | None = None

    @property
    def name(self) -> str:
        return episode_name(self.dataset, self.episode)

    def events(self) -> Iterator[Event | Cut]:
        return lerobot_events(self.dataset, self.episode, self.camera)


def find_recordings(
    path: str | Path, topics: Topics, camera: str | None = None, stamps: StampSource = "header"
) -> list[Recording]:
    """What `path` holds, by name: a bag, a LeRobot dataset, or a folder of either at any depth.

    Raises:
        BadBag: nothing to read there.
    """
    path = Path(path)
    found: list[Recording]
    if (path / "meta" / "info.json").exists():
        dataset = open_lerobot(path)
        found = [LeRobotRecording(dataset, number, camera) for number in dataset.episodes]
    elif path.suffix in (".mcap", ".db3") or (path / "metadata.yaml").exists():
        found = [BagRecording(path, topics, stamps)]
    else:
        markers = [*path.rglob("metadata.yaml"), *path.rglob("meta/info.json")]
        folders = {marker.parent if marker.name == "metadata.yaml" else marker.parents[1] for marker in markers}
        found = [one for folder in sorted(folders) for one in find_recordings(folder, topics, camera, stamps)]
    if not found:
        raise BadBag(
            f"Source {path}",
            expected="a rosbag2 (metadata.yaml, .mcap, .db3), a LeRobot folder (meta/info.json), or a folder of them",
            got="none of these" if path.exists() else "nothing there",
            remedy="Check the path; a bag without metadata.yaml is read by naming its .mcap or .db3 file.",
        )
    return found
