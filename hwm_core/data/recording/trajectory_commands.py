"""Commanded positions from trajectories, as controllers of `trajectory_msgs/JointTrajectory` follow them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadActions

_MOST_POINTS, _LONGEST_S = 10_000, 600.0


@dataclass(frozen=True)
class TrajectoryPoints:
    """Way points of named joints.

    Args:
        names: A joints.
        times_ns: [N] increasing, as stamps.
        positions: [N, A].
    """

    names: tuple[str, ...]
    times_ns: NDArray[np.int64]
    positions: NDArray[np.float64]

    @staticmethod
    def read(
        names: Sequence[str], start_ns: int, seconds: Sequence[float], positions: Sequence[Sequence[float]]
    ) -> "TrajectoryPoints":
        """Check the content of a message.

        Args:
            names: of the joints.
            start_ns: stamp of time 0.
            seconds: time of each point from the start.
            positions: of each point.

        Raises:
            BadActions: no or too many points, times that do not increase, or positions that are not finite or not one
                per joint.
        """
        rows = [len(row) for row in positions]
        fits = 1 <= len(rows) <= _MOST_POINTS and set(rows) == {len(names)} and len(seconds) == len(rows)
        values = np.asarray(positions, np.float64) if fits else np.empty((0, 0))
        times = np.asarray(seconds, np.float64)
        in_order = fits and (np.abs(times) <= _LONGEST_S).all() and (np.diff(times) > 0).all()  # NaN is not
        if not (in_order and np.isfinite(values).all()):
            raise BadActions(
                "Joint trajectory",
                expected=f"1 to {_MOST_POINTS} points at increasing times up to {_LONGEST_S:g} s, each with "
                f"{len(names)} finite positions",
                got=f"{len(rows)} points with {sorted(set(rows))[:4]} positions",
                remedy="Fix the publisher.",
            )
        return TrajectoryPoints(tuple(names), start_ns + np.round(1e9 * times).astype(np.int64), values)


class TrajectoryCommands:
    """Turns trajectories into commands at a fixed rate. A newer trajectory replaces the rest of an older one.

    Before its first point, a trajectory leads straight from the newest command; after its last point, that holds.

    Args:
        rate_hz: of the commands.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = round(1e9 / rate_hz)
        self._points: TrajectoryPoints | None = None
        self._next_ns = 0
        self._newest: dict[str, float] = {}

    def replace(self, start_ns: int, points: TrajectoryPoints) -> None:
        """Follow a trajectory from `start_ns` on."""
        known = all(name in self._newest for name in points.names)
        if known and points.times_ns[0] > start_ns:
            first = [[self._newest[name] for name in points.names]]
            points = TrajectoryPoints(
                points.names,
                np.concatenate([[start_ns], points.times_ns]),
                np.concatenate([np.asarray(first), points.positions]),
            )
        self._points, self._next_ns = points, start_ns

    def until(self, now_ns: int, most: int | None = None) -> Iterator[tuple[int, tuple[str, ...], NDArray[np.float64]]]:
        """Stamps, names and positions [A] of the commands due up to `now_ns`, the last point of a trajectory once.

        Args:
            now_ns: a stamp.
            most: only so many of the newest are made, the older ones are left out; None: all.
        """
        points = self._points
        if points is None or self._next_ns > now_ns:
            return
        period_ns, last_ns = self._period_ns, int(points.times_ns[-1])
        to_now = (now_ns - self._next_ns) // period_ns
        to_last = max(0, -((self._next_ns - last_ns) // period_ns))  # the first one not before the last point
        count = min(to_now, to_last) + 1
        first = 0 if most is None else max(0, count - most)
        stamps_ns = self._next_ns + period_ns * np.arange(first, count, dtype=np.int64)
        since_ns = points.times_ns - points.times_ns[0]  # exact: a stamp exceeds the precision of a float64
        at_ns = stamps_ns - points.times_ns[0]
        values = np.empty((len(stamps_ns), len(points.names)))
        for joint, column in enumerate(points.positions.T):
            values[:, joint] = np.interp(at_ns, since_ns, column)
        self._newest = dict(zip(points.names, values[-1].tolist(), strict=True))
        self._next_ns += period_ns * count
        if to_last <= to_now:
            self._points = None
        for stamp_ns, row in zip(stamps_ns.tolist(), values, strict=True):
            yield stamp_ns, points.names, row

    def forget(self) -> None:
        """Drop the trajectory: its clock was reset."""
        self._points, self._newest = None, {}
