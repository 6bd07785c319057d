"""Inspects a recording: rates, gaps, repeated images, black bars, joint values, and the lag of states to commands."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.checks.event_monitor import EventMonitor
from hwm_core.data.checks.joint_summary import JointSummary, joint_remarks, summarise_joints
from hwm_core.data.checks.lag import Lag, estimate_lag
from hwm_core.data.checks.rate import Rate, measure_rate
from hwm_core.data.recording.episode_reader import read_timeline
from hwm_core.data.recording.read_report import ReadReport
from hwm_core.data.recording.recording import Recording
from hwm_core.data.robot.description import Joint

# Share of repeated images above which the camera is slower than its stated rate.
MANY_REPEATS = 0.05
_DARK = 16  # of 255


@dataclass(frozen=True)
class Inspection:
    """Measurements of one recording."""

    name: str
    size: tuple[int, int]  # height, width
    rates: dict[str, Rate]  # by channel: images, states, commands
    repeats: float  # share of images equal to the previous image, bit for bit
    longest_repeat: int  # repeated images in a row
    bars: tuple[float, float, float, float]  # black bars: shares at the top, bottom, left, right
    joints: dict[str, tuple[JointSummary, ...]]  # by channel: states, commands
    lag: Lag | None
    lag_names: tuple[str, ...]  # joints with states and commands, the columns of the lag
    report: ReadReport
    thumbnails: NDArray[np.uint8]  # [N, h, w, 3]
    thumbnail_s: tuple[float, ...]  # their times

    @property
    def fresh_hz(self) -> float:
        """Rate of the images that differ from the previous image."""
        return self.rates["images"].hz * (1 - self.repeats)

    def remarks(self) -> list[str]:
        """What matters for training on this recording, a sentence each."""
        found = []
        if self.repeats > MANY_REPEATS:
            found.append(
                f"{self.repeats:.1%} of the images repeat the previous image: the camera runs at about "
                f"{self.fresh_hz:.1f} Hz, not at its stated {self.rates['images'].hz:.1f} Hz. Copying the last frame "
                "looks too good in evaluations"
            )
        if (brightest := self.thumbnails.max(initial=0)) <= _DARK:
            found.append(
                f"images are almost black, at most {brightest} of 255: is the lens covered, or does the camera send 10 "
                "or 12 bits as 16?"
            )
        if any(self.bars):
            top, bottom, left, right = (f"{share:.0%}" for share in self.bars)
            margins = " ".join(f"{share:.3g}" for share in self.bars)
            found.append(
                f"black bars in every image: {top} at the top, {bottom} at the bottom, {left} left, {right} right. "
                f"`hwm prepare --margins {margins}` removes them"
            )
        for channel, rate in self.rates.items():
            if rate.gaps:
                longest = max(length for _, length in rate.gaps)
                found.append(f"{channel}: {len(rate.gaps)} gaps, the longest {longest:.2f} s")
            if rate.jumps:
                found.append(f"{channel}: the clock jumps back {rate.jumps} times")
        found += joint_remarks(self.joints)
        if self.lag is not None:
            ms = 1000 * abs(self.lag.frames) / self.rates["images"].hz
            verb = "lead" if self.lag.frames > 0 else "follow"
            ends = " to ".join(
                f"{self.lag_names[one.column]} {one.frames:+.1f}" for one in (self.lag.fastest, self.lag.slowest)
            )
            found.append(f"commands {verb} states by {abs(self.lag.frames):.1f} frames ({ms:.0f} ms): {ends}")
        if left_out := self.report.remarks():
            found.append(left_out)
        return found


def inspect(recording: Recording, joint: Callable[[str], Joint] | None = None, thumbnails: int = 24) -> Inspection:
    """Read a recording once and measure it.

    Args:
        recording: the recording.
        joint: unit and limits of a joint by its name, if known.
        thumbnails: least number of thumbnails of a long recording, for a contact sheet.

    Raises:
        BadInput: the recording cannot be read.
    """
    monitor = EventMonitor(thumbnails)
    events = monitor.watch(recording.events())
    timeline, report = read_timeline(recording.name, events, recording.camera_rate_hz(), "at_frame")
    joints = {
        channel: summarise_joints(names, values, joint)
        for channel, names, values in (
            ("states", timeline.state_names, timeline.states),
            ("commands", timeline.command_names, timeline.commands),
        )
        if values is not None
    }
    both = tuple(name for name in timeline.state_names if name in timeline.command_names)
    lag = None
    if timeline.states is not None and timeline.commands is not None:
        states = timeline.states[:, [timeline.state_names.index(name) for name in both]]
        commands = timeline.commands[:, [timeline.command_names.index(name) for name in both]]
        lag = estimate_lag(states, commands, timeline.segments)
    return Inspection(
        name=recording.name,
        size=monitor.image_size,
        rates={channel: measure_rate(np.array(stamps)) for channel, stamps in monitor.stamps_ns.items()},
        repeats=monitor.repeats / max(1, len(monitor.stamps_ns["images"]) - 1),
        longest_repeat=monitor.longest_repeat,
        bars=monitor.bars(),
        joints=joints,
        lag=lag,
        lag_names=both,
        report=report,
        thumbnails=np.stack(monitor.thumbnails),
        thumbnail_s=tuple(monitor.thumbnail_s),
    )
