"""The parquet rows of one LeRobot episode."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.errors import BadBag

# LeRobot's clock starts at 0, which in ROS means "no stamp".
_START_NS = 1_000_000_000


def read_table(dataset: LeRobotDataset, number: int, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """The rows of one episode as they are stored. Raises BadBag for a file that is cut or lacks rows."""
    entry = dataset.entry(number)
    shared = dataset.version.startswith("v3.")
    try:
        require_columns(entry.table, pyarrow.parquet.read_schema(entry.table).names, columns or ())
        rows = [("episode_index", "=", entry.row)] if shared else None
        table = pyarrow.parquet.read_table(entry.table, columns=columns, filters=rows)
        if entry.length is not None and shared and table.num_rows != entry.length:
            raise ValueError(f"{table.num_rows} rows of episode {entry.row}, not {entry.length}")
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        if isinstance(error, BadBag):
            raise
        raise _bad_table(entry.table, error) from error
    return table


def read_joints(
    dataset: LeRobotDataset, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None, NDArray[np.float64] | None]:
    wanted = {"observation.state": dataset.state_names, "action": dataset.command_names}
    table = read_table(dataset, number, ["timestamp", *(key for key, names in wanted.items() if names)])
    try:
        seconds = np.asarray(table["timestamp"].to_pylist(), dtype=np.float64)
        states, commands = (
            np.asarray(table[key].to_pylist(), dtype=np.float64) if names else None for key, names in wanted.items()
        )
        if not np.isfinite(seconds).all():
            raise ValueError("a timestamp is missing")
        stamps = _START_NS + np.rint(seconds * 1e9).astype(np.int64)
    except (ValueError, KeyError, TypeError) as error:
        raise _bad_table(dataset.entry(number).table, error) from error
    return stamps, states, commands


def require_columns(path: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises BadBag naming the columns that a table lacks."""
    if absent := [name for name in wanted if name not in there]:
        raise BadBag(
            f"Table {path}",
            expected=f"{'the columns' if len(absent) > 1 else 'the column'} {', '.join(absent)}, which info.json names",
            got="none" if len(absent) > 1 else "no such column",
            remedy="The file is of another format, or info.json of another dataset: download both again.",
        )


def _bad_table(path: Path, error: Exception) -> BadBag:
    return BadBag(
        f"Table {path}",
        expected="the columns timestamp, observation.state and action that info.json names",
        got=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
        remedy="The file was cut or is of another format; download it again.",
    )
