"""Finds recordings of all formats: rosbag2, LeRobot, 1X raw shards, and videos with joint tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwm_core.data.formats.joint_table import TABLE_SUFFIXES
from hwm_core.data.formats.onex_raw import OneXRawRecording, is_raw_set, open_raw
from hwm_core.data.formats.video_table import VIDEO_SUFFIXES, VideoRecording
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.joint_columns import ColumnChoice
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.recording.recording import Recording
from hwm_core.data.rosbag2.metadata import METADATA, is_bag_file
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.stamps import HEADER_STAMPS, Stamps
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.tokens.onex import find_token_sets
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE
from hwm_core.errors import BadBag, BadInput, nearest_path
from hwm_core.io.named_path import named_path, path_kind


@dataclass(frozen=True)
class FoundRecordings:
    """The result of a search."""

    recordings: list[Recording]
    damaged: list[tuple[Path, BadInput]]  # data sets that cannot be opened
    episodes: list[tuple[str, BadInput]] = field(default_factory=list)  # episodes that an opened data set leaves out
    unused: list[tuple[str, BadInput]] = field(default_factory=list)  # files that lack something to be a recording

    def usable(self) -> list[Recording]:
        """The recordings. Raises BadInput, the fault of the first damaged data set, where there are none."""
        if self.damaged and not self.recordings:
            raise self.damaged[0][1]
        return self.recordings

    def left_out(self) -> list[str]:
        """The damaged data sets, the episodes left out and the unused files, each with the reason."""
        return [f"{where}: {fault}" for where, fault in (*self.damaged, *self.episodes, *self.unused)]


def find_recordings(
    path: str | Path, topics: Topics, camera: str | None = None, stamps: Stamps = HEADER_STAMPS
) -> list[Recording]:
    """All recordings at or below `path`; see `search_recordings`. Raises BadInput also for a damaged data set.

    Episodes that an opened data set leaves out are not in the result.
    """
    found = search_recordings(path, topics, camera, stamps)
    if found.damaged:
        raise found.damaged[0][1]
    return found.recordings


def search_recordings(
    path: str | Path,
    topics: Topics,
    camera: str | None = None,
    stamps: Stamps = HEADER_STAMPS,
    columns: ColumnChoice | None = None,
    required: bool = True,
) -> FoundRecordings:
    """Search `path`: a recording, a data set, or a folder of them at any depth.

    Args:
        path: a file or folder.
        topics: topics to read from bags.
        camera: key of the pictures of LeRobot datasets; None is enough for datasets with one camera.
        stamps: times of the messages in bags.
        columns: joint values of LeRobot datasets; None: `observation.state` and `action`.
        required: whether it is an error to find nothing.

    Returns:
        The recordings, sorted by path, and the data sets that cannot be opened.

    Raises:
        BadBag: nothing was found, or only tokens, which have no images.
    """
    path = named_path(path)
    found = _search(path, _Reading(topics, camera, stamps, columns))
    if required and not found.recordings and not found.damaged:
        raise _nothing_found(path)
    return found


def merge_found(parts: Iterable[FoundRecordings]) -> FoundRecordings:
    """The results of several searches as one."""
    parts = list(parts)
    return FoundRecordings(
        [one for part in parts for one in part.recordings],
        [one for part in parts for one in part.damaged],
        [one for part in parts for one in part.episodes],
        [one for part in parts for one in part.unused],
    )


def dataset_paths(recordings: Iterable[Recording]) -> list[Path]:
    """The folders of the LeRobot datasets and 1X raw sets that the recordings belong to."""
    return sorted(
        {one.dataset.path for one in recordings if isinstance(one, LeRobotRecording)}
        | {one.path for one in recordings if isinstance(one, OneXRawRecording)}
    )


@dataclass(frozen=True)
class _Reading:
    """How recordings are read; see `search_recordings`."""

    topics: Topics
    camera: str | None
    stamps: Stamps
    columns: ColumnChoice | None


def _search(path: Path, reading: _Reading) -> FoundRecordings:
    try:
        found = _recordings_of(path, reading)
    except BadInput as fault:
        return FoundRecordings([], [(path, fault)])
    if found.recordings or found.episodes or not path.is_dir():
        return found
    children = sorted(one for one in path.iterdir() if not one.name.startswith(".") and not _leads_up(one))
    return merge_found(_search(child, reading) for child in children)


def _leads_up(path: Path) -> bool:
    """Whether a path is a link to a folder above it."""
    folder = path.parent.resolve()
    return path.is_symlink() and path.resolve() in (folder, *folder.parents)


def _recordings_of(path: Path, reading: _Reading) -> FoundRecordings:
    """The recordings that `path` itself is or contains; folders below it are not searched."""
    if (path / "meta" / "info.json").exists():
        dataset = open_lerobot(path, reading.columns)
        episodes: list[Recording] = [LeRobotRecording(dataset, number, reading.camera) for number in dataset.episodes]
        return FoundRecordings(
            episodes, [], [(f"{path.name} {name}", fault) for name, fault in dataset.left_out.items()]
        )
    if is_bag_file(path) or (path / METADATA).exists():
        return FoundRecordings([BagRecording(path, reading.topics, reading.stamps)], [])
    if path.suffix == ".bag" and path.is_file():
        raise BadBag(
            f"Source {path}",
            expected="a bag of ROS 2",
            got="a bag of ROS 1, by its name",
            remedy=f"Convert it: `pip install rosbags`, then `rosbags-convert --src {path.name} --dst {path.stem}`.",
        )
    if is_raw_set(path):
        return FoundRecordings([*open_raw(path)], [])
    if path.suffix.lower() in VIDEO_SUFFIXES:  # cameras write .MP4 and .MOV
        tables = [path.with_suffix(form) for suffix in TABLE_SUFFIXES for form in (suffix, suffix.upper())]
        tables = list({table.resolve(): table for table in tables if table.exists()}.values())
        if len(tables) > 1:
            raise _two_tables(path, tables)
        found: list[Recording] = [VideoRecording(path, table) for table in tables]
        return FoundRecordings(found, [], unused=[] if found else [(path.name, _without_table(path))])
    return FoundRecordings([], [])


def _without_table(video: Path) -> BadBag:
    return BadBag(
        f"Video {video}",
        expected="a table of joint values of the same name beside it, .csv or .npz",
        got="none",
        remedy=f"Write {video.with_suffix('.csv').name}, or move the video elsewhere.",
    )


def _two_tables(video: Path, tables: Sequence[Path]) -> BadBag:
    names = " and ".join(table.name for table in tables)
    return BadBag(f"Video {video}", expected="one table of joint values", got=names, remedy="Remove or rename one.")


def _nothing_found(path: Path) -> BadBag:
    if find_token_sets(path):
        return BadBag(
            f"Source {path}",
            expected="recordings with images",
            got="tokens, as of the 1X challenge",
            remedy="Train on tokens directly. `hwm inspect`, `hwm statistics` and `hwm verify` read them too.",
        )
    if any(one.exists() for one in (path / SETTINGS_FILE, *path.glob(f"*/{SETTINGS_FILE}"))):
        return BadBag(
            f"Source {path}",
            expected="recordings, or a complete set",
            got="an unfinished token set",
            remedy="Run `hwm tokenize` again.",
        )
    return BadBag(
        f"Source {path}",
        expected="a rosbag2 (metadata.yaml, .mcap, .db3), a LeRobot folder (meta/info.json), 1X's video_*.mp4 with "
        "metadata.json, a video with a .csv or .npz of its name, or a folder of them",
        got="none of these" if path.is_file() or path.is_dir() else path_kind(path),
        remedy=nearest_path(path, "Check the path. To read a bag without metadata.yaml, name its .mcap or .db3 file."),
    )
