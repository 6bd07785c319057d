"""Finds the files of each episode: in v2 by their names, in v3.0 by meta/episodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.metadata import read_episode_tasks, source_number
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class LeRobotEpisode:
    """Where one episode is stored."""

    table: Path
    episode_index: int  # of its rows in the table
    videos: Mapping[str, VideoSpan]  # {video key: span}
    length: int | None = None  # rows, where the format states them
    tasks: tuple[str, ...] = ()


def find_episodes_v2(path: Path) -> dict[int, LeRobotEpisode]:
    """{episode number: files} of a v2 dataset. Raises BadBag."""
    tasks = read_episode_tasks(path)
    videos: dict[int, dict[str, VideoSpan]] = {}
    for file in sorted(path.glob("videos/*/*/episode_*.mp4")):
        videos.setdefault(_number_of(file), {})[file.parent.name] = VideoSpan(file)
    entries: dict[int, LeRobotEpisode] = {}
    for file in path.glob("data/*/episode_*.parquet"):
        number = _number_of(file)
        entries[number] = LeRobotEpisode(file, number, videos.get(number, {}), None, tasks.get(number, ()))
    return entries


def find_episodes_v3(path: Path, fps: float) -> dict[int, LeRobotEpisode]:
    """{episode number: files} of a v3.0 dataset. Raises BadBag."""
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
            number, length = source_number(row), int(row["length"])
            keys = [key.split("/")[1] for key in row if key.startswith("videos/") and key.endswith("/chunk_index")]
            videos = {key: span for key in keys if (span := _video_span(path, row, key, length, fps)) is not None}
            tasks = tuple(map(str, row.get("tasks") or []))
            entries[number] = LeRobotEpisode(table, int(row["episode_index"]), videos, length, tasks)
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        if isinstance(error, BadBag):
            raise
        raise BadBag(
            f"Dataset {path} of format v3.0",
            expected="meta/episodes/*/*.parquet with the position of each episode",
            got=f"{type(error).__name__}: {error}",
            remedy="The file is truncated or has another format; download it again.",
        ) from error
    return entries


def _video_span(path: Path, row: Mapping[str, Any], key: str, length: int, fps: float) -> VideoSpan | None:
    """The span of one episode in a video file; None where the file is absent."""
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
            expected=f"a video of {length} frames, one for each row",
            got=f"{(end - start) * fps:.1f} frames between {start:.3f} and {end:.3f} s",
            remedy="meta/episodes does not fit the rows, or `fps` in info.json is wrong; convert the dataset again.",
        )
    return VideoSpan(file, start, length)


def _number_of(file: Path) -> int:
    """5 for episode_000005. Raises BadBag for a name without a number: the file would be ignored silently."""
    digits = file.stem.removeprefix("episode_")
    if not digits.isdecimal():
        raise BadBag(
            f"File {file}", expected=f"episode_NUMBER{file.suffix}", got=f"`{file.name}`", remedy="Rename or remove it."
        )
    return int(digits)
