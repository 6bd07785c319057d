"""Joint values at any time, from joint messages in order of arrival; for whole recordings and for the live context."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.step_back import StepBack
from hwm_core.data.robot.joint_limits import LARGEST_VALUE
from hwm_core.data.robot.joint_names import match_names
from hwm_core.errors import BadActions

# Values of one joint that differ by less agree, in rad, m or closure. Values of a larger reach are in degrees or in raw
# units.
_APART, _APART_WIDE, _WIDE = 0.02, 1.0, 7.0
# Longest pause between two entries that is interpolated over.
MAX_PAUSE_S = 0.2
# Entries whose intervals give the observed period.
_OBSERVED = 16


class JointTrack:
    """Positions of named joints over time.

    Each message may order its joints differently and may contain further joints. With a `capacity` the track is a
    ring buffer of its newest entries; without, it grows.

    Args:
        names: the A joints wanted, the columns of all values.
        capacity: number of entries kept; None keeps all.
        max_gap_s: longest pause that is interpolated over, in seconds.
        hold_s: how long the first and the last entry hold beyond the ends of the track, in seconds.
        aliases: {name a message may use: name wanted}.
        hold_periods: the ends also hold for this number of observed periods, but not over a pause.
    """

    def __init__(
        self,
        names: Sequence[str],
        capacity: int | None = None,
        max_gap_s: float = MAX_PAUSE_S,
        hold_s: float = 0.0,
        aliases: Mapping[str, str] | None = None,
        hold_periods: float = 0.0,
    ) -> None:
        self.names = tuple(names)
        self._hold_periods = hold_periods
        self._step_back = StepBack()
        self._aliases = dict(aliases or {})
        self.jumps = 0
        self.replaced = 0  # entries that another one at the same stamp replaced
        self.contradictions = np.zeros(len(self.names), dtype=np.int64)  # of them, how often each joint differed
        self._capacity = capacity
        self._max_gap_ns = round(max_gap_s * 1e9)
        self._hold_ns = round(hold_s * 1e9)
        # Contiguous storage of twice the capacity: when it is full, the newest `capacity` entries move to the front.
        room = 2 * capacity if capacity else 1024
        self._stamps = np.empty(room, dtype=np.int64)
        self._values = np.empty((room, len(self.names)))
        self._end = 0
        self._order: list[str] = []
        self._columns = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return min(self._end, self._capacity) if self._capacity else self._end

    @property
    def stamps_ns(self) -> NDArray[np.int64]:
        """Stamps of the kept entries, strictly increasing."""
        return self._stamps[self._end - len(self) : self._end]

    @property
    def ends_ns(self) -> tuple[int, ...]:
        """Stamps of the first and the last entry; none of an empty track."""
        return (int(self.stamps_ns[0]), int(self.stamps_ns[-1])) if len(self) else ()

    @property
    def values(self) -> NDArray[np.float64]:
        """Values of the kept entries, [N, A]."""
        return self._kept_values()

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest entry."""
        return int(self._stamps[self._end - 1]) if self._end else None

    @property
    def period_ns(self) -> int:
        """Median interval of the newest entries; 0: unknown."""
        intervals = np.diff(self.stamps_ns[-_OBSERVED:])
        return int(np.median(intervals)) if len(intervals) else 0

    @classmethod
    def joined(cls, tracks: Sequence["JointTrack"], names: Sequence[str]) -> "JointTrack":
        """One track of joints that all `tracks` have. Of entries at one stamp, the last one counts."""
        stamps = np.concatenate([one.stamps_ns for one in tracks])
        values = np.concatenate([one.values_of(names) for one in tracks])
        order = np.argsort(stamps, kind="stable")
        stamps, values = stamps[order], values[order]
        last = np.append(np.diff(stamps) > 0, True) if len(stamps) else np.zeros(0, dtype=bool)
        made = cls(names)
        made._stamps, made._values, made._end = stamps[last], values[last], int(last.sum())
        return made

    def values_of(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Values of some joints, [N, len(names)]."""
        return self._kept_values()[:, [self.names.index(name) for name in names]]

    def is_jump(self, stamp_ns: int) -> bool:
        """Whether an entry at `stamp_ns` would be a backward clock jump (see `StepBack`)."""
        return self._end > 0 and self._step_back.is_reset(stamp_ns, int(self._stamps[self._end - 1]))

    def append(
        self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray
    ) -> Literal["", "late", "jump"]:
        """Add one message. An entry at the newest stamp replaces that entry.

        Returns:
            "late": the message precedes the newest entry and is left out. "jump": the clock jumped back, and all
            earlier entries are discarded. "": otherwise.

        Raises:
            RobotMismatch: a wanted joint is missing; names the joint.
            BadActions: the positions are not one per name, or not finite.
        """
        row = self._row(names, positions)
        event: Literal["", "jump"] = ""
        if self.is_jump(stamp_ns):
            self._end, self.jumps, event = 0, self.jumps + 1, "jump"
        elif self._end and stamp_ns < self._stamps[self._end - 1]:
            self._step_back.late(stamp_ns, int(self._stamps[self._end - 1]))
            return "late"
        elif self._end and stamp_ns == self._stamps[self._end - 1]:
            self._end -= 1
            self.replaced += 1
            self.contradictions += differs(row, self._values[self._end])
        self._step_back.on_time()
        if self._end == len(self._stamps):
            self._make_room()
        self._stamps[self._end], self._values[self._end] = stamp_ns, row
        self._end += 1
        return event

    def covers(self, stamps_ns: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which of the stamps [N] `at` has values: those between two close entries, or held at an end."""
        kept, wanted = self.stamps_ns, np.asarray(stamps_ns, dtype=np.int64)
        if len(kept) == 0:
            return np.zeros(wanted.shape, dtype=bool)
        after = np.searchsorted(kept, wanted)
        inside = (after > 0) & (after < len(kept))
        spacing = kept[np.minimum(after, len(kept) - 1)] - kept[np.maximum(after, 1) - 1]
        exact = kept[np.minimum(after, len(kept) - 1)] == wanted
        hold = max(self._hold_ns, min(round(self._hold_periods * self.period_ns), self._max_gap_ns))
        held = ~inside & (wanted >= kept[0] - hold) & (wanted <= kept[-1] + hold)
        return exact | (inside & (spacing <= self._max_gap_ns)) | held

    def at(self, stamps_ns: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Linearly interpolated values at the stamps [N], float32 [N, A]. Raises BadActions unless `covers` is true."""
        kept, values, wanted = self.stamps_ns, self._kept_values(), np.asarray(stamps_ns, dtype=np.int64)
        self._require(self.covers(wanted), wanted, "an entry on both sides")
        before = np.clip(np.searchsorted(kept, wanted, side="right") - 1, 0, len(kept) - 1)
        after = np.minimum(before + 1, len(kept) - 1)
        # Subtract in int64 first: nanoseconds since 1970 exceed the precision of a float64.
        weight = np.clip((wanted - kept[before]) / np.maximum(kept[after] - kept[before], 1), 0.0, 1.0)[:, None]
        return ((1 - weight) * values[before] + weight * values[after]).astype(np.float32)

    def covers_before(self, stamps_ns: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which of the stamps [N] there is an entry strictly before."""
        return np.searchsorted(self.stamps_ns, np.asarray(stamps_ns, dtype=np.int64)) > 0

    def before(self, stamps_ns: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """Commands in force at the stamps [N]: the newest entry strictly before each, float32 [N, A].

        Raises:
            BadActions: `covers_before` is false for a stamp.
        """
        wanted = np.asarray(stamps_ns, dtype=np.int64)
        self._require(self.covers_before(wanted), wanted, "an earlier entry")
        return self._kept_values()[np.searchsorted(self.stamps_ns, wanted) - 1].astype(np.float32)

    def _row(self, names: Sequence[str], positions: Sequence[float] | NDArray) -> NDArray[np.float64]:
        if self._order != (order := list(names)):
            own = [self._aliases.get(name, name) for name in order]
            self._columns = match_names(self.names, own, whose="the joint message")
            self._order = order
        values = np.asarray(positions, dtype=np.float64)
        if values.shape != (len(names),):
            raise BadActions(
                "Joint message",
                expected=f"{len(names)} positions, one per name",
                got=list(values.shape),
                remedy="Correct them at their source: the publisher, or the rows of the table.",
            )
        row = values[self._columns]
        if not (np.abs(row) <= LARGEST_VALUE).all():  # also rejects NaN
            bad = [name for name, value in zip(self.names, row, strict=True) if not abs(value) <= LARGEST_VALUE]
            fault = f"more than {LARGEST_VALUE:g}" if np.isfinite(row).all() else "NaN or infinity"
            raise BadActions(
                "Joint message",
                expected=f"finite positions of at most {LARGEST_VALUE:g}",
                got=f"{fault} for {', '.join(bad)}",
                remedy="Correct them at their source: the publisher, or the rows of the table.",
            )
        return row

    def _make_room(self) -> None:
        if self._capacity:
            keep = slice(self._end - self._capacity, self._end)
            self._stamps[: self._capacity] = self._stamps[keep]
            self._values[: self._capacity] = self._values[keep]
            self._end = self._capacity
        else:
            self._stamps = np.concatenate([self._stamps, np.empty_like(self._stamps)])
            self._values = np.concatenate([self._values, np.empty_like(self._values)])

    def _kept_values(self) -> NDArray[np.float64]:
        return self._values[self._end - len(self) : self._end]

    def _require(self, known: NDArray[np.bool_], wanted: NDArray[np.int64], what: str) -> None:
        if not known.all():
            span = f"{self.stamps_ns[0]}..{self.newest_ns} ns" if len(self) else "an empty track"
            raise BadActions(
                "Joint values at a stamp",
                expected=what,
                got=f"{wanted[~known][0]} ns against {span}",
                remedy="Request only stamps that the track covers.",
            )


def differs(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """For which values two measurements of the same joint at the same time contradict each other."""
    return np.abs(one - other) > apart(np.maximum(np.abs(one), np.abs(other)))


def apart(reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference from which on two values contradict each other; `reach` is the largest of their magnitudes."""
    return np.where(reach > _WIDE, _APART_WIDE, _APART)
