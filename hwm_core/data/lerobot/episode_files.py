"""Where each episode of a LeRobot dataset lies: in v2 by the names of the files, in v3.0 by meta/episodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.metadata import own_number, read_episode_tasks
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag


@dataclass(frozen=True)
class LeRobotEpisode:
    """Where one episode lies."""

    table: Path
    row: int  # `episode_index` of its rows in the table
    clips: Mapping[str, VideoSpan]  # {video key: its pictures}
    length: int | None = None  # rows, where the format says so
    tasks: tuple[str, ...] = ()


def find_episodes_v2(path: Path) -> dict[int, LeRobotEpisode]:
    tasks = read_episode_tasks(path)
    videos: dict[int, dict[str, VideoSpan]] = {}
    for file in sorted(path.glob("videos/*/*/episode_*.mp4")):
        videos.setdefault(_number(file), {})[file.parent.name] = VideoSpan(file)
    return {
        _number(file): LeRobotEpisode(
            file, _number(file), videos.get(_number(file), {}), None, tasks.get(_number(file), ())
        )
        for file in path.glob("data/*/episode_*.parquet")
    }


def find_episodes_v3(path: Path, fps: float) -> dict[int, LeRobotEpisode]:
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


def _clip_v3(path: Path, row: Mapping[str, Any], key: str, length: int, fps: float) -> VideoSpan | None:
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
    return VideoSpan(file, start, length)


def _number(file: Path) -> int:
    """Of episode_000005. Raises BadBag for another name: what counts is the files, and this one would count as none."""
    digits = file.stem.removeprefix("episode_")
    if not digits.isdecimal():
        raise BadBag(
            f"File {file}", expected=f"episode_NUMBER{file.suffix}", got=f"`{file.name}`", remedy="Rename or remove it."
        )
    return int(digits)
