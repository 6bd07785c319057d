"""LeRobot datasets, formats v2.0, v2.1 and v3.0. What counts is the files on disk, not the totals in info.json.

v2: one table and one video per episode. v3.0: many episodes per file; meta/episodes says where each one lies.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from hwm_core.data.lerobot.metadata import INFO, joint_names, own_number, read_episode_tasks, read_info, read_tasks
from hwm_core.data.recording.assembly import Assembly, ReadReport
from hwm_core.data.recording.events import CameraFrame, Event, JointValues, decoded_event
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.video_reader import Clip
from hwm_core.data.rosbag2.export import write_rosbag2
from hwm_core.data.rosbag2.writer import Topics
from hwm_core.errors import BadBag
from hwm_core.types import Episode

_JOINTS = ("observation.state", "action")
# LeRobot's clock starts at 0, which in ROS means "no stamp".
_START_NS = 1_000_000_000


@dataclass(frozen=True)
class LeRobotEpisode:
    """Where one episode lies."""

    table: Path
    row: int  # `episode_index` of its rows in the table
    clips: Mapping[str, Clip]  # {video key: its pictures}
    length: int | None = None  # rows, where the format says so
    tasks: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class LeRobotFrame:
    """One row: a picture, the state with it, and the command issued at it."""

    stamp_ns: int
    rgb: NDArray[np.uint8]  # [H, W, 3]
    state: NDArray[np.float64] | None  # [A]
    command: NDArray[np.float64] | None  # [A]


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
        entries = _entries_v2(path)
    elif version.startswith("v3."):
        entries = _entries_v3(path, info.fps)
    else:
        raise BadBag(
            f"Dataset {path}", expected="format v2.0, v2.1 or v3.0", got=version, remedy="Convert it with LeRobot."
        )
    if not entries:
        where = "data/*/episode_*.parquet" if version.startswith("v2.") else "data/*/file-*.parquet of its episodes"
        raise BadBag(f"Dataset {path}", expected=where, got="none", remedy="Download the data.")
    return LeRobotDataset(path, version, info.fps, names[0], names[1], entries, everything)


def samples(dataset: LeRobotDataset, number: int, camera: str | None = None) -> Iterator[LeRobotFrame]:
    """The rows of one episode, in order.

    Raises:
        BadBag: files are missing, damaged, or of different lengths; the last is known only at the end.
    """
    stamps, states, commands = _read_joints(dataset, number)
    key = dataset.camera(camera)
    clip = dataset.entry(number).clips.get(key)
    if clip is None:
        raise BadBag(
            f"Episode {number} of {dataset.path}", expected=f"a video of `{key}`", got="none", remedy="Download it."
        )
    remedy = "The video or the table was cut; download it again."
    because = f"one for each row of episode {number}"
    for row, (_, picture) in enumerate(clip.decode_exactly(len(stamps), because=because, remedy=remedy)):
        state, command = (None if some is None else some[row] for some in (states, commands))
        yield LeRobotFrame(int(stamps[row]), picture, state, command)


def lerobot_events(dataset: LeRobotDataset, number: int, camera: str | None = None) -> Iterator[Event]:
    """One episode as events: the state at a picture, the picture, the command issued at it. Raises as `samples`."""
    for sample in samples(dataset, number, camera):
        if sample.state is not None:
            yield decoded_event("states", JointValues(sample.stamp_ns, dataset.state_names, sample.state))
        yield decoded_event("images", CameraFrame(sample.stamp_ns, sample.rgb))
        if sample.command is not None:
            yield decoded_event("commands", JointValues(sample.stamp_ns, dataset.command_names, sample.command))


def read_lerobot(
    dataset: LeRobotDataset,
    number: int,
    preprocessing: Preprocessing,
    camera: str | None = None,
    names: Sequence[str] | None = None,
) -> tuple[Episode, ReadReport]:
    """One episode, as `read_bag` gives it after `lerobot_to_rosbag2`. Raises as `samples` and `Assembly.finish`."""
    assembly = Assembly(episode_name(dataset, number), preprocessing, names)
    return assembly.feed(lerobot_events(dataset, number, camera)).finish()


def lerobot_to_rosbag2(
    dataset: LeRobotDataset,
    number: int,
    bag: str | Path,
    topics: Topics,
    camera: str | None = None,
    form: Literal["raw", "jpeg", "png"] = "jpeg",
) -> None:
    """Write one episode as a rosbag2 folder: pictures, joint states at their stamps, commands where they were issued.

    Compressed pictures go to the image topic's `/compressed`, as image_transport names it. Raises as `samples`.
    """
    write_rosbag2(lerobot_events(dataset, number, camera), bag, topics, form)


def episode_name(dataset: LeRobotDataset, number: int) -> str:
    """Name of an episode, its number at the end."""
    return f"{dataset.path.name}_{number:06d}"


def read_table(dataset: LeRobotDataset, number: int, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """The rows of one episode as they are stored. Raises BadBag for a file that is cut or lacks rows."""
    entry = dataset.entry(number)
    shared = dataset.version.startswith("v3.")
    try:
        require_columns(entry.table, pyarrow.parquet.read_schema(entry.table).names, columns or ())
        rows = [("episode_index", "=", entry.row)] if shared else None
        table = pyarrow.parquet.read_table(entry.table, columns=columns, filters=rows)
        if entry.length is not None and shared and table.num_rows != entry.length:
            raise ValueError(f"{table.num_rows} rows of episode {entry.row}, not {entry.length}")
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        if isinstance(error, BadBag):
            raise
        raise _bad_table(entry.table, error) from error
    return table


def require_columns(path: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises BadBag naming the columns that a table lacks."""
    if absent := [name for name in wanted if name not in there]:
        raise BadBag(
            f"Table {path}",
            expected=f"{'the columns' if len(absent) > 1 else 'the column'} {', '.join(absent)}, which info.json names",
            got="none" if len(absent) > 1 else "no such column",
            remedy="The file is of another format, or info.json of another dataset: download both again.",
        )


def tasks_of(dataset: LeRobotDataset) -> dict[int, str]:
    """{task_index: task}; without a file of them those that the episodes name, in their order. Raises BadBag."""
    named = dict.fromkeys(task for number in dataset.episodes for task in dataset.entry(number).tasks)
    return read_tasks(dataset.path) or dict(enumerate(named)) or {0: ""}


def _read_joints(
    dataset: LeRobotDataset, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None, NDArray[np.float64] | None]:
    wanted = {"observation.state": dataset.state_names, "action": dataset.command_names}
    table = read_table(dataset, number, ["timestamp", *(key for key, names in wanted.items() if names)])
    try:
        seconds = np.asarray(table["timestamp"].to_pylist(), dtype=np.float64)
        states, commands = (
            np.asarray(table[key].to_pylist(), dtype=np.float64) if names else None for key, names in wanted.items()
        )
        if not np.isfinite(seconds).all():
            raise ValueError("a timestamp is missing")
        stamps = _START_NS + np.rint(seconds * 1e9).astype(np.int64)
    except (ValueError, KeyError, TypeError) as error:
        raise _bad_table(dataset.entry(number).table, error) from error
    return stamps, states, commands


def _bad_table(path: Path, error: Exception) -> BadBag:
    return BadBag(
        f"Table {path}",
        expected="the columns timestamp, observation.state and action that info.json names",
        got=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
        remedy="The file was cut or is of another format; download it again.",
    )


def _entries_v2(path: Path) -> dict[int, LeRobotEpisode]:
    tasks = read_episode_tasks(path)
    videos: dict[int, dict[str, Clip]] = {}
    for file in sorted(path.glob("videos/*/*/episode_*.mp4")):
        videos.setdefault(_number(file), {})[file.parent.name] = Clip(file)
    return {
        _number(file): LeRobotEpisode(
            file, _number(file), videos.get(_number(file), {}), None, tasks.get(_number(file), ())
        )
        for file in path.glob("data/*/episode_*.parquet")
    }


def _entries_v3(path: Path, fps: float) -> dict[int, LeRobotEpisode]:
    files = sorted(path.glob("meta/episodes/*/*.parquet"))
    entries: dict[int, LeRobotEpisode] = {}
    try:
        if not files:
            raise FileNotFoundError("meta/episodes is empty")
        rows = [row for file in files for row in pyarrow.parquet.ParquetFile(file).read().to_pylist()]
        for row in rows:
            table = path / f"data/chunk-{row['data/chunk_index']:03d}/file-{row['data/file_index']:03d}.parquet"
            if not table.exists():
                continue
            number, length = own_number(row), int(row["length"])
            keys = [key.split("/")[1] for key in row if key.startswith("videos/") and key.endswith("/chunk_index")]
            clips = {key: clip for key in keys if (clip := _clip_v3(path, row, key, length, fps)) is not None}
            entries[number] = LeRobotEpisode(
                table, int(row["episode_index"]), clips, length, tuple(map(str, row.get("tasks") or []))
            )
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        if isinstance(error, BadBag):
            raise
        raise BadBag(
            f"Dataset {path} of format v3.0",
            expected="meta/episodes/*/*.parquet that say where each episode lies",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was cut or is of another format; download it again.",
        ) from error
    return entries


def _clip_v3(path: Path, row: Mapping[str, Any], key: str, length: int, fps: float) -> Clip | None:
    prefix = f"videos/{key}"
    if row.get(f"{prefix}/chunk_index") is None:
        return None
    file = path / f"{prefix}/chunk-{row[f'{prefix}/chunk_index']:03d}/file-{row[f'{prefix}/file_index']:03d}.mp4"
    if not file.exists():
        return None
    start, end = float(row[f"{prefix}/from_timestamp"]), float(row[f"{prefix}/to_timestamp"])
    if abs((end - start) * fps - length) > 0.5:
        raise BadBag(
            f"Episode {row['episode_index']} of {path}",
            expected=f"a video of {length} frames, one per row",
            got=f"{(end - start) * fps:.1f} frames between {start:.3f} and {end:.3f} s",
            remedy="meta/episodes does not fit the rows, or `fps` in info.json is wrong; convert the dataset again.",
        )
    return Clip(file, start, length)


def _number(file: Path) -> int:
    """Of episode_000005. Raises BadBag for another name: what counts is the files, and this one would count as none."""
    digits = file.stem.removeprefix("episode_")
    if not digits.isdecimal():
        raise BadBag(
            f"File {file}", expected=f"episode_NUMBER{file.suffix}", got=f"`{file.name}`", remedy="Rename or remove it."
        )
    return int(digits)
