"""LeRobot datasets, formats v2.0, v2.1 and v3.0.

v2 stores one table and one video per episode. v3.0 stores many episodes in a file, and meta/episodes holds the
position of each episode. The files on disk count, not the totals in info.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.columns import numeric_rows, only_column
from hwm_core.data.lerobot.episode_files import FoundEpisodes, LeRobotEpisode, find_episodes_v2, find_episodes_v3
from hwm_core.data.lerobot.file_patterns import find_files
from hwm_core.data.lerobot.joint_columns import ColumnChoice, JointColumns, joint_columns
from hwm_core.data.lerobot.metadata import INFO, Info, is_depth, read_info, read_tasks
from hwm_core.errors import BadBag, NoImages
from hwm_core.io.named_path import named_path

_OF_ONE_EPISODE = ("episode ", "row ")  # beginnings of the names in `LeRobotDataset.left_out`


@dataclass(frozen=True)
class LeRobotDataset:
    """An opened dataset. An episode is identified by its number."""

    path: Path
    version: str
    fps: float
    states: JointColumns
    commands: JointColumns
    entries: Mapping[int, LeRobotEpisode]  # by episode number
    info: Mapping[str, Any]  # meta/info.json
    task_texts: Mapping[int, str] = field(default_factory=dict)  # {task_index: task} of the file of tasks
    left_out: Mapping[str, BadBag] = field(default_factory=dict)  # {"episode 3", or a part of meta/: why}

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the measured joints; empty where the dataset has no states."""
        return self.states.names

    @property
    def command_names(self) -> tuple[str, ...]:
        """Names of the commanded joints; empty where the dataset has no actions."""
        return self.commands.names

    @property
    def episodes(self) -> tuple[int, ...]:
        """Numbers of the episodes that have a table."""
        return tuple(sorted(self.entries))

    @property
    def cameras(self) -> tuple[str, ...]:
        """Keys of the pictures that can be read: videos with files, and columns of dtype image; but no depth."""
        return tuple(sorted({*self.video_keys, *self.picture_keys} - {*self.depth_keys}))

    @property
    def depth_keys(self) -> tuple[str, ...]:
        """Keys of pictures that hold depth."""
        return tuple(sorted(key for key, feature in self.info["features"].items() if is_depth(feature)))

    @property
    def video_keys(self) -> tuple[str, ...]:
        """Video keys that have files."""
        return tuple(sorted({key for entry in self.entries.values() for key in entry.videos}))

    @property
    def picture_keys(self) -> tuple[str, ...]:
        """Columns of the tables that hold a picture in each row."""
        return tuple(sorted(key for key, feature in self.info["features"].items() if feature.get("dtype") == "image"))

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

    def metadata_faults(self) -> list[BadBag]:
        """Why parts of meta/ cannot be used that belong to no single episode."""
        return [fault for name, fault in self.left_out.items() if not name.startswith(_OF_ONE_EPISODE)]

    def camera(self, key: str | None = None) -> str:
        """The key of the pictures to read.

        Args:
            key: the key asked for; None is enough where the dataset has one camera.

        Raises:
            NoImages: there are no pictures. The message lists what there is.
            BadBag: `key` has none, or the choice is open. The message lists the cameras.
        """
        if not self.cameras:
            raise self._no_pictures()
        if key in self.depth_keys:
            raise BadBag(
                f"Dataset {self.path}",
                expected="a colour camera",
                got=f"`{key}`, which {INFO} marks as a depth map",
                remedy=f"Choose one of {', '.join(self.cameras)}. A world model sees no depth.",
            )
        if key is None and len(self.cameras) == 1:
            return self.cameras[0]
        if key not in self.cameras:
            raise BadBag(
                f"Dataset {self.path}",
                expected="one camera to be chosen" if key is None else f"pictures of `{key}`",
                got=f"pictures of {', '.join(self.cameras)}",
                remedy="Choose one of these.",
            )
        return key

    def tasks(self) -> dict[int, str]:
        """{task_index: task}. Without a file of tasks, the tasks of the episodes in order."""
        listed = dict.fromkeys(task for number in self.episodes for task in self.entry(number).tasks)
        return dict(self.task_texts) or dict(enumerate(listed)) or {0: ""}

    def _no_pictures(self) -> NoImages:
        features = self.info["features"]
        videos = [key for key, feature in features.items() if feature.get("dtype") == "video"]
        if self.depth_keys:
            return NoImages(
                f"Dataset {self.path}",
                expected="a colour camera",
                got=f"only depth, which a world model does not see: {', '.join(self.depth_keys)}",
                remedy="Record a colour camera too.",
            )
        return NoImages(
            f"Dataset {self.path}",
            expected="videos, or columns of pictures (dtype image)",
            got=f"only {', '.join(key for key in features if key not in videos)}",
            remedy=f"Download {', '.join(videos)}." if videos else f"{INFO} lists no camera: record with one.",
        )


def open_lerobot(path: str | Path, choice: ColumnChoice | None = None) -> LeRobotDataset:
    """Open a dataset folder.

    Args:
        path: the folder.
        choice: columns of the joint values; None: `observation.state` and `action`.

    Raises:
        BadBag: the folder is no dataset, is empty or damaged, or has an unsupported format version.
    """
    path = named_path(path)
    info, everything = read_info(path)
    states, commands = joint_columns(path, info, choice or ColumnChoice())
    found = _find_episodes(path, info, everything)
    if not found.entries:
        raise next(iter(found.left_out.values()), None) or BadBag(
            f"Dataset {path}",
            expected="data/*/episode_*.parquet" if _is_v2(info) else "data/*/file-*.parquet of its episodes",
            got="none",
            remedy="Download the data.",
        )
    widths = _measured_widths(found, states, commands)
    states, commands = states.measured(widths), commands.measured(widths)
    tasks, bad_tasks = read_tasks(path)
    return LeRobotDataset(
        path=path,
        version=info.codebase_version,
        fps=info.fps,
        states=states,
        commands=commands,
        entries=found.entries,
        info=everything,
        task_texts=tasks,
        left_out={**found.left_out, **bad_tasks},
    )


def _is_v2(info: Info) -> bool:
    return info.codebase_version.startswith("v2.")


def _find_episodes(path: Path, info: Info, everything: Mapping[str, Any]) -> FoundEpisodes:
    """The files of a dataset of any version. Raises BadBag, also where the files are of another version."""
    new_files = any(path.glob("meta/episodes/*/*.parquet"))
    if _is_v2(info):
        found = find_episodes_v2(path, everything)
        if not found.entries and new_files:
            raise _other_version(path, info.codebase_version, "v3.0")
        return found
    if not info.codebase_version.startswith("v3."):
        raise BadBag(
            f"Dataset {path}",
            expected="format v2.0, v2.1 or v3.0",
            got=info.codebase_version,
            remedy="Correct `codebase_version` if it is misspelt. Convert older datasets with LeRobot.",
        )
    if not new_files and find_files(path, {}, "v2", "data_path"):
        raise _other_version(path, info.codebase_version, "v2.1")
    return find_episodes_v3(path, info, everything)


def _other_version(path: Path, stated: str, found: str) -> BadBag:
    return BadBag(
        f"Dataset {path}",
        expected=f"files of format {stated}, the `codebase_version` of {INFO}",
        got=f"files of format {found}",
        remedy=f"Set `codebase_version` to {found}, or download the files of {stated}.",
    )


def _measured_widths(found: FoundEpisodes, *channels: JointColumns) -> dict[str, int]:
    """{column: values a row} of the columns whose shape info.json leaves open, from the first table that has rows."""
    unknown = {part.column for channel in channels for part in channel.parts if part.width is None}
    widths: dict[str, int] = {}
    for entry in found.entries.values() if unknown else ():
        try:
            table = pyarrow.parquet.ParquetFile(entry.table).read()
            widths = {name: numeric_rows(only_column(table, name).slice(0, 1)).shape[1] for name in unknown}
        except (OSError, ValueError, pyarrow.ArrowException):
            continue  # the fault of this table is raised when it is read
        if table.num_rows:
            return widths
    return widths
