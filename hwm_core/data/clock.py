"""The frame clock: which camera frames a model of a fixed rate sees. One rule, for a bag and for a live camera."""

from dataclasses import dataclass
from typing import Literal

# Frames further apart than this many periods are not neighbours: holding a picture longer says "the world froze".
MAX_GAP_PERIODS = 3.5
# A frame may come this fraction of a period before it is due. Below 1/2, or every second frame of a camera of twice
# the rate would be a coin toss; well above usual camera jitter.
_EARLY = 1 / 3
# Share of a frame's timing error that the clock follows, so that a 29.97 Hz camera never slips against 30 Hz. Small,
# so that a camera of truly another rate is resampled rather than followed (it locks within 1 %).
_FOLLOW = 1 / 32


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
        previous = current = 0
        error = 0.0
        while self._due <= stamp_ns + _EARLY * self._period:
            error = stamp_ns - self._due
            if self._due - self._newest < error:
                previous += 1
            else:
                current += 1
            self._due += self._period
        if (previous, current) == (0, 1) and abs(error) < _EARLY * self._period:
            self._due += _FOLLOW * error
        self._newest = stamp_ns
        return Tick(previous, current)

    def _restart(self, stamp_ns: int, event: Literal["", "gap", "jump"]) -> Tick:
        self._newest = stamp_ns
        self._due = stamp_ns + self._period
        return Tick(0, 1, event)
