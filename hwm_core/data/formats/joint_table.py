"""Reads the joint values of a plain video from a .csv or .npz file.

CSV: columns `state.NAME` and `command.NAME`, and optionally `time_s` and `segment`. NPZ: arrays `states` and `commands`
[N, A], `names` [A], and optionally `time_s` and `segments` [N]. `time_s` counts from the start of the video; without
it, row n belongs to frame n. A new `segment` is a cut.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.events import Channel
from hwm_core.data.robot.joint_names import require_distinct_names
from hwm_core.errors import BadBag
from hwm_core.io.numpy_files import read_npz

TABLE_SUFFIXES = (".csv", ".npz")
_PREFIXES: dict[Channel, str] = {"states": "state", "commands": "command"}


@dataclass(frozen=True)
class JointTable:
    """Joint values by row."""

    names: dict[Channel, tuple[str, ...]]
    values: dict[Channel, NDArray[np.float64]]  # [N, A]
    time_s: NDArray[np.float64] | None  # [N] since the start of the video; None: row n belongs to frame n
    segments: NDArray[np.int64] | None  # [N]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def starts_segment(self, row: int) -> bool:
        """Whether a cut precedes this row."""
        return row > 0 and self.segments is not None and bool(self.segments[row] != self.segments[row - 1])


def read_joint_table(path: Path) -> JointTable:
    """Read a .csv or .npz file.

    Raises:
        BadBag: the file has another format, is truncated, or has no joint values. The message shows what it has.
        RobotMismatch: a joint occurs twice.
    """
    try:
        table = _read_npz(path) if path.suffix.lower() == ".npz" else _read_csv(path)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        if isinstance(error, BadBag):
            raise
        raise BadBag(
            f"Table {path}",
            expected="state.NAME and command.NAME columns of numbers"
            if path.suffix.lower() == ".csv"
            else "states and names",
            got=f"{type(error).__name__}: {error}",
            remedy="The file is truncated or has another format; docs/data.md shows the format.",
        ) from error
    for names in table.names.values():
        if not all(name.strip() for name in names):
            raise BadBag(
                f"Table {path}", expected="a name for each joint", got="a blank one", remedy="Name it: state.NAME."
            )
        require_distinct_names(names, f"table {path.name}")
    if table.time_s is not None and (not np.isfinite(table.time_s).all() or (np.diff(table.time_s) < 0).any()):
        raise BadBag(
            f"Table {path}",
            expected="time_s that never decreases",
            got="a decrease or NaN",
            remedy="Sort the rows by time.",
        )
    return table


def _read_csv(path: Path) -> JointTable:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        lines = [line for line in reader if line]
    columns = {
        channel: [index for index, name in enumerate(header) if name.startswith(f"{prefix}.")]
        for channel, prefix in _PREFIXES.items()
    }
    columns = {channel: indices for channel, indices in columns.items() if indices}
    if not columns or not lines:
        raise BadBag(
            f"Table {path}",
            expected="columns state.NAME or command.NAME, and rows",
            got=f"{len(lines)} rows of {', '.join(header) or 'nothing'}",
            remedy="Separate the columns with commas, and name them so.",
        )
    if twice := [name for name in ("time_s", "segment") if header.count(name) > 1]:
        raise ValueError(f"{header.count(twice[0])} columns `{twice[0]}`")
    if short := [number for number, line in enumerate(lines, start=2) if len(line) != len(header)]:
        raise ValueError(f"line {short[0]} does not have as many fields as the header")
    wanted = sorted({index for indices in columns.values() for index in indices})
    extra = {name: header.index(name) for name in ("time_s", "segment") if name in header}
    chosen = [*wanted, *extra.values()]
    # An empty cell is a value that is not there.
    numbers = np.array([[line[index].strip() or "nan" for index in chosen] for line in lines], dtype=np.float64)
    place = {index: position for position, index in enumerate(chosen)}
    return JointTable(
        names={
            channel: tuple(header[index].partition(".")[2] for index in indices) for channel, indices in columns.items()
        },
        values={channel: numbers[:, [place[index] for index in indices]] for channel, indices in columns.items()},
        time_s=numbers[:, place[extra["time_s"]]] if "time_s" in extra else None,
        segments=_whole(numbers[:, place[extra["segment"]]]) if "segment" in extra else None,
    )


def _read_npz(path: Path) -> JointTable:
    arrays = read_npz(path)
    names = tuple(one.decode() if isinstance(one, bytes) else str(one) for one in arrays["names"].reshape(-1).tolist())
    values = {channel: _reals(arrays[channel], channel) for channel in _PREFIXES if channel in arrays}
    by_row = [arrays[key] for key in ("time_s", "segments") if key in arrays]
    right = all(one.shape[1:] == (len(names),) for one in values.values()) and all(one.ndim == 1 for one in by_row)
    if not values or not right or len({len(one) for one in (*values.values(), *by_row)}) != 1:
        shapes = {key: list(array.shape) for key, array in arrays.items()}
        raise ValueError(
            f"arrays {shapes}; states or commands [N, {len(names)}] are needed, and time_s and segments [N], all with "
            "the same N"
        )
    return JointTable(
        names=dict.fromkeys(values, names),
        values=values,
        time_s=_reals(arrays["time_s"], "time_s") if "time_s" in arrays else None,
        segments=_whole(_reals(arrays["segments"], "segments")) if "segments" in arrays else None,
    )


def _reals(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    """An array of real numbers. Raises ValueError for another type."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} of type {array.dtype}")
    return array.astype(np.float64)


def _whole(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of segments. Raises ValueError where one is not whole."""
    bad = numbers[~(np.isfinite(numbers) & (numbers == np.floor(numbers)))]
    if bad.size:
        raise ValueError(f"the segment {bad.flat[0]:g}, which is no whole number")
    return numbers.astype(np.int64)
