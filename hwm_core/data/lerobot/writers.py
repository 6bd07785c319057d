"""Writes LeRobot datasets from episodes that were checked: v2.1, a file for each; v3.0, many to a file."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.episode import Row, is_video
from hwm_core.data.lerobot.metadata import SOURCE_NUMBER
from hwm_core.data.lerobot.stats import FeatureStats, pooled
from hwm_core.data.recording.video_packets import copy_packets
from hwm_core.data.recording.video_reader import VideoSpan, video_facts
from hwm_core.errors import BadBag, BadInput

# LeRobot's own sizes: what one file of v3.0 holds at most, and how many files or episodes a chunk.
_TABLE_BYTES, _VIDEO_BYTES, _CHUNK = 100 * 2**20, 200 * 2**20, 1000
V2_PATHS = {
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}
_V3_PATHS = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


class WriterV2:
    """v2.1: a table and a video for each episode, under its own number."""

    def __init__(self, dataset: LeRobotDataset, folder: Path) -> None:
        self._dataset, self._folder = dataset, folder
        self._episodes: list[dict[str, Any]] = []
        self._stats: list[dict[str, Any]] = []
        self._frames, self._videos = 0, 0

    def add(self, row: Row) -> None:
        """Write one. Raises BadBag for a video that cannot be copied; nothing of the episode then stays."""
        length = row.table.num_rows
        row = row.placed(row.number, self._frames)
        files = {key: self._path("video_path", row.number, key) for key in row.clips}
        try:
            for key, clip in row.clips.items():
                copy_packets([clip], [length], self._dataset.fps, files[key])
        except BadInput:
            for file in files.values():
                file.unlink(missing_ok=True)
            raise
        pyarrow.parquet.write_table(row.table, self._path("data_path", row.number))
        self._episodes.append({"episode_index": row.number, "tasks": list(row.tasks), "length": length})
        self._stats.append({"episode_index": row.number, "stats": row.stats})
        self._frames, self._videos = self._frames + length, self._videos + len(files)

    def finish(self, tasks: Mapping[int, str]) -> None:
        """Write what is said of all: `tasks` by index, statistics, totals."""
        lines = [{"task_index": number, "task": task} for number, task in sorted(tasks.items())]
        for name, some in (("episodes", self._episodes), ("episodes_stats", self._stats), ("tasks", lines)):
            (self._folder / f"meta/{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in some))
        chunks = max(line["episode_index"] for line in self._episodes) // _CHUNK + 1
        more = {"total_videos": self._videos, "total_chunks": chunks}
        counts = {"episodes": len(self._episodes), "frames": self._frames, "tasks": len(tasks)}
        _write_info(self._dataset, self._folder, "v2.1", V2_PATHS, counts, more)

    def losses(self) -> list[str]:
        """What the format cannot keep."""
        return []

    def _path(self, kind: str, number: int, key: str = "") -> Path:
        names = {"episode_chunk": number // _CHUNK, "video_key": key, "episode_index": number}
        path = self._folder / V2_PATHS[kind].format(**names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class WriterV3:
    """v3.0: many episodes to a file, numbered without holes.

    Args:
        numbers: {episode of the source: number that is kept for it}; absent: its own.
    """

    def __init__(self, dataset: LeRobotDataset, folder: Path, numbers: Mapping[int, int]) -> None:
        self._dataset, self._folder, self._numbers = dataset, folder, numbers
        self._records: list[dict[str, Any]] = []
        self._stats: list[Mapping[str, FeatureStats]] = []
        self._frames = 0
        self._schema: pyarrow.Schema | None = None
        self._tables = _Packer(_TABLE_BYTES, lambda some, at: _write_tables(folder, some, at))
        # Written at the end: a file of several episodes that fails must not be taken for a fault of the newest.
        self._groups: list[tuple[str, list[Any], tuple[int, int]]] = []
        self._videos = {
            key: _Packer(_VIDEO_BYTES, lambda some, at, key=key: self._groups.append((key, some, at)))  # type: ignore[misc]
            for key in dataset.cameras
        }

    def add(self, row: Row) -> None:
        """Take one, whose clips are of all cameras. Raises BadBag for columns other than the first one's."""
        episode, length, fps = len(self._records), row.table.num_rows, self._dataset.fps
        row = row.placed(episode, self._frames)
        table = self._like_the_first(row)
        chunk, file = self._tables.add(table, table.nbytes)
        record: dict[str, Any] = {
            "episode_index": episode,
            SOURCE_NUMBER: self._numbers.get(row.number, row.number),
            "tasks": list(row.tasks),
            "length": length,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + length,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for key, packer in self._videos.items():
            clip = row.clips[key]
            chunk, file = packer.add((clip, length), clip.path.stat().st_size, video_facts(clip.path))
            start = sum(frames for _, frames in packer.held[:-1]) / fps
            record |= {
                f"videos/{key}/chunk_index": chunk,
                f"videos/{key}/file_index": file,
                f"videos/{key}/from_timestamp": start,
                f"videos/{key}/to_timestamp": start + length / fps,
            }
        for name, values in row.stats.items():
            record |= {f"stats/{name}/{what}": some for what, some in values.items()}
        self._records.append(record)
        self._stats.append(row.stats)
        self._frames += length

    def finish(self, tasks: Mapping[int, str]) -> None:
        """Write what is held, and what is said of all: `tasks` by index, statistics, totals."""
        for packer in (self._tables, *self._videos.values()):
            packer.flush()
        for key, some, at in self._groups:
            _write_videos(self._folder, key, some, at, self._dataset.fps)
        path = self._folder / "meta/episodes/chunk-000/file-000.parquet"
        path.parent.mkdir(parents=True)
        columns = dict.fromkeys(name for record in self._records for name in record)
        pyarrow.parquet.write_table(
            pyarrow.table({name: [record.get(name) for record in self._records] for name in columns}), path
        )
        shared = set.intersection(*(set(some) for some in self._stats))
        (self._folder / "meta/stats.json").write_text(
            json.dumps({key: pooled([some[key] for some in self._stats]) for key in sorted(shared)})
        )
        _write_tasks_v3(self._folder / "meta/tasks.parquet", tasks)
        more = {"data_files_size_in_mb": _TABLE_BYTES >> 20, "video_files_size_in_mb": _VIDEO_BYTES >> 20}
        counts = {"episodes": len(self._records), "frames": self._frames, "tasks": len(tasks)}
        _write_info(self._dataset, self._folder, "v3.0", _V3_PATHS, counts, more)

    def losses(self) -> list[str]:
        """What the format cannot keep."""
        if all(record[SOURCE_NUMBER] == record["episode_index"] for record in self._records):
            return []
        return [
            f"v3.0 numbers episodes without holes: their own numbers are in the column `{SOURCE_NUMBER}`, which we read"
        ]

    def _like_the_first(self, row: Row) -> pyarrow.Table:
        """The table in the columns and types that all share. Raises BadBag where it has others."""
        self._schema = self._schema or row.table.schema
        try:
            if other := {*row.table.column_names} ^ {*self._schema.names}:
                raise ValueError(f"one of the two without {', '.join(sorted(other))}")
            return row.table.select(self._schema.names).cast(self._schema)
        except (pyarrow.ArrowException, KeyError, ValueError) as error:
            raise BadBag(
                f"Table of episode {row.number} of {self._dataset.path}",
                expected=f"the columns of the first: {', '.join(self._schema.names)}",
                got=str(error).partition("\n")[0],
                remedy="In v3.0 all episodes have the same columns: remove the episode, or mend it.",
            ) from None


class _Packer:
    """Gathers items into files of limited size; files are numbered on, 1000 to a chunk."""

    def __init__(self, limit: int, write: Callable[[list[Any], tuple[int, int]], None]) -> None:
        self._limit, self._write = limit, write
        self._size, self._files, self._kind = 0, 0, None
        self.held: list[Any] = []

    def add(self, item: Any, size: int, kind: Any = None) -> tuple[int, int]:
        """Chunk and file that the item will be in. Items of unlike kinds never share a file."""
        if self.held and (self._size + size > self._limit or kind != self._kind):
            self.flush()
        self.held.append(item)
        self._size, self._kind = self._size + size, kind
        return divmod(self._files, _CHUNK)

    def flush(self) -> None:
        if self.held:
            self._write(self.held, divmod(self._files, _CHUNK))
            self._files, self._size, self.held = self._files + 1, 0, []


def _write_tables(folder: Path, tables: Sequence[pyarrow.Table], at: tuple[int, int]) -> None:
    path = folder / _V3_PATHS["data_path"].format(chunk_index=at[0], file_index=at[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyarrow.parquet.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:  # one row group an episode, so that one is read without the others
            writer.write_table(table)


def _write_videos(
    folder: Path, key: str, some: Sequence[tuple[VideoSpan, int]], at: tuple[int, int], fps: float
) -> None:
    path = folder / _V3_PATHS["video_path"].format(video_key=key, chunk_index=at[0], file_index=at[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    copy_packets([clip for clip, _ in some], [length for _, length in some], fps, path)


def _write_tasks_v3(path: Path, tasks: Mapping[int, str]) -> None:
    """LeRobot reads it with pandas, the tasks being the index of the frame; so pandas' own metadata go with it."""
    numbers = sorted(tasks)
    table = pyarrow.table({"task_index": numbers, "__index_level_0__": [tasks[number] for number in numbers]})
    columns = [
        {
            "name": "task_index",
            "field_name": "task_index",
            "pandas_type": "int64",
            "numpy_type": "int64",
            "metadata": None,
        },
        {
            "name": None,
            "field_name": "__index_level_0__",
            "pandas_type": "unicode",
            "numpy_type": "object",
            "metadata": None,
        },
    ]
    pandas = {
        "index_columns": ["__index_level_0__"],
        "column_indexes": [],
        "columns": columns,
        "pandas_version": "2.0.0",
    }
    pyarrow.parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path)


def _write_info(
    dataset: LeRobotDataset,
    folder: Path,
    version: str,
    paths: Mapping[str, str],
    counts: Mapping[str, int],
    more: Mapping[str, Any],
) -> None:
    features = {
        key: feature
        for key, feature in dataset.info["features"].items()
        if not is_video(feature) or key in dataset.cameras
    }
    scalar = {"dtype": "int64", "shape": [1], "names": None}
    for name in ("frame_index", "episode_index", "index", "task_index"):
        features.setdefault(name, scalar)
    fps = int(dataset.fps) if dataset.fps == int(dataset.fps) else dataset.fps
    info = {
        "codebase_version": version,
        "robot_type": dataset.info.get("robot_type"),
        **{f"total_{what}": count for what, count in counts.items()},
        "chunks_size": _CHUNK,
        "fps": fps,
        "splits": {"train": f"0:{counts['episodes']}"},
        **paths,
        **more,
        "features": features,
    }
    (folder / "meta/info.json").write_text(json.dumps(info, indent=4) + "\n")
