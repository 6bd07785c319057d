"""A plain video with its joint values beside it: run.mp4 with run.csv or run.npz.

CSV: columns `state.NAME` and `command.NAME`; `time_s` since the start of the video, or else one row for each frame;
`segment` where takes were joined. npz: arrays states [N, A] and commands [N, A], names [A], and the same time_s [N] and
segments [N].
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.events import CameraFrame, Channel, Cut, Event, JointValues, decoded_event
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")
TABLE_SUFFIXES = (".csv", ".npz")
_START_NS = 1_000_000_000
_KINDS: tuple[tuple[str, Channel], ...] = (("state", "states"), ("command", "commands"))


@dataclass(frozen=True)
class JointTable:
    """What the file beside the video holds."""

    names: dict[Channel, tuple[str, ...]]
    values: dict[Channel, NDArray[np.float64]]  # [N, A]
    time_s: NDArray[np.float64] | None  # [N] since the start of the video; None: row n belongs to frame n
    segments: NDArray[np.int64] | None  # [N]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass(frozen=True)
class VideoRecording(Recording):
    """One video and its table."""

    video: Path
    table: Path

    @property
    def name(self) -> str:
        return self.video.stem

    def events(self) -> Iterator[Event | Cut]:
        table = read_joint_table(self.table)
        return self._by_frame(table) if table.time_s is None else self._by_time(table, table.time_s)

    def _by_frame(self, table: JointTable) -> Iterator[Event | Cut]:
        pictures = VideoSpan(self.video).decode_exactly(
            len(table),
            because=f"one for each row of {self.table.name}",
            remedy="One of them was cut; or add a column time_s, if the joints go by a rate of their own.",
        )
        for row, (time_s, picture) in enumerate(pictures):
            if row and table.segments is not None and table.segments[row] != table.segments[row - 1]:
                yield Cut()
            stamp = _START_NS + round(time_s * 1e9)
            if "states" in table.values:
                yield _joints("states", stamp, table, row)
            yield decoded_event("images", CameraFrame(stamp, picture))
            if "commands" in table.values:  # issued at the frame: it first moves the next one
                yield _joints("commands", stamp, table, row)

    def _by_time(self, table: JointTable, time_s: NDArray[np.float64]) -> Iterator[Event | Cut]:
        row = 0
        for seconds, rgb in VideoSpan(self.video).decode():
            while row < len(table) and time_s[row] <= seconds:
                yield from _rows(table, time_s, row)
                row += 1
            yield decoded_event("images", CameraFrame(_START_NS + round(seconds * 1e9), rgb))
        for rest in range(row, len(table)):
            yield from _rows(table, time_s, rest)


def read_joint_table(path: Path) -> JointTable:
    """Raises BadBag for what is no such file, is cut, or has no joints; names what it has instead."""
    try:
        table = _read_npz(path) if path.suffix == ".npz" else _read_csv(path)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile, csv.Error, EOFError) as error:
        if isinstance(error, BadBag):
            raise
        raise BadBag(
            f"Table {path}",
            expected="state.NAME and command.NAME columns of numbers" if path.suffix == ".csv" else "states and names",
            got=f"{type(error).__name__}: {error}",
            remedy="The file was cut or is of another layout; docs/data.md shows it.",
        ) from error
    if table.time_s is not None and (not np.isfinite(table.time_s).all() or (np.diff(table.time_s) < 0).any()):
        raise BadBag(
            f"Table {path}", expected="time_s that never falls", got="a fall or NaN", remedy="Sort the rows by time."
        )
    return table


def _read_csv(path: Path) -> JointTable:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        lines = [line for line in reader if line]
    columns = {
        stream: [index for index, name in enumerate(header) if name.startswith(f"{prefix}.")]
        for prefix, stream in _KINDS
    }
    columns = {stream: some for stream, some in columns.items() if some}
    if not columns or not lines:
        raise BadBag(
            f"Table {path}",
            expected="columns state.NAME or command.NAME, and rows",
            got=f"{len(lines)} rows of {', '.join(header) or 'nothing'}",
            remedy="Rename the columns.",
        )
    if short := [number for number, line in enumerate(lines, start=2) if len(line) != len(header)]:
        raise ValueError(f"line {short[0]} has another number of fields than the header")
    wanted = sorted({index for some in columns.values() for index in some})
    extra = {name: header.index(name) for name in ("time_s", "segment") if name in header}
    numbers = np.array([[line[index] for index in [*wanted, *extra.values()]] for line in lines], dtype=np.float64)
    place = {index: position for position, index in enumerate([*wanted, *extra.values()])}
    return JointTable(
        names={stream: tuple(header[index].partition(".")[2] for index in some) for stream, some in columns.items()},
        values={stream: numbers[:, [place[index] for index in some]] for stream, some in columns.items()},
        time_s=numbers[:, place[extra["time_s"]]] if "time_s" in extra else None,
        segments=numbers[:, place[extra["segment"]]].astype(np.int64) if "segment" in extra else None,
    )


def _read_npz(path: Path) -> JointTable:
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    names = tuple(str(name) for name in arrays["names"])
    values = {stream: np.asarray(arrays[stream], dtype=np.float64) for _, stream in _KINDS if stream in arrays}
    rows = {len(some) for some in values.values()} | {
        len(arrays[key]) for key in ("time_s", "segments") if key in arrays
    }
    if not values or len(rows) != 1 or any(some.shape[1:] != (len(names),) for some in values.values()):
        shapes = {key: list(some.shape) for key, some in arrays.items()}
        raise ValueError(f"arrays {shapes}; states or commands [N, {len(names)}] are wanted, all of one N")
    return JointTable(
        names=dict.fromkeys(values, names),
        values=values,
        time_s=np.asarray(arrays["time_s"], dtype=np.float64) if "time_s" in arrays else None,
        segments=np.asarray(arrays["segments"], dtype=np.int64) if "segments" in arrays else None,
    )


def _rows(table: JointTable, time_s: NDArray[np.float64], row: int) -> Iterator[Event | Cut]:
    if row and table.segments is not None and table.segments[row] != table.segments[row - 1]:
        yield Cut()
    for stream in table.values:
        yield _joints(stream, _START_NS + round(time_s[row] * 1e9), table, row)


def _joints(stream: Channel, stamp_ns: int, table: JointTable, row: int) -> Event:
    return decoded_event(stream, JointValues(stamp_ns, table.names[stream], table.values[stream][row]))
