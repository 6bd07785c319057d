"""Tells a message that arrived late from a clock that was set back."""

# A step back by this time is a clock that was set back (bag loop, reset): no message is that late. Below `_LATE_NS`, it
# is a message out of order. Between the two, a second message decides.
_RESET_NS, _LATE_NS = 1_000_000_000, 100_000_000


class StepBack:
    """Classifies stamps that are older than the newest one, in order of arrival.

    One late message costs itself alone. When the next message continues from there, the clock was set back.

    Args:
        late_ns: a step back by at most this time is always a late message.
    """

    def __init__(self, late_ns: float = _LATE_NS) -> None:
        self._late_ns = late_ns
        self._suspect_ns: int | None = None  # stamp of the message before, if that was late by more than `late_ns`

    def is_reset(self, stamp_ns: int, newest_ns: int) -> bool:
        """Whether a message at `stamp_ns` shows that the clock was set back. Changes nothing."""
        back = newest_ns - stamp_ns
        if back > max(_RESET_NS, self._late_ns):
            return True
        return back > self._late_ns and self._suspect_ns is not None and stamp_ns > self._suspect_ns

    def late(self, stamp_ns: int, newest_ns: int) -> None:
        """Register a late message."""
        self._suspect_ns = stamp_ns if newest_ns - stamp_ns > self._late_ns else None

    def on_time(self) -> None:
        """Register a message that is not late."""
        self._suspect_ns = None
