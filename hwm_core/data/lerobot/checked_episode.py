"""Reads one episode for a conversion between LeRobot versions, and checks it against the dataset's metadata."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from hwm_core.data.lerobot.columns import holds_numbers, is_list, is_number, numeric_rows, only_column
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.info_file import KeptFeatures
from hwm_core.data.lerobot.metadata import INDEX_COLUMNS, is_video
from hwm_core.data.lerobot.stats import FeatureStats, column_stats, image_stats, quantiles_of
from hwm_core.data.lerobot.tables import read_table, read_times, require_columns
from hwm_core.data.lerobot.tasks import episode_tasks
from hwm_core.data.lerobot.video_positions import TOLERANCE_S
from hwm_core.data.recording.video_packets import check_packets
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag

# A larger deviation from every grid of the frame rate means that there is no fixed rate.
_IRREGULAR_S = 1e-3
_NUMERIC = ("float", "int", "uint", "bool")  # beginnings of the types of numbers
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
    time_remark: str  # how the source spelled its timestamps, where it did not use seconds
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
    kept: KeptFeatures,
    cameras: Sequence[str] = (),
) -> CheckedEpisode:
    """Read and check one episode; a constant offset of its timestamps is removed.

    Args:
        dataset: the source.
        number: of the episode.
        stats: its statistics; None measures them.
        task: task_index to write; None keeps the column of the table.
        kept: the features of the new dataset.
        cameras: video keys that the episode must have.

    Raises:
        BadBag: rows, a column or a video are missing, or their widths, lengths or rate differ from the metadata.
    """
    entry = dataset.entry(number)
    table = _distinct(read_table(dataset, number).replace_schema_metadata(None), entry.table)
    _require_features(dataset, table, entry.table)
    table = _in_stored_form(table.drop_columns([name for name in kept.left_out if name in table.column_names]), kept)
    if not table.num_rows:
        raise BadBag(f"Table {entry.table}", expected="rows", got="none", remedy=_REMEDY)
    for key in cameras:
        if key not in entry.videos:
            raise BadBag(
                f"Episode {number} of {dataset.path}",
                expected=f"a video of `{key}`, as in other episodes",
                got="none",
                remedy="Download it, or remove the episode: all episodes of a dataset have the same cameras.",
            )
    for video in entry.videos.values():
        check_packets(video, table.num_rows, dataset.fps)
    colour = {key: video for key, video in entry.videos.items() if key not in dataset.depth_keys}
    times = read_times(dataset, number, table)
    offset, irregular = grid_deviation(times.seconds, dataset.fps)
    rows = np.arange(table.num_rows, dtype=np.int64)
    changed = ["task_index"]
    if offset or times.remark or not is_number(table.schema.field("timestamp").type):
        table = _with_column(table, "timestamp", times.seconds if irregular else rows / dataset.fps)
        changed.append("timestamp")
    if "frame_index" not in table.column_names:
        table = _with_column(table, "frame_index", rows)
    if task is not None or "task_index" not in table.column_names:
        table = _with_column(table, "task_index", np.full_like(rows, task or 0))
    return CheckedEpisode(
        number=number,
        table=table,
        tasks=episode_tasks(dataset, number),
        stats=_updated(stats, table, changed) if stats else _measure(table, colour),
        videos=entry.videos,
        offset_s=offset,
        time_remark=times.remark,
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
    return (offset if abs(offset) > TOLERANCE_S else 0.0), 0.0


def _distinct(table: pyarrow.Table, path: Path) -> pyarrow.Table:
    """The table with each column once. Raises BadBag where columns of one name differ."""
    try:
        return pyarrow.table({name: only_column(table, name) for name in dict.fromkeys(table.column_names)})
    except ValueError as error:
        raise BadBag(f"Table {path}", expected="each column once", got=str(error), remedy="Remove one.") from None


def _in_stored_form(table: pyarrow.Table, kept: KeptFeatures) -> pyarrow.Table:
    """The table as `datasets` casts it: features of shape [1] are scalars, other numbers are lists."""
    for place, name in enumerate(table.column_names):
        column, shape = table[name], kept.features.get(name, {}).get("shape")
        if not is_list(column.type) or shape != [1] or _widths(column) != {1}:
            continue
        if column.null_count == 0:
            table = table.set_column(place, name, pyarrow.compute.list_flatten(column))
        else:
            values = numeric_rows(column)[:, 0]
            table = table.set_column(place, name, pyarrow.array(values, column.type.value_type, from_pandas=True))
    return table


def _require_features(dataset: LeRobotDataset, table: pyarrow.Table, path: Path) -> None:
    """Raises BadBag where the table lacks columns of info.json, or their widths differ."""
    features = {key: feature for key, feature in dataset.info["features"].items() if not is_video(feature)}
    required = {*features, "timestamp"} - {*INDEX_COLUMNS}
    require_columns(path, table.column_names, sorted(required))
    for key in (name for name in INDEX_COLUMNS if name in table.column_names):
        if _widths(table[key]) - {1} or not _has_numbers(table[key]):
            raise BadBag(
                f"Table {path}: column `{key}`", expected="one number a row", got=str(table[key].type), remedy=_REMEDY
            )
    for key in sorted(features.keys() & {*table.column_names}):
        shape = features[key].get("shape")
        if str(features[key].get("dtype")).startswith(_NUMERIC) and not holds_numbers(table[key].type):
            raise BadBag(
                f"Table {path}: column `{key}`",
                expected=f"{features[key]['dtype']}, as meta/info.json declares",
                got=str(table[key].type),
                remedy=_REMEDY,
            )
        widths = _widths(table[key])
        if widths and _is_shape(shape) and widths not in ({shape[0]}, {int(np.prod(shape))}):
            raise BadBag(
                f"Table {path}: column `{key}`",
                expected=f"{shape[0]} values a row, as meta/info.json declares",
                got=" or ".join(map(str, sorted(widths))),
                remedy=_REMEDY,
            )


def _has_numbers(column: pyarrow.ChunkedArray) -> bool:
    try:
        return numeric_rows(column).shape[1] == 1
    except ValueError:
        return False


def _is_shape(shape: object) -> bool:
    return isinstance(shape, list) and bool(shape) and all(isinstance(size, int) for size in shape)


def _widths(column: pyarrow.ChunkedArray) -> set[int]:
    """How many values the rows hold, without rows of null; nothing for a column that is not numeric."""
    kind = column.type
    if not is_list(kind):
        return {1} if len(column) and is_number(kind) else set()
    inner = kind
    while is_list(inner):
        inner = inner.value_type
    if not is_number(inner):
        return set()
    lengths = pyarrow.compute.unique(pyarrow.compute.list_value_length(column))
    return {length for length in lengths.to_pylist() if length is not None}


def _is_finite(column: pyarrow.ChunkedArray) -> bool:
    while is_list(column.type):
        if column.null_count:
            return False
        column = pyarrow.compute.list_flatten(column)
    if not is_number(column.type):
        return True
    return column.null_count == 0 and bool(np.isfinite(column.to_numpy()).all())


def _with_column(table: pyarrow.Table, name: str, values: NDArray) -> pyarrow.Table:
    """Replace a column, keeping its type, or add it."""
    if name not in table.column_names:
        return table.append_column(name, pyarrow.array(values))
    place = table.column_names.index(name)
    kind = table.schema.field(place).type
    if is_number(kind) and (pyarrow.types.is_floating(kind) or values.dtype.kind == "i"):
        return table.set_column(place, name, pyarrow.array(values).cast(kind, safe=False))
    return table.set_column(place, name, pyarrow.array(values))


def _updated(
    stats: Mapping[str, FeatureStats], table: pyarrow.Table, columns: Sequence[str]
) -> dict[str, FeatureStats]:
    """The statistics with `columns` measured again in `table`; statistics that are absent stay absent."""
    measured = {
        name: column_stats(numeric_rows(table[name]), quantiles_of(stats[name])) for name in columns if name in stats
    }
    return {**stats, **measured}


def _measure(table: pyarrow.Table, videos: Mapping[str, VideoSpan]) -> dict[str, FeatureStats]:
    """Statistics of every numeric column, and of about twenty images of each camera."""
    stats = {}
    for name in table.column_names:
        with suppress(ValueError):  # texts, or rows of different lengths, have no statistics
            stats[name] = column_stats(numeric_rows(table[name]))
    step = max(1, table.num_rows // 20)
    for key, video in videos.items():
        decoded = video.decode_exactly(table.num_rows, because="one for each row", remedy=_REMEDY)
        stats[key] = image_stats([rgb[::4, ::4] for row, (_, rgb) in enumerate(decoded) if row % step == 0])
    return stats
