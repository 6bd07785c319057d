"""Reads the parquet rows of one episode."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.metadata import ACTION, STATE
from hwm_core.data.recording.events import START_NS
from hwm_core.errors import BadBag


def read_table(dataset: LeRobotDataset, number: int, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """The stored rows of one episode; `columns` None reads all. Raises BadBag for a truncated file or missing rows."""
    entry = dataset.entry(number)
    shared = dataset.version.startswith("v3.")
    try:
        require_columns(entry.table, pyarrow.parquet.read_schema(entry.table).names, columns or ())
        rows = [("episode_index", "=", entry.episode_index)] if shared else None
        table = pyarrow.parquet.read_table(entry.table, columns=columns, filters=rows)
        if entry.length is not None and shared and table.num_rows != entry.length:
            raise ValueError(f"{table.num_rows} rows of episode {entry.episode_index}, not {entry.length}")
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        if isinstance(error, BadBag):
            raise
        raise _bad_table(entry.table, error) from error
    return table


def read_joints(
    dataset: LeRobotDataset, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Stamps [F] in ns, states [F, A] and commands [F, A] of one episode. Raises BadBag."""
    names = {STATE: dataset.state_names, ACTION: dataset.command_names}
    table = read_table(dataset, number, ["timestamp", *(key for key in names if names[key])])
    try:
        seconds = np.asarray(table["timestamp"].to_pylist(), dtype=np.float64)
        states, commands = (
            np.asarray(table[key].to_pylist(), dtype=np.float64) if names[key] else None for key in names
        )
        if not np.isfinite(seconds).all():
            raise ValueError("a timestamp is missing")
        stamps = START_NS + np.rint(seconds * 1e9).astype(np.int64)
    except (ValueError, KeyError, TypeError) as error:
        raise _bad_table(dataset.entry(number).table, error) from error
    return stamps, states, commands


def require_columns(path: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises BadBag where a table lacks columns; the message lists them."""
    if absent := [name for name in wanted if name not in there]:
        raise BadBag(
            f"Table {path}",
            expected=f"{'the columns' if len(absent) > 1 else 'the column'} {', '.join(absent)} of info.json",
            got="none of them" if len(absent) > 1 else "no such column",
            remedy="The file has another format, or info.json belongs to another dataset: download both again.",
        )


def _bad_table(path: Path, error: Exception) -> BadBag:
    return BadBag(
        f"Table {path}",
        expected=f"the columns timestamp, {STATE} and {ACTION} of info.json",
        got=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
        remedy="The file is truncated or has another format; download it again.",
    )
