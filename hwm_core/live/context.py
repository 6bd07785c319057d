"""The rolling context of a live model: the newest frames at the model's rate, and the action of each frame."""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.recording.joints import JointTrack
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadActions, BadImage, BadInput, RobotMismatch

# Joint values kept: at least this many, or twice the values that the window spans at the highest rate.
_JOINT_CAPACITY, _JOINT_RATE_HZ = 3000, 1000


class NoContext(BadInput):
    """Too few frames, or frames without joint values, to predict from."""


@dataclass(frozen=True)
class ContextWindow:
    """The model's input: F frames that end with the newest one, and the action of each frame."""

    frames: NDArray[np.uint8]  # [F, H, W, 3] RGB, preprocessed
    actions: NDArray[np.float32]  # [F, A] in manifest order and units
    stamps_ns: NDArray[np.int64]  # [F] acquisition times

    @property
    def stamp_ns(self) -> int:
        """Acquisition time of the newest frame."""
        return int(self.stamps_ns[-1])

    def same_as(self, other: "ContextWindow | None") -> bool:
        """Whether both windows encode to the same past."""
        return (
            other is not None
            and np.array_equal(self.stamps_ns, other.stamps_ns)
            and np.array_equal(self.actions, other.actions)
        )


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


class Context:
    """Collects images, joint states and commands by header stamp, and returns the newest window. Thread-safe.

    The newest frame is always the last frame of the window, so it completes the last past latent.
    """

    def __init__(self, manifest: ActionManifest, preprocessing: Preprocessing, num_frames: int) -> None:
        self._manifest, self._preprocessing = manifest, preprocessing
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
            self._frames: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=self._num_frames)
            self._latest: tuple[int, NDArray[np.uint8]] | None = None
            # The newest joint state is often a few milliseconds older than the newest image: it holds for one period.
            hold_s = 1 / self._preprocessing.frame_rate_hz
            names, aliases = self._manifest.names, self._manifest.aliases
            capacity = max(_JOINT_CAPACITY, round(2 * self._num_frames * hold_s * _JOINT_RATE_HZ))
            self._states = JointTrack(names, capacity=capacity, hold_s=hold_s, aliases=aliases)
            self._commands = JointTrack(names, capacity=capacity, aliases=aliases)
            self._mismatch: dict[JointTrack, RobotMismatch] = {}

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

    def add_states(self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray) -> None:
        """Add one measured JointState. Raises RobotMismatch or BadActions; the message is then counted as dropped."""
        self._add_joints(False, stamp_ns, names, positions)

    def add_command(self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray) -> None:
        """Add one command. Raises RobotMismatch or BadActions; the message is then counted as dropped."""
        self._add_joints(True, stamp_ns, names, positions)

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
            actions = self._track.before(stamps) if self._uses_commands else self._track.at(stamps)
            frames = [frame for _, frame in self._frames]
        return ContextWindow(np.stack(frames), actions, stamps)

    def newest_action(self) -> NDArray[np.float32]:
        """The newest command, or the newest measured state, [A]. Raises the errors of `window`."""
        with self._lock:
            self._require_robot()
            track = self._track
            if track.newest_ns is None:
                raise self._uncovered()
            # `before` is strict: the newest entry takes effect one nanosecond after its stamp.
            return track.before([track.newest_ns + 1])[0]

    @property
    def frames_held(self) -> int:
        """Frames in the context, at most the window's."""
        return len(self._frames)

    @property
    def newest_stamp_ns(self) -> int | None:
        """Acquisition time of the newest frame in the context."""
        frames = self._frames
        return frames[-1][0] if frames else None

    @property
    def newest_image_ns(self) -> int | None:
        """Acquisition time of the newest usable image, also of one between two ticks of the model's clock."""
        latest = self._latest
        return latest[0] if latest else None

    @property
    def image_period_s(self) -> float:
        """Estimated time between two images; 0: unknown."""
        return self._clock.interval_s

    def counts(self) -> dict[str, int]:
        """The counters by name."""
        return asdict(self.counters)

    @property
    def _uses_commands(self) -> bool:
        return self._manifest.kind == "commands"

    @property
    def _track(self) -> JointTrack:
        return self._commands if self._uses_commands else self._states

    def _require_ready(self) -> NDArray[np.int64]:
        """Stamps [F] of a complete window. Raises the errors of `window`."""
        if len(self._frames) < self._num_frames:
            raise NoContext(
                "Context",
                expected=f"{self._num_frames} frames at {self._preprocessing.frame_rate_hz:g} Hz",
                got=f"{len(self._frames)} since the start or the last flush",
                remedy="Wait, or check that the camera publishes on the image topic with a compatible QoS.",
            )
        self._require_robot()
        stamps = np.array([stamp for stamp, _ in self._frames], dtype=np.int64)
        covered = self._track.covers_before(stamps) if self._uses_commands else self._track.covers(stamps)
        if not covered.all():
            raise self._uncovered()
        return stamps

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
        self, is_command: bool, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray
    ) -> None:
        with self._lock:
            track = self._commands if is_command else self._states
            try:
                if stamp_ns <= 0:
                    raise _bad_stamp(BadActions, "Joint message", stamp_ns)
                if track.append(stamp_ns, names, positions) == "late":
                    raise _bad_stamp(BadActions, "Joint message", stamp_ns)
            except BadInput as error:
                self.counters.joint_messages_dropped += 1
                if isinstance(error, RobotMismatch):
                    self._mismatch[track] = error
                raise

    def _require_robot(self) -> None:
        # The states are also checked if the actions are commands, because a planner takes its joint names from the
        # model, not from the robot. A mismatch is an error only while no message has matched: a second publisher of
        # other joints is common.
        for track, error in self._mismatch.items():
            if len(track) == 0:
                raise error

    def _uncovered(self) -> NoContext:
        what = "commands" if self._uses_commands else "joint states"
        newest_ns = self._track.newest_ns
        return NoContext(
            f"Context: {what}",
            expected="a command before the oldest frame" if self._uses_commands else "joint states around every frame",
            got="none" if newest_ns is None else f"{len(self._track)} {what}, the newest at {newest_ns / 1e9:.3f} s",
            remedy="Check the topic and its QoS, and that its stamps use the camera's clock.",
        )


def _bad_stamp(kind: type[BadInput], what: str, stamp_ns: int) -> BadInput:
    return kind(
        f"{what} stamp",
        expected="a time after the previous message",
        got=f"{stamp_ns / 1e9:.3f} s",
        remedy="Stamp messages with their acquisition time.",
    )
