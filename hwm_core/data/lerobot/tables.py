"""Reads the parquet rows of one episode."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from hwm_core.data.lerobot.columns import numeric_rows, only_column
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.joint_columns import JointColumns, JointPart
from hwm_core.data.lerobot.row_times import RowTimes, row_times
from hwm_core.data.recording.events import START_NS
from hwm_core.errors import BadBag

# Share of the rows whose action must be the second action of the row before; episodes are joined from takes.
_OVERLAP = 0.9


def read_table(dataset: LeRobotDataset, number: int, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """The stored rows of one episode; `columns` None reads all. Raises BadBag for a truncated file or missing rows."""
    entry = dataset.entry(number)
    shared = dataset.version.startswith("v3.")
    try:
        require_columns(entry.table, pyarrow.parquet.read_schema(entry.table).names, columns or ())
        if shared:
            table = _rows_of_episode(entry.table, entry.episode_index, columns)
        else:  # also reads tables with a column twice
            table = pyarrow.parquet.ParquetFile(entry.table).read(columns)
        if entry.length is not None and shared and table.num_rows != entry.length:
            raise ValueError(f"{table.num_rows} rows of episode {entry.episode_index}, not {entry.length}")
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        if isinstance(error, BadBag):
            raise
        raise _bad_table(entry.table, error) from error
    return table


def _rows_of_episode(path: Path, episode: int, columns: Sequence[str] | None) -> pyarrow.Table:
    """The rows of one episode of a file of several. Raises OSError, ValueError or ArrowException."""
    try:  # reads only the row groups of the episode
        return pyarrow.parquet.read_table(path, columns=columns, filters=[("episode_index", "=", episode)])
    except pyarrow.ArrowException:  # indices in lists, or a column twice
        table = pyarrow.parquet.ParquetFile(path).read()
        table = table.filter(pyarrow.array(numeric_rows(only_column(table, "episode_index"))[:, 0] == episode))
        return (
            table
            if columns is None
            else table.select([i for i, name in enumerate(table.column_names) if name in columns])
        )


def has_column(dataset: LeRobotDataset, number: int, name: str) -> bool:
    """Whether the table of an episode has a column of this name. Raises BadBag for a truncated file."""
    path = dataset.entry(number).table
    try:
        return name in pyarrow.parquet.read_schema(path).names
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _bad_table(path, error) from error


@dataclass(frozen=True)
class EpisodeJoints:
    """Times and joint values of the F rows of an episode. A row of null is NaN."""

    stamps_ns: NDArray[np.int64]  # [F]
    states: NDArray[np.float64] | None  # [F, A]
    commands: NDArray[np.float64] | None  # [F, A]


def read_joints(dataset: LeRobotDataset, number: int) -> EpisodeJoints:
    """Times, states and commands of one episode. Raises BadBag."""
    path = dataset.entry(number).table
    table = read_table(dataset, number, ["timestamp", *dataset.states.columns, *dataset.commands.columns])
    times = read_times(dataset, number, table)
    states, commands = (_joint_rows(path, table, columns) for columns in (dataset.states, dataset.commands))
    return EpisodeJoints(START_NS + np.rint(times.seconds * 1e9).astype(np.int64), states, commands)


def read_times(dataset: LeRobotDataset, number: int, table: pyarrow.Table | None = None) -> RowTimes:
    """The times of the rows of one episode; `table` may be given where it was read. Raises BadBag."""
    table = table or read_table(dataset, number, ["timestamp"])
    try:
        return row_times(only_column(table, "timestamp"), dataset.fps)
    except (ValueError, pyarrow.ArrowException) as error:
        raise BadBag(
            f"Table {dataset.entry(number).table}: column `timestamp`",
            expected="one time in each row, in seconds",
            got=_first_line(error),
            remedy="Store row / fps in this column, or leave out the episode.",
        ) from error


def _joint_rows(path: Path, table: pyarrow.Table, columns: JointColumns) -> NDArray[np.float64] | None:
    """Values [F, A] of one channel; None where the dataset lacks it. Raises BadBag."""
    if not columns.parts:
        return None
    parts = []
    for part in columns.parts:
        try:
            rows = numeric_rows(only_column(table, part.column))
        except (ValueError, pyarrow.ArrowException) as error:
            raise _bad_column(path, part, columns, _first_line(error)) from error
        if len(rows) and np.isnan(rows).all():
            rows = np.full((len(rows), (part.width or 0) * columns.chunk), np.nan)  # a column of null has no width
        if columns.chunk > 1:
            rows = _first_actions(path, part, columns, rows)
        if rows.shape[1] != part.width or (part.end or 0) > rows.shape[1]:
            raise _bad_column(path, part, columns, f"{rows.shape[1]}")
        parts.append(rows[:, part.first : part.end])
    return np.concatenate(parts, axis=1)


def _first_actions(
    path: Path, part: JointPart, columns: JointColumns, rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The first action of each chunk [F, n * A] -> [F, A]. Raises BadBag unless chunks of successive rows overlap."""
    width = part.width or 0
    if rows.shape[1] != columns.chunk * width:
        raise _bad_column(path, part, columns, f"{rows.shape[1]}")
    chunks = rows.reshape(len(rows), columns.chunk, width)
    ahead, following = chunks[:-1, 1], chunks[1:, 0]
    known = np.isfinite(ahead).all(axis=1) & np.isfinite(following).all(axis=1)
    agree = np.isclose(ahead[known], following[known], atol=1e-4).all(axis=1)
    if agree.mean() < _OVERLAP if known.any() else len(rows) > 1:
        raise BadBag(
            f"Table {path}: column `{part.column}`",
            expected=f"chunks of {columns.chunk} actions, of which the second is the first of the next row",
            got=f"another action in {int((~agree).sum())} of {len(rows)} rows",
            remedy="Store one action in each row, or choose another column with --actions.",
        )
    return chunks[:, 0]


def _bad_column(path: Path, part: JointPart, columns: JointColumns, got: str) -> BadBag:
    sizes = "x".join(map(str, ([columns.chunk] if columns.chunk > 1 else []) + list(part.shape)))
    return BadBag(
        f"Table {path}: column `{part.column}`",
        expected=f"{sizes} numbers in each row, as meta/info.json declares",
        got=got,
        remedy="Correct the rows or the shape in meta/info.json, or leave out the episode.",
    )


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
        expected="a whole parquet file with the rows of the episode",
        got=f"{type(error).__name__}: {_first_line(error)}",
        remedy="The file is truncated or has another format; download it again.",
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
