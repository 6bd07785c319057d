"""Small LeRobot datasets whose info.json, tables and metadata a test changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from recordings import lerobot_dataset

TABLE = "data/chunk-000/episode_{:06d}.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


def change_info(folder: Path, **changes: Any) -> None:
    """Set keys of meta/info.json."""
    info = json.loads((folder / "meta/info.json").read_text())
    (folder / "meta/info.json").write_text(json.dumps({**info, **changes}))


def change_features(folder: Path, **changes: Any) -> None:
    """Set features of meta/info.json; None removes one."""
    features = {**json.loads((folder / "meta/info.json").read_text())["features"], **changes}
    change_info(folder, features={key: feature for key, feature in features.items() if feature is not None})


def change_table(folder: Path, number: int, change: Callable[[pyarrow.Table], pyarrow.Table]) -> None:
    """Replace the table of an episode of v2.1."""
    path = folder / TABLE.format(number)
    pyarrow.parquet.write_table(change(pyarrow.parquet.read_table(path)), path)


def with_column(folder: Path, number: int, name: str, values: Any) -> None:
    """Set a column of the table of an episode of v2.1."""

    def change(table: pyarrow.Table) -> pyarrow.Table:
        table = table.drop_columns([name]) if name in table.column_names else table
        return table.append_column(name, values if isinstance(values, pyarrow.Array) else pyarrow.array(values))

    change_table(folder, number, change)


def change_rows(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the rows of meta/episodes of v3.0 in place."""
    rows = pyarrow.parquet.ParquetFile(folder / EPISODES).read().to_pylist()
    change(rows)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / EPISODES)


def write_lines(folder: Path, name: str, lines: list[dict[str, Any]]) -> None:
    """Write meta/NAME.jsonl."""
    (folder / f"meta/{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def plain_set(path: Path, episodes: tuple[int, ...] = (0, 1), frames: int = 20) -> Path:
    """A v2.1 dataset that lists only the camera it has."""
    folder = lerobot_dataset(path, episodes, frames)
    change_features(folder, **{"observation.images.absent": None})
    return folder


def states(frames: int = 20) -> np.ndarray:
    """The states of `lerobot_dataset`, [F, 3]."""
    t = np.arange(frames, dtype=np.float32)
    return np.stack([t, 10 * t, -t], axis=1)
