"""Verifies the metadata of a LeRobot dataset against its files."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow

from hwm_core.data.checks.finding import Finding
from hwm_core.data.lerobot.checked_episode import grid_deviation
from hwm_core.data.lerobot.columns import numeric_rows, only_column
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import statistics_faults
from hwm_core.data.lerobot.tables import has_column, read_table, read_times
from hwm_core.data.recording.video_reader import open_video
from hwm_core.errors import BadInput
from hwm_core.io.json_files import read_json


def verify_lerobot(dataset: LeRobotDataset) -> Iterator[Finding]:
    """Verify time grids, totals, statistics, cameras and joint names."""
    where = dataset.path.name
    for name, left_out in dataset.left_out.items():
        yield Finding("fault", f"{where} {name}", str(left_out))
    frames = 0
    offsets: list[float] = []
    spellings: dict[str, list[int]] = {}  # {how the timestamps are spelled: episodes}
    for number in dataset.episodes:
        try:
            times = read_times(dataset, number)
        except BadInput as fault:
            yield Finding("fault", f"{where} episode {number}", str(fault))
            continue
        frames += len(times.seconds)
        yield from _row_indices(dataset, number)
        if times.remark:
            spellings.setdefault(times.remark, []).append(number)
        offset, irregular = grid_deviation(times.seconds, dataset.fps)
        offsets += [offset] if offset else []
        if irregular:
            text = f"timestamps deviate from the {dataset.fps:g} Hz grid by {irregular:.4f} s"
            yield Finding("note", f"{where} episode {number}", text)
    for remark, numbers in spellings.items():
        yield Finding("note", where, f"{remark}, in {len(numbers)} episodes")
    if offsets:
        yield Finding(
            "note",
            where,
            f"timestamps of {len(offsets)} episodes differ from row / fps, which LeRobot uses to find images, by a "
            f"constant {max(offsets, key=abs):+.4f} s; a conversion between versions removes the offset",
        )
    counts = {
        "total_episodes": len(dataset.episodes),
        "total_frames": frames,
        "total_tasks": len(dataset.tasks()),
    }
    if dataset.version.startswith("v3.") and not (dataset.path / "meta/tasks.parquet").exists():
        yield Finding("fault", where, "meta/tasks.parquet is missing, and LeRobot needs it for v3.0: download it")
    yield from (Finding("fault", where, str(fault)) for fault in statistics_faults(dataset.path))
    try:
        _read_total_statistics(dataset.path)
    except BadInput as fault:
        yield Finding("fault", where, str(fault))
    for key, counted in counts.items():
        if key in dataset.info and dataset.info[key] != counted:
            text = f"info.json has {key} {dataset.info[key]}, but there are {counted}, which is used"
            yield Finding("note", where, text)
    yield from _names(dataset)
    yield from _unclaimed_frames(dataset)


def _row_indices(dataset: LeRobotDataset, number: int) -> Iterator[Finding]:
    """Rows that say that they are of another episode, or in another order. Indices that are none are ignored."""
    where = f"{dataset.path.name} episode {number}"
    with suppress(BadInput, ValueError, pyarrow.ArrowException):
        # The other columns may hold images.
        named = [name for name in ("episode_index", "frame_index") if has_column(dataset, number, name)]
        table = read_table(dataset, number, named)
        if "episode_index" in named:
            stated = np.unique(numeric_rows(only_column(table, "episode_index")))
            if len(stated) > 1:
                text = f"its rows are of {len(stated)} episodes: {', '.join(f'{one:g}' for one in stated[:5])}"
                yield Finding("fault", where, text)
            elif dataset.version.startswith("v2.") and stated[0] != number:
                text = f"its rows say that they are of episode {stated[0]:g}; the number in the name of the file counts"
                yield Finding("note", where, text)
        if "frame_index" in named:
            order = numeric_rows(only_column(table, "frame_index"))[:, 0]
            if (np.diff(order) != 1).any():
                text = "its rows are not in the order of `frame_index`; their order in the file counts"
                yield Finding("note", where, text)


def _unclaimed_frames(dataset: LeRobotDataset) -> Iterator[Finding]:
    """Shared videos with more frames than their episodes have rows."""
    claimed: dict[Path, int] = {}
    for entry in dataset.entries.values():
        for span in entry.videos.values():
            if span.rate_hz is not None and span.frames is not None:
                end = round(span.start_s * span.rate_hz) + span.frames
                claimed[span.path] = max(claimed.get(span.path, 0), end)
    for path, count in claimed.items():
        with suppress(BadInput), open_video(path) as (_, stream):  # a damaged file is a fault of its episodes
            if stream.frames > count:
                text = (
                    f"{path.relative_to(dataset.path)} has {stream.frames} frames, but its episodes end at {count}: an "
                    "episode without an entry, or images that are shifted against their rows"
                )
                yield Finding("note", dataset.path.name, text)


def _names(dataset: LeRobotDataset) -> Iterator[Finding]:
    """Cameras without files, and joints without names."""
    where = dataset.path.name
    for key, feature in dataset.info["features"].items():
        if feature.get("dtype") == "video" and key not in dataset.video_keys:
            yield Finding("note", where, f"info.json lists the video `{key}`, which has no files")
    for key in dataset.depth_keys:
        yield Finding("note", where, f"`{key}` is a depth map: it is left out")
    for key, columns in (("observation.state", dataset.states), ("action", dataset.commands)):
        names = columns.names
        if columns.chunk > 1:
            text = f"`{key}` has chunks of {columns.chunk} actions in each row: the first is the command of the row"
            yield Finding("note", where, text)
        if names and names[0] == "joint_0":
            yield Finding("note", where, f"`{key}` has no joint names: they are called joint_0, joint_1, ...")
        elif not names:
            yield Finding("note", where, f"there is no `{key}`")


def _read_total_statistics(path: Path) -> None:
    """Read the statistics of the whole dataset, if it has them. Raises BadBag."""
    file = path / "meta/stats.json"
    if file.exists():
        read_json(file, "It was truncated: download it again, or convert the dataset, which measures them again.")
