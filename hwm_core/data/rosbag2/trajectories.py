"""Commands that a bag holds as trajectories."""

from collections.abc import Iterator
from typing import Any

from hwm_core.data.recording.events import Event, JointValues, decoded_event
from hwm_core.data.recording.trajectory_commands import TrajectoryCommands, TrajectoryPoints
from hwm_core.data.rosbag2.stamps import ChannelStamps

TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
_RATE_HZ = 100.0  # of the commands between the points of a trajectory
_MOST_NS = 600_000_000_000  # of the last trajectory: it may lead beyond the end of the bag


class TrajectoryEvents:
    """Command events of one topic of `trajectory_msgs/JointTrajectory`.

    Args:
        stamps: the times of the messages.
    """

    def __init__(self, stamps: ChannelStamps) -> None:
        self._stamps = stamps
        self._commands = TrajectoryCommands(_RATE_HZ)
        self._started_ns = 0

    def add(self, message: Any, received_ns: int) -> Iterator[Event]:
        """Follow the trajectory of one message; yields the commands of the one before, up to its start.

        A header stamp of 0 means "start now". Raises BadActions for a malformed message.
        """
        header_ns = int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)
        start_ns = self._stamps.stamp_ns(header_ns or received_ns, received_ns)
        seconds = [point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec for point in message.points]
        positions = [point.positions for point in message.points]
        points = TrajectoryPoints.read(message.joint_names, start_ns, seconds, positions)
        yield from self._until(start_ns - 1)
        self._commands.replace(start_ns, points)
        self._started_ns = start_ns

    def finish(self) -> Iterator[Event]:
        """The commands of the last trajectory; a new one starts without it."""
        yield from self._until(self._started_ns + _MOST_NS)
        self._commands.forget()

    def _until(self, now_ns: int) -> Iterator[Event]:
        for stamp_ns, names, positions in self._commands.until(now_ns):
            yield decoded_event("commands", JointValues(stamp_ns, names, positions))
