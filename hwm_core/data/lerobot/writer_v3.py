"""Writes LeRobot v3.0 from checked episodes: many episodes in a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.checked_episode import CheckedEpisode
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.file_packer import FilePacker
from hwm_core.data.lerobot.info_file import KeptFeatures, write_info
from hwm_core.data.lerobot.metadata import SOURCE_NUMBER
from hwm_core.data.lerobot.stats import FeatureStats, pool_stats
from hwm_core.data.recording.video_packets import copy_packets
from hwm_core.data.recording.video_reader import VideoSpan, video_facts
from hwm_core.errors import BadBag

# LeRobot's own limits for the size of one file.
_TABLE_BYTES, _VIDEO_BYTES = 100 * 2**20, 200 * 2**20
_PATHS = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


class WriterV3:
    """Writes episodes under consecutive numbers.

    Args:
        dataset: the source.
        folder: of the new dataset.
        kept: its features.
        numbers: {episode of the source: number that is recorded for it}; without an entry, the episode's own number.
    """

    def __init__(self, dataset: LeRobotDataset, folder: Path, kept: KeptFeatures, numbers: Mapping[int, int]) -> None:
        self._dataset, self._folder, self._kept, self._numbers = dataset, folder, kept, numbers
        self._rows: list[dict[str, Any]] = []  # of meta/episodes
        self._stats: list[Mapping[str, FeatureStats]] = []
        self._frames = 0
        self._schema: pyarrow.Schema | None = None
        self._tables: FilePacker[pyarrow.Table] = FilePacker(
            _TABLE_BYTES, lambda tables, at: _write_tables(folder, tables, at)
        )
        # Videos are joined in `finish`: a fault in a file of several episodes is not a fault of the newest episode.
        self._groups: list[tuple[str, list[tuple[VideoSpan, int]], tuple[int, int]]] = []
        self._videos: dict[str, FilePacker[tuple[VideoSpan, int]]] = {
            key: FilePacker(_VIDEO_BYTES, lambda spans, at, key=key: self._groups.append((key, spans, at)))  # type: ignore[misc]
            for key in dataset.video_keys
        }

    def add(self, episode: CheckedEpisode) -> None:
        """Add an episode that has a video of every camera. Raises BadBag where its columns differ from the first's."""
        number, length, fps = len(self._rows), episode.table.num_rows, self._dataset.fps
        episode = episode.renumbered(number, self._frames)
        table = self._in_shared_schema(episode)
        chunk, file = self._tables.add(table, table.nbytes)
        row: dict[str, Any] = {
            "episode_index": number,
            SOURCE_NUMBER: self._numbers.get(episode.number, episode.number),
            "tasks": list(episode.tasks),
            "length": length,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + length,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for key, packer in self._videos.items():
            video = episode.videos[key]
            chunk, file = packer.add((video, length), video.path.stat().st_size, video_facts(video.path))
            start = sum(frames for _, frames in packer.held[:-1]) / fps
            row |= {
                f"videos/{key}/chunk_index": chunk,
                f"videos/{key}/file_index": file,
                f"videos/{key}/from_timestamp": start,
                f"videos/{key}/to_timestamp": start + length / fps,
            }
        for feature, stats in episode.stats.items():
            row |= {f"stats/{feature}/{statistic}": values for statistic, values in stats.items()}
        self._rows.append(row)
        self._stats.append(episode.stats)
        self._frames += length

    def finish(self, tasks: Mapping[int, str]) -> None:
        """Write the files still held, and meta/.

        Args:
            tasks: {task_index: task}.
        """
        for packer in (self._tables, *self._videos.values()):
            packer.flush()
        for key, spans, at in self._groups:
            _write_video(self._folder, key, spans, at, self._dataset.fps)
        path = self._folder / "meta/episodes/chunk-000/file-000.parquet"
        path.parent.mkdir(parents=True)
        columns = dict.fromkeys(name for row in self._rows for name in row)
        pyarrow.parquet.write_table(
            pyarrow.table({name: [row.get(name) for row in self._rows] for name in columns}), path
        )
        shared = set.intersection(*(set(stats) for stats in self._stats))
        (self._folder / "meta/stats.json").write_text(
            json.dumps({key: pool_stats([stats[key] for stats in self._stats]) for key in sorted(shared)})
        )
        _write_tasks(self._folder / "meta/tasks.parquet", tasks)
        write_info(
            self._folder,
            "v3.0",
            self._dataset.info.get("robot_type"),
            self._dataset.fps,
            self._kept.features,
            _PATHS,
            totals={"episodes": len(self._rows), "frames": self._frames, "tasks": len(tasks)},
            more={"data_files_size_in_mb": _TABLE_BYTES >> 20, "video_files_size_in_mb": _VIDEO_BYTES >> 20},
        )

    def losses(self) -> list[str]:
        """What the format cannot keep."""
        if all(row[SOURCE_NUMBER] == row["episode_index"] for row in self._rows):
            return []
        return [
            f"episode numbers: v3.0 requires consecutive ones; hwm reads the old ones from the column `{SOURCE_NUMBER}`"
        ]

    def _in_shared_schema(self, episode: CheckedEpisode) -> pyarrow.Table:
        """The table with the columns and types of the first episode. Raises BadBag where its columns differ."""
        self._schema = self._schema or episode.table.schema
        try:
            if other := {*episode.table.column_names} ^ {*self._schema.names}:
                raise ValueError(f"{', '.join(sorted(other))} in only one of the two")
            return episode.table.select(self._schema.names).cast(self._schema)
        except (pyarrow.ArrowException, KeyError, ValueError) as error:
            raise BadBag(
                f"Table of episode {episode.number} of {self._dataset.path}",
                expected=f"the columns of the first episode: {', '.join(self._schema.names)}",
                got=str(error).partition("\n")[0],
                remedy="In v3.0 all episodes have the same columns: remove the episode, or repair it.",
            ) from None


def _write_tables(folder: Path, tables: Sequence[pyarrow.Table], at: tuple[int, int]) -> None:
    path = folder / _PATHS["data_path"].format(chunk_index=at[0], file_index=at[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyarrow.parquet.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:  # a row group for each episode, so that one is read without the others
            writer.write_table(table)


def _write_video(
    folder: Path, key: str, spans: Sequence[tuple[VideoSpan, int]], at: tuple[int, int], fps: float
) -> None:
    path = folder / _PATHS["video_path"].format(video_key=key, chunk_index=at[0], file_index=at[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    copy_packets([span for span, _ in spans], [length for _, length in spans], fps, path)


def _write_tasks(path: Path, tasks: Mapping[int, str]) -> None:
    """LeRobot reads this file with pandas, with the tasks as the index; so the metadata of pandas are written too."""
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
