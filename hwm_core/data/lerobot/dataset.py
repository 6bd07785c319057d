"""LeRobot datasets, formats v2.0, v2.1 and v3.0.

v2 stores one table and one video per episode. v3.0 stores many episodes in a file, and meta/episodes holds the
position of each episode. The files on disk count, not the totals in info.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwm_core.data.lerobot.episode_files import LeRobotEpisode, find_episodes_v2, find_episodes_v3
from hwm_core.data.lerobot.metadata import ACTION, INFO, STATE, joint_names, read_info, read_tasks
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class LeRobotDataset:
    """An opened dataset. An episode is identified by its number."""

    path: Path
    version: str
    fps: float
    state_names: tuple[str, ...]
    command_names: tuple[str, ...]
    entries: Mapping[int, LeRobotEpisode]  # by episode number
    info: Mapping[str, Any]  # meta/info.json

    @property
    def episodes(self) -> tuple[int, ...]:
        """Numbers of the episodes that have a table."""
        return tuple(sorted(self.entries))

    @property
    def cameras(self) -> tuple[str, ...]:
        """Video keys that have files."""
        return tuple(sorted({key for entry in self.entries.values() for key in entry.videos}))

    def entry(self, number: int) -> LeRobotEpisode:
        """The files of an episode. Raises BadBag where the dataset has no such episode."""
        if number not in self.entries:
            raise BadBag(
                f"Dataset {self.path}",
                expected=f"episode_{number:06d}",
                got="no such episode",
                remedy="Choose another episode.",
            )
        return self.entries[number]

    def camera(self, key: str | None = None) -> str:
        """The video key to read.

        Args:
            key: the key asked for; None is enough where the dataset has one camera.

        Raises:
            BadBag: there are no videos, `key` has none, or the choice is open. The message lists the cameras.
        """
        if not self.cameras:
            raise self._no_videos()
        if key is None and len(self.cameras) == 1:
            return self.cameras[0]
        if key not in self.cameras:
            raise BadBag(
                f"Dataset {self.path}",
                expected="one camera to be chosen" if key is None else f"videos of `{key}`",
                got=f"videos of {', '.join(self.cameras)}",
                remedy="Choose one of these.",
            )
        return key

    def tasks(self) -> dict[int, str]:
        """{task_index: task}. Without a file of tasks, the tasks of the episodes in order. Raises BadBag."""
        listed = dict.fromkeys(task for number in self.episodes for task in self.entry(number).tasks)
        return read_tasks(self.path) or dict(enumerate(listed)) or {0: ""}

    def _no_videos(self) -> BadBag:
        images, videos = (
            [key for key, feature in self.info["features"].items() if feature.get("dtype") == kind]
            for kind in ("image", "video")
        )
        got = "none"
        remedy = f"Download {', '.join(videos)}." if videos else f"{INFO} lists none either: record with a camera."
        if images and not videos:
            got = f"images stored in the tables (dtype image): {', '.join(images)}"
            remedy = "This is not supported: convert the images to videos with LeRobot."
        return BadBag(f"Dataset {self.path}", expected="videos", got=got, remedy=remedy)


def open_lerobot(path: str | Path) -> LeRobotDataset:
    """Open a dataset folder.

    Raises:
        BadBag: the folder is no dataset, is empty or damaged, or has an unsupported format version.
    """
    path = Path(path)
    info, everything = read_info(path)
    version = info.codebase_version
    state_names, command_names = (joint_names(path, info, key) for key in (STATE, ACTION))
    if not any(key in info.features for key in (STATE, ACTION)):
        raise BadBag(
            f"Dataset {path}",
            expected=f"a description of {STATE} or {ACTION} in {INFO}",
            got="neither",
            remedy="Check the path: a world model needs joint values.",
        )
    if version.startswith("v2."):
        entries, tables = find_episodes_v2(path), "data/*/episode_*.parquet"
    elif version.startswith("v3."):
        entries, tables = find_episodes_v3(path, info.fps), "data/*/file-*.parquet of its episodes"
    else:
        raise BadBag(
            f"Dataset {path}", expected="format v2.0, v2.1 or v3.0", got=version, remedy="Convert it with LeRobot."
        )
    if not entries:
        raise BadBag(f"Dataset {path}", expected=tables, got="none", remedy="Download the data.")
    return LeRobotDataset(path, version, info.fps, state_names, command_names, entries, everything)
