"""Writes meta/info.json."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from hwm_core.data.lerobot.columns import is_list, is_number, numeric_rows, only_column
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import INDEX_COLUMNS, INFO, is_video

# LeRobot's own limit for the files or episodes in a chunk.
CHUNK = 1000


def write_info(
    folder: Path,
    version: str,
    robot: str | None,
    fps: float,
    features: Mapping[str, Any],
    paths: Mapping[str, str],
    totals: Mapping[str, int],
    more: Mapping[str, Any],
) -> None:
    """Write meta/info.json of a dataset.

    Args:
        folder: of the dataset.
        version: of the format.
        robot: its name.
        fps: frame rate.
        features: {feature: description}.
        paths: the patterns `data_path` and `video_path`.
        totals: counts of episodes, frames and tasks.
        more: keys that only this version has.
    """
    info = {
        "codebase_version": version,
        "robot_type": robot,
        **{f"total_{what}": count for what, count in totals.items()},
        "chunks_size": CHUNK,
        "fps": int(fps) if fps == int(fps) else fps,
        "splits": {"train": f"0:{totals['episodes']}"},
        **paths,
        **more,
        "features": dict(features),
    }
    (folder / INFO).write_text(json.dumps(info, indent=4) + "\n")


@dataclass(frozen=True)
class KeptFeatures:
    """The features of a dataset that another version keeps."""

    features: Mapping[str, Any]  # of the new info.json
    left_out: Mapping[str, str]  # {feature with files or columns: why it is left out}


def kept_features(dataset: LeRobotDataset, version: str) -> KeptFeatures:
    """`features` of a dataset without the cameras that have no files, and with the columns that LeRobot requires.

    A size of null is replaced by the number of values in the rows. Features whose rows differ in it are left out, and
    so are language columns, which v2.1 does not know.
    """
    features: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for key, feature in dataset.info["features"].items():
        shape = feature.get("shape")
        if is_video(feature):
            if key in dataset.video_keys:
                features[key] = feature
        elif feature.get("dtype") == "language" and version == "v2.1":
            left_out[key] = "v2.1 has no language columns"
        elif isinstance(shape, list) and None in shape:
            widths = _row_widths(dataset, key)
            if len(widths) == 1 and 0 not in widths:
                features[key] = {**feature, "shape": [*widths]}
            else:
                left_out[key] = "its rows have different numbers of values"
        else:
            features[key] = feature
    features.setdefault("timestamp", {"dtype": "float32", "shape": [1], "names": None})
    for name in INDEX_COLUMNS:
        features.setdefault(name, {"dtype": "int64", "shape": [1], "names": None})
    for name, feature in _undeclared(dataset, features.keys() | left_out.keys()).items():
        if feature is None:
            left_out[name] = "info.json does not describe it, and its rows are neither numbers nor text"
        else:
            features[name] = feature
    return KeptFeatures(features, left_out)


def _undeclared(dataset: LeRobotDataset, known: Collection[str]) -> dict[str, dict[str, Any] | None]:
    """{column of the first table that info.json does not describe: its feature}; None where there is none for it.

    LeRobot reads a table only if every column is described.
    """
    try:
        table = pyarrow.parquet.ParquetFile(dataset.entry(dataset.episodes[0]).table).read()
        columns = {name: only_column(table, name) for name in table.column_names if name not in known}
    except (OSError, ValueError, pyarrow.ArrowException):
        return {}  # reported when the episode is converted
    return {name: _feature_of(column) for name, column in columns.items()}


def _feature_of(column: pyarrow.ChunkedArray) -> dict[str, Any] | None:
    """The feature that describes a column of numbers or text; None for other columns."""
    kind = column.type
    while is_list(kind):
        kind = kind.value_type
    if column.type == pyarrow.string():
        return {"dtype": "string", "shape": [1], "names": None}
    if not (is_number(kind) or pyarrow.types.is_boolean(kind)):
        return None
    try:
        width = numeric_rows(column).shape[1]
    except ValueError:  # rows of different lengths
        return None
    dtype = {"float": "float32", "double": "float64", "halffloat": "float16"}.get(str(kind), str(kind))
    return {"dtype": dtype, "shape": [width], "names": None} if width else None


def _row_widths(dataset: LeRobotDataset, key: str) -> set[int]:
    """The numbers of values in the rows of a column, over all tables that can be read; 0 for rows without numbers."""
    widths: set[int] = set()
    for table in {entry.table for entry in dataset.entries.values()}:
        try:
            widths.add(numeric_rows(only_column(pyarrow.parquet.read_table(table, columns=[key]), key)).shape[1])
        except (OSError, KeyError, pyarrow.ArrowException):
            continue  # reported when the episode is converted
        except ValueError:
            widths.add(0)
    return widths
