"""What one recording holds, measured: rates, gaps, repeated pictures, what each joint does, their lag."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from hwm_core.data.checks.joint_summary import JointSummary, joint_remarks, summarise_joints
from hwm_core.data.checks.lag import Lag, estimate_lag
from hwm_core.data.recording.clock import MAX_GAP_PERIODS
from hwm_core.data.recording.episode_reader import read_timeline
from hwm_core.data.recording.events import CameraFrame, Cut, Event, JointValues
from hwm_core.data.recording.read_report import ReadReport
from hwm_core.data.recording.recording import Recording
from hwm_core.data.robot.description import Joint

_THUMBNAIL = 96  # height in pixels
# Of pictures: more repeats than this is a camera slower than it is labelled.
_MANY_REPEATS = 0.05
_BLACK, _LEAST_BAR = 16, 0.03  # video's black is not quite 0, nor are its edges sharp


@dataclass(frozen=True)
class Rate:
    """Times of one stream."""

    messages: int
    hz: float  # of the median interval; 0 where there are too few
    jitter_ms: float  # 95th percentile of the distance from the median interval
    gaps: tuple[tuple[float, float], ...]  # (seconds after the start, length in seconds), longer than 3.5 intervals
    jumps: int  # backwards


@dataclass(frozen=True)
class Inspection:
    """All of it."""

    name: str
    size: tuple[int, ...]  # height, width
    rates: dict[str, Rate]  # images, states, commands
    repeats: float  # share of pictures equal to the one before, to the bit
    longest_repeat: int  # pictures in a row
    bars: tuple[float, float, float, float]  # black in every picture: shares at the top, bottom, left, right
    joints: dict[str, tuple[JointSummary, ...]]  # states, commands
    lag: Lag | None
    lag_names: tuple[str, ...]  # joints that are measured and commanded, the columns of the lag
    report: ReadReport
    thumbnails: NDArray[np.uint8]  # [N, h, w, 3]
    thumbnail_s: tuple[float, ...]  # their times

    @property
    def fresh_hz(self) -> float:
        """Rate of the pictures that show something new."""
        return self.rates["images"].hz * (1 - self.repeats)

    def remarks(self) -> list[str]:
        """What someone who trains on this should know, a sentence each."""
        found = []
        if self.repeats > _MANY_REPEATS:
            found.append(
                f"{self.repeats:.1%} of the pictures repeat the one before: the camera runs at about "
                f"{self.fresh_hz:.1f} Hz under a label of {self.rates['images'].hz:.1f} Hz, and copying the last frame "
                "looks better than it is"
            )
        if any(self.bars):
            top, bottom, left, right = (f"{share:.0%}" for share in self.bars)
            cut = " ".join(f"{share:.3g}" for share in self.bars)
            found.append(
                f"black bars in every picture, {top} at the top, {bottom} at the bottom, {left} left, {right} right: "
                f"the model spends pixels on them (`prepare_data --cut {cut}` takes them off)"
            )
        for stream, rate in self.rates.items():
            if rate.gaps:
                found.append(
                    f"{stream}: {len(rate.gaps)} gaps, the longest {max(length for _, length in rate.gaps):.2f} s"
                )
            if rate.jumps:
                found.append(f"{stream}: the clock jumps back {rate.jumps} times")
        found += joint_remarks(self.joints)
        if self.lag is not None:
            ms = 1000 * abs(self.lag.frames) / self.rates["images"].hz
            verb = "lead" if self.lag.frames > 0 else "follow"
            ends = " to ".join(
                f"{self.lag_names[one.column]} {one.frames:+.1f}" for one in (self.lag.fastest, self.lag.slowest)
            )
            found.append(f"commands {verb} states by {abs(self.lag.frames):.1f} frames ({ms:.0f} ms): {ends}")
        if told := self.report.remarks():
            found.append(told)
        return found


def inspect(recording: Recording, joint: Callable[[str], Joint] | None = None, thumbnails: int = 24) -> Inspection:
    """Read all of a recording once.

    Args:
        joint: units and limits by name, where they are known.
        thumbnails: pictures kept for a contact sheet, evenly over the run.

    Raises:
        BadInput: it cannot be read.
    """
    watch = _Watch(thumbnails)
    events = watch.over(recording.events())
    rows, report = read_timeline(recording.name, events, recording.camera_rate_hz(), "at_frame")
    joints = {
        stream: summarise_joints(names, values, joint)
        for stream, names, values in (
            ("states", rows.state_names, rows.states),
            ("commands", rows.command_names, rows.commands),
        )
        if values is not None
    }
    both = tuple(name for name in rows.state_names if name in rows.command_names)
    lag = None
    if rows.states is not None and rows.commands is not None:
        one, two = ([names.index(name) for name in both] for names in (rows.state_names, rows.command_names))
        lag = estimate_lag(rows.states[:, one], rows.commands[:, two], rows.segments)
    return Inspection(
        name=recording.name,
        size=watch.size,
        rates={stream: _rate(np.array(stamps)) for stream, stamps in watch.stamps.items()},
        repeats=watch.repeats / max(1, len(watch.stamps["images"]) - 1),
        longest_repeat=watch.longest,
        bars=_bars(np.stack(watch.kept)),
        joints=joints,
        lag=lag,
        lag_names=both,
        report=report,
        thumbnails=np.stack(watch.kept),
        thumbnail_s=tuple(watch.kept_s),
    )


class _Watch:
    """Looks at events on their way to an assembly."""

    def __init__(self, thumbnails: int) -> None:
        self.stamps: dict[str, list[int]] = {"images": []}
        self.size: tuple[int, ...] = ()  # height, width of the first image
        self.repeats = self.longest = self._run = 0
        self.kept: list[NDArray[np.uint8]] = []
        self.kept_s: list[float] = []
        self._most, self._stride = thumbnails, 1
        self._newest: NDArray[np.uint8] | None = None

    def over(self, events: Iterator[Event | Cut]) -> Iterator[Event | Cut]:
        for event in events:
            yield Event(event.channel, partial(self._load, event)) if isinstance(event, Event) else event

    def _load(self, event: Event) -> CameraFrame | JointValues:
        content = event.load()
        stamps = self.stamps.setdefault(event.channel, [])
        stamps.append(content.stamp_ns)
        if isinstance(content, CameraFrame):
            self.size = self.size or content.rgb.shape[:2]
            same = self._newest is not None and np.array_equal(self._newest, content.rgb)
            self._run = self._run + 1 if same else 0
            self.repeats, self.longest = self.repeats + same, max(self.longest, self._run)
            self._newest = content.rgb
            if (len(stamps) - 1) % self._stride == 0:
                height, width = content.rgb.shape[:2]
                size = (round(width * _THUMBNAIL / height), _THUMBNAIL)
                small = cv2.resize(content.rgb, size, interpolation=cv2.INTER_AREA)
                self.kept.append(np.asarray(small, dtype=np.uint8))
                self.kept_s.append((content.stamp_ns - stamps[0]) / 1e9)
            if len(self.kept) == 2 * self._most:  # of a run of unknown length: every second, from now on as far apart
                self.kept, self.kept_s, self._stride = self.kept[::2], self.kept_s[::2], 2 * self._stride
        return content


def _bars(pictures: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Shares of height and width that are black at the edges of all pictures [N, h, w, 3]: a letterbox."""
    lit = pictures.max(axis=(0, 3)) > _BLACK
    if not lit.any():
        return (0.0, 0.0, 0.0, 0.0)
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    height, width = lit.shape
    ends = (rows[0] / height, (height - 1 - rows[-1]) / height, columns[0] / width, (width - 1 - columns[-1]) / width)
    top, bottom, left, right = (float(share) if share >= _LEAST_BAR else 0.0 for share in ends)
    return top, bottom, left, right


def _rate(stamps: NDArray[np.int64]) -> Rate:
    intervals = np.diff(stamps) / 1e9
    forward = intervals[intervals > 0]
    if len(forward) == 0:
        return Rate(len(stamps), 0.0, 0.0, (), 0)
    median = float(np.median(forward))
    long = np.flatnonzero(intervals > MAX_GAP_PERIODS * median)
    return Rate(
        messages=len(stamps),
        hz=1 / median,
        jitter_ms=1000 * float(np.quantile(np.abs(forward - median), 0.95)),
        gaps=tuple((float((stamps[i] - stamps[0]) / 1e9), float(intervals[i])) for i in long),
        jumps=int((intervals < -MAX_GAP_PERIODS * median).sum()),
    )
