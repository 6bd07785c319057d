"""Aligns images, joint states and commands of one recording on the frame clock."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.clock import FrameClock, rounded_rate_hz
from hwm_core.data.recording.events import AnyEvent, CameraFrame, Channel, Cut, JointValues, Notice
from hwm_core.data.recording.image_sources import ImageSources
from hwm_core.data.recording.joint_epochs import JointEpochs, time_span
from hwm_core.data.recording.joints import MAX_PAUSE_S
from hwm_core.data.recording.read_report import ReadReport
from hwm_core.data.recording.timeline import Timeline
from hwm_core.data.recording.unusable_messages import UnusableMessages
from hwm_core.errors import BadBag, BadInput

# The command of a frame: "before_frame" is the newest command issued strictly before the frame, as in an `Episode`;
# "at_frame" is the newest command issued before the next frame, as in a row of a LeRobot dataset.
CommandTime = Literal["before_frame", "at_frame"]
# A command that is older is noted: the robot may hold it, or the clock of the commands is another one.
_OLD_COMMAND_NS = 1_000_000_000


class ImagePreparation(Protocol):
    """How an alignment turns an image into the pixels of a frame."""

    @property
    def frame_rate_hz(self) -> float: ...
    def clock(self) -> FrameClock: ...
    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]: ...
    def is_repeat(self, pixels: NDArray[np.uint8], previous: NDArray[np.uint8] | None) -> bool: ...


class Alignment:
    """Collects the events of one recording in order of arrival.

    A backward clock jump starts a new epoch of its channel. A frame never gets joint values of another epoch.

    Args:
        name: name of the recording.
        preparation: turns images into frames and sets the frame rate.
        names: joints wanted, in this order; None takes all joints of each channel.
        aliases: {name a message may use: name wanted}.
    """

    def __init__(
        self,
        name: str,
        preparation: ImagePreparation,
        names: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._name, self._preparation = name, preparation
        self._clock = preparation.clock()
        self._frames: list[_Frame] = []
        self._latest: _Frame | None = None
        self._segment = 0
        self._joints = {"states": JointEpochs(names, aliases), "commands": JointEpochs(names, aliases)}
        self._counts: Counter[str] = Counter()
        self._unusable = UnusableMessages()
        self._sources = ImageSources()
        self._notices: list[Notice] = []
        self._published = False  # whether joint values came from publishers, of which there may be several

    def feed(self, events: Iterable[AnyEvent]) -> "Alignment":
        """Add all events of a recording. A message that raises BadInput is left out and counted."""
        for event in events:
            if isinstance(event, Cut):
                self._start_take()
                continue
            if isinstance(event, Notice):
                self._notices.append(event)
                continue
            with self._counting(event.channel):
                content = event.load()
                if isinstance(content, CameraFrame):
                    self._add_image(content)
                else:
                    self._add_joints(event.channel, content)
        return self

    def timeline(self, commands: CommandTime) -> Timeline:
        """The frames whose joint values are known.

        Raises:
            BadInput: every message of a channel was bad; the first fault of that channel.
            BadBag: there are no images, or no frame has joint values of its own time.
            BadActions: publishers of the same joints contradict each other.
        """
        self._require_usable()
        stamps = np.array([frame.stamp_ns for frame in self._frames], dtype=np.int64)
        segments = np.array([frame.segment for frame in self._frames])
        command_stamps = stamps
        if commands == "at_frame":
            command_stamps = stamps + round(1e9 / self._preparation.frame_rate_hz)
            following = np.maximum(stamps[1:], stamps[:-1] + 1)
            command_stamps[:-1] = np.where(np.diff(segments) == 0, following, command_stamps[:-1])
        state_track, command_track = self._joints["states"], self._joints["commands"]
        states, with_state = state_track.at(stamps, [frame.states_epoch for frame in self._frames])
        command_epochs = [frame.commands_epoch for frame in self._frames]
        issued, with_command = command_track.before(command_stamps, command_epochs)
        ages = command_track.ages_before(command_stamps, command_epochs)
        with_command &= ~self._unusable.replaced_commands(ages, self._preparation.frame_rate_hz)
        kept = np.flatnonzero(with_state & with_command)
        self._counts["old_commands"] = int((ages[kept] > _OLD_COMMAND_NS).sum())
        if len(kept) == 0 or (len(command_track) > 1 and ages[kept].min() > _OLD_COMMAND_NS):
            raise BadBag(
                self._name,
                expected="joint values at the stamps of the images",
                got=self._spans(),
                remedy="Stamp all messages with one clock, or read bags with --stamps receive; `time_s` of a table "
                "counts from the first frame of its video.",
            )
        # A frame left out is a hole: the frame after it starts a new segment.
        starts = (np.diff(segments[kept]) != 0) | (np.diff(kept) != 1)
        return Timeline(
            name=self._name,
            stamps_ns=stamps[kept],
            segments=np.concatenate([[0], np.cumsum(starts)]).astype(np.int32),
            clock_frames=kept,
            state_names=state_track.names,
            states=None if states is None else states[kept],
            command_names=command_track.names,
            commands=None if issued is None else issued[kept],
        )

    def pixels(self, timeline: Timeline) -> NDArray[np.uint8]:
        """Prepared images of the frames of `timeline`, [F, H, W, 3]."""
        return np.stack([self._frames[index].pixels for index in timeline.clock_frames])

    def report(self, timeline: Timeline) -> ReadReport:
        """What was read, and what of it is not in `timeline`."""
        intervals = np.diff(timeline.stamps_ns)[np.diff(timeline.segments) == 0]
        fresh = intervals[intervals > 0]
        kept, rate_hz = timeline.clock_frames, self._preparation.frame_rate_hz
        unaligned = len(self._frames) - len(kept)
        notices = {level: [one.text for one in self._notices if one.level == level] for level in ("fault", "note")}
        faults = [*notices["fault"], *self._unusable.image_faults(self._counts["images"]), *self._sources.faults()]
        if unaligned >= max(len(kept), MAX_PAUSE_S * rate_hz):
            faults.append(
                f"{unaligned} of {len(self._frames)} frames have no joint values of their time: {self._spans()}"
            )
        return ReadReport(
            **self._counts,
            frames=len(timeline),
            unaligned_frames=unaligned,
            lost_frames=self._unusable.lost_frames(kept, len(self._frames), rate_hz),
            held=int((intervals == 0).sum()),
            shown_hz=rounded_rate_hz(float(np.median(fresh))) if len(fresh) else 0.0,
            first_fault=str(next(iter(self._unusable.faults.values()), "")),
            source_faults=tuple(faults),
            source_notes=(*notices["note"], *self._rare_joints()),
            same_stamp=sum(track.same_stamp for track in self._joints.values()),
        )

    def _start_take(self) -> None:
        """Start a new segment; no joint value holds across a cut."""
        self._clock, self._latest = self._preparation.clock(), None
        self._segment += 1
        for track in self._joints.values():
            track.cut()

    @contextmanager
    def _counting(self, channel: Channel) -> Iterator[None]:
        """Count one message of `channel`; as bad when the body raises BadInput."""
        self._counts[channel] += 1
        try:
            yield
        except BadInput as fault:
            self._counts["bad"] += 1
            self._unusable.add(channel, fault, len(self._frames))

    def _add_image(self, image: CameraFrame) -> None:
        self._sources.add(image)
        pixels = self._preparation.apply(image.rgb)
        self._unusable.usable_image()
        if self._preparation.is_repeat(pixels, None if self._latest is None else self._latest.pixels):
            self._counts["repeats"] += 1
            return
        tick = self._clock.push(image.stamp_ns)
        if tick.event == "late":
            self._counts["late"] += 1
            return
        if tick.restarted:
            self._segment += 1
            self._counts["clock_jumps" if tick.event == "jump" else "gaps"] += 1
        epochs = self._joints["states"].current, self._joints["commands"].current
        frame = _Frame(image.stamp_ns, pixels, self._segment, *epochs)
        if self._latest is not None:
            self._frames += [self._latest] * tick.previous
        self._frames += [frame] * tick.current
        self._latest = frame

    def _add_joints(self, channel: Channel, content: JointValues) -> None:
        self._published |= content.publisher is not None
        track = self._joints[channel]
        on_time = track.append(content.stamp_ns, content.names, content.positions, content.publisher or 0)
        self._counts["late"] += not on_time

    def _require_usable(self) -> None:
        for channel, some in (("images", self._frames), *self._joints.items()):
            if not some and channel in self._unusable.faults:
                raise self._unusable.faults[channel]
        for channel, track in self._joints.items():
            track.require_names()
            if self._published:
                track.require_one_track(f"Joint {channel} of {self._name}")
        if not self._frames:
            raise BadBag(self._name, expected="images", got="none", remedy="Check that the camera was recorded.")

    def _spans(self) -> str:
        images = time_span(np.array([frame.stamp_ns for frame in self._frames]))
        return f"images at {images}, states at {self._joints['states']}, commands at {self._joints['commands']}"

    def _rare_joints(self) -> list[str]:
        return [
            f"{channel}: {', '.join(track.rare)} in too few messages, so left out"
            for channel, track in self._joints.items()
            if track.rare
        ]


@dataclass(frozen=True)
class _Frame:
    stamp_ns: int
    pixels: NDArray[np.uint8]  # [H, W, 3] prepared
    segment: int
    states_epoch: int
    commands_epoch: int
