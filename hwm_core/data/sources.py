"""Recordings of any kind behind one face: rosbag2 folders and files, and the episodes of LeRobot datasets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.assembly import ReadReport
from hwm_core.data.bag import Topics
from hwm_core.data.bag_reader import StampSource, bag_name, first_picture, read_bag
from hwm_core.data.lerobot import LeRobotDataset, episode_name, open_lerobot, read_lerobot, samples
from hwm_core.data.preprocessing import Preprocessing
from hwm_core.errors import BadBag
from hwm_core.types import Episode


class Recording(Protocol):
    """One recorded run."""

    @property
    def name(self) -> str: ...

    @property
    def number(self) -> int | None:
        """The number its name ends with."""

    def read(self, preprocessing: Preprocessing, names: Sequence[str] | None) -> tuple[Episode, ReadReport]:
        """The episode with the joints `names` (None: its own), and what was left out. Raises BadInput."""

    def picture(self) -> NDArray[np.uint8]:
        """Its first picture as recorded, uint8 [H, W, 3]. Raises BadInput."""


@dataclass(frozen=True)
class BagRecording:
    """One rosbag2."""

    path: Path
    topics: Topics
    stamps: StampSource = "header"

    @property
    def name(self) -> str:
        return bag_name(self.path)

    @property
    def number(self) -> int | None:
        digits = re.search(r"\d+$", self.name)
        return int(digits[0]) if digits else None

    def read(self, preprocessing: Preprocessing, names: Sequence[str] | None) -> tuple[Episode, ReadReport]:
        return read_bag(self.path, self.topics, preprocessing, names, stamps=self.stamps)

    def picture(self) -> NDArray[np.uint8]:
        return first_picture(self.path, self.topics)


@dataclass(frozen=True)
class LeRobotRecording:
    """One episode of a LeRobot dataset."""

    dataset: LeRobotDataset
    number: int
    camera: str | None = None

    @property
    def name(self) -> str:
        return episode_name(self.dataset, self.number)

    def read(self, preprocessing: Preprocessing, names: Sequence[str] | None) -> tuple[Episode, ReadReport]:
        return read_lerobot(self.dataset, self.number, preprocessing, self.camera, names)

    def picture(self) -> NDArray[np.uint8]:
        return next(samples(self.dataset, self.number, self.camera)).rgb


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
