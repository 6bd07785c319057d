"""Finds the files of each episode: in v2 by their names, in v3.0 by meta/episodes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.file_patterns import find_files
from hwm_core.data.lerobot.metadata import Info, read_episode_tasks, source_number, text_list, whole_number
from hwm_core.data.lerobot.video_positions import TOLERANCE_S, VideoPositions, video_keys
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


@dataclass(frozen=True)
class FoundEpisodes:
    """The result of a search."""

    entries: Mapping[int, LeRobotEpisode]  # by episode number
    left_out: Mapping[str, BadBag]  # {"episode 3", or a part of meta/: why it cannot be used}


def find_episodes_v2(path: Path, info: Mapping[str, Any]) -> FoundEpisodes:
    """The episodes of a v2 dataset. Raises BadBag."""
    tasks, left_out = read_episode_tasks(path)
    videos: dict[int, dict[str, VideoSpan]] = {}
    for file, fields in find_files(path, info, "v2", "video_path"):
        videos.setdefault(int(fields["episode_index"]), {})[fields["video_key"]] = VideoSpan(file)
    entries: dict[int, LeRobotEpisode] = {}
    twice: set[int] = set()
    for file, fields in find_files(path, info, "v2", "data_path"):
        number = int(fields["episode_index"])
        if number in entries:
            twice.add(number)
            left_out[f"episode {number}"] = BadBag(
                f"Episode {number} of {path}",
                expected="one table",
                got=f"{entries[number].table.relative_to(path)} and {file.relative_to(path)}",
                remedy="Remove one of the two files.",
            )
        entries[number] = LeRobotEpisode(file, number, videos.get(number, {}), None, tasks.get(number, ()))
    return FoundEpisodes({number: one for number, one in entries.items() if number not in twice}, left_out)


def find_episodes_v3(path: Path, info: Info, everything: Mapping[str, Any]) -> FoundEpisodes:
    """The episodes of a v3.0 dataset. A damaged row of meta/episodes costs its episode. Raises BadBag.

    Args:
        path: folder of the dataset.
        info: the fields of meta/info.json.
        everything: the whole file.
    """
    tables, videos = (
        {
            (fields.get("video_key", ""), int(fields["chunk_index"]), int(fields["file_index"])): file
            for file, fields in find_files(path, everything, "v3", kind)
        }
        for kind in ("data_path", "video_path")
    )
    entries: dict[int, LeRobotEpisode] = {}
    left_out: dict[str, BadBag] = {}
    absent: list[int] = []
    rows = list(_rows(path))
    positions = VideoPositions(rows)
    for place, row in enumerate(rows):
        name = f"row {place} of meta/episodes"
        try:
            number = source_number(row)
            name = f"episode {number}"
            entry = _entry(path, row, tables, videos, info.fps, positions)
            if number in entries:
                raise ValueError("two rows of this number")
        except BadBag as fault:
            left_out[name] = fault
        except (ValueError, KeyError, TypeError) as error:
            got = f"no `{error.args[0]}`" if isinstance(error, KeyError) else str(error)
            left_out[name] = BadBag(
                f"{name.capitalize()} of {path}" if name.startswith("episode") else f"{name.capitalize()} in {path}",
                expected="whole numbers for the episode, its length, and its chunk and file",
                got=got,
                remedy="Correct this row of meta/episodes, or download the file again.",
            )
        else:
            if entry is None:
                absent.append(number)
            else:
                entries[number] = entry
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        left_out[f"episode {min(absent)}{more}"] = BadBag(
            f"Dataset {path}",
            expected=f"the tables of all {len(rows)} episodes that meta/episodes lists",
            got=f"no table of episode {min(absent)}{more}",
            remedy="Download them, or leave them out.",
        )
    return FoundEpisodes(entries, left_out)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    files = sorted(path.glob("meta/episodes/*/*.parquet"))
    if not files:
        raise BadBag(
            f"Dataset {path} of format v3.0",
            expected="meta/episodes/*/*.parquet with the position of each episode",
            got="no such file",
            remedy="Download it, or convert the dataset again.",
        )
    return chain.from_iterable(map(_rows_of, files))


def _rows_of(file: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pyarrow.parquet.ParquetFile(file).read().to_pylist()
        return rows
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise BadBag(
            f"Table {file}",
            expected="the position of each episode",
            got=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            remedy="The file is truncated or has another format; download it again.",
        ) from error


_Files = Mapping[tuple[str, int, int], Path]  # by video key, chunk and file; the key of tables is ""


def _entry(
    path: Path, row: Mapping[str, Any], tables: _Files, videos: _Files, fps: float, positions: VideoPositions
) -> LeRobotEpisode | None:
    """One episode; None where its table is absent. Raises BadBag, KeyError, TypeError or ValueError."""
    table = tables.get(("", whole_number(row, "data/chunk_index"), whole_number(row, "data/file_index")))
    if table is None:
        return None
    length = whole_number(row, "length")
    found = {key: _video_span(path, row, key, length, fps, videos, positions) for key in video_keys(row)}
    spans = {key: span for key, span in found.items() if span is not None}
    return LeRobotEpisode(table, whole_number(row, "episode_index"), spans, length, text_list(row.get("tasks")))


def _video_span(
    path: Path,
    row: Mapping[str, Any],
    key: str,
    length: int,
    fps: float,
    videos: _Files,
    positions: VideoPositions,
) -> VideoSpan | None:
    """The span of one episode in a video file; None where the file is absent."""
    prefix = f"videos/{key}"
    if row.get(f"{prefix}/chunk_index") is None:
        return None
    place = whole_number(row, f"{prefix}/chunk_index"), whole_number(row, f"{prefix}/file_index")
    file = videos.get((key, *place))
    if file is None:
        return None
    start, end = float(row[f"{prefix}/from_timestamp"]), float(row[f"{prefix}/to_timestamp"])
    if not abs((end - start) * fps - length) <= 2 * TOLERANCE_S * fps:  # also rejects NaN
        raise BadBag(
            f"Episode {row['episode_index']} of {path}",
            expected=f"a video of {length} frames, one for each row",
            got=f"{(end - start) * fps:.2f} frames between {start:.3f} and {end:.3f} s",
            remedy="meta/episodes does not fit the rows, or `fps` in info.json is wrong; convert the dataset again.",
        )
    positions.check((key, *place), source_number(row), start, fps, path)
    return VideoSpan(file, start, length, rate_hz=fps)
