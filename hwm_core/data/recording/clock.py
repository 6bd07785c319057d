"""The frame clock: which camera frames a model of a fixed rate gets. Bags and live cameras use the same rule."""

from dataclasses import dataclass
from typing import Literal

from hwm_core.data.recording.step_back import StepBack

# Frames further apart than this many periods are not neighbours: holding an image longer would show a frozen world.
MAX_GAP_PERIODS = 3.5
# Gain of both estimates: the camera's interval, and the phase of the clock.
_GAIN = 1 / 32
# Relative tolerance within which the clock follows the camera, not resamples it, when a multiple of the camera's
# interval is the period: 29.97 and 59.94 Hz never slip against 30 Hz. At most half the gain, or the phase correction
# could not keep up.
_LOCK = 1 / 64


@dataclass(frozen=True)
class ClockUpdate:
    """What one arriving frame adds to the model's sequence.

    The sequence grows by `previous` copies of the frame before, then by `current` copies of this frame.
    """

    previous: int
    current: int
    event: Literal["", "late", "gap", "jump"] = ""

    @property
    def restarted(self) -> bool:
        """Whether this frame starts a new segment: earlier frames are not its context."""
        return self.event in ("gap", "jump")


class FrameClock:
    """Nearest-neighbour resampling to `rate_hz`, one stamp at a time.

    Each clock period takes the nearest frame: frames of a faster camera are skipped, frames of a slower camera are
    repeated. A pause of more than `MAX_GAP_PERIODS` periods is a "gap". A step back by much more, or by as much in two
    frames, is a "jump" (bag loop, reset of the simulation; see `StepBack`). Both restart the clock. Any other frame at
    or before the newest stamp is "late" and is left out.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period = 1e9 / rate_hz
        self._newest: int | None = None
        self._interval: float | None = None  # estimated interval of the camera, ns
        self._due = 0.0
        self._step_back = StepBack(MAX_GAP_PERIODS * self._period)

    @property
    def interval_s(self) -> float:
        """Estimated time between two frames of the camera in seconds; 0: unknown."""
        return 0.0 if self._interval is None else 1e-9 * self._interval

    def push(self, stamp_ns: int) -> ClockUpdate:
        """Advance to the frame acquired at `stamp_ns`."""
        if self._newest is None:
            return self._restart(stamp_ns, "")
        elapsed, limit = stamp_ns - self._newest, MAX_GAP_PERIODS * self._period
        if elapsed > limit:
            return self._restart(stamp_ns, "gap")
        if self._step_back.is_reset(stamp_ns, self._newest):
            return self._restart(stamp_ns, "jump")
        if elapsed <= 0:
            self._step_back.late(stamp_ns, self._newest)
            return ClockUpdate(0, 0, "late")
        self._step_back.on_time()
        interval = float(elapsed) if self._interval is None else self._interval + _GAIN * (elapsed - self._interval)
        previous = current = 0
        error = 0.0
        # A period due within half an interval from now is nearer to this frame than to the next frame.
        while self._due <= stamp_ns + min(interval, self._period) / 2:
            error = stamp_ns - self._due
            if self._due - self._newest < error:
                previous += 1
            else:
                current += 1
            self._due += self._period
        per_period = max(1, round(self._period / interval))
        if (previous, current) == (0, 1) and abs(per_period * interval - self._period) < _LOCK * self._period:
            self._due += _GAIN * error
        self._newest, self._interval = stamp_ns, interval
        return ClockUpdate(previous, current)

    def _restart(self, stamp_ns: int, event: Literal["", "gap", "jump"]) -> ClockUpdate:
        self._newest, self._interval = stamp_ns, None
        self._step_back.on_time()
        self._due = stamp_ns + self._period
        return ClockUpdate(0, 1, event)


def rounded_rate_hz(interval_ns: float) -> float:
    """The rate of an interval, rounded to a whole number when that is within 2 %."""
    rate = 1e9 / interval_ns
    return float(round(rate)) if round(rate) and abs(rate / round(rate) - 1) < 0.02 else rate
