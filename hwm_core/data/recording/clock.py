"""The frame clock: which camera frames a model of a fixed rate sees. One rule, for a bag and for a live camera."""

from dataclasses import dataclass
from typing import Literal

# Frames further apart than this many periods are not neighbours: holding a picture longer says "the world froze".
MAX_GAP_PERIODS = 3.5
# Share of an error that is corrected at once: of the camera's interval as estimated, and of the clock's phase.
_GAIN = 1 / 32
# A camera whose interval, or a multiple of it, is the period to within this is followed, not resampled: 29.97 and
# 59.94 Hz never slip against 30 Hz. At most half a period times the gain, or the correction could not keep up.
_LOCK = 1 / 64


@dataclass(frozen=True)
class Tick:
    """What one arriving frame means for the frames the model sees.

    The model's sequence grows by `previous` copies of the frame that came before, then `current` copies of this one.
    """

    previous: int
    current: int
    event: Literal["", "late", "gap", "jump"] = ""

    @property
    def restarted(self) -> bool:
        """This frame starts a new segment: what came before is no context for it."""
        return self.event in ("gap", "jump")


class FrameClock:
    """Nearest-neighbour resampling to `rate_hz`, one stamp at a time.

    Every clock period takes the nearest frame: a faster camera is thinned, a slower one repeated. A pause of more than
    `MAX_GAP_PERIODS` periods is a "gap", a step back by as much a "jump" (bag loop, reset of the simulation); both
    restart the clock. A frame that repeats or precedes the newest stamp by less is "late" and left out.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period = 1e9 / rate_hz
        self._newest: int | None = None
        self._interval: float | None = None  # of the camera, estimated
        self._due = 0.0

    def push(self, stamp_ns: int) -> Tick:
        """Advance to the frame acquired at `stamp_ns`."""
        if self._newest is None:
            return self._restart(stamp_ns, "")
        elapsed, limit = stamp_ns - self._newest, MAX_GAP_PERIODS * self._period
        if abs(elapsed) > limit:
            return self._restart(stamp_ns, "gap" if elapsed > 0 else "jump")
        if elapsed <= 0:
            return Tick(0, 0, "late")
        interval = float(elapsed) if self._interval is None else self._interval + _GAIN * (elapsed - self._interval)
        previous = current = 0
        error = 0.0
        # What is due within half an interval from now is nearer to this frame than to the next.
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
        return Tick(previous, current)

    def _restart(self, stamp_ns: int, event: Literal["", "gap", "jump"]) -> Tick:
        self._newest, self._interval = stamp_ns, None
        self._due = stamp_ns + self._period
        return Tick(0, 1, event)


def rounded_rate_hz(interval_ns: float) -> float:
    """The rate of an interval, whole where it is within 2 %."""
    rate = 1e9 / interval_ns
    return float(round(rate)) if round(rate) and abs(rate / round(rate) - 1) < 0.02 else rate
