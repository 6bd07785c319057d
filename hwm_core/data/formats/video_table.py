"""A plain video with a table of its joint values: run.mp4 with run.csv or run.npz."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.formats.joint_table import JointTable, read_joint_table
from hwm_core.data.recording.events import (
    START_NS,
    AnyEvent,
    CameraFrame,
    Channel,
    Cut,
    Event,
    JointValues,
    Notice,
    decoded_event,
)
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_reader import VideoSpan

# A table may start and stop recording with other programs than its video: it ends at most this much later.
_LONGER, _LONGER_S = 1.1, 1.0
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")


@dataclass(frozen=True)
class VideoRecording(Recording):
    """One video and its table."""

    video: Path
    table: Path

    @property
    def name(self) -> str:
        return self.video.stem

    @property
    def origin(self) -> str:
        return str(self.video.resolve())

    def events(self) -> Iterator[AnyEvent]:
        table = read_joint_table(self.table)
        return self._by_frame(table) if table.time_s is None else self._by_time(table, table.time_s)

    def _by_frame(self, table: JointTable) -> Iterator[AnyEvent]:
        images = VideoSpan(self.video).decode_exactly(
            len(table),
            because=f"one for each row of {self.table.name}",
            remedy="One of the files is truncated. If the joints have their own rate, add a column time_s.",
        )
        for row, (time_s, rgb) in enumerate(images):
            if table.starts_segment(row):
                yield Cut()
            stamp_ns = START_NS + round(time_s * 1e9)
            if "states" in table.values:
                yield _joints("states", stamp_ns, table, row)
            yield decoded_event("images", CameraFrame(stamp_ns, rgb))
            if "commands" in table.values:  # issued at this frame: it first moves the next frame
                yield _joints("commands", stamp_ns, table, row)

    def _by_time(self, table: JointTable, time_s: NDArray[np.float64]) -> Iterator[AnyEvent]:
        row, seconds = 0, 0.0
        missing: list[str] = []
        for seconds, rgb in VideoSpan(self.video).decode(report=missing.append):
            while row < len(table) and time_s[row] <= seconds:
                yield from _row(table, time_s, row)
                row += 1
            yield decoded_event("images", CameraFrame(START_NS + round(seconds * 1e9), rgb))
        for rest in range(row, len(table)):
            yield from _row(table, time_s, rest)
        if time_s[-1] > _LONGER * seconds + _LONGER_S:
            missing.append(
                f"time_s of {self.table.name} ends at {time_s[-1]:.2f} s, but {self.video.name} at {seconds:.2f} s: "
                "the video is truncated, or the times are not in seconds"
            )
        for text in missing:
            yield Notice("fault", text)


def _row(table: JointTable, time_s: NDArray[np.float64], row: int) -> Iterator[AnyEvent]:
    if table.starts_segment(row):
        yield Cut()
    for channel in table.values:
        yield _joints(channel, START_NS + round(time_s[row] * 1e9), table, row)


def _joints(channel: Channel, stamp_ns: int, table: JointTable, row: int) -> Event:
    return decoded_event(channel, JointValues(stamp_ns, table.names[channel], table.values[channel][row]))
