"""The rolling context of a live model: the newest frames at the model's rate, and the action of each frame."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from threading import Lock
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadActions, BadImage, BadInput
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.joints import LiveJoints

# Joint values kept: at least this many, or twice the values that the window spans at the highest rate.
_JOINT_CAPACITY, _JOINT_RATE_HZ = 3000, 1000
# Frames kept beside those of a window: while the joint states of the newest frames are on their way, the window ends
# before these frames.
_SPARE_FRAMES = 2


class NoContext(BadInput):
    """Too few frames, or frames without joint values, to predict from."""


@dataclass
class Counters:
    """How many messages were received, used, skipped and dropped."""

    images_received: int = 0
    images_used: int = 0  # entered the context
    images_skipped: int = 0  # between two ticks of the model's clock (fast camera), or a repeat of the newest image
    images_dropped: int = 0  # malformed, wrong encoding or aspect, zero or late stamp
    frames_repeated: int = 0  # ticks without an image: an image was lost, or the camera is slower than the model
    joint_messages_dropped: int = 0  # not finite, joints missing, zero or late stamp
    flushes_gap: int = 0
    flushes_clock: int = 0
    flushes_cut: int = 0


class Context:
    """Collects images, joint states and commands by header stamp, and returns the newest window. Thread-safe.

    The newest frame whose joint values are known is the last frame of the window, so it completes the last past latent.

    Args:
        manifest: joints, and whether their states or commands are the actions.
        preprocessing: of the images.
        num_frames: F, frames of a window.
        clock: seconds, for publishers that fall silent.
    """

    def __init__(
        self,
        manifest: ActionManifest,
        preprocessing: Preprocessing,
        num_frames: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._manifest, self._preprocessing, self._arrival_clock = manifest, preprocessing, clock
        # An image is decoded under `_image_lock` alone, so joint messages and readers never wait for a decode.
        # If both locks are needed, take `_image_lock` first.
        self._image_lock, self._lock = Lock(), Lock()
        self._num_frames = num_frames
        self.reset()

    def reset(self) -> None:
        """Remove all messages and set the counters to zero. An image that is being decoded is also removed."""
        with self._image_lock, self._lock:
            self.counters = Counters()
            self._clock = self._preprocessing.clock()
            self._frames: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=self._num_frames + _SPARE_FRAMES)
            self._latest: tuple[int, NDArray[np.uint8]] | None = None
            self._reset_joints()

    def cut(self) -> None:
        """Start another take: no frame and no joint value before it belongs to the same window. Counters go on."""
        with self._image_lock, self._lock:
            self._start_again()
            self.counters.flushes_cut += 1

    def clock_was_set_back(self) -> None:
        """Start again, as the first message after a backward clock jump does: the jump is known before a message."""
        with self._image_lock, self._lock:
            if self._latest is not None:
                self._start_again()
                self.counters.flushes_clock += 1

    def add_image(self, stamp_ns: int, message: Any) -> None:
        """Add one sensor_msgs Image or CompressedImage. Images are decoded one at a time, in the order of the calls.

        Raises:
            BadImage: invalid bytes, encoding, aspect or stamp. The image counts as dropped; the context is unchanged.
        """
        with self._image_lock:
            with self._lock:
                self.counters.images_received += 1
            try:
                if stamp_ns <= 0:
                    raise _bad_stamp(BadImage, "Image", stamp_ns)
                frame = self._preprocessing.apply(decode_image(message))
                with self._lock:
                    self._push(stamp_ns, frame)
            except BadImage:
                with self._lock:
                    self.counters.images_dropped += 1
                raise

    def add_states(
        self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray, number: int | None = None
    ) -> None:
        """Add one measured JointState, as `LiveJoints.add`. A message that raises is counted as dropped."""
        self._add_joints(self._states, stamp_ns, names, positions, number)

    def add_command(
        self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray, number: int | None = None
    ) -> None:
        """Add one command, as `LiveJoints.add`. A message that raises is counted as dropped."""
        self._add_joints(self._commands, stamp_ns, names, positions, number)

    def readiness_error(self) -> BadInput | None:
        """The error that `window` would raise now; None when the context is ready. Copies no frame."""
        with self._lock:
            try:
                self._require_ready()
            except BadInput as error:
                return error
        return None

    def window(self) -> ContextWindow:
        """The newest window.

        Raises:
            RobotMismatch: all joint messages came from another robot.
            NoContext: too few frames since the start or the last flush, or joint values do not cover the frames.
        """
        with self._lock:
            stamps = self._require_ready()
            actions = self._joints.before(stamps) if self._uses_commands else self._joints.at(stamps)
            pixels = dict(self._frames)
            frames = [pixels[int(stamp)] for stamp in stamps]
        return ContextWindow(np.stack(frames), actions, stamps)

    def newest_action(self) -> NDArray[np.float32]:
        """The newest command, or the newest measured state, [A] in manifest order and units. Raises as `window`."""
        with self._lock:
            self._require_robot()
            if not self._joints.complete:
                raise self._uncovered()
            return self._joints.newest()

    def contested_joints(self) -> dict[str, tuple[str, ...]]:
        """{"joint states", "commands": joints that several publishers send at the same time}."""
        with self._lock:
            return {"joint states": self._states.contested(), "commands": self._commands.contested()}

    @property
    def frames_held(self) -> int:
        """Number of frames in the context, at most those of a window."""
        return min(len(self._frames), self._num_frames)

    @property
    def newest_stamp_ns(self) -> int | None:
        """Acquisition time of the newest frame in the context, in nanoseconds; None: no frame."""
        frames = self._frames
        return frames[-1][0] if frames else None

    @property
    def newest_image_ns(self) -> int | None:
        """Acquisition time in nanoseconds of the newest usable image, also between two ticks of the model's clock."""
        latest = self._latest
        return latest[0] if latest else None

    @property
    def image_period_s(self) -> float:
        """Estimated time between two images in seconds; 0: unknown."""
        return self._clock.interval_s

    def counts(self) -> dict[str, int]:
        """The counters by name."""
        return asdict(self.counters)

    @property
    def _uses_commands(self) -> bool:
        return self._manifest.kind == "commands"

    @property
    def _joints(self) -> LiveJoints:
        return self._commands if self._uses_commands else self._states

    def _start_again(self) -> None:
        self._clock, self._latest = self._preprocessing.clock(), None
        self._frames.clear()
        self._reset_joints()

    def _reset_joints(self) -> None:
        # The newest joint state is often a few milliseconds older than the newest image: it holds for one period.
        hold_s = 1 / self._preprocessing.frame_rate_hz
        capacity = max(_JOINT_CAPACITY, round(2 * self._num_frames * hold_s * _JOINT_RATE_HZ))
        self._states, self._commands = (
            LiveJoints(
                self._manifest.names,
                self._manifest.aliases,
                capacity=capacity,
                hold_s=hold_s,
                clock=self._arrival_clock,
            )
            for _ in range(2)
        )

    def _require_ready(self) -> NDArray[np.int64]:
        """Stamps [F] of the newest window whose joint values are known. Raises the errors of `window`."""
        if len(self._frames) < self._num_frames:
            raise NoContext(
                "Context",
                expected=f"{self._num_frames} frames at {self._preprocessing.frame_rate_hz:g} Hz",
                got=f"{len(self._frames)} since the start or the last flush",
                remedy="Wait, or check that the camera publishes on the image topic with a compatible QoS.",
            )
        self._require_robot()
        stamps = np.array([stamp for stamp, _ in self._frames], dtype=np.int64)
        covered = self._joints.covers_before(stamps) if self._uses_commands else self._joints.covers(stamps)
        for end in range(len(stamps), self._num_frames - 1, -1):
            if covered[end - self._num_frames : end].all():
                return stamps[end - self._num_frames : end]
        raise self._uncovered()

    def _push(self, stamp_ns: int, frame: NDArray[np.uint8]) -> None:
        newest_ns, newest = self._latest or (None, None)
        if stamp_ns == newest_ns or self._preprocessing.is_repeat(frame, newest):
            self.counters.images_skipped += 1
            return
        tick = self._clock.push(stamp_ns)
        if tick.event == "late":
            raise _bad_stamp(BadImage, "Image", stamp_ns)
        if tick.restarted:
            self._frames.clear()
            self.counters.flushes_gap += tick.event == "gap"
            self.counters.flushes_clock += tick.event == "jump"
        elif self._latest is not None:
            self._frames.extend([self._latest] * tick.previous)
        self._frames.extend([(stamp_ns, frame)] * tick.current)
        self._latest = (stamp_ns, frame)
        self.counters.images_used += tick.current > 0
        self.counters.images_skipped += tick.current == 0
        self.counters.frames_repeated += max(0, tick.previous + tick.current - 1)

    def _add_joints(
        self,
        joints: LiveJoints,
        stamp_ns: int,
        names: Sequence[str],
        positions: Sequence[float] | NDArray,
        number: int | None,
    ) -> None:
        with self._lock:
            try:
                if stamp_ns <= 0:
                    raise _bad_stamp(BadActions, "Joint message", stamp_ns)
                joints.add(stamp_ns, names, positions, number)
            except BadInput:
                self.counters.joint_messages_dropped += 1
                raise

    def _require_robot(self) -> None:
        # The states are also checked if the actions are commands, because a planner takes its joint names from the
        # model, not from the robot.
        for joints in (self._states, self._commands):
            joints.require_complete()

    def _uncovered(self) -> NoContext:
        what = "commands" if self._uses_commands else "joint states"
        newest_ns = self._joints.newest_ns
        return NoContext(
            f"Context: {what}",
            expected="a command before the oldest frame" if self._uses_commands else "joint states around every frame",
            got="none" if newest_ns is None else f"the newest at {newest_ns / 1e9:.3f} s, {self._frame_span()}",
            remedy="Check the topic and its QoS, and that its stamps use the camera's clock.",
        )

    def _frame_span(self) -> str:
        frames = self._frames
        return f"frames at {frames[0][0] / 1e9:.3f} to {frames[-1][0] / 1e9:.3f} s" if frames else "no frames"


def _bad_stamp(kind: type[BadInput], what: str, stamp_ns: int) -> BadInput:
    return kind(
        f"{what} stamp",
        expected="a time after the previous message",
        got=f"{stamp_ns / 1e9:.3f} s",
        remedy="Stamp messages with their acquisition time.",
    )
