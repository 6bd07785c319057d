"""Joint messages of one channel over a whole recording, across clock jumps and cuts."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.joints import JointTrack

Values = NDArray[np.float32] | None
Known = NDArray[np.bool_]


class JointEpochs:
    """One `JointTrack` per epoch. A backward clock jump or a cut starts a new epoch.

    Args:
        names: joints wanted, in this order; None takes the joints of the first message.
        aliases: {name a message may use: name wanted}.
    """

    def __init__(self, names: Sequence[str] | None, aliases: Mapping[str, str] | None) -> None:
        self._wanted, self._aliases = names, aliases
        self._tracks: list[JointTrack] = []
        self._cut = False

    def __bool__(self) -> bool:
        return bool(self._tracks)

    def __str__(self) -> str:
        return ", ".join(time_span(track.stamps_ns) for track in self._tracks) or "no time"

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the values; empty when nothing was recorded."""
        return self._tracks[0].names if self._tracks else ()

    @property
    def current(self) -> int:
        """Number of the epoch that a message arriving now belongs to."""
        return max(len(self._tracks) - 1, 0) + self._cut

    def cut(self) -> None:
        """Start a new epoch with the next message."""
        self._cut = bool(self._tracks)

    def append(self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray) -> bool:
        """Add one message. Returns False for a late one, which is left out. Raises as `JointTrack.append`."""
        if self._tracks and not self._cut and not self._tracks[-1].is_jump(stamp_ns):
            return self._tracks[-1].append(stamp_ns, names, positions) != "late"
        track = JointTrack(self._wanted or self.names or names, aliases=self._aliases if self._wanted else None)
        track.append(stamp_ns, names, positions)
        self._tracks.append(track)
        self._cut = False
        return True

    def at(self, stamps: NDArray[np.int64], epochs: Sequence[int]) -> tuple[Values, Known]:
        """Interpolated values at stamps of given epochs.

        Returns:
            values [N, A] and a mask [N] of the known ones; None and all True when nothing was recorded.
        """
        return self._look_up(stamps, epochs, JointTrack.covers, JointTrack.at)

    def before(self, stamps: NDArray[np.int64], epochs: Sequence[int]) -> tuple[Values, Known]:
        """Newest values strictly before stamps of given epochs. Returns as `at`."""
        return self._look_up(stamps, epochs, JointTrack.covers_before, JointTrack.before)

    def _look_up(
        self,
        stamps: NDArray[np.int64],
        epochs: Sequence[int],
        covers: Callable[[JointTrack, NDArray[np.int64]], Known],
        values: Callable[[JointTrack, NDArray[np.int64]], NDArray[np.float32]],
    ) -> tuple[Values, Known]:
        if not self._tracks:
            return None, np.ones(len(stamps), dtype=bool)
        found = np.zeros((len(stamps), len(self.names)), dtype=np.float32)
        known = np.zeros(len(stamps), dtype=bool)
        for epoch, track in enumerate(self._tracks):
            inside = np.flatnonzero(np.asarray(epochs) == epoch)
            inside = inside[covers(track, stamps[inside])]
            found[inside], known[inside] = values(track, stamps[inside]), True
        return found, known


def time_span(stamps_ns: NDArray[np.int64]) -> str:
    """First and last stamp, in seconds."""
    return f"{stamps_ns[0] / 1e9:.3f}..{stamps_ns[-1] / 1e9:.3f} s"
