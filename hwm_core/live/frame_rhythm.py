"""How fast frames arrive, compared with their stamps: a simulation may be slower than real time."""

_GAIN = 0.1
_SLOWEST = 5.0  # frames that seem to come still slower have wrong stamps, or a machine that cannot do this
_LONGEST_S = 0.5  # longer pauses tell nothing about the rate


class FrameRhythm:
    """Estimates wall seconds per second of the camera's clock."""

    def __init__(self) -> None:
        self.newest_ns = 0  # stamp of the newest frame
        self._at_s: float | None = None
        self._wall_s = self._stamp_s = 0.0  # means of both intervals

    @property
    def slowness(self) -> float:
        """Wall seconds per second of the camera's clock, from 1 to 5: time limits that grow by it stay limits."""
        return min(max(1.0, self._wall_s / self._stamp_s), _SLOWEST) if self._stamp_s > 0 else 1.0

    def restart(self) -> None:
        """The frames before no longer count."""
        self.newest_ns, self._at_s = 0, None

    def frame(self, at_s: float, stamp_ns: int) -> None:
        """Add a frame that arrived at `at_s` seconds of a steady clock, with its stamp in nanoseconds."""
        if self._at_s is not None:
            wall_s, stamp_s = at_s - self._at_s, (stamp_ns - self.newest_ns) * 1e-9
            if 0 < wall_s < _LONGEST_S and 0 < stamp_s < _LONGEST_S:
                gain = _GAIN if self._stamp_s else 1.0
                self._wall_s += gain * (wall_s - self._wall_s)
                self._stamp_s += gain * (stamp_s - self._stamp_s)
        self._at_s, self.newest_ns = at_s, stamp_ns
