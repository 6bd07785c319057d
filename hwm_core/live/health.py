"""What is wrong with the inputs of a live model: streams that are silent, rejected, or stamped by another clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from hwm_core.errors import BadInput

_SILENT_S = 1.4  # a camera or a robot publishes many times in this time
_REJECTED, _REJECTED_S = 3, 0.5  # messages in a row, and their time: a single broken one is no fault of the stream
# Stamps further away from the node's clock are of another clock, or of another day.
_OLD_S, _AHEAD_S = 5.0, 0.5


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and how to correct it."""

    text: str
    is_error: bool = True  # False: the model works on
    cause: BadInput | None = None  # the newest rejection, where rejections are what is wrong


class InputStream:
    """Messages of one kind, as they arrive.

    Args:
        what: the messages, as in "Images".
        silence: what it is.
        clock: seconds since any time.
    """

    def __init__(
        self, what: str, silence: Literal["error", "warning", "fine"], clock: Callable[[], float] = monotonic
    ) -> None:
        self.what, self._silence, self._clock = what, silence, clock
        self.start()

    def start(self) -> None:
        """Forget all messages: silence counts from now."""
        self._since = self._clock()  # of silence
        self.received = 0  # since the last `take_count`
        self.total = 0
        self.rejection: BadInput | None = None
        self.rejected_in_a_row = 0
        self._rejected_since = self.rejected_at = self._since
        self._lag_s = self._moved_lag_s = 0.0
        self._stamp_ns = -1

    def accepted(self, lag_s: float, stamp_ns: int) -> None:
        """A message was used.

        Args:
            lag_s: the node's time minus its stamp, in seconds.
            stamp_ns: its stamp.
        """
        self._received()
        self.rejected_in_a_row, self._lag_s = 0, lag_s
        if stamp_ns != self._stamp_ns:
            self._stamp_ns, self._moved_lag_s = stamp_ns, lag_s

    def rejected(self, error: BadInput) -> None:
        """A message was rejected."""
        self._received()
        self.rejection, self.rejected_at = error, self._clock()
        if self.rejected_in_a_row == 0:
            self._rejected_since = self.rejected_at
        self.rejected_in_a_row += 1

    def take_count(self) -> int:
        """Messages since the last call."""
        count, self.received = self.received, 0
        return count

    @property
    def silent_s(self) -> float:
        """Seconds since the newest message, or since the start."""
        return self._clock() - self._since

    def findings(self, topic: str) -> Iterator[Finding]:
        """What is wrong now; the first finding is the most important one."""
        if self.silent_s > _SILENT_S:
            if self._silence != "fine":
                newest = "none arrived" if self.total == 0 else "they stopped"
                remedy = "Check that their publisher runs, and the name of the topic."
                text = f"{self.what}: {newest} for {self.silent_s:.1f} s on {topic}. {remedy}"
                yield Finding(text, is_error=self._silence == "error")
            return
        rejected_s = self.rejected_at - self._rejected_since
        if self.rejected_in_a_row >= _REJECTED and rejected_s >= _REJECTED_S and self.rejection is not None:
            count = self.rejected_in_a_row
            yield Finding(f"{self.what}: the newest {count} were rejected. {self.rejection}", cause=self.rejection)
        elif self._lag_s - self._moved_lag_s > _SILENT_S:  # a simulation that waits stops its clock too
            seconds = self._lag_s - self._moved_lag_s
            yield Finding(
                f"{self.what}: their stamps stand still for {seconds:.1f} s, although messages arrive on {topic}. "
                "Restart the driver, or set stamp_source:=receive.",
                is_error=False,
            )
        elif not -_AHEAD_S <= self._lag_s <= _OLD_S:
            side = "behind" if self._lag_s > 0 else "ahead of"
            yield Finding(
                f"{self.what}: their stamps are {_duration(abs(self._lag_s))} {side} the node's clock. Synchronise the "
                "clocks; set use_sim_time for recordings and simulators, or stamp_source:=receive.",
                is_error=False,
            )

    def _received(self) -> None:
        self._since = self._clock()
        self.received += 1
        self.total += 1


def newest_rejection(streams: list[InputStream]) -> tuple[str, int]:
    """The newest rejection of all streams, and how many messages of its stream were rejected since one was used."""
    rejecting = [stream for stream in streams if stream.rejection is not None]
    if not rejecting:
        return "", 0
    newest = max(rejecting, key=lambda stream: (stream.rejected_in_a_row > 0, stream.rejected_at))
    return f"{newest.what}: {newest.rejection}", newest.rejected_in_a_row


class Announcements:
    """Which findings are new, so that each is reported once: again only after it was gone."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def new(self, found: dict[str, Finding]) -> list[Finding]:
        """The findings that were not there at the last call. Keys tell kinds apart; a text may contain numbers."""
        fresh = [finding for key, finding in found.items() if key not in self._known]
        self._known = set(found)
        return fresh


def _duration(seconds: float) -> str:
    for unit, size in (("years", 365 * 86400), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
