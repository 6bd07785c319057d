"""Reads one episode for a conversion between LeRobot versions, and checks it against the dataset's metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import INDEX_COLUMNS, is_video
from hwm_core.data.lerobot.stats import FeatureStats, column_stats, image_stats, quantiles_of
from hwm_core.data.lerobot.tables import read_table, require_columns
from hwm_core.data.recording.video_packets import check_packets
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag

# LeRobot finds the image of a row by its timestamp, with this tolerance. A larger deviation than _IRREGULAR_S from
# every grid of the frame rate means that there is no fixed rate.
_TOLERANCE_S, _IRREGULAR_S = 1e-4, 1e-3
_REMEDY = "The file or meta/info.json is damaged; download both again."


@dataclass(frozen=True)
class CheckedEpisode:
    """An episode whose files fit each other and the metadata."""

    number: int  # in the source
    table: pyarrow.Table
    tasks: tuple[str, ...]
    stats: Mapping[str, FeatureStats]
    videos: Mapping[str, VideoSpan]
    offset_s: float  # constant offset of the source's timestamps from row / fps; removed in `table`
    irregular_s: float  # deviation from a fixed rate, kept in `table`; 0 where the rate is fixed
    not_finite: tuple[str, ...]  # columns with NaN or infinity

    def renumbered(self, episode: int, first_index: int) -> "CheckedEpisode":
        """The same rows as episode `episode`; its first row is row `first_index` of the dataset."""
        rows = np.arange(self.table.num_rows, dtype=np.int64)
        table = _with_column(self.table, "episode_index", np.full_like(rows, episode))
        table = _with_column(table, "index", first_index + rows)
        return replace(self, table=table, stats=_updated(self.stats, table, ("episode_index", "index")))


def read_checked_episode(
    dataset: LeRobotDataset,
    number: int,
    stats: Mapping[str, FeatureStats] | None,
    task: int | None,
    cameras: Sequence[str] = (),
) -> CheckedEpisode:
    """Read and check one episode; a constant offset of its timestamps is removed.

    Args:
        dataset: the source.
        number: of the episode.
        stats: its statistics; None measures them.
        task: task_index to write; None keeps the column of the table.
        cameras: video keys that the episode must have.

    Raises:
        BadBag: rows, a column or a video are missing, or their widths, lengths or rate differ from the metadata.
    """
    entry, table = dataset.entry(number), read_table(dataset, number).replace_schema_metadata(None)
    _require_features(dataset, table, entry.table)
    if not table.num_rows:
        raise BadBag(f"Table {entry.table}", expected="rows", got="none", remedy=_REMEDY)
    for key in cameras:
        if key not in entry.videos:
            raise BadBag(
                f"Episode {number} of {dataset.path}",
                expected=f"a video of `{key}`, as in other episodes",
                got="none",
                remedy="Download it, or remove the episode: in v3.0 all episodes have the same cameras.",
            )
    for video in entry.videos.values():
        check_packets(video, table.num_rows, dataset.fps)
    seconds = np.asarray(table["timestamp"].to_pylist(), dtype=np.float64).reshape(-1)
    if not np.isfinite(seconds).all():
        raise BadBag(f"Table {entry.table}", expected="a timestamp in every row", got="NaN or none", remedy=_REMEDY)
    offset, irregular = grid_deviation(seconds, dataset.fps)
    rows = np.arange(table.num_rows, dtype=np.int64)
    changed = ["task_index"]
    if offset:
        table = _with_column(table, "timestamp", rows / dataset.fps)
        changed.append("timestamp")
    if "frame_index" not in table.column_names:
        table = _with_column(table, "frame_index", rows)
    if task is not None or "task_index" not in table.column_names:
        table = _with_column(table, "task_index", np.full_like(rows, task or 0))
    return CheckedEpisode(
        number=number,
        table=table,
        tasks=entry.tasks,
        stats=_updated(stats, table, changed) if stats else _measure(table, entry.videos),
        videos=entry.videos,
        offset_s=offset,
        irregular_s=irregular,
        not_finite=tuple(name for name in table.column_names if not _is_finite(table[name])),
    )


def grid_deviation(seconds: NDArray[np.float64], fps: float) -> tuple[float, float]:
    """Compare timestamps [N] with the grid row / `fps`.

    Returns:
        The constant offset in s, and the largest deviation from a fixed rate in s; 0 within tolerance. At most one of
        the two is not 0: without a fixed rate there is no constant offset.
    """
    deviation = seconds - np.arange(len(seconds)) / fps
    offset = float(np.median(deviation)) if len(deviation) else 0.0
    irregular = float(np.abs(deviation - offset).max(initial=0.0))
    if irregular > _IRREGULAR_S:
        return 0.0, irregular
    return (offset if abs(offset) > _TOLERANCE_S else 0.0), 0.0


def _require_features(dataset: LeRobotDataset, table: pyarrow.Table, path: Path) -> None:
    """Raises BadBag where the table lacks columns of info.json, or their widths differ."""
    features = {key: feature for key, feature in dataset.info["features"].items() if not is_video(feature)}
    required = {*features, "timestamp"} - {*INDEX_COLUMNS}
    require_columns(path, table.column_names, sorted(required))
    for key in sorted(features.keys() & {*table.column_names}):
        shape = features[key].get("shape")
        widths = _widths(table[key])
        if widths and isinstance(shape, list) and shape and widths not in ({shape[0]}, {int(np.prod(shape))}):
            raise BadBag(
                f"Table {path}: column `{key}`",
                expected=f"{shape[0]} values a row, as meta/info.json declares",
                got=" or ".join(map(str, sorted(widths))),
                remedy=_REMEDY,
            )


def _widths(column: pyarrow.ChunkedArray) -> set[int]:
    """How many values the rows hold; 0 for an empty row, and nothing for a column that is not numeric."""
    kind = column.type
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        lengths = pyarrow.compute.list_value_length(column)
        return {length or 0 for length in pyarrow.compute.unique(lengths).to_pylist()}
    return {1} if len(column) and _is_number(kind) else set()


def _is_finite(column: pyarrow.ChunkedArray) -> bool:
    while pyarrow.types.is_nested(column.type) and not pyarrow.types.is_struct(column.type):
        column = pyarrow.compute.list_flatten(column)
    return not _is_number(column.type) or bool(np.isfinite(column.to_numpy()).all())


def _is_number(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind)


def _with_column(table: pyarrow.Table, name: str, values: NDArray) -> pyarrow.Table:
    """Replace a column, keeping its type, or add it."""
    if name not in table.column_names:
        return table.append_column(name, pyarrow.array(values))
    place = table.column_names.index(name)
    kind = table.schema.field(place).type
    if _is_number(kind):
        return table.set_column(place, name, pyarrow.array(values).cast(kind, safe=False))
    return table.set_column(place, name, pyarrow.array(values))


def _updated(
    stats: Mapping[str, FeatureStats], table: pyarrow.Table, columns: Sequence[str]
) -> dict[str, FeatureStats]:
    """The statistics with `columns` measured again in `table`; statistics that are absent stay absent."""
    measured = {
        name: column_stats(np.asarray(table[name].to_pylist()), quantiles_of(stats[name]))
        for name in columns
        if name in stats
    }
    return {**stats, **measured}


def _measure(table: pyarrow.Table, videos: Mapping[str, VideoSpan]) -> dict[str, FeatureStats]:
    """Statistics of every numeric column, and of about twenty images of each camera."""
    stats = {}
    for name in table.column_names:
        values = np.asarray(table[name].to_pylist())
        if values.dtype.kind in "biuf" and len(values):
            stats[name] = column_stats(values)
    step = max(1, table.num_rows // 20)
    for key, video in videos.items():
        decoded = video.decode_exactly(table.num_rows, because="one for each row", remedy=_REMEDY)
        stats[key] = image_stats([rgb[::4, ::4] for row, (_, rgb) in enumerate(decoded) if row % step == 0])
    return stats
