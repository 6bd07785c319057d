"""Joint values of a live robot, from messages of several publishers that may each name only some joints."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.joints import JointTrack
from hwm_core.data.robot.joint_names import match_names
from hwm_core.errors import BadActions
from hwm_core.live.publishers import Publishers

_KEPT = 32  # parts, and lists of names: a robot has few, and a broken publisher must not fill the memory
# A publisher that is silent for this time, and for this number of messages of another one, is replaced by that one.
_SILENT_S, _SILENT_MESSAGES = 0.5, 10


@dataclass(eq=False)
class _Part:
    """The messages of one publisher with one set of wanted joints."""

    publisher: int
    columns: NDArray[np.int64]  # of these joints among all
    track: JointTrack
    first: float  # time of arrival of the first message
    newest_at: float  # and of the newest
    run: int = 0  # messages since the newest one of another publisher with some of these joints

    def competes(self, other: "_Part") -> bool:
        """Whether another publisher sends some of these joints."""
        return self.publisher != other.publisher and not set(self.columns).isdisjoint(other.columns)


class LiveJoints:
    """Values of all A joints by stamp. Each joint has one publisher: the first one, as long as it is not silent.

    Messages that name some of the joints are joined. A second publisher of the same joints is recognised by the numbers
    of its messages (see `Publishers`): its measured values are kept aside. Of commands, the newest one counts.

    Args:
        names: the A joints, the columns of all values.
        aliases: {name a message may use: name wanted}.
        capacity: messages kept of each part.
        hold_s: how long the newest measured value holds; at least 1.5 observed periods, but not over a pause.
        clock: seconds, for silence.
    """

    def __init__(
        self,
        names: Sequence[str],
        aliases: Mapping[str, str],
        *,
        capacity: int,
        hold_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names, self._aliases, self._clock = tuple(names), dict(aliases), clock
        self._capacity, self._hold_s = capacity, hold_s
        self._publishers = Publishers()
        self._parts: OrderedDict[tuple[int, tuple[str, ...]], _Part] = OrderedDict()  # least recently newest_at first
        self._owners: list[_Part | None] = [None] * len(self._names)  # [A]
        self._wanted: OrderedDict[tuple[str, ...], tuple[str, ...]] = OrderedDict()  # {names of a message: wanted ones}

    @property
    def received(self) -> bool:
        """Whether a message arrived, usable or not."""
        return bool(self._wanted)

    @property
    def complete(self) -> bool:
        """Whether every joint has a value."""
        return all(owner is not None for owner in self._owners)

    @property
    def newest_ns(self) -> int | None:
        """Stamp up to which all joints are known; None while one is not."""
        newest = [owner.track.newest_ns for owner in self._owners if owner is not None]
        return min(stamp for stamp in newest if stamp is not None) if self.complete else None

    def contested(self) -> tuple[str, ...]:
        """Joints that more than one publisher has sent lately."""
        now, found = self._clock(), set()
        lately = [part for part in self._parts.values() if now - part.newest_at < 2 * _SILENT_S]
        for number, part in enumerate(lately):
            for other in lately[:number]:
                both_go_on = min(part.newest_at, other.newest_at) > max(part.first, other.first)
                if both_go_on and part.competes(other):
                    found |= set(part.columns) & set(other.columns)
        return tuple(self._names[column] for column in sorted(found))

    def add(
        self,
        stamp_ns: int,
        names: Sequence[str],
        positions: Sequence[float] | NDArray,
        number: int | None = None,
    ) -> None:
        """Add one message.

        Args:
            stamp_ns: its time.
            names: its joints.
            positions: one per name.
            number: that its publisher gave it; None: unknown.

        Raises:
            RobotMismatch: it names none of the joints, or one of them twice.
            BadActions: the positions are not one per name or not finite, or the message is late.
        """
        wanted = self._wanted_of(tuple(names))
        publisher = self._publishers.identify(number, lambda one: self._distance((one, wanted), names, positions))
        if not wanted:
            match_names(self._names, [self._aliases.get(name, name) for name in names], whose="the joint message")
        key, now = (publisher, wanted), self._clock()
        part = self._parts.get(key) or self._new_part(publisher, wanted, now)
        newest_ns = part.track.newest_ns
        if part.track.append(stamp_ns, names, positions) == "late":
            raise BadActions(
                "Joint message stamp",
                expected=f"a time after {(newest_ns or 0) / 1e9:.3f} s, the newest of its publisher",
                got=f"{stamp_ns / 1e9:.3f} s",
                remedy="Stamp messages with their acquisition time, and publish them in order.",
            )
        self._parts[key] = part
        self._parts.move_to_end(key)
        part.newest_at, part.run = now, part.run + 1
        for other in self._parts.values():
            if other.competes(part):
                other.run = 0
        self._assign_owners(part, now)
        while len(self._parts) > _KEPT:
            _, dropped = self._parts.popitem(last=False)
            self._owners = [None if owner is dropped else owner for owner in self._owners]

    def require_complete(self) -> None:
        """Raises RobotMismatch, with the missing joints, when messages arrived but do not name all joints."""
        if self.received and not self.complete:
            given = dict.fromkeys(self._aliases.get(name, name) for names in self._wanted for name in names)
            match_names(self._names, list(given), whose="the joint messages")

    def covers(self, stamps_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which of the stamps [N] `at` has values."""
        return self._all_parts(lambda track: track.covers(stamps_ns), len(stamps_ns))

    def at(self, stamps_ns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Measured values at the stamps [N], float32 [N, A]; interpolated where a later message is there."""
        values = np.empty((len(stamps_ns), len(self._names)), np.float32)
        for part in self._owning():
            owned = [column for column in part.columns if self._owners[column] is part]
            values[:, owned] = part.track.at(stamps_ns)[:, np.searchsorted(part.columns, owned)]
        return values

    def covers_before(self, stamps_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which of the stamps [N] `before` has values."""
        known = np.zeros((len(stamps_ns), len(self._names)), dtype=bool)
        for part in self._parts.values():
            known[:, part.columns] |= part.track.covers_before(stamps_ns)[:, None]
        return np.asarray(known.all(axis=1))

    def before(self, stamps_ns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Commands in force at the stamps [N]: the newest of each joint strictly before, float32 [N, A]."""
        values = np.empty((len(stamps_ns), len(self._names)), np.float32)
        issued = np.full(values.shape, np.iinfo(np.int64).min)
        for part in self._parts.values():
            covered = part.track.covers_before(stamps_ns)
            if not covered.any():
                continue
            rows = np.flatnonzero(covered)
            stamps = part.track.stamps_ns[np.searchsorted(part.track.stamps_ns, stamps_ns[rows]) - 1]
            here = np.ix_(rows, part.columns)
            newer = stamps[:, None] > issued[here]
            values[here] = np.where(newer, part.track.before(stamps_ns[rows]), values[here])
            issued[here] = np.where(newer, stamps[:, None], issued[here])
        return values

    def newest(self) -> NDArray[np.float32]:
        """The newest value of every joint, [A]. Every joint must have one."""
        values = np.empty(len(self._names), np.float32)
        for part in self._owning():
            newest_ns = part.track.newest_ns
            assert newest_ns is not None
            # `before` is strict: the newest entry takes effect one nanosecond after its stamp.
            row = part.track.before([newest_ns + 1])[0]
            owned = [column for column in part.columns if self._owners[column] is part]
            values[owned] = row[np.searchsorted(part.columns, owned)]
        return values

    def _wanted_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The wanted joints among the names of a message, in the order of the columns."""
        if (known := self._wanted.get(names)) is None:
            own = {self._aliases.get(name, name) for name in names}
            known = self._wanted[names] = tuple(name for name in self._names if name in own)
            while len(self._wanted) > _KEPT:
                self._wanted.popitem(last=False)
        return known

    def _new_part(self, publisher: int, wanted: tuple[str, ...], now: float) -> _Part:
        track = JointTrack(
            wanted, capacity=self._capacity, hold_s=self._hold_s, hold_periods=1.5, aliases=self._aliases
        )
        columns = np.array([self._names.index(name) for name in wanted], dtype=np.int64)
        return _Part(publisher, columns, track, now, now)

    def _assign_owners(self, part: _Part, now: float) -> None:
        """Give a part the joints that have no publisher, or whose publisher is silent."""
        for column in part.columns:
            owner = self._owners[column]
            if owner is None or (now - owner.newest_at > _SILENT_S and part.run >= _SILENT_MESSAGES):
                self._owners[column] = part

    def _distance(
        self, key: tuple[int, tuple[str, ...]], names: Sequence[str], positions: Sequence[float] | NDArray
    ) -> float:
        """How far a message lies from the newest one of a part."""
        part = self._parts.get(key)
        if part is None or part.track.newest_ns is None or len(names) != len(positions):
            return 1e9
        values = dict(zip((self._aliases.get(name, name) for name in names), positions, strict=True))
        newest = part.track.before([part.track.newest_ns + 1])[0]
        distance = max(abs(values[name] - old) for name, old in zip(key[1], newest, strict=True))
        return float(distance) if np.isfinite(distance) else 1e9

    def _owning(self) -> list[_Part]:
        return list({id(owner): owner for owner in self._owners if owner is not None}.values())

    def _all_parts(self, covers: Callable[[JointTrack], NDArray[np.bool_]], count: int) -> NDArray[np.bool_]:
        if not self.complete:
            return np.zeros(count, dtype=bool)
        return np.asarray(np.all([covers(part.track) for part in self._owning()], axis=0))
