"""LeRobot v2.1 <-> v3.0, all columns and cameras: tables are regrouped, videos copied without decoding."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.parquet

from hwm_core.data.atomic import new_folder
from hwm_core.data.lerobot import SOURCE_NUMBER, LeRobotDataset, open_lerobot, read_table
from hwm_core.data.lerobot_meta import read_statistics, read_tasks
from hwm_core.data.lerobot_stats import FeatureStats, column_stats, picture_stats, pooled
from hwm_core.data.video import Clip, copy_packets, video_facts
from hwm_core.errors import BadBag

Version = Literal["v2.1", "v3.0"]
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


@dataclass(frozen=True)
class _Row:
    """One episode of the dataset to come."""

    number: int  # in the source
    table: pyarrow.Table
    tasks: tuple[str, ...]
    stats: Mapping[str, FeatureStats]
    clips: Mapping[str, Clip]


def convert_version(
    source: str | Path, target: str | Path, version: Version, numbers: Mapping[int, int] | None = None
) -> list[str]:
    """Write `source` again in the other format; the folder appears whole or not at all.

    Args:
        numbers: {episode of `source`: number that v3.0 shall keep for it}; absent: its own.

    Returns:
        What the format could not keep, a sentence each.

    Raises:
        BadBag: the source is damaged, or `target` exists.
    """
    dataset = open_lerobot(source)
    with new_folder(target) as folder:
        (folder / "meta").mkdir()
        losses = _write_v3(dataset, folder, numbers or {}) if version == "v3.0" else _write_v2(dataset, folder)
    absent = [
        key for key, feature in dataset.info["features"].items() if _is_video(feature) and key not in dataset.cameras
    ]
    return losses + [f"`{key}`, which {dataset.path.name} names without files, is left out" for key in absent]


def _write_v2(dataset: LeRobotDataset, folder: Path) -> list[str]:
    index, total_videos = 0, 0
    with (
        (folder / "meta/episodes.jsonl").open("w") as episodes,
        (folder / "meta/episodes_stats.jsonl").open("w") as all_stats,
    ):
        for row in _rows(dataset):
            chunk, length = row.number // _CHUNK, row.table.num_rows
            table = _numbered(row.table, row.number, index)
            path = folder / V2_PATHS["data_path"].format(episode_chunk=chunk, episode_index=row.number)
            path.parent.mkdir(parents=True, exist_ok=True)
            pyarrow.parquet.write_table(table, path)
            for key, clip in row.clips.items():
                names = {"episode_chunk": chunk, "video_key": key, "episode_index": row.number}
                path = folder / V2_PATHS["video_path"].format(**names)
                path.parent.mkdir(parents=True, exist_ok=True)
                copy_packets([clip], [length], dataset.fps, path)
                total_videos += 1
            line = {"episode_index": row.number, "tasks": list(row.tasks), "length": length}
            episodes.write(json.dumps(line) + "\n")
            all_stats.write(json.dumps({"episode_index": row.number, "stats": row.stats}) + "\n")
            index += length
    tasks = read_tasks(dataset.path)
    lines = [json.dumps({"task_index": number, "task": task}) for number, task in sorted(tasks.items())]
    (folder / "meta/tasks.jsonl").write_text("".join(line + "\n" for line in lines))
    more = {"total_videos": total_videos, "total_chunks": max(dataset.episodes) // _CHUNK + 1}
    _write_info(dataset, folder, "v2.1", V2_PATHS, index, tasks, more)
    return []


def _write_v3(dataset: LeRobotDataset, folder: Path, numbers: Mapping[int, int]) -> list[str]:
    records: list[dict[str, Any]] = []
    stats: list[Mapping[str, FeatureStats]] = []
    tables = _Packer(_TABLE_BYTES, lambda some, at: _write_tables(folder, some, at))
    videos = {
        key: _Packer(_VIDEO_BYTES, lambda some, at, key=key: _write_videos(folder, key, some, at, dataset.fps))  # type: ignore[misc]
        for key in dataset.cameras
    }
    index = 0
    for episode, row in enumerate(_rows(dataset)):
        length = row.table.num_rows
        table = _numbered(row.table, episode, index)
        chunk, file = tables.add(table, table.nbytes)
        record: dict[str, Any] = {
            "episode_index": episode,
            SOURCE_NUMBER: numbers.get(row.number, row.number),
            "tasks": list(row.tasks),
            "length": length,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": index,
            "dataset_to_index": index + length,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for key in dataset.cameras:
            clip = row.clips.get(key)
            if clip is None:
                raise BadBag(
                    f"Episode {row.number} of {dataset.path}",
                    expected=f"a video of `{key}`, as others have",
                    got="none",
                    remedy="Download it, or remove the episode: in v3.0 all episodes have the same cameras.",
                )
            chunk, file = videos[key].add((clip, length), clip.path.stat().st_size, video_facts(clip.path))
            start = sum(frames for _, frames in videos[key].held[:-1]) / dataset.fps
            record |= {
                f"videos/{key}/chunk_index": chunk,
                f"videos/{key}/file_index": file,
                f"videos/{key}/from_timestamp": start,
                f"videos/{key}/to_timestamp": start + length / dataset.fps,
            }
        for name, values in row.stats.items():
            record |= {f"stats/{name}/{what}": some for what, some in values.items()}
        records.append(record)
        stats.append(row.stats)
        index += length
    for packer in (tables, *videos.values()):
        packer.flush()
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    path.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), path)
    shared = set.intersection(*(set(some) for some in stats))
    (folder / "meta/stats.json").write_text(
        json.dumps({key: pooled([some[key] for some in stats]) for key in sorted(shared)})
    )
    tasks = read_tasks(dataset.path)
    _write_tasks_v3(folder / "meta/tasks.parquet", tasks)
    more = {"data_files_size_in_mb": _TABLE_BYTES >> 20, "video_files_size_in_mb": _VIDEO_BYTES >> 20}
    _write_info(dataset, folder, "v3.0", _V3_PATHS, index, tasks, more)
    if [record[SOURCE_NUMBER] for record in records] == list(range(len(records))):
        return []
    return [
        f"v3.0 numbers episodes without holes: their own numbers are in the column `{SOURCE_NUMBER}`, which we read"
    ]


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
            writer.write_table(table.cast(tables[0].schema))


def _write_videos(folder: Path, key: str, some: Sequence[tuple[Clip, int]], at: tuple[int, int], fps: float) -> None:
    path = folder / _V3_PATHS["video_path"].format(video_key=key, chunk_index=at[0], file_index=at[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    copy_packets([clip for clip, _ in some], [length for _, length in some], fps, path)


def _rows(dataset: LeRobotDataset) -> Iterator[_Row]:
    known = read_statistics(dataset.path)
    for number in dataset.episodes:
        entry, table = dataset.entry(number), read_table(dataset, number)
        stats = known.get(number) or _measure(dataset, number, table)
        yield _Row(number, table, entry.tasks, stats, entry.clips)


def _measure(dataset: LeRobotDataset, number: int, table: pyarrow.Table) -> dict[str, FeatureStats]:
    stats = {}
    for name in table.column_names:
        values = np.asarray(table[name].to_pylist())
        if values.dtype.kind in "biuf" and len(values):
            stats[name] = column_stats(values)
    for key, clip in dataset.entry(number).clips.items():
        step = max(1, table.num_rows // 20)
        pictures = [rgb[::4, ::4] for row, (_, rgb) in enumerate(clip.decode()) if row % step == 0]
        if pictures:
            stats[key] = picture_stats(pictures)
    return stats


def _numbered(table: pyarrow.Table, episode: int, index: int) -> pyarrow.Table:
    """The table with its episode number and its place in the dataset; the columns LeRobot wants are added."""
    rows = np.arange(table.num_rows, dtype=np.int64)
    wanted = {"frame_index": rows, "episode_index": np.full_like(rows, episode), "index": index + rows}
    if "task_index" not in table.column_names:
        wanted["task_index"] = np.zeros_like(rows)
    for name, values in wanted.items():
        column = pyarrow.array(values)
        if name not in table.column_names:
            table = table.append_column(name, column)
        elif name != "frame_index":
            table = table.set_column(table.column_names.index(name), name, column)
    return table.replace_schema_metadata(None)


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
    version: Version,
    paths: Mapping[str, str],
    frames: int,
    tasks: Mapping[int, str],
    more: Mapping[str, Any],
) -> None:
    features = {
        key: feature
        for key, feature in dataset.info["features"].items()
        if not _is_video(feature) or key in dataset.cameras
    }
    scalar = {"dtype": "int64", "shape": [1], "names": None}
    for name in ("frame_index", "episode_index", "index", "task_index"):
        features.setdefault(name, scalar)
    fps = int(dataset.fps) if dataset.fps == int(dataset.fps) else dataset.fps
    info = {
        "codebase_version": version,
        "robot_type": dataset.info.get("robot_type"),
        "total_episodes": len(dataset.episodes),
        "total_frames": frames,
        "total_tasks": len(tasks),
        "chunks_size": _CHUNK,
        "fps": fps,
        "splits": {"train": f"0:{len(dataset.episodes)}"},
        **paths,
        **more,
        "features": features,
    }
    (folder / "meta/info.json").write_text(json.dumps(info, indent=4) + "\n")


def _is_video(feature: Mapping[str, Any]) -> bool:
    return feature.get("dtype") == "video"
