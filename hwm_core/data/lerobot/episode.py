"""One episode of a LeRobot dataset on its way into the other version, held against what the dataset says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.stats import FeatureStats, column_stats, picture_stats, quantiles_of
from hwm_core.data.lerobot.tables import read_table, require_columns
from hwm_core.data.recording.video_packets import check_packets
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag

# What LeRobot tolerates where it looks a picture up by its timestamp; and what is no fixed rate any more.
_TOLERANCE_S, _IRREGULAR_S = 1e-4, 1e-3
_COUNTED = ("frame_index", "episode_index", "index", "task_index")  # LeRobot wants them; they are made where absent
_REMEDY = "The file or meta/info.json is damaged; download both again."


@dataclass(frozen=True)
class Row:
    """An episode, checked."""

    number: int  # in the source
    table: pyarrow.Table
    tasks: tuple[str, ...]
    stats: Mapping[str, FeatureStats]
    clips: Mapping[str, VideoSpan]
    moved_s: float  # by which its timestamps stood off row / fps; they no longer do
    irregular_s: float  # by which they leave a fixed rate, and were left as they are; 0 where they keep it
    not_finite: tuple[str, ...]  # columns with NaN or infinity

    def placed(self, episode: int, index: int) -> "Row":
        """As number `episode`, its first row being row `index` of the dataset; what counts these is measured anew."""
        rows = np.arange(self.table.num_rows, dtype=np.int64)
        table = _with_column(self.table, "episode_index", np.full_like(rows, episode))
        table = _with_column(table, "index", index + rows)
        return replace(self, table=table, stats=_measured_anew(self.stats, table, ("episode_index", "index")))


def read_row(
    dataset: LeRobotDataset,
    number: int,
    stats: Mapping[str, FeatureStats] | None,
    task: int | None,
    cameras: Sequence[str] = (),
) -> Row:
    """One episode as the files hold it, its timestamps counted from 0.

    Args:
        stats: those that are known; None: they are measured.
        task: index of its task where the dataset does not say what its own mean.
        cameras: video keys that it must have.

    Raises:
        BadBag: it lacks rows, a column or a video, or these are not of the widths, lengths and rate that are declared.
    """
    entry, table = dataset.entry(number), read_table(dataset, number).replace_schema_metadata(None)
    where = f"Episode {number} of {dataset.path}"
    _require_features(dataset, table, entry.table)
    if not table.num_rows:
        raise BadBag(f"Table {entry.table}", expected="rows", got="none", remedy=_REMEDY)
    for key in cameras:
        if key not in entry.clips:
            raise BadBag(
                where,
                expected=f"a video of `{key}`, as others have",
                got="none",
                remedy="Download it, or remove the episode: in v3.0 all episodes have the same cameras.",
            )
    for clip in entry.clips.values():
        check_packets(clip, table.num_rows, dataset.fps)
    seconds = np.asarray(table["timestamp"].to_pylist(), dtype=np.float64).reshape(-1)
    if not np.isfinite(seconds).all():
        raise BadBag(f"Table {entry.table}", expected="a timestamp in every row", got="NaN or none", remedy=_REMEDY)
    moved, irregular = off_grid(seconds, dataset.fps)
    rows = np.arange(table.num_rows, dtype=np.int64)
    changed = ["task_index"]
    if moved:
        table = _with_column(table, "timestamp", rows / dataset.fps)
        changed.append("timestamp")
    if "frame_index" not in table.column_names:
        table = _with_column(table, "frame_index", rows)
    if task is not None or "task_index" not in table.column_names:
        table = _with_column(table, "task_index", np.full_like(rows, task or 0))
    return Row(
        number,
        table,
        entry.tasks,
        _measured_anew(stats, table, changed) if stats else _measure(table, entry.clips),
        entry.clips,
        moved,
        irregular,
        tuple(name for name in table.column_names if not _is_finite(table[name])),
    )


def off_grid(seconds: NDArray[np.float64], fps: float) -> tuple[float, float]:
    """How far timestamps [N] stand off row / `fps`, in s, and how far they leave any fixed rate; 0 where they do not.

    Timestamps without a fixed rate stand nowhere: of the two numbers one is 0.
    """
    off = seconds - np.arange(len(seconds)) / fps
    moved = float(np.median(off)) if len(off) else 0.0
    irregular = float(np.abs(off - moved).max(initial=0.0))
    if irregular > _IRREGULAR_S:
        return 0.0, irregular
    return (moved if abs(moved) > _TOLERANCE_S else 0.0), 0.0


def is_video(feature: Mapping[str, Any]) -> bool:
    """Whether a feature of info.json lies in video files and not in the tables."""
    return feature.get("dtype") == "video"


def _require_features(dataset: LeRobotDataset, table: pyarrow.Table, path: Any) -> None:
    features = {key: feature for key, feature in dataset.info["features"].items() if not is_video(feature)}
    wanted = {*features, "timestamp"} - {*_COUNTED}
    require_columns(path, table.column_names, sorted(wanted))
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
    """Numbers of values that a row holds; 0 of an empty row, nothing of a column without numbers."""
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
    """The column replaced, in the type it had, or added."""
    if name not in table.column_names:
        return table.append_column(name, pyarrow.array(values))
    place = table.column_names.index(name)
    kind = table.schema.field(place).type
    if _is_number(kind):
        return table.set_column(place, name, pyarrow.array(values).cast(kind, safe=False))
    return table.set_column(place, name, pyarrow.array(values))


def _measured_anew(
    stats: Mapping[str, FeatureStats], table: pyarrow.Table, names: Sequence[str]
) -> dict[str, FeatureStats]:
    """The statistics with those of the columns `names` as they are in `table`; absent ones stay absent."""
    anew = {
        name: column_stats(np.asarray(table[name].to_pylist()), quantiles_of(stats[name]))
        for name in names
        if name in stats
    }
    return {**stats, **anew}


def _measure(table: pyarrow.Table, clips: Mapping[str, VideoSpan]) -> dict[str, FeatureStats]:
    """Of every column of numbers, and of some twenty pictures of each camera."""
    stats = {}
    for name in table.column_names:
        values = np.asarray(table[name].to_pylist())
        if values.dtype.kind in "biuf" and len(values):
            stats[name] = column_stats(values)
    step = max(1, table.num_rows // 20)
    for key, clip in clips.items():
        decoded = clip.decode_exactly(table.num_rows, because="one for each row", remedy=_REMEDY)
        stats[key] = picture_stats([rgb[::4, ::4] for row, (_, rgb) in enumerate(decoded) if row % step == 0])
    return stats
