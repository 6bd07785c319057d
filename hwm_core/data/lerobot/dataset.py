"""LeRobot datasets, formats v2.0, v2.1 and v3.0. What counts is the files on disk, not the totals in info.json.

v2: one table and one video per episode. v3.0: many episodes per file; meta/episodes says where each one lies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwm_core.data.lerobot.episode_files import LeRobotEpisode, find_episodes_v2, find_episodes_v3
from hwm_core.data.lerobot.metadata import INFO, joint_names, read_info, read_tasks
from hwm_core.errors import BadBag

_JOINTS = ("observation.state", "action")


@dataclass(frozen=True)
class LeRobotDataset:
    """An opened dataset; episodes go by number."""

    path: Path
    version: str
    fps: float
    state_names: tuple[str, ...]
    command_names: tuple[str, ...]
    entries: Mapping[int, LeRobotEpisode]
    info: Mapping[str, Any]  # meta/info.json

    @property
    def episodes(self) -> tuple[int, ...]:
        """Numbers with a table."""
        return tuple(sorted(self.entries))

    @property
    def cameras(self) -> tuple[str, ...]:
        """Video keys with files."""
        return tuple(sorted({key for entry in self.entries.values() for key in entry.clips}))

    def camera(self, key: str | None = None) -> str:
        """The video key to use; None is enough where there is one. Raises BadBag naming those there are."""
        if not self.cameras:
            raise self._no_videos()
        if key is None and len(self.cameras) == 1:
            return self.cameras[0]
        if key not in self.cameras:
            raise BadBag(
                f"Dataset {self.path}",
                expected="a camera to be chosen" if key is None else f"videos of `{key}`",
                got=f"videos of {', '.join(self.cameras)}",
                remedy="Name one of these.",
            )
        return key

    def _no_videos(self) -> BadBag:
        images, videos = (
            [key for key, feature in self.info["features"].items() if feature.get("dtype") == kind]
            for kind in ("image", "video")
        )
        got, remedy = "none", f"Download {', '.join(videos)}." if videos else f"{INFO} names none either: record some."
        if images and not videos:
            got = f"pictures that lie in the tables (dtype image): {', '.join(images)}"
            remedy = "That is not supported: make videos of them with LeRobot."
        return BadBag(f"Dataset {self.path}", expected="videos", got=got, remedy=remedy)

    def entry(self, number: int) -> LeRobotEpisode:
        """Raises BadBag for an absent number."""
        if number not in self.entries:
            raise BadBag(
                f"Dataset {self.path}",
                expected=f"episode_{number:06d}",
                got="no such episode",
                remedy="Choose another episode.",
            )
        return self.entries[number]


def open_lerobot(path: str | Path) -> LeRobotDataset:
    """Look at a dataset folder. Raises BadBag when it is none, is empty, damaged, or of another format version."""
    path = Path(path)
    info, everything = read_info(path)
    version, names = info.codebase_version, [joint_names(path, info, key) for key in _JOINTS]
    if not any(key in info.features for key in _JOINTS):
        raise BadBag(
            f"Dataset {path}",
            expected=f"a description of {' or '.join(_JOINTS)} in {INFO}",
            got="neither",
            remedy="Check the path: without joint values there is nothing to learn to move by.",
        )
    if version.startswith("v2."):
        entries = find_episodes_v2(path)
    elif version.startswith("v3."):
        entries = find_episodes_v3(path, info.fps)
    else:
        raise BadBag(
            f"Dataset {path}", expected="format v2.0, v2.1 or v3.0", got=version, remedy="Convert it with LeRobot."
        )
    if not entries:
        where = "data/*/episode_*.parquet" if version.startswith("v2.") else "data/*/file-*.parquet of its episodes"
        raise BadBag(f"Dataset {path}", expected=where, got="none", remedy="Download the data.")
    return LeRobotDataset(path, version, info.fps, names[0], names[1], entries, everything)


def tasks_of(dataset: LeRobotDataset) -> dict[int, str]:
    """{task_index: task}; without a file of them those that the episodes name, in their order. Raises BadBag."""
    named = dict.fromkeys(task for number in dataset.episodes for task in dataset.entry(number).tasks)
    return read_tasks(dataset.path) or dict(enumerate(named)) or {0: ""}
