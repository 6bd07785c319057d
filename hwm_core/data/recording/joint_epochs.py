"""Joint messages of one channel over a whole recording, across clock jumps, cuts and publishers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.contradictions import contested_joints
from hwm_core.data.recording.joints import JointTrack
from hwm_core.data.robot.joint_names import match_names, require_distinct_names
from hwm_core.errors import BadActions, RobotMismatch

Values = NDArray[np.float32] | None
Known = NDArray[np.bool_]
# A joint that covers less than this share of the frames that the best joint covers is no joint of the recording.
_LEAST_COVERED = 0.5


@dataclass
class _Epoch:
    """The messages between two clock jumps, a track for each publisher and set of joints."""

    tracks: dict[tuple[int, tuple[str, ...]], JointTrack] = field(default_factory=dict)

    def shared(self, names: Sequence[str]) -> dict[tuple[JointTrack, ...], list[str]]:
        """The joints that the same tracks have, for each such set of tracks."""
        found: dict[tuple[JointTrack, ...], list[str]] = {}
        for name in names:
            having = tuple(track for track in self.tracks.values() if name in track.names)
            if having:
                found.setdefault(having, []).append(name)
        return found


class JointEpochs:
    """Collects joint messages. A backward clock jump or a cut starts a new epoch.

    A message may name only some of the joints. Messages of several publishers are joined by name. The joints are
    known only at the end of the recording.

    Args:
        names: joints wanted, in this order; None takes all joints of the recording.
        aliases: {name a message may use: name wanted}.
    """

    def __init__(self, names: Sequence[str] | None, aliases: Mapping[str, str] | None) -> None:
        self._wanted = None if names is None else tuple(names)
        self._aliases = dict(aliases or {}) if names is not None else {}
        self._named: dict[tuple[str, ...], tuple[str, ...]] = {}  # {names of a message: wanted ones, in one order}
        self._messages: dict[tuple[str, ...], int] = {}  # {wanted names: number of messages}
        self._epochs: list[_Epoch] = []
        self._cut = False
        self._columns: tuple[str, ...] | None = None
        self.rare: tuple[str, ...] = ()  # joints left out, because they cover too few frames

    def __bool__(self) -> bool:
        return any(self._messages)

    def __str__(self) -> str:
        spans = [[stamp for track in epoch.tracks.values() for stamp in track.ends_ns] for epoch in self._epochs]
        return ", ".join(time_span(np.array([min(span), max(span)])) for span in spans) or "no time"

    def __len__(self) -> int:
        """Number of messages."""
        return sum(self._messages.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the values: the joints wanted, or all in the order of the fullest message; or none."""
        if not self:
            return ()
        if self._columns is None:
            fullest = sorted(self._messages, key=len, reverse=True)  # of equal ones, the first
            self._columns = self._wanted or tuple(dict.fromkeys(name for names in fullest for name in names))
        return self._columns

    @property
    def current(self) -> int:
        """Number of the epoch that a message arriving now belongs to."""
        return max(len(self._epochs) - 1, 0) + self._cut

    @property
    def same_stamp(self) -> int:
        """Messages that replaced an earlier one of the same joints and stamp."""
        return sum(track.replaced for epoch in self._epochs for track in epoch.tracks.values())

    def cut(self) -> None:
        """Start a new epoch with the next message."""
        self._cut = bool(self._epochs)

    def append(
        self, stamp_ns: int, names: Sequence[str], positions: Sequence[float] | NDArray, publisher: int = 0
    ) -> bool:
        """Add one message. Returns False for a late one, which is left out.

        Raises:
            RobotMismatch: a joint occurs twice, or the message names none of the joints wanted.
            BadActions: the positions are not one per name, or not finite.
        """
        own = self._own_names(tuple(names))
        key = (publisher, own)
        epoch = self._epochs[-1] if self._epochs and not self._cut else _Epoch()
        track = epoch.tracks.get(key)
        if track is not None and track.is_jump(stamp_ns):
            epoch, track = _Epoch(), None
        track = track or JointTrack(own, aliases=self._aliases)
        on_time = track.append(stamp_ns, names, positions) != "late"
        epoch.tracks[key] = track
        if not self._epochs or self._epochs[-1] is not epoch:
            self._epochs.append(epoch)
            self._cut = False
        self._messages[own] = self._messages.get(own, 0) + 1
        return on_time

    def require_names(self) -> None:
        """Raises RobotMismatch when joints that are wanted occur in no message."""
        if self and self._wanted is not None:
            given = dict.fromkeys(self._aliases.get(name, name) for names in self._named for name in names)
            match_names(self._wanted, list(given), whose="the joint messages")

    def require_one_track(self, what: str) -> None:
        """Raises BadActions, about `what`, when publishers of one joint contradict each other."""
        found: dict[str, str] = {}
        for epoch in self._epochs:
            for tracks, names in epoch.shared(self.names).items():
                found |= contested_joints(names, tracks)
        if found:
            first = next(iter(found))
            raise BadActions(
                what,
                expected="one publisher for each joint, or publishers that agree",
                got=f"contradictions in {', '.join(found)}: {first} {found[first]}",
                remedy="Two programs publish these joints: remap one to its own topic, and record again.",
            )

    def at(self, stamps: NDArray[np.int64], epochs: Sequence[int]) -> tuple[Values, Known]:
        """Interpolated values at stamps of given epochs.

        Returns:
            values [N, A] and a mask [N] of the known ones; None and all True when nothing was recorded.
        """
        return self._look_up(stamps, epochs, JointTrack.covers, JointTrack.at)

    def before(self, stamps: NDArray[np.int64], epochs: Sequence[int]) -> tuple[Values, Known]:
        """Newest values strictly before stamps of given epochs. Returns as `at`."""
        return self._look_up(stamps, epochs, JointTrack.covers_before, JointTrack.before)

    def ages_before(self, stamps: NDArray[np.int64], epochs: Sequence[int]) -> NDArray[np.int64]:
        """How long before each of the stamps [N] the newest message strictly before it is, in ns; 0 without one."""
        ages = np.zeros(len(stamps), dtype=np.int64)
        for number, epoch in enumerate(self._epochs):
            inside = np.flatnonzero(np.asarray(epochs) == number)
            known = np.sort(np.concatenate([track.stamps_ns for track in epoch.tracks.values()]))
            after = np.searchsorted(known, stamps[inside])
            found = inside[after > 0]
            ages[found] = stamps[found] - known[after[after > 0] - 1]
        return ages

    def _own_names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The wanted joints among the names of a message, in one order for all orders of these names."""
        if (known := self._named.get(names)) is None:
            own = [self._aliases.get(name, name) for name in names]
            require_distinct_names(own if self._wanted is None else [n for n in own if n in self._wanted], "a message")
            if self._wanted is None:
                same = (one for one in self._messages if set(one) == set(own))
                known = next(same, tuple(own))
            else:
                known = tuple(name for name in self._wanted if name in own)
            self._named[names] = known
        if not names:
            raise RobotMismatch(
                "Joint message",
                expected="a name for each position",
                got="no names",
                remedy="Make the publisher fill the field `name`.",
            )
        if not known:
            match_names(self._wanted or names, names, whose="the joint message")
        return known

    def _look_up(
        self,
        stamps: NDArray[np.int64],
        epochs: Sequence[int],
        covers: Callable[[JointTrack, NDArray[np.int64]], Known],
        values: Callable[[JointTrack, NDArray[np.int64]], NDArray[np.float32]],
    ) -> tuple[Values, Known]:
        if not self:
            return None, np.ones(len(stamps), dtype=bool)
        place = {name: column for column, name in enumerate(self.names)}
        found = np.zeros((len(stamps), len(place)), dtype=np.float32)
        known = np.zeros(found.shape, dtype=bool)
        for number, epoch in enumerate(self._epochs):
            inside = np.flatnonzero(np.asarray(epochs) == number)
            for tracks, names in epoch.shared(self.names).items():
                whole = len(tracks) == 1 and tracks[0].names == tuple(names)
                track = tracks[0] if whole else JointTrack.joined(tracks, names)
                rows = inside[covers(track, stamps[inside])]
                cells = np.ix_(rows, np.array([place[name] for name in names]))
                found[cells], known[cells] = values(track, stamps[rows]), True
        kept = self._keep_covered(known)
        return found[:, kept], np.asarray(known[:, kept].all(axis=1))

    def _keep_covered(self, known: Known) -> NDArray[np.int64]:
        """The columns that cover enough frames, where no joints are wanted; the others are no joints any more."""
        covered = known.sum(axis=0)
        enough = covered >= _LEAST_COVERED * covered.max(initial=0)
        if self._wanted is None and not enough.all():
            self.rare = tuple(name for name, kept in zip(self.names, enough, strict=True) if not kept)
            self._columns = tuple(name for name, kept in zip(self.names, enough, strict=True) if kept)
            return np.flatnonzero(enough)
        return np.arange(len(covered))


def time_span(stamps_ns: NDArray[np.int64]) -> str:
    """First and last stamp, in seconds."""
    return f"{stamps_ns[0] / 1e9:.3f}..{stamps_ns[-1] / 1e9:.3f} s"
