"""Writes LeRobot v3.0 from checked episodes: many episodes to a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.episode import Row
from hwm_core.data.lerobot.file_packer import FilePacker
from hwm_core.data.lerobot.info_file import kept_features, write_info
from hwm_core.data.lerobot.metadata import SOURCE_NUMBER
from hwm_core.data.lerobot.stats import FeatureStats, pooled
from hwm_core.data.recording.video_packets import copy_packets
from hwm_core.data.recording.video_reader import VideoSpan, video_facts
from hwm_core.errors import BadBag

# LeRobot's own limits of the size of one file.
_TABLE_BYTES, _VIDEO_BYTES = 100 * 2**20, 200 * 2**20
_PATHS = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


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
        self._tables = FilePacker(_TABLE_BYTES, lambda some, at: _write_tables(folder, some, at))
        # Written at the end: a file of several episodes that fails must not be taken for a fault of the newest.
        self._groups: list[tuple[str, list[Any], tuple[int, int]]] = []
        self._videos = {
            key: FilePacker(_VIDEO_BYTES, lambda some, at, key=key: self._groups.append((key, some, at)))  # type: ignore[misc]
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
        _write_tasks(self._folder / "meta/tasks.parquet", tasks)
        more = {"data_files_size_in_mb": _TABLE_BYTES >> 20, "video_files_size_in_mb": _VIDEO_BYTES >> 20}
        write_info(
            self._folder,
            "v3.0",
            self._dataset.info.get("robot_type"),
            self._dataset.fps,
            kept_features(self._dataset),
            _PATHS,
            totals={"episodes": len(self._records), "frames": self._frames, "tasks": len(tasks)},
            more=more,
        )

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


def _write_tables(folder: Path, tables: Sequence[pyarrow.Table], at: tuple[int, int]) -> None:
    path = folder / _PATHS["data_path"].format(chunk_index=at[0], file_index=at[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyarrow.parquet.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:  # one row group an episode, so that one is read without the others
            writer.write_table(table)


def _write_videos(
    folder: Path, key: str, some: Sequence[tuple[VideoSpan, int]], at: tuple[int, int], fps: float
) -> None:
    path = folder / _PATHS["video_path"].format(video_key=key, chunk_index=at[0], file_index=at[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    copy_packets([clip for clip, _ in some], [length for _, length in some], fps, path)


def _write_tasks(path: Path, tasks: Mapping[int, str]) -> None:
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
