"""Pictures, joint states and commands of one recording, in order of arrival, become one episode."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.clock import rounded_rate_hz
from hwm_core.data.recording.events import CameraFrame, Channel, Cut, Event
from hwm_core.data.recording.joints import JointTrack
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import match_names
from hwm_core.errors import BadBag, BadInput
from hwm_core.types import Episode


@dataclass(frozen=True)
class ReadReport:
    """What a recording held and what was left out, in numbers of messages, or of frames of the episode."""

    images: int = 0
    states: int = 0
    commands: int = 0
    bad: int = 0  # messages that do not decode, of another aspect, not finite, without a stamp, or with joints missing
    late: int = 0  # messages whose stamp is not after the one before
    repeats: int = 0  # pictures left out because they equal the one before
    gaps: int = 0  # pauses of the camera; each starts a segment
    clock_jumps: int = 0  # backward jumps of the camera's clock; each starts a segment
    frames: int = 0  # of the episode
    unaligned_frames: int = 0  # left out: no state around them, or no command before them
    lost_frames: int = 0  # of these, those amid others where joint messages were bad: too many to interpolate over
    held: int = 0  # frames that show the picture before again, because the camera gave no new one in time
    shown_hz: float = 0.0  # of the median interval between pictures shown; 0 where there are too few
    first_fault: str = ""  # why the first of the bad messages was left out

    def remarks(self) -> str:
        """What someone who recorded this should know; nothing when all of it is in the episode."""
        counts = {
            "bad messages": self.bad,
            "late messages": self.late,
            "repeated pictures": self.repeats,
            "gaps": self.gaps,
            "clock jumps": self.clock_jumps,
            "frames without joint values": self.unaligned_frames,
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"{told} ({self.first_fault})" if self.first_fault else told


@dataclass(frozen=True)
class Rows:
    """The frames of a recording as a table has them: with the state measured at each, and the command issued at it."""

    stamps_ns: NDArray[np.int64]  # [F] of the picture shown; a picture held for two frames gives two equal ones
    segments: NDArray[np.int32]  # [F]
    state_names: tuple[str, ...]
    states: NDArray[np.float32] | None  # [F, A]
    command_names: tuple[str, ...]
    commands: NDArray[np.float32] | None  # [F, A] the newest issued before the next frame


class Assembly:
    """Collects one recording; `finish` gives the episode.

    A backward clock jump starts a new epoch of each stream, so that no frame meets joint values of another epoch.

    Args:
        name: of the episode.
        preprocessing: applied to every picture.
        names: joints wanted, in this order; None takes those of the first state, or else command.
        aliases: {name a message may use: name wanted}.
    """

    def __init__(
        self,
        name: str,
        preprocessing: Preprocessing,
        names: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._name, self._preprocessing = name, preprocessing
        self._clock = preprocessing.clock()
        self._frames: list[_Frame] = []
        self._latest: _Frame | None = None
        self._segment = 0
        self._states, self._commands = _Epochs(names, aliases), _Epochs(names, aliases)
        self._counts: Counter[str] = Counter()
        self._faults: dict[Channel, BadInput] = {}

    def feed(self, events: Iterable[Event | Cut]) -> "Assembly":
        """Take all events of a recording; a message that raises BadInput is left out and counted."""
        for event in events:
            if isinstance(event, Cut):
                self.cut()
                continue
            with self._taking(event.channel):
                content = event.load()
                if isinstance(content, CameraFrame):
                    self.add_image(content.stamp_ns, content.rgb)
                elif event.channel == "states":
                    self.add_states(content.stamp_ns, content.names, content.positions)
                else:
                    self.add_commands(content.stamp_ns, content.names, content.positions)
        return self

    def cut(self) -> None:
        """What follows is another take: a new segment, and no joint value holds across."""
        self._clock, self._latest = self._preprocessing.clock(), None
        self._segment += 1
        self._states.cut()
        self._commands.cut()

    @contextmanager
    def _taking(self, stream: Channel) -> Iterator[None]:
        """Count one message of `stream`; should the body raise BadInput, the message is left out and counted as bad."""
        self._counts[stream] += 1
        try:
            yield
        except BadInput as fault:
            self._counts["bad"] += 1
            self._faults.setdefault(stream, fault)

    def add_image(self, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        """Take one picture uint8 [H, W, 3]. Raises BadImage for another aspect."""
        pixels = self._preprocessing.apply(rgb)
        if self._preprocessing.is_repeat(pixels, None if self._latest is None else self._latest.pixels):
            self._counts["repeats"] += 1
            return
        tick = self._clock.push(stamp_ns)
        if tick.event == "late":
            self._counts["late"] += 1
            return
        if tick.restarted:
            self._segment += 1
            self._counts["clock_jumps" if tick.event == "jump" else "gaps"] += 1
        frame = _Frame(stamp_ns, pixels, self._segment, self._states.current, self._commands.current)
        if self._latest is not None:
            self._frames += [self._latest] * tick.previous
        self._frames += [frame] * tick.current
        self._latest = frame

    def add_states(self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray) -> None:
        """Take measured positions. Raises BadActions or RobotMismatch."""
        self._counts["late"] += not self._states.append(stamp_ns, names, positions)

    def add_commands(self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray) -> None:
        """Take commanded positions. Raises BadActions or RobotMismatch."""
        self._counts["late"] += not self._commands.append(stamp_ns, names, positions)

    def finish(self) -> tuple[Episode, ReadReport]:
        """The episode, and what was left out.

        Raises:
            BadInput: of one stream, nothing was usable; the first fault found in it.
            RobotMismatch: no names were given, and the commands lack joints of the states.
            BadBag: no pictures, or no frame with joint values of its own time.
        """
        self._require_usable()
        names = self._states.names or self._commands.names
        stamps = np.array([frame.stamp_ns for frame in self._frames], dtype=np.int64)
        states, with_state = self._states.at(stamps, [frame.states_epoch for frame in self._frames])
        commands, with_command = self._commands.before(stamps, [frame.commands_epoch for frame in self._frames])
        if commands is not None:
            commands = commands[:, match_names(names, self._commands.names, whose="commands")]
        kept = self._kept(stamps, with_state & with_command)
        episode = Episode(
            name=self._name,
            frames=np.stack([self._frames[index].pixels for index in kept]),
            stamps_ns=stamps[kept],
            segments=self._segments(kept),
            names=names,
            states=None if states is None else states[kept],
            commands=None if commands is None else commands[kept],
        )
        intervals = np.diff(episode.stamps_ns)[np.diff(episode.segments) == 0]
        fresh = intervals[intervals > 0]
        return episode, replace(
            self.report(len(kept)),
            unaligned_frames=len(stamps) - len(kept),
            lost_frames=int(kept[-1] - kept[0]) + 1 - len(kept) if self._faults.keys() - {"images"} else 0,
            held=int((intervals == 0).sum()),
            shown_hz=rounded_rate_hz(float(np.median(fresh))) if len(fresh) else 0.0,
        )

    def report(self, frames: int = 0) -> ReadReport:
        """What came so far, and what of it was left out."""
        first = next(iter(self._faults.values()), None)
        return ReadReport(**self._counts, frames=frames, first_fault="" if first is None else str(first))

    def rows(self, rate_hz: float) -> Rows:
        """The frames with the command issued *at* each, of joints by their own names. Raises as `finish`."""
        self._require_usable()
        stamps = np.array([frame.stamp_ns for frame in self._frames], dtype=np.int64)
        segments = np.array([frame.segment for frame in self._frames])
        following = stamps + round(1e9 / rate_hz)
        following[:-1] = np.where(np.diff(segments) == 0, np.maximum(stamps[1:], stamps[:-1] + 1), following[:-1])
        states, with_state = self._states.at(stamps, [frame.states_epoch for frame in self._frames])
        commands, with_command = self._commands.before(following, [frame.commands_epoch for frame in self._frames])
        kept = self._kept(stamps, with_state & with_command)
        return Rows(
            stamps_ns=stamps[kept],
            segments=self._segments(kept),
            state_names=self._states.names,
            states=None if states is None else states[kept],
            command_names=self._commands.names,
            commands=None if commands is None else commands[kept],
        )

    def _kept(self, stamps: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Indices of the frames whose joint values are known. Raises BadBag where there is none."""
        kept = np.flatnonzero(known)
        if len(kept) == 0:
            raise BadBag(
                self._name,
                expected="joint values at the stamps of the pictures",
                got=f"pictures at {_span(stamps)}, states at {self._states}, commands at {self._commands}",
                remedy="Stamp all with one clock, or read with receive times instead of header stamps.",
            )
        return kept

    def _segments(self, kept: NDArray[np.int64]) -> NDArray[np.int32]:
        """Segments of the frames kept. A frame left out is a hole: what comes after it is another segment."""
        segments = np.array([self._frames[index].segment for index in kept])
        new_segment = (np.diff(segments) != 0) | (np.diff(kept) != 1)
        return np.concatenate([[0], np.cumsum(new_segment)]).astype(np.int32)

    def _require_usable(self) -> None:
        for stream, empty in (
            ("images", not self._frames),
            ("states", not self._states),
            ("commands", not self._commands),
        ):
            if empty and stream in self._faults:
                raise self._faults[stream]
        if not self._frames:
            raise BadBag(self._name, expected="pictures", got="none", remedy="Check that the camera was recorded.")


@dataclass(frozen=True)
class _Frame:
    stamp_ns: int
    pixels: NDArray[np.uint8]  # [H, W, 3] preprocessed
    segment: int
    states_epoch: int
    commands_epoch: int


class _Epochs:
    """One stream of joint messages: a track for every stretch between backward clock jumps."""

    def __init__(self, names: Sequence[str] | None, aliases: Mapping[str, str] | None) -> None:
        self._wanted, self._aliases = names, aliases
        self._tracks: list[JointTrack] = []
        self._cut = False

    def __bool__(self) -> bool:
        return bool(self._tracks)

    def __str__(self) -> str:
        return ", ".join(_span(track.stamps_ns) for track in self._tracks) or "no time"

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the values: the joints wanted, or those of the first message."""
        return self._tracks[0].names if self._tracks else ()

    @property
    def current(self) -> int:
        """Number of the epoch that messages arriving now belong to."""
        return max(len(self._tracks) - 1, 0) + self._cut

    def cut(self) -> None:
        """The next message starts a new track."""
        self._cut = bool(self._tracks)

    def append(self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray) -> bool:
        """Take one message; False when it came late."""
        if self._tracks and not self._cut and not self._tracks[-1].is_jump(stamp_ns):
            return self._tracks[-1].append(stamp_ns, names, positions) != "late"
        track = JointTrack(self._wanted or self.names or names, aliases=self._aliases if self._wanted else None)
        track.append(stamp_ns, names, positions)
        self._tracks.append(track)
        self._cut = False
        return True

    def at(self, stamps: NDArray[np.int64], epochs: list[int]) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
        """States [N, A] and which of them are known; None and all when nothing was recorded."""
        return self._look_up(stamps, epochs, JointTrack.covers, JointTrack.at)

    def before(
        self, stamps: NDArray[np.int64], epochs: list[int]
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
        """Commands [N, A] and which of them are known; None and all when nothing was recorded."""
        return self._look_up(stamps, epochs, JointTrack.covers_before, JointTrack.before)

    def _look_up(
        self,
        stamps: NDArray[np.int64],
        epochs: list[int],
        covers: Callable[[JointTrack, NDArray[np.int64]], NDArray[np.bool_]],
        values: Callable[[JointTrack, NDArray[np.int64]], NDArray[np.float32]],
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
        if not self._tracks:
            return None, np.ones(len(stamps), dtype=bool)
        answer = np.zeros((len(stamps), len(self.names)), dtype=np.float32)
        known = np.zeros(len(stamps), dtype=bool)
        for epoch, track in enumerate(self._tracks):
            mine = np.flatnonzero(np.asarray(epochs) == epoch)
            mine = mine[covers(track, stamps[mine])]
            answer[mine], known[mine] = values(track, stamps[mine]), True
        return answer, known


def _span(stamps_ns: NDArray[np.int64]) -> str:
    return f"{stamps_ns[0] / 1e9:.3f}..{stamps_ns[-1] / 1e9:.3f} s"
